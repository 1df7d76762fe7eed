"""How large a study is."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Size(StrEnum):
    """Sizes that run on one machine; the `full` one is described in docs/study.md."""

    TINY = "tiny"
    SMALL = "small"


class StudySettings(BaseModel):
    """Everything that decides a study's figures.

    Attributes:
        crawled: drawn films with the faults of a crawl: what stage one learns from, curated or not.
        reviewed: further films of the crawl, which reviewers look through after curation: what they accept is the
            curated set.
        reviewer_error: share of answers that are wrong, either way.
        answer_s: what a clip costs a reviewer, in seconds.
        evaluated: films whose picture is animated with their sound, of a split that nothing trains on.
        film_s, size_px: their length and format.
        one_steps, two_steps: steps at the rate of stage one, and then of stage two. Every arm has both, whatever it
            learns from: all compute alike, and all end on the falling rate.
        seeds: a repetition each: other weights, other shares of the curated films.
        one_stage_shares, two_stage_shares: shares of the curated films, without a stage one on the crawl and with it.
        ablations: whether it is also asked what single parts are worth.
        probed: windows that each probe of synchrony looks at.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    crawled: int = Field(ge=4)
    reviewed: int = Field(ge=4)
    reviewer_error: float = Field(0.05, ge=0, lt=0.5)
    answer_s: float = Field(6.0, gt=0)
    evaluated: int = Field(ge=2)
    film_s: float = Field(4.0, ge=3)
    size_px: int = Field(128, ge=64)
    one_steps: int = Field(ge=1)
    two_steps: int = Field(ge=1)
    seeds: tuple[int, ...] = (0, 1, 2)
    one_stage_shares: tuple[float, ...] = (0.1, 0.25, 0.5, 1.0)
    two_stage_shares: tuple[float, ...] = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)
    ablations: bool = True
    probed: int = Field(24, ge=2)


SIZES = {
    Size.TINY: StudySettings(
        crawled=30,
        reviewed=30,
        evaluated=12,
        one_steps=60,
        two_steps=20,
        seeds=(0,),
        one_stage_shares=(0.25, 1.0),
        two_stage_shares=(0.25, 1.0),
        ablations=False,
        probed=8,
    ),
    Size.SMALL: StudySettings(crawled=320, reviewed=260, evaluated=48, one_steps=240, two_steps=60),
}
