"""A film: pictures and sound drawn from a specification, with the times of every event known.

`draw` is pure: the same specification gives the same film. The defects that curation must find (late, swapped or
missing sound, a frozen picture, a narrator, a hard cut) are fields of the specification [ours].
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shards.errors import BadInput
from training.world.camera import pan_margin, panned, shake_margin, shaken
from training.world.events import Strikes, draw_strikes, resting
from training.world.look import contrasting_seed
from training.world.music import play_music
from training.world.picture import Dressing, film_act
from training.world.scenes import SCENES
from training.world.soundtrack import PEAK, mix_track, strike_sound, voice_over

WORLD_VERSION = 1
"""Goes up whenever the same specification gives another film."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmSpec:
    """Everything that decides a film.

    Attributes:
        scene: a name in `SCENES`.
        seed: times, colours, framing, noise.
        duration_s: length; rounded to whole frames.
        width_px, height_px, fps, rate_hz: format of picture and sound.
        camera_shake_px: largest displacement of a hand-held camera.
        background_noise: root mean square of the noise below the sound (which peaks at 0.5).
        sound_shift_s: how late the sound comes.
        sound_scene: take this scene's sound, at times of its own: a swapped sound track.
        silent: a sound track of zeros.
        static: one picture for the whole film.
        narration: a voice instead of the scene's sound.
        speech, music: a voice, or music, over the film's own sound, and how loud it is beside it; 0: none.
        off_screen: what strikes is heard and not seen: the picture rests.
        cut_at_s, cut_to: a hard cut to another scene at that time.
        texture: strength, 0 to 1, of a pattern on wall and floor (noise, stripes, tiles or planks, by the seed).
        lamp: strength, 0 to 1, of a light that drifts and brightens slowly, whatever strikes.
        pan_px: largest displacement by a slow pan and zoom, besides the shake; in parts of a pixel.
        distractors: number of things that move without a sound, at times unlike the strikes'.
    """

    scene: str
    seed: int
    duration_s: float = 6.0
    width_px: int = 256
    height_px: int = 256
    fps: int = 24
    rate_hz: int = 48_000
    camera_shake_px: float = 0.0
    background_noise: float = 0.002
    sound_shift_s: float = 0.0
    sound_scene: str | None = None
    silent: bool = False
    static: bool = False
    narration: bool = False
    speech: float = 0.0
    music: float = 0.0
    off_screen: bool = False
    cut_at_s: float | None = None
    cut_to: str | None = None
    texture: float = 0.0
    lamp: float = 0.0
    pan_px: float = 0.0
    distractors: int = 0


@dataclass(frozen=True, slots=True)
class Film:
    """Pictures, sound and truth.

    Attributes:
        frames: (frames, height, width, 3) uint8 RGB; frame k is shown at k / fps.
        fps: frames a second.
        audio: (samples,) float32 in [-1, 1]; sample 0 sounds as frame 0 is shown.
        rate_hz: samples a second.
        events_s: (events,) times at which the picture shows a strike.
        sounds_s: (sounds,) times at which a sound begins; equal to `events_s` in a good film.
    """

    frames: NDArray[np.uint8]
    fps: int
    audio: NDArray[np.float32]
    rate_hz: int
    events_s: NDArray[np.float64]
    sounds_s: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Act:
    """A stretch of film within one scene, in frames of the film."""

    scene: str
    seed: int
    first: int
    end: int
    strikes: Strikes


def draw(spec: FilmSpec) -> Film:
    """Draw pictures and sound of `spec`.

    Raises:
        BadInput: a scene that does not exist, no length, a cut outside the film, or a dressing out of its range.
    """
    acts = _acts(spec)
    dressing = _dressing(spec)
    margin_px = shake_margin(spec.camera_shake_px) + pan_margin(spec.pan_px)
    pictures = [
        film_act(
            SCENES[act.scene],
            resting(act.strikes) if spec.off_screen else act.strikes,
            frames=np.full(act.end - act.first, act.first) if spec.static else np.arange(act.first, act.end),
            fps=spec.fps,
            size_px=(spec.height_px, spec.width_px),
            margin_px=margin_px,
            seed=act.seed,
            dressing=dressing,
        )
        for act in acts
    ]
    frames = shaken(np.concatenate(pictures), reach_px=spec.camera_shake_px, seed=spec.seed)
    frames = panned(frames, reach_px=spec.pan_px, fps=spec.fps, seed=spec.seed)
    audio, sounds_s = _sound(spec, acts)
    events_s = np.concatenate([_within(act.strikes.times_s, act, spec.fps) for act in acts])
    return Film(
        frames=frames,
        fps=spec.fps,
        audio=audio,
        rate_hz=spec.rate_hz,
        events_s=events_s[:0] if spec.static or spec.off_screen else events_s,
        sounds_s=sounds_s,
    )


