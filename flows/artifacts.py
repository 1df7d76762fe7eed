"""What a run leaves in the Prefect UI: the funnel as a table, and pages that say what to do next."""

import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from prefect.artifacts import (
    create_image_artifact,
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)

from curation.accounting.funnel import Stage
from curation.decide.policy import Policy
from curation.home.folder import Home
from curation.ledger.open import Ledger
from curation.media.settings import CutSettings
from curation.outcomes import remedy_of
from curation.review.progress import Progress
from curation.review.words import ENOUGH, share_between
from flows.report.cards import sheets
from flows.report.data import Curve, GapCurve
from flows.report.gather import cards, histograms
from flows.report.picture import as_link, contact_sheet, score_picture, training_picture
from flows.secrets import redacted
from flows.summary import DroppedClip, NotRun

MAX_ROWS = 500
"""A table artifact beyond this makes the UI slow."""

WINDOWS_SHOWN, CLIPS_SHOWN = 20_000, 12


def leave_funnel(stages: Sequence[Stage], *, decided: str) -> None:
    """The funnel as a page: a row for every outcome of every stage, what to do about each, and what decided.

    Remedies are a list below: cells, of a table artifact or of a page, are cut off after a few words.
    """
    rows = [
        (stage.name, stage.entered, name, count) for stage in stages for name, count in sorted(stage.outcomes.items())
    ]
    head = ["| stage | in | outcome | count |", "|---|--:|---|--:|"]
    lines = [*head, *(f"| {' | '.join(map(str, row))} |" for row in rows)]
    lost = dict.fromkeys(name for *_, name, count in rows if count and remedy_of(name))
    remedies = ["", "### What to do", "", *(f"- **{name}**: {remedy_of(name)}" for name in lost)] if lost else []
    told = f"What came in, and how it left. {decided}"
    create_markdown_artifact(key="funnel", markdown="\n".join([*lines, *remedies]), description=told)


def leave_cost(seconds: Mapping[str, float], clips: int) -> None:
    """What the run cost, step by step, and what that is for each clip that was accepted."""
    steps = [*seconds.items(), ("all", sum(seconds.values()))]
    rows = [{"step": name, "seconds": round(took, 1), "a clip": round(took / max(clips, 1), 2)} for name, took in steps]
    create_table_artifact(key="cost", table=rows, description=f"Seconds, for {clips} accepted clips.")


def leave_scores(ledger: Ledger, policy: Policy) -> None:
    """How the scores are spread over the bands, with the policy's borders, as a picture."""
    if picture := score_picture(histograms(ledger, policy, most=WINDOWS_SHOWN)):
        told = f"Scores of the decided windows, {WINDOWS_SHOWN} at most, by band."
        create_image_artifact(image_url=as_link(picture), key="scores", description=told)


def leave_sheet(ledger: Ledger, *, home: Home, settings: CutSettings) -> None:
    """Some clips of each band, as strips of frames."""
    if picture := contact_sheet(sheets(cards(ledger, home=home, settings=settings, most=CLIPS_SHOWN))):
        create_image_artifact(image_url=as_link(picture), key="clips", description="Kept, asked about, thrown away.")


def leave_dropped(dropped: Sequence[DroppedClip]) -> None:
    """The accepted clips that could not be published as a table, each with its reason and remedy."""
    rows = [one.model_dump(mode="json") | {"link": redacted(one.link)} for one in dropped[:MAX_ROWS]]
    counts = Counter(one.outcome.value for one in dropped)
    said = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) or "none"
    create_table_artifact(key="left-out", table=rows, description=f"Accepted clips that were left out: {said}.")


def leave_not_run(not_run: Sequence[NotRun]) -> None:
    """A page of what this machine could not do, and the command that mends each."""
    lines = [f"- **{one.what}** was not run: {one.why}. Mend: `{one.command}`" for one in not_run]
    told = f"What this machine could not run: {len(not_run)}, each with the command that mends it."
    create_markdown_artifact(key="not-run", markdown="\n".join(lines) or "Everything was run.", description=told)


def leave_queue(queue: Progress, *, home: Path, page: str) -> None:
    """The way from the run to its review page, and the state of the queue."""
    told = f"{queue.waiting} clips wait for a person, {queue.accepted} are accepted, {queue.rejected} rejected."
    create_link_artifact(link=page, link_text=f"Review {queue.waiting} clips", key="review-page", description=told)
    create_markdown_artifact(key="review-queue", markdown=queue_page(queue, home=home, page=page), description=told)


def queue_page(queue: Progress, *, home: Path, page: str) -> str:
    """The state of the review queue as markdown."""
    audited = queue.precision
    known = share_between(audited.value, audited.low, audited.high)
    lines = [
        f"**{queue.waiting}** clips wait for a person; **{queue.accepted}** are accepted, {queue.rejected} rejected.",
        *([f"Reviewers disagree on {queue.disputed}."] if queue.disputed else []),
        *([f"Of the clips accepted unseen, people find {known} good."] if known else []),
        *([f"**{ENOUGH[queue.enough]}**"] if queue.enough else []),
        f"[Open the review page]({page}), after",
        f"    {shlex.join(['clapboard', 'review', 'serve', '--home', str(home)])}",
    ]
    cells = [
        (_cell(one.label) or "no class", one.accepted, one.target or "all", one.rejected, one.waiting)
        for one in queue.classes
    ]
    rows = [f"| {' | '.join(map(str, row))} |" for row in cells]
    table = "\n".join(["| class | accepted | wanted | rejected | waiting |", "|---|--:|--:|--:|--:|", *rows[:MAX_ROWS]])
    return "\n\n".join([*lines, table])


def _cell(words: str) -> str:
    # Class names come from the web: they may neither end a cell nor become markup.
    return re.sub(r"([\\`*_{}\[\]<>#|!])", r"\\\1", " ".join(words.split()))


def leave_curves(key: str, title: str, curve: Curve, gaps: GapCurve) -> None:
    """Loss and sync probe as a picture."""
    create_image_artifact(image_url=as_link(training_picture(curve, gaps)), key=key, description=title)


def leave_probe(key: str, probe: Mapping[str, float]) -> None:
    """The sync probe as a table: what the loss is with the right sound, a shifted one, none."""
    rows = [{"measured": name, "value": round(value, 5)} for name, value in probe.items()]
    create_table_artifact(key=key, table=rows, description="Held-out loss by what the model hears.")
