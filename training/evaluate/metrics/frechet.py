"""Frechet distances between films and true films: FID and FVD with their published networks by path, and a stand-in.

    d2 = |mu_1 - mu_2|^2 + tr(S_1 + S_2 - 2 (S_1 S_2)^(1/2))        (Dowson and Landau 1982; Heusel et al. 2017)

The root's trace is the sum of the singular values of A B^T, with A^T A and B^T B the covariances: exact, also where
there are fewer clips than features. Where features are few, each clip is summed up first, so that a bootstrap adds up
moments instead of rows. Of few clips the distance is too large: n stands in every result, and only equal n may be
compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shards.errors import BadInput, Unavailable
from shards.files import sha256_of
from training.evaluate.base import Rows
from training.evaluate.films import EvaluatedClip, Frames

GRID = 4
MOMENTS = 6


NARROW = 512
"""Features up to which clips are summed up: the moments of wider ones take more room than their rows."""


@dataclass(frozen=True, slots=True)
class Moments:
    """How many rows there are, their sum, and the sum of their outer products."""

    count: int
    total: Rows
    outer: Rows

    @classmethod
    def of(cls, rows: Rows) -> "Moments":
        """Of (rows, width)."""
        return cls(len(rows), rows.sum(axis=0), rows.T @ rows)

    def gaussian(self) -> tuple[Rows, Rows]:
        """(width,) the mean, and (width, width) the covariance's symmetric root."""
        mean = self.total / self.count
        spread = (self.outer - self.count * np.outer(mean, mean)) / (self.count - 1)
        values, ways = np.linalg.eigh(spread)
        return mean, (ways * np.sqrt(np.maximum(values, 0))) @ ways.T


Summary = Moments | Rows


def frechet_distance(first: Rows, second: Rows) -> float:
    """The squared Frechet distance of the Gaussians of (rows, width) and (rows, width).

    Raises:
        BadInput: one has fewer than two rows.
    """
    return _distance(_gaussian([first]), _gaussian([second]))


def _distance(first: tuple[Rows, Rows], second: tuple[Rows, Rows]) -> float:
    (mean, a), (other, b) = first, second
    gap = mean - other
    shared = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return float(max(gap @ gap + (a * a).sum() + (b * b).sum() - 2 * shared, 0.0))


def _gaussian(parts: Sequence[Summary]) -> tuple[Rows, Rows]:
    """(width,) the mean of all parts, and a matrix R with R^T R their covariance."""
    summed = [one for one in parts if isinstance(one, Moments)]
    count = sum(one.count if isinstance(one, Moments) else len(one) for one in parts)
    if count < 2:
        raise BadInput("a Frechet distance takes two clips of each side at least", remedy="evaluate more clips")
    if summed:
        totals, outers = (np.sum([getattr(one, name) for one in summed], axis=0) for name in ("total", "outer"))
        return Moments(count, totals, outers).gaussian()
    rows = np.concatenate([one for one in parts if not isinstance(one, Moments)])
    mean = rows.mean(axis=0)
    centred = (rows - mean) / np.sqrt(count - 1)
    return mean, np.asarray(np.linalg.qr(centred, mode="r")) if count > rows.shape[1] else centred


class _Frechet:
    higher_is_better = False
    hears, sees = False, True

    def check(self) -> None:
        """Always available."""

    def summary(self, rows: Rows) -> Summary:
        """A clip's moments, or its rows where those are less."""
        return Moments.of(rows) if rows.shape[1] <= NARROW else rows

    def distance(self, films: Sequence[Summary], truths: Sequence[Summary]) -> float:
        """Of all rows of both."""
        return _distance(_gaussian(films), _gaussian(truths))


class FrechetPixels(_Frechet):
    """A small stand-in, no FID: frames 2 to the last as 4 x 4 means of each colour, in [0, 1], x 1000."""

    name = "frechet_pixels"
    protocol = "stand-in, not FID: frames 2..n as 4x4 colour means, Frechet distance x1000"

    def features(self, clip: EvaluatedClip) -> Rows:
        """(frames - 1, 48)."""
        return np.asarray(1000**0.5 * pooled(clip.frames[1:]).reshape(len(clip.frames) - 1, -1))


