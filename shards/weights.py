"""Model weights: which there are, where they lie, how they come here, and whether they are still what they were.

Weights are fetched by a person's command, never in the middle of a run; a revision is a commit of the hub's repository.
Where a digest is pinned here it must match; elsewhere the digests of the first fetch are noted in `weights.lock.json`
and compared ever after (trust on first use: it shows that a file changed, not that the first one was right).
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from shards.errors import BadInput, Unavailable
from shards.files import sha256_of, write_atomic
from shards.url_files import fetch_url
from shards.weight_sets import KNOWN, WeightFile, Weights

LOCK = "weights.lock.json"
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class WeightStatus:
    """Whether a set is here; if not, why and what mends it.

    `verified`: its digests were compared when it came (or were noted then), and every file still has its size of then.
    Only `verify` reads the bytes again.
    """

    present: bool
    verified: bool
    path: Path
    why: str = ""
    remedy: str = ""


def known() -> tuple[Weights, ...]:
    """All sets that there are."""
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
    """Whether a set is complete, by names and sizes: it costs nothing."""
    weights, folder = find(name), folder_of(name)
    missing = _missing(weights, folder)
    if missing:
        why = "weights absent" if not _files_of(weights, folder) else f"{missing[0]} is missing"
        return WeightStatus(False, False, folder, why, weights.remedy)
    noted = _noted(folder)
    here = {file: (folder / file).stat().st_size for file in _files_of(weights, folder)}
    return WeightStatus(True, here == {file: entry["bytes"] for file, entry in noted.items()}, folder)


def require(name: str) -> Path:
    """The folder of a set that is here. Files that came by hand, never noted, are checked and noted at this first use.

    Raises:
        Unavailable: it is not here, not whole, or not what is pinned or was noted; the remedy mends it.
    """
    state = status(name)
    if not state.present:
        raise Unavailable(state.why, remedy=state.remedy)
    return state.path if state.verified else _note(find(name), state.path)


def noted_digest(name: str) -> str:
    """A short name for the very files of a set, as they were noted when they came; reads none of them."""
    noted = _noted(folder_of(name))
    return hashlib.sha256(json.dumps(noted, sort_keys=True).encode()).hexdigest()[:12] if noted else "not noted"


def fetch(name: str, *, progress: Progress | None = None) -> Path:
    """Bring a set from the hub, or its authors' server, into the cache and note its digests; files there are kept.

    So files put into the folder by hand are checked and noted by the same command, without the hub.

    Raises:
        BadInput: no such set.
        Unavailable: hub or server cannot be reached, there is no plain address, or a digest is not the one pinned or
            noted.
    """
    weights, folder = find(name), folder_of(name)
    for done, one in enumerate(weights.files):
        tell = partial(_tell, progress, done, len(weights.files))
        tell(one.name)
        if one.repo and (one.is_pattern or not (folder / one.name).is_file()):
            _fetch_file(one, folder)
        elif one.url and not any(folder.glob(one.name)):
            _fetch_url(one, weights, folder, tell)
        elif one.page and not any(folder.glob(one.name)):
            raise Unavailable(f"{name} has no address that a program could fetch", remedy=weights.remedy)
    _tell(progress, len(weights.files), len(weights.files), "checking")
    return _note(weights, folder)


def add_local(name: str, path: Path, *, link: bool = False) -> WeightStatus:
    """Take a set's files from a file or folder the user has, copied or linked; a set that is whole is noted.

    Raises:
        BadInput: nothing there belongs to the set, or its digest is not the pinned one.
        Unavailable: the set was noted before with other digests.
    """
    weights, folder = find(name), folder_of(name)
    source = path.parent if path.is_file() else path
    found = [file for file in _files_of(weights, source) if path.is_dir() or file == path.name]
    if not found:
        wanted = ", ".join(one.name for one in weights.files)
        raise BadInput(f"{path} holds no file of {name}", remedy=f"it needs: {wanted}")
    pinned = {one.name: one.sha256 for one in weights.files if one.sha256}
    for file in found:
        if file in pinned and sha256_of(source / file) != pinned[file]:
            raise BadInput(f"{source / file} is another file than {name} needs", remedy=f"its sha256: {pinned[file]}")
    for file in found:
        _take(source / file, folder / file, link=link)
    if not _missing(weights, folder):
        _note(weights, folder)
    return status(name)


def verify(name: str) -> list[str]:
    """Read every file and compare with its pinned digest, or the one noted at first; one sentence per fault."""
    weights, folder = find(name), folder_of(name)
    state = status(name)
    if not state.present:
        return [f"{state.why}: {state.remedy}"]
    noted = _noted(folder)
    never = [f"{file} was never noted: clapboard weights fetch {name}" for file in _files_of(weights, folder)]
    return _changed(weights, _digests(weights, folder), noted) or ([] if noted else never)


def _note(weights: Weights, folder: Path) -> Path:
    """Write the lock, but never over digests that disagree: a second fetch must not bless a file that changed."""
    found = _digests(weights, folder)
    if faults := _changed(weights, found, _noted(folder)):
        raise Unavailable(
            f"what came is not what was asked for: {faults[0]}",
            remedy=f"delete {folder} and run `{weights.remedy}`",
        )
    write_atomic(folder / LOCK, json.dumps(found, indent=1, sort_keys=True).encode())
    return folder


def _changed(weights: Weights, found: dict[str, Any], noted: dict[str, Any]) -> list[str]:
    pinned = {one.name: one.sha256 for one in weights.files if one.sha256}
    wanted = {file: entry["sha256"] for file, entry in noted.items()} | pinned
    faults = [f"{file} changed" for file in found if file in wanted and found[file]["sha256"] != wanted[file]]
    faults += [f"{file} is missing" for file in wanted if file not in found]
    return faults + [f"{file} came later" for file in found if noted and file not in wanted]


def _missing(weights: Weights, folder: Path) -> list[str]:
    """Names and patterns without a file, and what the lock or a shard index names but is not there."""
    here = _files_of(weights, folder)
    missing = [one.name for one in weights.files if not any(Path(file).match(one.name) for file in here)]
    named = set(_noted(folder))
    for file in here:
        if file.endswith(".index.json"):
            shards = json.loads((folder / file).read_text()).get("weight_map", {}).values()
            named |= {(Path(file).parent / shard).as_posix() for shard in shards}
    return missing + sorted(named - set(here))


def _files_of(weights: Weights, folder: Path) -> list[str]:
    """The set's files that lie in the folder, by their path within."""
    found = {path for one in weights.files for path in folder.glob(one.name) if path.is_file()}
    return sorted(path.relative_to(folder).as_posix() for path in found)


