"""CLAP through laion-clap, kept from the hub and from the import path.

Importing laion_clap asks the hub for three tokenizers and appends the package's own folder to `sys.path`, where it
offers a `training` of its own; building a model asks for RoBERTa's weights, which the checkpoint replaces anyway.
Offline, transformers may even hand out an EMPTY tokenizer without a word. So import and construction run with those
look-ups answered locally, the path is put back, and a tokenizer of any but the expected size is refused.

LAION's checkpoints also hold the state of their optimiser, with numpy's numbers in it, and laion-clap itself reads them
with pickle wide open. Here only tensors and plain numbers are let in, and every weight of the model must be there.
"""

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.encoders.base import Embeddings, best_device, half_on_gpu
from curation.encoders.batching import Batcher
from curation.encoders.clap_common import BATCH, RATE_HZ, VOCABULARY, in_batches, load_tokenizer, refuse_long
from shards.checkpoint import fill, read_tensors
from shards.errors import Unavailable

CHECKPOINT = "630k-audioset-best.pt"
INSTALL = "in Clapboard's checkout: uv pip install --override requirements/override.txt laion-clap"
"""Without the override NumPy would be put back below 2; see docs/decisions/0001-pins.md."""

_importing = threading.Lock()


class LaionClapEncoder:
    """LAION-CLAP (HTSAT-tiny, RoBERTa) as an `AudioTextEncoder`.

    `folder` holds `vocab.json` and `merges.txt` of roberta-base and, unless `checkpoint` is None (random weights, for
    tests), the checkpoint.

    Raises:
        BadInput: the tokenizer or the checkpoint is not what it should be.
        Unavailable: laion-clap is not installed.
    """

    rate_hz = RATE_HZ

    def __init__(self, folder: Path, *, checkpoint: str | None = CHECKPOINT, device: str | None = None) -> None:
        tokenizer = load_tokenizer(folder)
        with _importing, hub_free(tokenizer):
            try:
                import laion_clap
            except ImportError as error:
                raise Unavailable(f"laion-clap cannot be imported: {error}", remedy=INSTALL) from error
            self.module = laion_clap.CLAP_Module(enable_fusion=False, device="cpu", amodel="HTSAT-tiny")
        if checkpoint is not None:
            load_weights(self.module.model, read_checkpoint(folder / checkpoint))
        self._device = device or best_device()
        self.module.model.eval().to(self._device)
        keep_exact(self.module.model.audio_branch)
        self.scale = float(self.module.model.logit_scale_a.exp().detach())
        self._forward = Batcher(self._encode, size=BATCH)

    def embed_sounds(self, sounds: NDArray[np.float32]) -> Embeddings:
        """Embed (n, samples) mono sounds at 48 kHz; those shorter than ten seconds are repeated by laion-clap.

        Raises:
            BadInput: longer than ten seconds, of which laion-clap would take a random part.
        """
        refuse_long(sounds)
        return self._forward(sounds)

    def _encode(self, sounds: NDArray[np.float32]) -> Embeddings:
        import torch

        with torch.inference_mode(), half_on_gpu(self._device):
            return np.asarray(self.module.get_audio_embedding_from_data(sounds), np.float32)

    def embed_texts(self, texts: Sequence[str]) -> Embeddings:
        """Embed n texts, each cut at 77 tokens by laion-clap."""
        return in_batches(texts, self.module.get_text_embedding)


def keep_exact(branch: Any) -> None:
    """Keep the spectrogram in float32 where the rest runs in half precision: it is made by convolutions over samples,
    and eight bits of them are less than a sound has."""
    import torch

    for part in (branch.spectrogram_extractor, branch.logmel_extractor):
        forward = part.forward

        def exact(x: Any, forward: Any = forward) -> Any:
            with torch.autocast(x.device.type, enabled=False):
                return forward(x.float())

        part.forward = exact


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The tensors of a laion-clap checkpoint by their names in the model; anything but tensors and numbers is refused.

    Raises:
        BadInput: it cannot be read so.
    """
    state = read_tensors(path, within="state_dict", remedy="clapboard weights verify clap")
    # Position ids are a buffer that newer transformers build themselves.
    return {name.removeprefix("module."): state[name] for name in state if not name.endswith("position_ids")}


def load_weights(model: Any, state: dict[str, Any]) -> None:
    """Load every weight of the model.

    Raises:
        BadInput: weights are missing, too many, or of another shape.
    """
    remedy = f"only {CHECKPOINT} of lukewys/laion_clap fits: clapboard weights verify clap"
    fill(model, state, what="HTSAT-tiny with RoBERTa", remedy=remedy)


@contextmanager
def hub_free(tokenizer: Any) -> Iterator[None]:
    """Answer laion_clap's look-ups locally while the block runs, and put `sys.path` back at its end."""
    import transformers

    def refuse(*_: object, **__: object) -> None:
        """A tokenizer that nobody uses: None, so that using it would fail at once."""

    def roberta(*_: object, **__: object) -> Any:
        config = transformers.RobertaConfig(
            vocab_size=VOCABULARY, max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=1e-5
        )
        return transformers.RobertaModel(config)

    path = list(sys.path)
    with ExitStack() as stack:
        for owner, answer in (
            (transformers.BertTokenizer, refuse),
            (transformers.BartTokenizer, refuse),
            (transformers.RobertaTokenizer, lambda *_, **__: tokenizer),
            (transformers.RobertaModel, roberta),
        ):
            stack.enter_context(_replaced(owner, "from_pretrained", staticmethod(answer)))
        try:
            yield
        finally:
            sys.path[:] = path


@contextmanager
def _replaced(owner: type, name: str, value: object) -> Iterator[None]:
    """Set a class attribute for a while; one that was inherited is inherited again."""
    own = vars(owner).get(name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if own is None:
            delattr(owner, name)
        else:
            setattr(owner, name, own)
