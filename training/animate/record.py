"""What a video was made of and with, as JSON beside it: enough to make it again, and to see that it was."""

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from shards.files import sha256_of, write_atomic
from training.adapter.files import WEIGHTS
from training.animate.animator import Animator
from training.animate.settings import SampleSettings


def record_path(video: Path) -> Path:
    """Where the record of a video lies."""
    return video.with_suffix(".json")


def asked(animator: Animator, *, image: Path, sound: Path, caption: str, settings: SampleSettings) -> dict[str, Any]:
    """All that decides a video, with what was left to the backbone filled in."""
    backbone = animator.backbone
    own = {
        "num_inference_steps": settings.num_inference_steps or backbone.usual_steps,
        "guidance_scale": backbone.usual_guidance if settings.guidance_scale is None else settings.guidance_scale,
    }
    return {
        "image_sha256": sha256_of(image),
        "sound_sha256": sha256_of(sound),
        "caption": caption,
        "settings": settings.plain() | own,
        "backbone": animator.name,
        "adapter_sha256": sha256_of(animator.folder / WEIGHTS),
    }


def write_record(video: Path, request: dict[str, Any], found: dict[str, Any]) -> Path:
    """Write the record: what was `asked`, and what is `found` of it."""
    path = record_path(video)
    whole = {"clapboard": _version(), "request": request, **found}
    write_atomic(path, (json.dumps(whole, indent=2, ensure_ascii=False) + "\n").encode())
    return path


def is_made(video: Path, request: dict[str, Any]) -> bool:
    """Whether a video is there that was made of just this."""
    try:
        kept = json.loads(record_path(video).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return video.is_file() and isinstance(kept, dict) and kept.get("request") == request


def _version() -> str:
    try:
        return version("clapboard")
    except PackageNotFoundError:
        return "unknown"