def _digests(weights: Weights, folder: Path) -> dict[str, Any]:
    paths = {file: folder / file for file in _files_of(weights, folder)}
    return {file: {"sha256": sha256_of(path), "bytes": path.stat().st_size} for file, path in paths.items()}


def _noted(folder: Path) -> dict[str, Any]:
    lock = folder / LOCK
    noted: dict[str, Any] = json.loads(lock.read_text()) if lock.is_file() else {}
    return noted


def _take(source: Path, target: Path, *, link: bool) -> None:
    """Put a file at its place in the cache, seen whole or not at all; one that is there already stays."""
    if target.exists() and target.samefile(source):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    if link:
        aside.symlink_to(source.resolve())
    else:
        shutil.copyfile(source, aside)
    aside.replace(target)


def _tell(progress: Progress | None, done: int, total: int, note: str) -> None:
    if progress:
        progress(done, total, note)


def _fetch_url(one: WeightFile, weights: Weights, folder: Path, tell: Callable[[str], None]) -> None:
    name = one.url.rpartition("/")[2]
    fetch_url(
        one.url,
        folder / name,
        # Sizes are rounded; what is twice as large is something else.
        most_bytes=2 * weights.size_mb * 10**6,
        md5=one.md5,
        remedy=f"check the network and run it again, or by hand: clapboard weights add {weights.name} PATH",
        told=lambda here, total: tell(f"{name}, {here >> 20} of {total >> 20} MiB"),
    )


def _fetch_file(one: WeightFile, folder: Path) -> None:
    from huggingface_hub import snapshot_download

    by_hand = f"or put the files into {folder} by hand and run the command again"
    try:
        snapshot_download(one.repo, revision=one.revision, allow_patterns=[one.name], local_dir=folder)
    except Exception as error:  # the client lets its HTTP library's errors through, and that library has changed
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise Unavailable(
            f"the hub gave no {one.name} of {one.repo}: {reason}",
            remedy=f"check the network, free disk space and HF_HUB_OFFLINE, {by_hand}",
        ) from error
    if not any(folder.glob(one.name)):
        raise Unavailable(f"{one.repo} has no {one.name} at {one.revision[:12]}", remedy=f"look there, {by_hand}")
