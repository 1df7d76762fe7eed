"""Windows whose truth is known: clips that are right, and the same clips made wrong in the ways web video is.

Wrongs are made on the decoded curves, so that a case differs from its original in nothing but its fault. A shifted
sound comes round at the other end: the sound of web video does not stop because it is late, and a hole would tell.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curation.media.analyse import analyse
from curation.media.timeline import Timeline, Window
from curation.scores.registry import build

SHIFTS_S = (0.1, 0.2, 0.3, 0.5, 1.0)
WINDOW_US = 3_000_000
JITTER_S = 0.25
JITTER_HZ = 1.0
SEAM_S = 0.01


class Fault(StrEnum):
    """What is wrong with a case."""

    NONE = "none"
    SHIFTED = "shifted"
    SWAPPED = "swapped"
    FROZEN = "frozen"
    SILENT = "silent"
    NARRATED = "narrated"
    JITTERED = "jittered"


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip that is right: its curves, its class, and the material it was made from (for splits that are fair)."""

    name: str
    label: str
    group: str
    timeline: Timeline


@dataclass(frozen=True, slots=True)
class Case:
    """A window and its truth; `offset_s` is how late its sound is."""

    clip: Clip
    fault: Fault
    offset_s: float
    window: Window

    @property
    def kind(self) -> str:
        """The fault, with its size if it has one."""
        return f"{self.fault} {abs(self.offset_s):g} s" if self.fault is Fault.SHIFTED else self.fault.value


def drawn_clips(count: int, *, seed: int, shaky: bool, folder: Path, workers: int = 2) -> list[Clip]:
    """Drawn films of every scene in turn, encoded and decoded; shaky ones have a hand-held camera and a loud room."""
    from training.world import SCENES

    jobs = [(scene, seed + at, shaky, folder) for at, scene in zip(range(count), list(SCENES) * count, strict=False)]
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(_drawn, jobs, chunksize=4))


def known_clips(folder: Path) -> list[Clip]:
    """The corpus clips whose picture is known to match their sound."""
    import csv

    rows = list(csv.DictReader((folder / "corpus.csv").open(encoding="utf-8")))
    known = [row for row in rows if row["picture_matches_sound"] == row["synchronised"] == "yes"]
    return [Clip(row["file"], row["caption"], row["kind"], analyse(folder / row["file"])) for row in known]


def cases(clips: Sequence[Clip], *, seed: int, narrate: bool = False) -> Iterator[Case]:
    """Every clip as it is, and with each fault once; what is drawn by lot follows from `seed` and the clip's place."""
    for at, clip in enumerate(clips):
        random = np.random.default_rng((seed, at))
        line = clip.timeline
        yield _case(clip, Fault.NONE, line)
        for size in SHIFTS_S:
            offset = float(size * random.choice((-1, 1)))
            yield _case(clip, Fault.SHIFTED, _sounding(line, rolled(line, offset)), offset)
        others = [one for one in clips if one.label != clip.label]
        yield _case(clip, Fault.SWAPPED, _sounding(line, fitted(line, others[random.integers(len(others))].timeline)))
        yield _case(clip, Fault.FROZEN, frozen(line))
        yield _case(clip, Fault.SILENT, _sounding(line, np.zeros_like(line.waveform)))
        yield _case(clip, Fault.JITTERED, _sounding(line, jittered(line, random)))
        if narrate:
            yield _case(clip, Fault.NARRATED, _sounding(line, _narrated(line, int(random.integers(1 << 30)))))


def columns_of_cases(found: list[Case], scores: tuple[str, ...]) -> list[dict[str, float]]:
    """The columns of all scores for each case."""
    columns: list[dict[str, float]] = [{} for _ in found]
    for score in build(scores):
        for own, measured in zip(columns, score.score([case.window for case in found]), strict=True):
            own.update(measured)
    return columns


def rolled(line: Timeline, offset_s: float) -> NDArray[np.float32]:
    """(samples,) the sound `offset_s` late; what falls out at one end comes in at the other, the seam faded."""
    shift = round(offset_s * line.rate_hz)
    sound = np.roll(line.waveform, shift)
    fade = np.abs(np.linspace(-1, 1, 2 * round(SEAM_S * line.rate_hz)))
    at = (np.arange(len(fade)) - len(fade) // 2 + shift) % len(sound)
    sound[at] *= fade
    return sound


def frozen(line: Timeline) -> Timeline:
    """The first picture for ever."""
    return replace(
        line,
        luma=np.full_like(line.luma, line.luma[0]),
        motion=np.zeros_like(line.motion),
        colour_change=np.zeros_like(line.colour_change),
        cells=np.broadcast_to(line.cells[:1], line.cells.shape),
        cell_motion=np.zeros_like(line.cell_motion),
        thumbs=np.broadcast_to(line.thumbs[:1], line.thumbs.shape),
        stills=np.broadcast_to(line.stills[:1], line.stills.shape),
    )


def jittered(line: Timeline, random: np.random.Generator) -> NDArray[np.float32]:
    """(samples,) the sound with an offset that wanders by about a quarter of a second, as dropped packets leave it."""
    time_s = np.arange(len(line.waveform)) / line.rate_hz
    knots_s = np.arange(0, time_s[-1] + 2 / JITTER_HZ, 1 / JITTER_HZ)
    wander = np.interp(time_s, knots_s, random.normal(0, JITTER_S, len(knots_s)))
    return np.interp(time_s - wander, time_s, line.waveform).astype(np.float32)


def fitted(line: Timeline, other: Timeline) -> NDArray[np.float32]:
    """Another clip's sound, repeated to this one's length."""
    return np.resize(other.waveform, len(line.waveform))


def _case(clip: Clip, fault: Fault, line: Timeline, offset_s: float = 0.0) -> Case:
    start = int(line.frame_us[np.searchsorted(line.frame_us, max(0, line.duration_us - WINDOW_US) // 2)])
    return Case(clip, fault, offset_s, Window(line, start, min(start + WINDOW_US, line.duration_us), clip.label))


def _sounding(line: Timeline, waveform: NDArray[np.float32]) -> Timeline:
    return replace(line, waveform=waveform)


def _narrated(line: Timeline, seed: int) -> NDArray[np.float32]:
    """(samples,) a voice over the clip's own sound, which is turned down beneath it as editors do."""
    from training.world.speech import narrate

    length_s = len(line.waveform) / line.rate_hz
    voice, _ = narrate(seed, duration_s=length_s, rate_hz=line.rate_hz, unlike=np.zeros(0))
    return np.float32(0.5) * voice[: len(line.waveform)] + np.float32(0.2) * line.waveform[: len(voice)]


def _drawn(job: tuple[str, int, bool, Path]) -> Clip:
    from training.world import FilmSpec, draw, write_film

    scene, seed, shaky, folder = job
    path = folder / f"{scene}-{seed}-{shaky}.mp4"
    if not path.is_file():
        random = np.random.default_rng(seed)
        spec = FilmSpec(
            scene=scene,
            seed=seed,
            duration_s=5.0,
            width_px=128,
            height_px=128,
            camera_shake_px=float(random.uniform(1.5, 3.0)) if shaky else 0.0,
            background_noise=float(random.uniform(0.01, 0.03)) if shaky else 0.002,
        )
        write_film(draw(spec), path)
    return Clip(path.name, scene, scene, analyse(path))
