"""What a report holds: plain facts that a run gathered. Nothing here draws or reads a file."""

from dataclasses import dataclass
from pathlib import Path

from curation.accounting.funnel import Stage
from curation.decide.policy import Band
from curation.outcomes import Outcome
from curation.review.where import Where, where_of
from curation.review.words import synchrony
from curation.verdicts.answers import Verdict
from flows.summary import NotRun


@dataclass(frozen=True, slots=True)
class ClipCard:
    """One clip of the contact sheets.

    Attributes:
        clip_id, label, caption, link, licence: what the source list says; `link` is a URL or a file's name.
        band, reasons: the automatic decision.
        verdict: the newest answer of a person, if any.
        scores: the measured columns, by name.
        media: an MP4 that holds the clip; None where nothing was decoded.
        start_us, end_us: the clip's place in its source video.
        media_span_us: where in `media` the clip lies; None where `media` is the clip and nothing else.
    """

    clip_id: str
    label: str
    caption: str
    band: Band
    reasons: tuple[Outcome, ...]
    verdict: Verdict | None
    scores: dict[str, float]
    media: Path | None
    link: str
    licence: str
    start_us: int
    end_us: int
    media_span_us: tuple[int, int] | None = None

    @property
    def where(self) -> Where | None:
        """The region that was heard, if it is likely enough."""
        return where_of(self.scores)

    @property
    def heard(self) -> str:
        """What the scores say of the timing, in a line; empty where it was not measured."""
        return synchrony(self.scores)


@dataclass(frozen=True, slots=True)
class Threshold:
    """A line in a histogram: where the policy draws a border."""

    label: str
    value: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """How one score column is spread.

    Attributes:
        name: the column.
        unit: of its values; empty for a pure number.
        values: the measured values by band.
        thresholds: the policy's borders in this column.
        counted: what one value belongs to, in the plural.
    """

    name: str
    unit: str
    values: dict[Band, tuple[float, ...]]
    thresholds: tuple[Threshold, ...] = ()
    counted: str = "windows"


@dataclass(frozen=True, slots=True)
class Series:
    """Another line in a curve's plot, in the unit of the loss; its steps may be fewer than the curve's."""

    name: str
    steps: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """The loss of one training stage: `steps` and `losses` have one length."""

    name: str
    steps: tuple[int, ...]
    losses: tuple[float, ...]
    extra: tuple[Series, ...] = ()


@dataclass(frozen=True, slots=True)
class GapCurve:
    """The sync probe over a run: at each of `steps` what a moved sound costs, and the standard error of that."""

    steps: tuple[int, ...]
    gaps: tuple[float, ...]
    errors: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ProbeRow:
    """The synchrony probe of one stage: mean loss under matched, shifted and no sound."""

    stage: str
    matched: float
    shifted: float
    none: float


@dataclass(frozen=True, slots=True)
class TruthRow:
    """A planted file: what is wrong with it, what ought to be found, and what was decided."""

    file: str
    defect: str
    expected: str
    decided: str
    ok: bool


@dataclass(frozen=True, slots=True)
class Output:
    """A file or folder that the run left behind."""

    label: str
    path: Path


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a step took, and what a reader should know of it."""

    step: str
    seconds: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that one report says.

    Attributes:
        title, subtitle: the page's head.
        made_with: versions, by name.
        funnel: the stages as `curation.accounting.funnel.funnel` gives them.
        published: clips in the snapshot; None where nothing was published.
        decided: whether published networks or signal scores alone decided, in words.
        not_run: what this machine could not do, and the command that mends it.
        clips: contact sheet entries; they are grouped by band, in the order given.
        truth: what was planted and found; None where nobody knows the truth.
        animation: an MP4 that the trained model made.
        animation_note: what it shows, or why there is none.
        outputs, timings: where things lie, and what took how long.
    """

    title: str
    subtitle: str
    made_with: dict[str, str]
    funnel: tuple[Stage, ...]
    published: int | None = None
    decided: str = ""
    not_run: tuple[NotRun, ...] = ()
    clips: tuple[ClipCard, ...] = ()
    histograms: tuple[Histogram, ...] = ()
    curves: tuple[Curve, ...] = ()
    probe: tuple[ProbeRow, ...] = ()
    animation: Path | None = None
    animation_note: str = ""
    truth: tuple[TruthRow, ...] | None = None
    outputs: tuple[Output, ...] = ()
    timings: tuple[Timing, ...] = ()
