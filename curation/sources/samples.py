"""Which words of a tar go with which of its videos, by their names alone and wherever they stand.

WebDataset's key is a name up to its first dot. Names with dots in them (`film_0.25.mp4`) are no keys in that sense, and
yet every video of them is meant. So words go with the video whose name, without its ending, is theirs or begins it;
else with the videos whose names theirs begins; else with the only video of their key, where it has no words so far.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath


def paired(videos: Sequence[str], words: Sequence[str]) -> tuple[dict[str, list[str]], list[str]]:
    """The names of words by those of their videos, and the words that go with none."""
    by_stem, below, by_key = defaultdict(list), defaultdict(list), defaultdict(list)
    for video in videos:
        whole, *shorter = _shorter(_stem(video))
        by_stem[whole].append(video)
        by_key[_key(video)].append(video)
        for stem in shorter:
            below[stem].append(video)
    found: dict[str, list[str]] = {video: [] for video in videos}
    left = []
    for word in words:
        stem = _stem(word)
        owners = next((by_stem[one] for one in _shorter(stem) if one in by_stem), below.get(stem, []))
        for video in owners:
            found[video].append(word)
        if not owners:
            left.append(word)
    bare = {key: only[0] for key, only in by_key.items() if len(only) == 1 and not found[only[0]]}
    for word in left:
        if _key(word) in bare:
            found[bare[_key(word)]].append(word)
    return found, [word for word in left if _key(word) not in bare]


def _stem(name: str) -> str:
    """Folder and name without the last ending."""
    path = PurePosixPath(name)
    return str(path.parent / path.stem)


def _key(name: str) -> str:
    """Folder and name up to the first dot, as WebDataset has it."""
    path = PurePosixPath(name)
    return str(path.parent / (path.name.partition(".")[0] or path.name))


def _shorter(stem: str) -> Iterator[str]:
    """A name, what is left of it without its last part behind a dot, and so on."""
    path = PurePosixPath(stem)
    parts = path.name.split(".")
    for count in range(len(parts), 0, -1):
        if name := ".".join(parts[:count]):
            yield str(path.parent / name)