class FrechetMotion(_Frechet):
    """A small stand-in, no FVD: how much each of 4 x 4 cells moves in each sixth of the clip, x 1000."""

    name = "frechet_motion"
    protocol = "stand-in, not FVD: mean luma change of 4x4 cells in sixths of the clip, Frechet distance x1000"

    def features(self, clip: EvaluatedClip) -> Rows:
        """(1, 96)."""
        moved = np.abs(np.diff(pooled(clip.frames, grid=2 * GRID).mean(axis=3), axis=0))
        cells = moved.reshape(len(moved), GRID, 2, GRID, 2).mean(axis=(2, 4)).reshape(len(moved), -1)
        parts = [part.mean(axis=0) if len(part) else np.zeros(GRID * GRID) for part in np.array_split(cells, MOMENTS)]
        return np.asarray(1000**0.5 * np.concatenate(parts)[None])


def pooled(frames: Frames, *, grid: int = GRID) -> NDArray[np.float64]:
    """(frames, grid, grid, 3) means of cells, in [0, 1]; a picture that does not divide loses its edge."""
    count, height, width = frames.shape[:3]
    high, wide = height // grid, width // grid
    cut = frames[:, : high * grid, : wide * grid].reshape(count, grid, high, grid, wide, 3)
    return np.asarray(cut.mean(axis=(2, 4)) / 255.0)


@dataclass
class TorchScriptFeatures:
    """A published TorchScript network at work: it scales and sizes its input itself.

    Raises:
        Unavailable: no path was given.
        BadInput: there is no TorchScript file.
    """

    path: Path | None
    device: str = "cpu"
    _network: Any = field(default=None, init=False, repr=False)

    def check(self, name: str) -> None:
        """Raise where there is nothing to load."""
        if self.path is None:
            raise Unavailable(
                f"{name} needs the file of its network", remedy=f"--weights {name}=PATH of a TorchScript file"
            )
        if not self.path.is_file():
            raise BadInput(f"there is no file {self.path}", remedy=f"--weights {name}=PATH of a TorchScript file")

    @property
    def key(self) -> str:
        """The file's digest."""
        return f"sha256 {sha256_of(self.path)[:12]}" if self.path and self.path.is_file() else "absent"

    def __call__(self, pixels: NDArray[Any], **options: Any) -> Rows:
        """(rows, width) what the network says of a batch."""
        import torch

        if self._network is None:
            assert self.path is not None
            load: Any = torch.jit.load
            try:
                self._network = load(str(self.path), map_location=self.device).eval()
            except RuntimeError as error:
                raise BadInput(f"{self.path} is no TorchScript file", remedy="give the published one") from error
        with torch.inference_mode():
            made = self._network(torch.from_numpy(np.ascontiguousarray(pixels)).to(self.device), **options)
        return np.asarray(made.float().cpu().numpy(), np.float64).reshape(len(pixels), -1)


class Fid(_Frechet):
    """FID over frames 2 to the last [pred], by the TorchScript Inception of StyleGAN (inception-2015-12-05.pt)."""

    name = "fid"

    def __init__(self, path: Path | None = None, *, device: str = "cpu") -> None:
        self._network = TorchScriptFeatures(path, device)

    @property
    def protocol(self) -> str:
        """With the file's digest."""
        return f"Inception v3 pool3 2048 (TorchScript, own 299 px resize, {self._network.key}), frames 2..n"

    def check(self) -> None:
        """Raise where the network is absent."""
        self._network.check(self.name)

    def features(self, clip: EvaluatedClip) -> Rows:
        """(frames - 1, 2048)."""
        return self._network(clip.frames[1:].transpose(0, 3, 1, 2), return_features=True)


class Fvd(_Frechet):
    """FVD over all frames [pred], by the TorchScript I3D of Kinetics-400 (i3d_torchscript.pt), as the predecessor's."""

    name = "fvd"

    def __init__(self, path: Path | None = None, *, device: str = "cpu") -> None:
        self._network = TorchScriptFeatures(path, device)

    @property
    def protocol(self) -> str:
        """With the file's digest."""
        return f"I3D Kinetics-400, 400 features (TorchScript, 224 px bicubic, {self._network.key}), all frames"

    def check(self) -> None:
        """Raise where the network is absent."""
        self._network.check(self.name)

    def features(self, clip: EvaluatedClip) -> Rows:
        """(1, 400)."""
        pixels = resized(clip.frames, 224) * 2 - 1
        return self._network(pixels.transpose(1, 0, 2, 3)[None], rescale=False, resize=False, return_features=True)


def resized(frames: Frames, side_px: int) -> NDArray[np.float32]:
    """(frames, 3, side, side) in [0, 1], bicubic and antialiased, whatever shape it had [pred]."""
    import torch
    from torchvision.transforms.v2.functional import InterpolationMode, resize  # type: ignore[import-untyped]

    pixels = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float() / 255
    made = resize(pixels, [side_px, side_px], interpolation=InterpolationMode.BICUBIC, antialias=True)
    return np.asarray(made.numpy())
