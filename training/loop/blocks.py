"""How blocks compute: what they throw away and compute again in the backward pass, and compilation.

Blocks before the first adapter keep nothing in any case, since autograd starts there.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint, create_selective_checkpoint_contexts

from shards.errors import BadInput
from training.settings.config import Checkpointing

_aten = torch.ops.aten
KEPT_OPS = [
    _aten.mm.default,
    _aten.addmm.default,
    _aten.bmm.default,
    _aten.convolution.default,
    _aten._scaled_dot_product_flash_attention.default,
    _aten._scaled_dot_product_efficient_attention.default,
    _aten._scaled_dot_product_cudnn_attention.default,
    _aten._scaled_dot_product_flash_attention_for_cpu.default,
]
"""Where the arithmetic is: what these give is kept, all that is cheap is computed again (as torchtitan's selective
activation checkpointing)."""


MOST_SHAPES = 64


def use_checkpointing(network: nn.Module, choice: Checkpointing) -> None:
    """Set a diffusers generator to keep less; `NONE` leaves it as it is.

    Raises:
        BadInput: this generator cannot.
    """
    if choice is Checkpointing.NONE:
        return
    if not getattr(network, "_supports_gradient_checkpointing", False):
        raise BadInput(f"{type(network).__name__} cannot compute again", remedy="use --set checkpointing=none")
    network.enable_gradient_checkpointing(_recomputed(choice))  # type: ignore[operator]


def compile_blocks(network: nn.Module) -> None:
    """Compile blocks that are alike, once for each shape they meet; the adapter's hooks are part of them."""
    settings = torch._dynamo.config
    # Else what was compiled for a block without an adapter's hook is taken for one that has a hook, and skips it.
    settings.skip_nnmodule_hook_guards = False
    # A UNet's blocks meet more shapes than the eight after which Dynamo gives up.
    settings.recompile_limit = max(settings.recompile_limit, MOST_SHAPES)
    alike = getattr(network, "_repeated_blocks", None) or ["BasicTransformerBlock"]
    for module in network.modules():
        if type(module).__name__ in alike:
            module.compile()


def _recomputed(choice: Checkpointing) -> Callable[..., Any]:
    how: dict[str, Any] = {"use_reentrant": False}
    if choice is Checkpointing.SELECTIVE:
        how["context_fn"] = partial(create_selective_checkpoint_contexts, KEPT_OPS)

    def run(block: nn.Module, *given: Any) -> Any:
        # Through __call__, so that the adapter's hooks run both times.
        return checkpoint(block.__call__, *given, **how)

    return run
