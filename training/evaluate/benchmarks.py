"""Where true clips come from: drawn films, folders, lists of data sets, snapshots. Data sets are read where they lie.

A benchmark is a list of sources; each gives the clips of one video. AVSync15 and AVSync48, The Greatest Hits and
Landscapes lie as the predecessor's code expects them: `videos/` (or `videos/test/`) and a `test.txt` of paths [pred].
"""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from shards.errors import BadInput
from shards.reader import ClipReader
from shards.snapshot import open_snapshot
from training.evaluate.films import ClipFormat, EvaluatedClip, read_clips
from training.world import SCENES, FilmSpec, draw

SUFFIXES = frozenset({".mp4", ".mkv", ".webm", ".mov", ".avi", ".mpg"})
TABLE = "corpus.csv"
FIRST_SEED = 700_000
DRAWN = 6 * len(SCENES)
STICK = "hitting with a stick"


class Source(Protocol):
    """One video of a benchmark; `key` changes when its content may have."""

    @property
    def video_id(self) -> str:
        """Its name."""
        ...

    @property
    def key(self) -> str:
        """Names its content."""
        ...

    def clips(self, cut: ClipFormat) -> list[EvaluatedClip]:
        """Its clips, decoded."""
        ...


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A named list of videos, and how their clips are cut where nobody says otherwise."""

    name: str
    sources: Sequence[Source]
    cut: ClipFormat = field(default_factory=ClipFormat)


@dataclass(frozen=True)
class FileSource:
    """A video file."""

    path: Path
    caption: str
    video_id: str

    @property
    def key(self) -> str:
        """Size and time of the file."""
        stat = self.path.stat()
        return f"{stat.st_size} {stat.st_mtime_ns}"

    def clips(self, cut: ClipFormat) -> list[EvaluatedClip]:
        """Its clips."""
        return read_clips(self.path, cut, video_id=self.video_id, caption=self.caption)


@dataclass(frozen=True)
class DrawnSource:
    """A drawn film of one clip's length, whose sounds are known."""

    scene: str
    seed: int

    @property
    def video_id(self) -> str:
        """Scene and seed."""
        return f"{self.scene}-{self.seed}"

    @property
    def key(self) -> str:
        """Nothing else decides it."""
        return self.video_id

    def clips(self, cut: ClipFormat) -> list[EvaluatedClip]:
        """The film; its sound is drawn at 48 kHz and brought to the format's rate."""
        height, width = cut.size_px
        film = draw(
            FilmSpec(
                scene=self.scene,
                seed=self.seed,
                duration_s=cut.duration_s,
                width_px=width,
                height_px=height,
                fps=round(cut.fps),
            )
        )
        whole = EvaluatedClip(
            name=f"{self.video_id}_clip-0",
            video_id=self.video_id,
            frames=film.frames[: cut.frames],
            fps=float(film.fps),
            waveform=film.audio,
            rate_hz=film.rate_hz,
            caption=SCENES[self.scene].caption,
            sounds_s=np.asarray(film.sounds_s, np.float64),
        )
        return [replace(whole, waveform=whole.sound_at(cut.rate_hz), rate_hz=cut.rate_hz)]


@dataclass(frozen=True)
class SnapshotSource:
    """A clip of a snapshot."""

    reader: ClipReader
    number: int
    video_id: str
    caption: str
    digest: str

    @property
    def key(self) -> str:
        """The clip's digest."""
        return self.digest

    def clips(self, cut: ClipFormat) -> list[EvaluatedClip]:
        """The clips of the clip."""
        return read_clips(self.reader[self.number].mp4, cut, video_id=self.video_id, caption=self.caption)


def open_benchmark(
    name: str, data: Path | None = None, *, limit: int | None = None, where: tuple[str, str] | None = None
) -> Benchmark:
    """A benchmark by its name; `data` is where its files lie, or where snapshots do for "NAME/vN".

    `where` is a column of a folder's table and what must stand in it.

    Raises:
        BadInput: there is no such benchmark, it needs `data`, or there is nothing in it.
    """
    if name == "drawn":
        count = limit or DRAWN
        scenes = list(SCENES)
        drawn = [DrawnSource(scenes[n % len(scenes)], FIRST_SEED + n) for n in range(count)]
        return Benchmark(name, drawn, ClipFormat(frames=24, fps=12, size_px=(64, 64), per_video=1))
    if data is None:
        raise BadInput(f"the benchmark {name} lies somewhere", remedy="--data FOLDER says where")
    if "/" in name:
        return Benchmark(name, spread(_of_snapshot(name, data), limit))
    reader = READERS.get(name)
    if reader is None:
        raise BadInput(
            f"there is no benchmark {name!r}",
            remedy=f"one of: drawn, {', '.join(READERS)}, or a snapshot NAME/vN",
        )
    if not data.is_dir():
        raise BadInput(f"there is no folder {data}", remedy=f"--data FOLDER where {name} lies")
    sources = _of_table(data / TABLE, where) if where else reader(data)
    if not sources:
        raise BadInput(f"{data} holds no video of {name}", remedy="docs/evaluation.md says how it should lie")
    return Benchmark(name, spread(sources, limit))


