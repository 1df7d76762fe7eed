"""How wide the adapter may be: trainable / (trainable + backbone) stays within 1.9 % [paper].

The paper's figure is kept for every backbone by solving for the inner width [ours].
"""

from dataclasses import replace

from shards.errors import TrainingError
from training.adapter.config import AdapterConfig

_WIDEST = 8192


def trainable_share(trainable: int, backbone: int) -> float:
    """Trainable parameters as a share of all."""
    return trainable / (trainable + backbone)


def within_budget(config: AdapterConfig, *, backbone_parameters: int, budget: float, step: int) -> AdapterConfig:
    """The config with the widest inner width, a multiple of `step`, whose share is at most `budget`.

    Args:
        config: all but the inner width is taken from here.
        backbone_parameters: frozen parameters.
        budget: largest share, e.g. 0.019.
        step: granularity of the width; a multiple of 2 * heads, since rotary pairs lie within a head.

    Raises:
        TrainingError: not even the narrowest adapter fits.
    """
    fitting = [
        candidate
        for width in range(step, _WIDEST + 1, step)
        if trainable_share((candidate := replace(config, inner_width=width)).parameters(), backbone_parameters)
        <= budget
    ]
    if not fitting:
        narrowest = replace(config, inner_width=step).parameters()
        share = trainable_share(narrowest, backbone_parameters)
        raise TrainingError(
            f"the narrowest adapter has {narrowest:,} parameters, {share:.2%} of all; the budget is {budget:.2%}",
            remedy="use fewer sites or encoder layers, a smaller audio_width, or raise `budget`",
        )
    return fitting[-1]
