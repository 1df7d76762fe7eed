"""The demo's report: gather what the run left, and write the page."""

from collections.abc import Sequence
from pathlib import Path

from curation.accounting.funnel import funnel
from curation.home.folder import Home
from curation.outcomes import Outcome
from curation.settings.recipe import Recipe
from flows.demo.answers import Judged
from flows.report.data import Curve, Output, ProbeRow, Report, Timing, TruthRow
from flows.report.gather import cards, histograms, versions
from flows.report.page import write_report
from flows.summary import CurateSummary, PublishSummary, TrainSummary


def write_demo_report(
    home: Home,
    *,
    recipe: Recipe,
    curated: CurateSummary,
    published: PublishSummary,
    stages: Sequence[TrainSummary],
    judged: Sequence[Judged],
    animation: Path,
    timings: Sequence[Timing],
) -> Path:
    """Write `HOME/report.html`."""
    with home.ledger() as ledger:
        stages_of_funnel = tuple(funnel(ledger))
        clips = cards(ledger, home=home, settings=recipe.cut)
        spread = histograms(ledger, recipe.policy)
    report = Report(
        title="Clapboard demo",
        subtitle="Drawn videos with planted faults, curated, reviewed from the known truth, trained on, animated.",
        made_with=versions(),
        funnel=stages_of_funnel,
        published=published.clips,
        decided=curated.decided,
        not_run=tuple(curated.not_run),
        clips=clips,
        histograms=spread,
        curves=tuple(map(_curve, stages)),
        probe=tuple(_probe(stage) for stage in stages if stage.probe),
        animation=animation,
        animation_note=(
            "One still image and two seconds of sound, both new to the model. The small generator of the drawn world, "
            "which comes with the package and never heard a sound, moves when the adapter that was trained here hears "
            "a strike."
        ),
        truth=tuple(map(_truth, judged)),
        outputs=_outputs(home, curated, published, stages, animation),
        timings=tuple(timings),
    )
    return write_report(report, home.report)


def _curve(stage: TrainSummary) -> Curve:
    from flows.train import read_curve

    return read_curve(Path(stage.run_dir), f"stage {stage.stage} on {stage.snapshot}")


def _probe(stage: TrainSummary) -> ProbeRow:
    probe = stage.probe
    return ProbeRow(f"stage {stage.stage}", probe["matched"], probe["shifted"], probe["silent"])


def _truth(one: Judged) -> TruthRow:
    expected = "unjudged" if one.planted.expected is None else str(one.planted.expected)
    defect = str(one.planted.defect).replace("_", " ")
    mended = one.planted.expected is Outcome.OFFSET_CORRECTED
    expected = "review" if one.planted.expected is Outcome.WEAK_SYNC else expected
    expected = "accept or review" if one.planted.good and not mended else expected
    return TruthRow(one.planted.file, defect, expected, one.found, one.ok)


def _outputs(
    home: Home,
    curated: CurateSummary,
    published: PublishSummary,
    stages: Sequence[TrainSummary],
    animation: Path,
) -> tuple[Output, ...]:
    snapshots = [
        Output(f"snapshot {ref}", home.snapshots / ref) for ref in (curated.snapshot, published.snapshot) if ref
    ]
    runs = [Output(f"training stage {stage.stage}", Path(stage.run_dir)) for stage in stages]
    return (*snapshots, *runs, Output("animation", animation), Output("ledger", home.root / "ledger.sqlite"))
