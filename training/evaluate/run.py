"""An evaluation: every metric of every clip of a player, of the truth and of the controls, then what they say.

Each clip is written down as it is finished; the same call again goes on with what is missing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from shards.errors import BadInput
from shards.files import write_atomic
from training.evaluate.base import ClipMetric, Metric, SetMetric, applicable
from training.evaluate.benchmarks import Benchmark
from training.evaluate.controls import Control, controlled
from training.evaluate.films import ClipFormat, EvaluatedClip
from training.evaluate.measured import FILM, TRUTH, Measured
from training.evaluate.players import Player
from training.evaluate.result import Evaluation, summarised
from training.progress import Progress

CLIPS = "clips"


def evaluate(
    benchmark: Benchmark,
    metrics: Sequence[Metric],
    out: Path,
    *,
    player: Player | None = None,
    cut: ClipFormat | None = None,
    controls: bool = True,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluate a player on a benchmark; without one the truth against its controls.

    Args:
        benchmark: the true clips.
        metrics: checked ones, of `registry.chosen`.
        out: a folder for what is measured of each clip.
        player: whose films; None for none.
        cut: how clips are cut, the benchmark's own way by default.
        controls: whether the truth and its controls are measured too; without them nobody knows what is blind.
        progress: told after each video.

    Raises:
        BadInput: there are fewer than two videos, or a film is missing.
    """
    chosen = cut or benchmark.cut
    videos = _Videos(benchmark, chosen, out / CLIPS)
    whose = _Whose(player, (TRUTH, *Control) if controls else ())
    done: list[Measured] = []
    for number, source in enumerate(benchmark.sources):
        done += _of_video(number, videos, metrics, whose)
        if progress:
            progress(number + 1, len(benchmark.sources), source.video_id)
    return summarised(benchmark.name, player.name if player else TRUTH, chosen, metrics, done, videos.skipped())


class _Videos:
    """The videos of a benchmark, two of which are held at a time, and which of them cannot be read.

    Raises:
        BadInput: there are fewer than two.
    """

    def __init__(self, benchmark: Benchmark, cut: ClipFormat, folder: Path) -> None:
        if len(benchmark.sources) < 2:
            raise BadInput(
                f"{benchmark.name} has {len(benchmark.sources)} videos, and sounds are swapped between two",
                remedy="give more videos, or a larger --limit",
            )
        self.sources, self.cut, self.folder = benchmark.sources, cut, folder
        self.clips = lru_cache(maxsize=2)(lambda number: self.sources[number].clips(cut))

    def content(self, number: int) -> str:
        """Names what the clips of a video are read from, and the sound they are swapped with."""
        return f"{self.sources[number].key} {self.sources[number - 1].key} {self.cut.say()}"

    def others(self, number: int) -> list[EvaluatedClip]:
        """The clips of the video before; of one further back where that cannot be read.

        Raises:
            BadInput: no other can be read.
        """
        for step in range(1, len(self.sources)):
            at = (number - step) % len(self.sources)
            try:
                return self.clips(at)
            except BadInput:
                continue
        raise BadInput("no other video can be read, and sounds are swapped between two", remedy="give more videos")

    def names(self, number: int) -> list[str] | None:
        """The clips of a video that was read before; None if it was not."""
        index = self._index(number)
        return index.read_text(encoding="utf-8").splitlines()[1:] if index.is_file() else None

    def note(self, number: int, names: Sequence[str], why: str = "") -> None:
        """Write down the clips of a video, or why it has none."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomic(self._index(number), "\n".join([why.replace("\n", " "), *names]).encode())

    def skipped(self) -> dict[str, str]:
        """Videos that could not be read, and why."""
        said = {one.video_id: self._index(number).read_text("utf-8") for number, one in enumerate(self.sources)}
        return {name: text.splitlines()[0] for name, text in said.items() if text.splitlines()[0]}

    def _index(self, number: int) -> Path:
        # By name, so that another --limit finds what was measured before.
        return self.folder / f"{self.sources[number].video_id}.txt"


@dataclass(frozen=True)
class _Whose:
    """Of whom values are wanted: the player if there is one, and the truth with its controls."""

    player: Player | None
    others: tuple[str, ...]

    def asked(self, metric: Metric) -> Iterator[str]:
        """All that this metric is asked about."""
        if self.player:
            yield FILM
        noticed = applicable(metric)
        yield from (one for one in self.others if not isinstance(one, Control) or one in noticed)
        if isinstance(metric, SetMetric) and TRUTH not in self.others:
            yield TRUTH


def _of_video(number: int, videos: _Videos, metrics: Sequence[Metric], whose: _Whose) -> list[Measured]:
    """The clips of one video. They are decoded only if something of one of them is missing."""
    names, content = videos.names(number), videos.content(number)
    paths = {name: videos.folder / f"{name}.npz" for name in names or ()}
    found = {name: Measured.load(path) for name, path in paths.items() if path.is_file()}
    if names and len(found) == len(names) and not any(_missing(one, metrics, whose, content) for one in found.values()):
        return list(found.values())
    try:
        truths = videos.clips(number)
    except BadInput as error:
        videos.note(number, [], str(error))
        return []
    others = videos.others(number)
    for at, truth in enumerate(truths):
        one = found.setdefault(truth.name, Measured(truth.name, truth.video_id, truth.caption))
        _measure(one, truth, others[at % len(others)], metrics, whose, content, videos.cut)
        videos.folder.mkdir(parents=True, exist_ok=True)
        one.save(videos.folder / f"{truth.name}.npz")
    videos.note(number, [truth.name for truth in truths])
    return [found[truth.name] for truth in truths]


def _missing(one: Measured, metrics: Sequence[Metric], whose: _Whose, content: str) -> list[tuple[Metric, str]]:
    return [
        (metric, asked)
        for metric in metrics
        for asked in whose.asked(metric)
        if one.lacks(metric.name, asked, _key(metric, asked, one.name, whose, content))
    ]


def _key(metric: Metric, asked: str, clip: str, whose: _Whose, content: str) -> str:
    """What a value is made from; the film of a player that has none yet makes it missing."""
    film = (whose.player.key_of(clip) or "no film yet") if asked == FILM and whose.player else ""
    return f"{metric.protocol} | {content} | {film}"


def _measure(
    one: Measured,
    truth: EvaluatedClip,
    other: EvaluatedClip,
    metrics: Sequence[Metric],
    whose: _Whose,
    content: str,
    cut: ClipFormat,
) -> None:
    missing = _missing(one, metrics, whose, content)
    # Static films last: those before share the picture with the truth, and what is known of it.
    for asked in sorted({asked for _, asked in missing}, key=lambda one: (one == Control.STATIC, one == FILM, one)):
        clip = _clip(asked, truth, other, whose.player, cut)
        for metric in (metric for metric, which in missing if which == asked):
            found = metric.value(clip, truth) if isinstance(metric, ClipMetric) else metric.features(clip)  # type: ignore[attr-defined]
            # The film may have been made only now: its key is asked for again.
            one.put(metric.name, asked, _key(metric, asked, one.name, whose, content), found)


def _clip(
    asked: str, truth: EvaluatedClip, other: EvaluatedClip, player: Player | None, cut: ClipFormat
) -> EvaluatedClip:
    if asked == FILM and player:
        return truth.with_frames(player.frames(truth, cut))
    return truth if asked == TRUTH else controlled(truth, Control(asked), other=other)
