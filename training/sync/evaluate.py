"""How good a sync classifier is on videos it has not seen: the predecessor's P_sync, and offsets found [pred, ours]."""

from collections.abc import Sequence

import torch
from torch import Tensor

from shards.synchrony.features import PICTURE_HZ, SPAN_STEPS
from shards.synchrony.net import SyncNet, phi, spans
from training.sync.data import SyncVideo

SHIFT_STEPS = round(0.25 * PICTURE_HZ)
REACH_STEPS = PICTURE_HZ


def evaluate(net: SyncNet, videos: Sequence[SyncVideo]) -> dict[str, float]:
    """Means over the middle two seconds of each video.

    `p_sync`: softmax of the true pair over three candidates shifted by 0.25 s, the sound and the picture shifted in
    turn (chance 0.333). `top1`: how often the true one wins. `within_frame`: how often the best of all offsets up to a
    second lies within 1 / 25 s of none.
    """
    p_sync, top1, within = [], [], []
    for video in videos:
        with torch.inference_mode():
            picture, sound = net.pictures(_tensor(video.picture)), net.sounds(_tensor(video.sound))
        middle = (picture.shape[2] - SPAN_STEPS) // 2
        lags = torch.arange(-REACH_STEPS, REACH_STEPS + 1)
        still = torch.tensor([middle])
        by_sound = phi(spans(picture, starts=still), spans(sound, starts=middle + lags))[0, 0]
        by_picture = phi(spans(picture, starts=middle + lags), spans(sound, starts=still))[0, :, 0]
        for one in (by_sound, by_picture):
            three = one[REACH_STEPS - SHIFT_STEPS :: SHIFT_STEPS][:3]
            p_sync.append(float(torch.softmax(three, 0)[1]))
            top1.append(float(three.argmax() == 1))
            within.append(float(abs(int(one.argmax()) - REACH_STEPS) <= 1))
    return {name: round(sum(ones) / max(len(ones), 1), 4) for name, ones in _named(p_sync, top1, within)}


def _named(*lists: list[float]) -> list[tuple[str, list[float]]]:
    return list(zip(("p_sync", "top1", "within_frame"), lists, strict=True))


def _tensor(features: object) -> Tensor:
    return torch.as_tensor(features)[None]
