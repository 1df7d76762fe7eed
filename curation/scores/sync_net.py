"""Do sound and motion belong to the same instant? By a small network that learned it from in-video negatives [pred].

The middle two seconds of a window are compared with themselves shifted; training/sync makes the network. The one that
ships learned from drawn videos alone; another is named by `$CLAPBOARD_SYNC_NET`.
"""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from curation.media.timeline import Window
from curation.scores.base import Columns, Evidence, Need
from curation.scores.threads import one_thread
from shards.errors import BadInput, Unavailable
from shards.files import sha256_of
from shards.synchrony.features import PICTURE_HZ, RATE_HZ, SOUND_HZ, SPAN_STEPS, picture_features, sound_features

if TYPE_CHECKING:
    from shards.synchrony.net import SyncNet

SHIPPED = Path(__file__).parents[2] / "shards" / "synchrony" / "drawn.safetensors"
SHIFT_S = 0.25
REACH_S = 0.4
TEMPERATURE = 0.1
BATCH = 64


class SyncNetScore:
    """P_sync both ways, and the offset that the network believes in.

    `p_sync_sound`, `p_sync_picture`: softmax of phi of the true pair over three candidates shifted by 0.25 s, once the
    sound and once the picture (chance 0.333, at most 0.576 to 0.787). `net_p_in_sync`: posterior mass within a step of
    no offset, over all offsets up to 0.4 s. `net_offset_s`: the best of those, positive when the sound is late.
    """

    name = "sync_net"
    version = 1
    needs = frozenset({Need.CURVES, Need.WAVEFORM})
    columns = ("p_sync_sound", "p_sync_picture", "net_p_in_sync", "net_offset_s")
    evidence = Evidence.SYNCHRONY
    trends: ClassVar[Mapping[str, int]] = {"p_sync_sound": 1, "p_sync_picture": 1, "net_p_in_sync": 1}

    def __init__(self, weights: Path | None = None) -> None:
        self._weights = weights or Path(os.environ.get("CLAPBOARD_SYNC_NET") or SHIPPED)

    @cached_property
    def settings(self) -> str:
        """Which network: a digest of its file, and nothing for the one that ships, which goes by `version`."""
        return "" if self._weights == SHIPPED else sha256_of(self._weights)[:12]

    def check(self) -> None:
        """Raise `Unavailable` where the network's file is absent, or is something else."""
        if not self._weights.is_file():
            raise Unavailable(f"there is no sync classifier {self._weights}", remedy="clapboard sync train makes one")
        if self._weights != SHIPPED:
            try:
                self.net  # noqa: B018 (loads it)
            except BadInput as error:
                raise Unavailable(error.message, remedy=error.remedy) from error

    @cached_property
    def net(self) -> "SyncNet":
        """The network, loaded at its first use."""
        from shards.synchrony.net import load_net

        return load_net(self._weights)[0]

    def score(self, batch: Sequence[Window]) -> list[Columns]:
        """One entry per window; NaN where a window is too short to be shifted."""
        found: dict[int, Columns] = {}
        by_length: dict[int, list[int]] = defaultdict(list)
        for at, window in enumerate(batch):
            by_length[_steps(window)].append(at)
        for steps, places in by_length.items():
            if steps < SPAN_STEPS + 2 * round(REACH_S * PICTURE_HZ):
                found.update(dict.fromkeys(places, dict.fromkeys(self.columns, float("nan"))))
                continue
            for first in range(0, len(places), BATCH):
                chosen = places[first : first + BATCH]
                found.update(zip(chosen, self._batch([batch[at] for at in chosen], steps), strict=True))
        return [found[at] for at in range(len(batch))]

    def _batch(self, windows: Sequence[Window], steps: int) -> list[Columns]:
        """Windows of one length."""
        import torch

        seen = np.stack([_picture(window, steps) for window in windows])
        heard = np.stack([sound_features(_at_rate(window))[: steps * SOUND_HZ // PICTURE_HZ] for window in windows])
        with one_thread(), torch.inference_mode():
            picture, sound = self.net.pictures(torch.from_numpy(seen)), self.net.sounds(torch.from_numpy(heard))
            return [_measured(picture[at], sound[at], steps) for at in range(len(windows))]


def _steps(window: Window) -> int:
    return int((window.end_us - window.start_us) * PICTURE_HZ // 1_000_000)


def _picture(window: Window, steps: int) -> NDArray[np.float32]:
    line, part = window.timeline, window.frames()
    return picture_features(line.cells[part], line.frame_us[part], start_us=window.start_us, steps=steps)


def _at_rate(window: Window) -> NDArray[np.float32]:
    sound, rate_hz = window.sound(), window.timeline.rate_hz
    if rate_hz == RATE_HZ:
        return sound
    from scipy.signal import resample_poly

    divisor = np.gcd(RATE_HZ, rate_hz)
    return np.asarray(resample_poly(sound, RATE_HZ // divisor, rate_hz // divisor), np.float32)


def _measured(seen: Any, heard: Any, steps: int) -> Columns:
    """The columns from (width, steps) features of one window."""
    import torch

    from shards.synchrony.net import phi, spans

    shift, reach = round(SHIFT_S * PICTURE_HZ), round(REACH_S * PICTURE_HZ)
    middle = (steps - SPAN_STEPS) // 2
    still, moved = torch.tensor([middle]), middle + torch.arange(-reach, reach + 1)
    picture, sound = seen[None], heard[None]
    by_sound = phi(spans(picture, starts=still), spans(sound, starts=moved))[0, 0]
    by_picture = phi(spans(picture, starts=moved), spans(sound, starts=still))[0, :, 0].flip(0)
    both = ((by_sound + by_picture) / 2).double().numpy()
    posterior = np.exp((both - both.max()) / TEMPERATURE)
    posterior /= posterior.sum()
    return {
        "p_sync_sound": _p_sync(by_sound.numpy(), reach, shift),
        "p_sync_picture": _p_sync(by_picture.numpy(), reach, shift),
        "net_p_in_sync": float(posterior[reach - 1 : reach + 2].sum()) if both.any() else 0.0,
        "net_offset_s": float((int(both.argmax()) - reach) / PICTURE_HZ) if both.any() else 0.0,
    }


def _p_sync(values: NDArray[np.float32], middle: int, shift: int) -> float:
    three = np.exp(values[[middle - shift, middle, middle + shift]].astype(np.float64))
    return float(three[1] / three.sum())
