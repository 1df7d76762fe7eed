"""What a flow hands back to its caller: small, JSON-able, the same for the command line and for Prefect."""

from pydantic import BaseModel

from curation.outcomes import Outcome


class NotRun(BaseModel):
    """A part that this machine could not run, and the command that mends it."""

    what: str
    why: str
    command: str


class CurateSummary(BaseModel):
    """What a curation run did.

    `measured_by`: the published networks that looked at its clips; `decided_by`: those of them whose numbers count in
    the policy; `decided`: the same in words.
    """

    new_rows: int
    fetched: int
    measured: int
    windows: dict[str, int]
    clips: dict[str, int]
    waiting: int
    snapshot: str | None
    fresh_snapshot: bool
    not_run: list[NotRun]
    measured_by: list[str]
    decided_by: list[str]
    decided: str
    seconds: dict[str, float]


class DroppedClip(BaseModel):
    """A clip that a person accepted and that could not be published, why, and what mends it."""

    clip_id: str
    link: str
    start_us: int
    end_us: int
    outcome: Outcome
    remedy: str


class PublishSummary(BaseModel):
    """What a publication did."""

    snapshot: str
    clips: int
    fresh: bool
    dropped: list[DroppedClip]


class TrainSummary(BaseModel):
    """What a training stage did."""

    stage: int
    snapshot: str
    run_dir: str
    steps: int
    finished: bool
    fresh: bool
    first_loss: float
    last_loss: float
    trainable_parameters: int
    trainable_share: float
    probe: dict[str, float]
    seconds: float
