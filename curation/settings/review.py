"""Settings of the review: how much is asked twice, how the queue is mixed, and when enough is known."""

from pydantic import BaseModel, ConfigDict, Field

from curation.decide.asking import Order

LONGEST_LEASE_S = 24 * 3600
"""A lease that ends later than this was given by a clock that was wrong, and holds nothing. [ours]"""


class ReviewSettings(BaseModel):
    """Who checks the automatic decisions, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    order: Order = Field(
        Order.LEARN,
        description="what comes first: `learn`, clips whose answer teaches most, or `collect`, those likeliest good",
    )
    audit_share: float = Field(0.1, ge=0, le=1, description="share of accepted clips that a person sees as well")
    audit_mix: float = Field(0.2, ge=0, le=1, description="share of what a reviewer gets that is drawn from those")
    double_share: float = Field(0.1, ge=0, le=1, description="share of clips that two reviewers answer")
    golden_mix: float = Field(0.03, ge=0, le=1, description="share of what a reviewer gets whose answer is known")
    lease_s: float = Field(
        300, gt=0, le=LONGEST_LEASE_S, description="a clip that a reviewer holds comes back after this silence"
    )
    per_class: int = Field(0, ge=0, description="accepted clips wanted of each class; 0 wants all there are")
    targets: dict[str, int] = Field(default={}, description="the same for single classes, by name")
    target_precision: float = Field(
        0.95, gt=0, lt=1, description="enough is known when audits prove this precision of what was accepted unseen"
    )

    page: str = Field("http://127.0.0.1:8420/", description="where the review page is served; runs link to it")

    def target(self, label: str) -> int:
        """Accepted clips wanted of a class; 0 wants all."""
        return self.targets.get(label, self.per_class)
