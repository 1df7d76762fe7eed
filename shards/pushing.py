"""Share a snapshot: upload it to a data set repository of the Hugging Face hub.

What lies there with the same digest is not sent. Files are sent first and become visible together, by one commit, so
that a repository holds a whole version or the one before; a push that was killed goes on where it stopped.
"""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shards.card import CARD, Told, card_of
from shards.errors import BadInput
from shards.hub_errors import HubError, HubFault, asking
from shards.index import score_columns
from shards.snapshot import INDEX, MANIFEST, SUMS, Snapshot, is_remote

AT_ONCE = 8
"""Files that are sent between two words on progress [ours]."""

_SHARD = re.compile(r"\d{6}(-[0-9a-f]{12})?\.tar")
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push did: where the snapshot lies, and how many files were sent, were there already, or were removed.

    `commit` is empty where nothing was left to do.
    """

    url: str
    commit: str
    sent: int
    sent_bytes: int
    there_already: int
    removed: int


def push(
    snapshot: Snapshot,
    repo: str,
    *,
    public: bool = False,
    check: Callable[[], None] = lambda: None,
    progress: Progress | None = None,
) -> Pushed:
    """Upload a snapshot, which `shards.shareable` has seen, to the repository named NAME or OWNER/NAME.

    The token is the hub's own: HF_TOKEN, or what `hf auth login` keeps; HF_ENDPOINT names another hub.

    Args:
        snapshot: what to upload.
        repo: where to; it is made if there is none.
        public: for everybody to see; else for its owner alone.
        check: is called again just before the upload becomes visible, and may end it by an error.
        progress: is told files done, files in all, and which.

    Raises:
        HubError: the hub refused, or was not reached.
        BadInput: the repository holds something else, or is as public as was not asked for.
    """
    from huggingface_hub import HfApi, get_token

    if get_token() is None:
        raise HubError(HubFault.NO_TOKEN, "no token for the hub is known on this machine")
    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None, library_name="clapboard")
    with tempfile.TemporaryDirectory(prefix="clapboard-push-") as work, _without_bars():
        name, revision = _repository(api, repo, public=public)
        there = _listing(api, name)
        files = {file.name: file for file in _files(snapshot)}
        todo = [file for file in files.values() if not _is_there(file, there.get(file.name))]
        gone = [old for old in there if _SHARD.fullmatch(old) and old not in files]
        message = f"{snapshot.id} by Clapboard, content {snapshot.manifest['content'][:12]}"
        commit = ""
        if todo or gone:
            with asking(f"{snapshot.id} cannot be sent to {name}"):
                additions = _send(api, name, todo, Path(work), progress)
                check()
                commit = _commit(api, name, additions, gone, message=message, parent=revision)
    # The hub knows large files by their digests, under whatever name they lie there.
    known = {old.lfs.sha256 for old in there.values() if old.lfs}
    sent = [file.size for file in todo if file.sha256 not in known]
    url = f"{api.endpoint}/datasets/{name}"
    return Pushed(url, commit, len(sent), sum(sent), len(files) - len(sent), len(gone))


@dataclass(frozen=True, slots=True)
class _File:
    """A file of the snapshot, or its bytes where it is made on the way."""

    name: str
    source: Path | bytes
    size: int
    sha256: str

    def here(self, work: Path) -> Path | bytes:
        """It, or a copy of it, on this machine."""
        if isinstance(self.source, bytes) or not is_remote(self.source):
            return self.source
        copy = work / self.name
        with self.source.open("rb") as there, copy.open("wb") as target:
            shutil.copyfileobj(there, target)
        return copy

    def git_id(self) -> str:
        """What git calls it."""
        data = self.source if isinstance(self.source, bytes) else self.source.read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _repository(api: Any, repo: str, *, public: bool) -> tuple[str, str]:
    """Make the repository if there is none; returns its whole name and the revision that it has.

    Raises:
        BadInput: it is there, and is seen by more or by fewer than was asked for.
    """
    with asking(f"{repo} cannot be written"):
        name = api.create_repo(repo, repo_type="dataset", private=not public, exist_ok=True).repo_id
        info = api.dataset_info(name)
    if bool(info.private) == public:
        seen, step = ("by its owner alone", "leave out --public") if public else ("by everybody", "say --public")
        raise BadInput(
            f"{name} is there already, and is seen {seen}",
            remedy=f"{step}, name another repository, or change who may see it in its settings on the hub",
        )
    return str(name), str(info.sha)


def _listing(api: Any, name: str) -> dict[str, Any]:
    """What lies in a repository, by its path.

    Raises:
        BadInput: it holds something, and that is no snapshot.
    """
    from huggingface_hub.errors import EntryNotFoundError

    with asking(f"{name} cannot be looked at"):
        try:
            found = list(api.list_repo_tree(name, recursive=True, repo_type="dataset"))
        except EntryNotFoundError:
            found = []  # nothing was ever put there
    there = {one.path: one for one in found if hasattr(one, "blob_id")}
    if there.keys() - {".gitattributes"} and MANIFEST not in there:
        raise BadInput(
            f"{name} holds something else than a snapshot ({min(there.keys() - {'.gitattributes'})})",
            remedy="name a repository that is empty, is none yet, or holds another version",
        )
    return there


def _files(snapshot: Snapshot) -> Iterator[_File]:
    told = snapshot.manifest
    for shard in told["shards"]:
        yield _File(shard["name"], snapshot.file(shard["name"]), int(shard["bytes"]), shard["sha256"])
    for name in (INDEX, MANIFEST, SUMS):
        yield _small(name, snapshot.file(name).read_bytes())
    if "card_sha256" in told:
        yield _small(CARD, snapshot.file(CARD).read_bytes())
    else:
        # One of before there were cards: nobody shall get it without a word on licences.
        index = snapshot.index()
        scores = sorted(score_columns(index.column_names))
        (facts := Told()).add(index)
        yield _small(CARD, card_of(told, facts, scores).encode())


def _small(name: str, data: bytes) -> _File:
    return _File(name, data, len(data), hashlib.sha256(data).hexdigest())


def _is_there(file: _File, old: Any) -> bool:
    """Whether the same bytes lie there under that name."""
    if old is None or old.size != file.size:
        return False
    return bool(old.lfs.sha256 == file.sha256 if old.lfs else old.blob_id == file.git_id())


def _send(api: Any, name: str, files: Sequence[_File], work: Path, progress: Progress | None) -> list[Any]:
    """Send files some at a time; they are not seen before the commit of what this returns."""
    from huggingface_hub import CommitOperationAdd

    additions: list[Any] = []
    for first in range(0, len(files), AT_ONCE):
        part = files[first : first + AT_ONCE]
        if progress:
            progress(first, len(files), part[0].name)
        some = [CommitOperationAdd(file.name, file.here(work)) for file in part]
        api.preupload_lfs_files(name, some, repo_type="dataset")
        additions += some
        for copy in work.iterdir():
            copy.unlink()
    if progress:
        progress(len(files), len(files), "sent")
    return additions


def _commit(api: Any, name: str, additions: Sequence[Any], gone: Sequence[str], *, message: str, parent: str) -> str:
    """Let what was sent be seen, and shards of an older version no more; returns the revision."""
    from huggingface_hub import CommitOperationDelete

    removals = [CommitOperationDelete(old, is_folder=False) for old in gone]
    made = api.create_commit(
        name, [*additions, *removals], commit_message=message, repo_type="dataset", parent_commit=parent
    )
    return str(made.oid)


@contextmanager
def _without_bars() -> Iterator[None]:
    """Without the client's own bars: the command shows its own."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    before = are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    finally:
        if not before:
            enable_progress_bars()
