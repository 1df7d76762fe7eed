"""Model weights: which there are, where they lie, how they come here, and whether they are still what they were.

Weights are fetched by a person's command, never in the middle of a run. Where a digest is pinned here it must match;
elsewhere the digests of the first fetch are noted in `weights.lock.json` and compared ever after (trust on first use).
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shards.errors import BadInput, Unavailable
from shards.files import sha256_of, write_atomic

LOCK = "weights.lock.json"
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class WeightFile:
    """A file of a hub repository; `sha256` where it is pinned. A pattern ("vae/*") stands for many files."""

    repo: str
    name: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Weights:
    """A set of files that belong together."""

    name: str
    purpose: str
    licence: str
    size_mb: int
    files: tuple[WeightFile, ...]


@dataclass(frozen=True, slots=True)
class WeightStatus:
    """Whether a set is here; if not, why and what mends it."""

    present: bool
    path: Path
    why: str = ""
    remedy: str = ""


_WAN_PARTS = ("model_index.json", "transformer/*", "vae/*", "text_encoder/*", "tokenizer/*", "scheduler/*")

KNOWN: tuple[Weights, ...] = (
    Weights(
        "clip",
        "image-text score (open_clip ViT-B-32, LAION-2B)",
        "MIT",
        605,
        (WeightFile("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "open_clip_model.safetensors"),),
    ),
    Weights(
        "clap",
        "audio-text score (LAION-CLAP, HTSAT-tiny + RoBERTa)",
        "CC0-1.0",
        1_863,
        (
            WeightFile("lukewys/laion_clap", "630k-audioset-best.pt"),
            *(WeightFile("FacebookAI/roberta-base", name) for name in ("vocab.json", "merges.txt", "config.json")),
        ),
    ),
    *(
        Weights(
            name, f"frozen video generator ({repo})", "Apache-2.0", size, tuple(WeightFile(repo, p) for p in _WAN_PARTS)
        )
        for name, repo, size in (
            ("wan2.1-1.3b", "Wan-AI/Wan2.1-T2V-1.3B-Diffusers", 29_000),
            ("wan2.2-ti2v-5b", "Wan-AI/Wan2.2-TI2V-5B-Diffusers", 34_000),
        )
    ),
)


def known() -> tuple[Weights, ...]:
    """All sets that can be fetched."""
    return KNOWN


def find(name: str) -> Weights:
    """The set of a name.

    Raises:
        BadInput: there is none; the remedy lists those there are.
    """
    for one in KNOWN:
        if one.name == name:
            return one
    raise BadInput(f"there are no weights {name!r}", remedy=f"one of: {', '.join(one.name for one in KNOWN)}")


def folder_of(name: str) -> Path:
    """Where a set lies: `$CLAPBOARD_WEIGHTS`, else the XDG cache."""
    if named := os.environ.get("CLAPBOARD_WEIGHTS"):
        return Path(named) / name
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "clapboard" / "weights" / name


def status(name: str) -> WeightStatus:
    """Whether a set is complete; looks at names only, so it costs nothing."""
    folder = folder_of(find(name).name)
    missing = [one.name for one in find(name).files if not any(folder.glob(one.name))]
    if not missing:
        return WeightStatus(True, folder)
    why = "weights absent" if len(missing) == len(find(name).files) else f"{missing[0]} is missing"
    return WeightStatus(False, folder, why, f"clapboard weights fetch {name}")


def require(name: str) -> Path:
    """The folder of a set that is here.

    Raises:
        Unavailable: it is not, or not whole; the remedy is the command that fetches it.
    """
    state = status(name)
    if not state.present:
        raise Unavailable(state.why, remedy=state.remedy)
    return state.path


def fetch(name: str, *, progress: Progress | None = None) -> Path:
    """Bring a set from the hub into the cache and note its digests; files that are there are kept.

    Raises:
        BadInput: no such set.
        Unavailable: the hub cannot be reached, or a pinned digest does not match.
    """
    weights, folder = find(name), folder_of(name)
    for done, one in enumerate(weights.files):
        if progress:
            progress(done, len(weights.files), one.name)
        _fetch_file(one, folder)
    if progress:
        progress(len(weights.files), len(weights.files), "checking")
    write_atomic(folder / LOCK, json.dumps(_digests(folder), indent=1, sort_keys=True).encode())
    if faults := verify(name):
        raise Unavailable(f"what came is not what was asked for: {faults[0]}", remedy=f"delete {folder}, fetch again")
    return folder


def verify(name: str) -> list[str]:
    """Compare every file with its pinned digest, or the one noted at the first fetch; one sentence per fault."""
    folder = folder_of(find(name).name)
    state = status(name)
    if not state.present:
        return [f"{state.why}: {state.remedy}"]
    noted = json.loads((folder / LOCK).read_text()) if (folder / LOCK).is_file() else {}
    pinned = {one.name: one.sha256 for one in find(name).files if one.sha256}
    found = _digests(folder)
    wanted = noted | pinned
    faults = [f"{file} changed" for file, digest in wanted.items() if file in found and found[file] != digest]
    faults += [f"{file} is missing" for file in wanted if file not in found]
    return faults + [f"{file} was never noted; fetch it with the command" for file in found if file not in wanted]


def _fetch_file(one: WeightFile, folder: Path) -> None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        snapshot_download(one.repo, allow_patterns=[one.name], local_dir=folder)
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise Unavailable(
            f"the hub gave no {one.name} of {one.repo}: {reason}",
            remedy=f"check the network and HF_HUB_OFFLINE, or put the file into {folder} by hand",
        ) from error
    if not any(folder.glob(one.name)):
        raise Unavailable(f"{one.repo} has no {one.name}", remedy=f"put the file into {folder} by hand")


def _digests(folder: Path) -> dict[str, str]:
    """sha256 of every file of the folder but the lock and the hub's own notes, by its path within."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != LOCK)
    inside = ((path.relative_to(folder), path) for path in files)
    return {name.as_posix(): sha256_of(path) for name, path in inside if name.parts[0] != ".cache"}
