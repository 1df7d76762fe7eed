"""How good a sync classifier is on videos it has not seen: the predecessor's P_sync, and offsets found [pred, ours]."""

from collections.abc import Sequence

import torch
from torch import Tensor

from shards.errors import BadInput
from shards.synchrony.features import PICTURE_HZ, SPAN_STEPS
from shards.synchrony.net import SyncNet, phi, spans
from training.sync.data import SyncVideo

SHIFT_STEPS = round(0.25 * PICTURE_HZ)
REACH_STEPS = PICTURE_HZ
LEAST_STEPS = SPAN_STEPS + 2 * SHIFT_STEPS
"""A shorter video has no room for the three candidates of `p_sync` round its middle."""


def evaluate(net: SyncNet, videos: Sequence[SyncVideo]) -> dict[str, float]:
    """Means over the middle two seconds of each video.

    `p_sync`: softmax of the true pair over three candidates shifted by 0.25 s, the sound and the picture shifted in
    turn (chance 0.333). `top1`: how often the true one wins. `within_frame`: how often the best of all offsets up to
    `reach_s` lies within 1 / 25 s of none. `reach_s`: a second, or what a video of less than four seconds has room
    for; the fewer offsets, the easier to be within a frame.

    Raises:
        BadInput: a video is shorter than the candidates, 2.48 s.
    """
    p_sync, top1, within, reaches = [], [], [], []
    for video in videos:
        reach = reach_steps(video.picture.shape[1])
        with torch.inference_mode():
            picture, sound = net.pictures(_tensor(video.picture)), net.sounds(_tensor(video.sound))
        middle = (picture.shape[2] - SPAN_STEPS) // 2
        lags = torch.arange(-reach, reach + 1)
        still = torch.tensor([middle])
        by_sound = phi(spans(picture, starts=still), spans(sound, starts=middle + lags))[0, 0]
        by_picture = phi(spans(picture, starts=middle + lags), spans(sound, starts=still))[0, :, 0]
        for one in (by_sound, by_picture):
            three = one[reach - SHIFT_STEPS :: SHIFT_STEPS][:3]
            p_sync.append(float(torch.softmax(three, 0)[1]))
            top1.append(float(three.argmax() == 1))
            within.append(float(abs(int(one.argmax()) - reach) <= 1))
        reaches.append(reach / PICTURE_HZ)
    found = {"p_sync": p_sync, "top1": top1, "within_frame": within, "reach_s": reaches}
    return {name: round(sum(ones) / max(len(ones), 1), 4) for name, ones in found.items()}


def reach_steps(steps: int) -> int:
    """How far the middle two seconds of a video of so many steps can be shifted either way, a second at most.

    Raises:
        BadInput: too short for the candidates of `p_sync`.
    """
    if steps < LEAST_STEPS:
        raise BadInput(
            f"a video of {steps / PICTURE_HZ:g} s is too short to be measured",
            remedy=f"give {LEAST_STEPS / PICTURE_HZ:g} s or more",
        )
    return min(REACH_STEPS, (steps - SPAN_STEPS) // 2)


def _tensor(features: object) -> Tensor:
    return torch.as_tensor(features)[None]