def spread(sources: Sequence[Source], limit: int | None) -> Sequence[Source]:
    """At most so many, evenly spread over the list."""
    if limit is None or limit >= len(sources):
        return sources
    return [sources[place * len(sources) // limit] for place in range(limit)]


def _of_folder(data: Path) -> list[Source]:
    """Any folder of videos: the caption is the text in NAME.txt, else the name of the folder that the file lies in.

    A table `corpus.csv` with columns `file` and `caption` or `what` says which files, and what is in them.
    """
    if (data / TABLE).is_file():
        return _of_table(data / TABLE)
    files = sorted(path for path in data.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    found: list[Source] = []
    for path in files:
        words = path.with_suffix(".txt")
        folder = path.parent.name.replace("_", " ") if path.parent != data else ""
        caption = words.read_text(encoding="utf-8").strip() if words.is_file() else folder
        found.append(FileSource(path, caption, _id(path.relative_to(data))))
    return found


def _of_table(table: Path, where: tuple[str, str] | None = None) -> list[Source]:
    if not table.is_file():
        raise BadInput(f"there is no table {table}", remedy="--where picks rows of a folder's corpus.csv")
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if rows and "file" not in rows[0]:
        raise BadInput(f"{table} has no column `file`", remedy="name the files in it, or take it away")
    column, value = where or ("file", "")
    if rows and column not in rows[0]:
        raise BadInput(f"{table} has no column {column!r}", remedy=f"one of: {', '.join(rows[0])}")
    rows = [row for row in rows if not value or row[column] == value]
    paths = [(table.parent / row["file"], row.get("caption") or row.get("what") or "") for row in rows]
    return [FileSource(path, words, _id(path.relative_to(table.parent))) for path, words in paths if path.is_file()]


def _listed(videos: str, caption: Callable[[Path], str]) -> Callable[[Path], list[Source]]:
    """A reader of `test.txt`, whose lines are paths below a folder [pred]."""

    def read(data: Path) -> list[Source]:
        names = data / "test.txt"
        if not names.is_file():
            raise BadInput(f"{data} has no test.txt", remedy="lay it out as lzhangbj/ASVA does")
        lines = [Path(line.strip()) for line in names.read_text(encoding="utf-8").splitlines() if line.strip()]
        missing = [line for line in lines if not (data / videos / line).is_file()]
        if missing:
            raise BadInput(
                f"{len(missing)} of {len(lines)} videos of test.txt are missing, {missing[0]} for one",
                remedy=f"put them below {data / videos}",
            )
        return [FileSource(data / videos / line, caption(line), _id(line)) for line in lines]

    return read


def _of_vggsound_sparse(data: Path) -> list[Source]:
    """VGGSound-Sparse: lists (*.csv, *.txt) whose first column is ID_START_END or an id, and videos below."""
    lists = [path for kind in ("*.csv", "*.txt") for path in sorted(data.glob(kind))]
    files = {path.stem: path for path in sorted(data.rglob("*")) if path.suffix.lower() in SUFFIXES}
    found: dict[str, Source] = {}
    for path in lists:
        with path.open(encoding="utf-8", newline="") as rows:
            for row in csv.reader(rows):
                stem = next((one for one in files if row and (one == row[0] or one.startswith(f"{row[0]}_"))), None)
                if stem:
                    words = next((cell for cell in row[1:] if any(map(str.isalpha, cell))), "")
                    found.setdefault(stem, FileSource(files[stem], words, stem))
    return list(found.values())


def _of_snapshot(name: str, root: Path) -> list[Source]:
    snapshot = open_snapshot(root, name)
    reader = ClipReader(snapshot)
    rows = snapshot.index(["key", "video_id", "caption", "label", "sha256"]).to_pylist()
    return [
        SnapshotSource(reader, number, row["key"], row["caption"] or row["label"] or "", row["sha256"])
        for number, row in enumerate(rows)
    ]


def _id(path: Path) -> str:
    """A path below the benchmark's folder as a name: the predecessor's films lie in folders of classes too."""
    return str(path.with_suffix("")).replace("/", "__")


def _class_of(path: Path) -> str:
    return path.parts[0].replace("_", " ") if len(path.parts) > 1 else ""


READERS: dict[str, Callable[[Path], list[Source]]] = {
    "folder": _of_folder,
    "avsync15": _listed("videos", _class_of),
    "avsync48": _listed("videos", _class_of),
    "greatest-hits": _listed("videos", lambda _: STICK),
    "landscapes": _listed("videos/test", _class_of),
    "vggsound-sparse": _of_vggsound_sparse,
}
