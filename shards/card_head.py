"""The head of a card: what the Hugging Face hub and `datasets` read of it, as YAML.

Keys: https://github.com/huggingface/hub-docs/blob/main/datasetcard.md. The types of a clip's fields are given, for
`datasets` would guess them from the first five clips, where a field that happens to be empty gets none.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from shards.licences import hub_licence

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_TEXT = ("key", "video_id", "link", "video_sha256", "licence", "caption", "label", "band")
_WHOLE = ("schema", "start_us", "end_us", "frames", "width_px", "height_px", "rate_hz")


def front_matter(manifest: Mapping[str, Any], *, licences: Sequence[str], labelled: bool, scores: Sequence[str]) -> str:
    """The YAML between the two lines of dashes.

    Args:
        manifest: the snapshot's.
        licences: each one that a clip has, as it was stated.
        labelled: whether a clip has a class.
        scores: the index's score columns, in order.
    """
    names = sorted({hub_licence(one) for one in licences})
    head: dict[str, Any] = {"license": names[0] if len(names) == 1 else names}
    head |= {
        "pretty_name": manifest["id"],
        "size_categories": [size_category(int(manifest["counts"]["clips"]))],
        "task_categories": ["image-to-video", *(["video-classification"] if labelled else [])],
        "tags": ["audio", "video", "audio-visual-synchronisation", "webdataset", "clapboard"],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "*.tar"}]}],
        "dataset_info": {"config_name": "default", "features": _features(scores)},
    }
    return yaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=1000)


def size_category(clips: int) -> str:
    """The hub's name for how many there are."""
    return next((name for end, name in _SIZES if clips < end), "1M<n<10M" if clips < 10_000_000 else "n>10M")


def _features(scores: Sequence[str]) -> list[dict[str, Any]]:
    """The fields of a clip as `datasets` names types; of its record those that every clip has."""
    record = [*_each(_TEXT, "string"), *_each(_WHOLE, "int64"), *_each(("p_good",), "float64")]
    record += [
        {"name": "reasons", "list": "string"},
        {"name": "verdict", "struct": _each(("verdict", "reviewer", "reason"), "string")},
    ]
    if scores:
        record.append({"name": "scores", "struct": _each([one.removeprefix("score_") for one in scores], "float64")})
    return [
        {"name": "json", "struct": record},
        # Typed as video and audio, they would not open at all without torchcodec.
        *_each(("mp4", "flac"), "binary"),
        *_each(("__key__", "__url__"), "string"),
    ]


def _each(names: Sequence[str], kind: str) -> list[dict[str, Any]]:
    return [{"name": name, "dtype": kind} for name in names]