def _acts(spec: FilmSpec) -> list[Act]:
    """The stretches of the film: one, or two around a hard cut."""
    total = round(spec.duration_s * spec.fps)
    cut = total if spec.cut_at_s is None else round(spec.cut_at_s * spec.fps)
    for name in (spec.scene, spec.sound_scene, spec.cut_to):
        if name is not None and name not in SCENES:
            raise BadInput(f"there is no scene {name!r}", remedy=f"choose one of: {', '.join(SCENES)}")
    if total < 1 or (spec.cut_at_s is None) != (spec.cut_to is None) or not 0 < cut <= total:
        raise BadInput(
            f"a film of {spec.duration_s} s cannot be cut at {spec.cut_at_s} s to {spec.cut_to}",
            remedy="give a positive duration, and `cut_at_s` inside it together with `cut_to`",
        )
    parts = [(spec.scene, spec.seed, 0, cut)]
    if spec.cut_to is not None:
        parts.append((spec.cut_to, contrasting_seed(spec.seed), cut, total))
    return [
        Act(scene, seed, first, end, draw_strikes(seed, duration_s=total / spec.fps, fps=spec.fps))
        for scene, seed, first, end in parts
    ]


def _dressing(spec: FilmSpec) -> Dressing:
    """What surrounds the scenes."""
    if not (0 <= spec.texture <= 1 and 0 <= spec.lamp <= 1 and spec.pan_px >= 0 and spec.distractors >= 0):
        raise BadInput(
            f"texture {spec.texture}, lamp {spec.lamp}, pan {spec.pan_px} px and {spec.distractors} distractors do not "
            "make a film",
            remedy="give `texture` and `lamp` from 0 to 1, and no negative `pan_px` or `distractors`",
        )
    return Dressing(texture=spec.texture, lamp=spec.lamp, distractors=spec.distractors)


def _sound(spec: FilmSpec, acts: list[Act]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """The film's sound track and the times at which its sounds begin."""
    total_s = acts[-1].end / spec.fps
    samples = round(total_s * spec.rate_hz)
    seen = acts[0].strikes.times_s
    if spec.silent:
        return np.zeros(samples, np.float32), np.zeros(0)
    if spec.narration:
        sound, starts = voice_over(spec.seed, duration_s=total_s, rate_hz=spec.rate_hz, unlike=seen)
    elif spec.sound_scene is not None:
        foreign = draw_strikes(spec.seed + 70_000, duration_s=total_s, fps=spec.fps, unlike=seen)
        act = Act(spec.sound_scene, spec.seed + 70_000, 0, acts[-1].end, foreign)
        sound, starts = _strike_sounds(spec, [act], samples)
    else:
        sound, starts = _strike_sounds(spec, acts, samples)
    sound = _overlaid(spec, sound, seen)
    track = mix_track(sound, noise=spec.background_noise, seed=spec.seed, rate_hz=spec.rate_hz)
    return track, starts


def _overlaid(spec: FilmSpec, sound: NDArray[np.float32], seen: NDArray[np.float64]) -> NDArray[np.float32]:
    """The sound with what is laid over it, its loudest sample at most as loud as before."""
    if not (spec.speech or spec.music):
        return sound
    duration_s, rate_hz = len(sound) / spec.rate_hz, spec.rate_hz
    mixed = sound.copy()
    if spec.speech:
        voice, _ = voice_over(spec.seed, duration_s=duration_s, rate_hz=rate_hz, unlike=seen)
        mixed += np.float32(spec.speech) * voice[: len(sound)]
    if spec.music:
        mixed += np.float32(spec.music * PEAK) * play_music(spec.seed, duration_s=duration_s, rate_hz=rate_hz)
    return mixed * np.float32(PEAK / max(float(np.abs(mixed).max()), PEAK))


def _strike_sounds(spec: FilmSpec, acts: list[Act], samples: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """The sound of every strike of every act, `sound_shift_s` late; an act's sounds end with the act."""
    sound = np.zeros(samples, np.float32)
    starts = []
    for act in acts:
        first, end = (round(edge / spec.fps * spec.rate_hz) for edge in (act.first, act.end))
        late = act.strikes.times_s + spec.sound_shift_s
        times = _within(late, act, spec.fps)
        strengths = act.strikes.strengths[np.isin(late, times)]
        made = strike_sound(SCENES[act.scene], times, strengths, samples=end, rate_hz=spec.rate_hz, seed=act.seed)
        sound[first:end] += made[first:end]
        starts.append(times)
    return sound, np.concatenate(starts)


def _within(times_s: NDArray[np.float64], act: Act, fps: int) -> NDArray[np.float64]:
    """The times inside an act."""
    return times_s[(times_s >= act.first / fps - 1e-9) & (times_s < act.end / fps - 1e-9)]
