"""RelSync and AlignSync, as the predecessor defines them [pred: ASVA `avgen/evaluations`], and the network behind both.

    RelSync   = exp(phi(a, film)) / (exp(phi(a, film)) + exp(phi(a, truth)))                       x 100
    AlignSync = RelSync x mean over frames 2..n of exp(c_k) / (exp(c_k) + exp(c_1 of the truth))   x 100

phi is the raw score of a classifier that was trained to tell a sound in time from the same video's sound at another
time; c_k the cosine of frame k and the sound by ImageBind. A perfect copy has RelSync 50 and AlignSync near 25.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from shards.checkpoint import fill, read_tensors
from shards.errors import BadInput, Unavailable
from shards.files import sha256_of
from training.encoders.sound import kaldi_filter_bank
from training.evaluate.extractors import FrameSound
from training.evaluate.films import EvaluatedClip, Frames
from training.evaluate.metrics.frechet import resized
from training.evaluate.metrics.similarity import need, said, shown_at
from training.evaluate.metrics.sync_network import SyncNetwork

FPS, FRAMES, SIDE_PX, RATE_HZ = 6, 12, 224, 16_000
MEL_FRAMES, MEL_MEAN, MEL_STD = 204, -4.268, 9.138
_MEAN, _STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
PARTS = ("audio_encoder", "video_encoder", "head")
_REMEDY = (
    "--weights relsync=FOLDER with the released audio_encoder, video_encoder and head (lzhangbj/ASVA), or your own: "
    "clapboard evaluate classifier VIDEOS --out FOLDER"
)


@dataclass
class SyncClassifier:
    """The classifier by the folder of its parts as released (`checkpoint-40000/modules`), or a network at hand."""

    folder: Path | None = None
    network: SyncNetwork | None = None
    device: str = "cpu"
    _truth: tuple[EvaluatedClip, float] | None = field(default=None, init=False, repr=False)

    @property
    def key(self) -> str:
        """The digest of the three parts."""
        if self.folder is None:
            return "AVSync classifier, given" if self.network else "no classifier"
        return "AVSync classifier " + " ".join(sha256_of(self._file(part))[:8] for part in PARTS)

    def check(self) -> None:
        """Raise `Unavailable` without weights."""
        if self.network is None:
            if self.folder is None:
                raise Unavailable("relsync needs the AVSync classifier", remedy=_REMEDY)
            for part in PARTS:
                self._file(part)

    def phi(self, clip: EvaluatedClip) -> float:
        """The raw score of a clip of two seconds.

        Raises:
            BadInput: it is longer or shorter.
        """
        if not np.isclose(len(clip.frames) / clip.fps, FRAMES / FPS, atol=0.05) or clip.fps < FPS:
            raise BadInput(
                f"{clip.name} is no clip of 2 s at 6 fps or more, as the classifier knows them",
                remedy="--seconds 2 --fps 6",
            )
        network = self._loaded()
        chosen = clip.frames[shown_at(len(clip.frames), clip.fps, FPS)]
        with torch.inference_mode():
            told = network(mel(clip)[None].to(self.device), pixels(chosen)[None].to(self.device))
        return float(told[0])

    def phi_of_truth(self, truth: EvaluatedClip) -> float:
        """The same; of a true clip whose film and controls come one after the other it is asked once."""
        if self._truth is None or self._truth[0] is not truth:
            self._truth = truth, self.phi(truth)
        return self._truth[1]

    def _loaded(self) -> SyncNetwork:
        if self.network is None:
            made = SyncNetwork()
            for part in PARTS:
                tensors = read_tensors(self._file(part), remedy=_REMEDY)
                fill(made.get_submodule(part), tensors, what=f"the AVSync classifier's {part}", remedy=_REMEDY)
            self.network = made.eval().to(self.device)
        return self.network

    def _file(self, part: str) -> Path:
        assert self.folder is not None
        found = [path for kind in ("bin", "safetensors") for path in sorted((self.folder / part).glob(f"*.{kind}"))]
        if not found:
            raise BadInput(f"{self.folder / part} holds no weights", remedy=_REMEDY)
        return found[0]


@dataclass(frozen=True)
class RelSync:
    """100 x the probability that the film rather than the truth is the one in time with the sound."""

    classifier: SyncClassifier = field(default_factory=SyncClassifier)
    name = "relsync"
    higher_is_better = True
    hears = sees = True

    @property
    def protocol(self) -> str:
        """With the classifier."""
        return f"{self.classifier.key}, 12 frames at 6 fps, 224 px bicubic, 128x204 mel of 2 s, x100"

    def check(self) -> None:
        """Raise `Unavailable` without the classifier."""
        self.classifier.check()

    def value(self, clip: EvaluatedClip, truth: EvaluatedClip) -> float:
        """Of one clip."""
        return 100 * relsync(self.classifier.phi(clip), self.classifier.phi_of_truth(truth))


@dataclass(frozen=True)
class AlignSync:
    """100 x RelSync x how well the frames mean what the sound means."""

    classifier: SyncClassifier = field(default_factory=SyncClassifier)
    network: FrameSound | None = None
    name = "alignsync"
    higher_is_better = True
    hears = sees = True

    @property
    def protocol(self) -> str:
        """With both networks."""
        return f"{self.classifier.key} as relsync; {said(self.network)}, frames 2..n against the truth's first, x100"

    def check(self) -> None:
        """Raise `Unavailable` without either network."""
        self.classifier.check()
        need(self.network, self.name)

    def value(self, clip: EvaluatedClip, truth: EvaluatedClip) -> float:
        """Of one clip."""
        assert self.network is not None
        heard = self.network.embed_sounds(clip.sound_at(self.network.rate_hz)[None])[0]
        frames = np.concatenate([truth.frames[:1], clip.frames[1:]])
        first, *later = (self.network.embed_frames(frames) @ heard).tolist()
        aligned = float(np.mean([_sigmoid(cosine - first) for cosine in later]))
        return 100 * aligned * relsync(self.classifier.phi(clip), self.classifier.phi_of_truth(truth))


def relsync(film: float, truth: float) -> float:
    """The share of the film in the softmax of both raw scores."""
    return _sigmoid(film - truth)


def _sigmoid(value: float) -> float:
    return float(0.5 * (1 + np.tanh(value / 2)))


def pixels(frames: Frames, side_px: int = SIDE_PX) -> Tensor:
    """(3, frames, side, side) as the picture tower sees them."""
    rows = torch.from_numpy(resized(frames, side_px))
    rows = (rows - torch.tensor(_MEAN)[:, None, None]) / torch.tensor(_STD)[:, None, None]
    return rows.transpose(0, 1)


def mel(clip: EvaluatedClip) -> Tensor:
    """(1, 128, 204) the normalised Kaldi filter bank of the first two seconds, as ImageBind's [pred]."""
    samples = torch.from_numpy(clip.sound_at(RATE_HZ)[: 2 * RATE_HZ])
    bank = kaldi_filter_bank(samples - samples.mean(), taper="hann")[:MEL_FRAMES]
    bank = torch.nn.functional.pad(bank.T, (0, MEL_FRAMES - len(bank)))
    return ((bank - MEL_MEAN) / MEL_STD)[None]
