"""What a run leaves in the Prefect UI: the funnel as a table, and pages that say what to do next."""

from collections.abc import Mapping, Sequence

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from curation.funnel import Stage
from curation.outcomes import remedy_of
from flows.summary import NotRun

MAX_ROWS = 500
"""A table artifact beyond this makes the UI slow."""


def leave_funnel(stages: Sequence[Stage]) -> None:
    """The funnel as a table: a row for every outcome of every stage, with its remedy."""
    rows = [
        {"stage": stage.name, "in": stage.entered, "outcome": name, "count": count, "remedy": remedy_of(name)}
        for stage in stages
        for name, count in sorted(stage.outcomes.items())
    ]
    create_table_artifact(key="funnel", table=rows[:MAX_ROWS], description="What came in, and how it left.")


def leave_not_run(not_run: Sequence[NotRun]) -> None:
    """A page of what this machine could not do, and the command that mends each."""
    lines = [f"- **{one.what}** was not run: {one.why}. Mend: `{one.command}`" for one in not_run]
    create_markdown_artifact(key="not-run", markdown="\n".join(lines) or "Everything was run.")


def leave_queue(waiting: int, home: str) -> None:
    """A page that leads from the run to its review queue."""
    text = f"**{waiting}** clips wait for a person.\n\n    clapboard review serve --home {home}\n"
    create_markdown_artifact(key="review-queue", markdown=text)


def leave_curve(key: str, title: str, losses: Sequence[tuple[int, float]], sparkline_rows: int = 40) -> None:
    """A training curve as a table of at most `sparkline_rows` evenly spread steps."""
    stride = max(1, len(losses) // sparkline_rows)
    rows = [{"step": step, "loss": round(loss, 5)} for step, loss in losses[::stride]]
    create_table_artifact(key=key, table=rows, description=title)


def leave_probe(key: str, probe: Mapping[str, float]) -> None:
    """The sync probe as a table: what the loss is with the right sound, a shifted one, none."""
    rows = [{"measured": name, "value": round(value, 5)} for name, value in probe.items()]
    create_table_artifact(key=key, table=rows, description="Held-out loss by what the model hears.")
