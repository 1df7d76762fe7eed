"""Who plays in the demo: every planted file, its recipe and the truth about it.

The set covers what web video does to an audio-visual collection: sound from elsewhere, late sound, no sound, frozen
pictures, narrators, cuts, and files that are broken or no video at all. Three hard films are good, but shaky and
noisy enough that a careful system should ask a person [ours].
"""

from dataclasses import dataclass
from enum import StrEnum

from curation.outcomes import Outcome
from training.world import FilmSpec

# (name, scene, camera shake in pixels, noise): onsets and motion correlate at 0.45 to 0.65, in a clear film above 0.7.
HARD_FILMS = (
    ("anvil", "hammering_anvil", 5.0, 0.015),
    ("drum", "playing_drum", 5.0, 0.015),
    ("cymbal", "striking_cymbal", 5.0, 0.04),
)

SLIGHTLY_LATE_S = 0.1
"""Late enough for a person to see."""

TAKES = 3
"""Good films of each scene: the adapter needs some variety to learn from."""


class Defect(StrEnum):
    """What is wrong with a planted file."""

    NONE = "none"
    HARD = "hard_but_good"
    SWAPPED_SOUND = "swapped_sound"
    LATE_SOUND = "late_sound"
    SLIGHTLY_LATE = "slightly_late_sound"
    SILENT = "silent"
    STATIC = "static_picture"
    NARRATION = "narration"
    CUT = "cut_in_the_middle"
    TRUNCATED = "truncated"
    NO_SOUND_TRACK = "no_sound_track"
    NO_PICTURE_TRACK = "no_picture_track"
    EMPTY = "empty_file"
    PAGE = "page_instead_of_video"
    SHORT = "short"
    UNJUDGED = "unjudged"


EXPECTED: dict[Defect, Outcome | None] = {
    Defect.NONE: Outcome.OK,
    Defect.HARD: Outcome.WEAK_SYNC,
    Defect.SWAPPED_SOUND: Outcome.WEAK_SYNC,
    Defect.LATE_SOUND: Outcome.OFFSET_CORRECTED,
    Defect.SLIGHTLY_LATE: Outcome.OFFSET_CORRECTED,
    Defect.SILENT: Outcome.SILENT,
    Defect.STATIC: Outcome.STATIC_PICTURE,
    Defect.NARRATION: Outcome.WEAK_SYNC,
    Defect.CUT: Outcome.SHOT_CHANGE,
    Defect.TRUNCATED: Outcome.TRUNCATED,
    Defect.NO_SOUND_TRACK: Outcome.NO_AUDIO,
    Defect.NO_PICTURE_TRACK: Outcome.NO_VIDEO,
    Defect.EMPTY: Outcome.EMPTY_FILE,
    Defect.PAGE: Outcome.NOT_A_VIDEO,
    Defect.SHORT: Outcome.TOO_SHORT,
    Defect.UNJUDGED: None,
}


@dataclass(frozen=True, slots=True)
class Part:
    """One file to make.

    Attributes:
        file: its name.
        defect: what is wrong with it.
        spec: the film; also gives caption and label where the file holds no film.
        picture, sound: whether the file has that track.
    """

    file: str
    defect: Defect
    spec: FilmSpec
    picture: bool = True
    sound: bool = True


def cast(seed: int) -> tuple[Part, ...]:
    """All drawn files of the demo, in the order of the source list; `seed` decides every film."""
    return (*_good(seed), *_hard(seed), *_wrong_sound(seed), *_wrong_picture(seed), *_broken(seed))


def _spec(scene: str, seed: int, number: int, **fields: object) -> FilmSpec:
    return FilmSpec(scene=scene, seed=seed * 1000 + number, **fields)  # type: ignore[arg-type]


def _good(seed: int) -> list[Part]:
    scenes = {
        "anvil": "hammering_anvil",
        "ball": "bouncing_ball",
        "bell": "ringing_bell",
        "blocks": "clapping_blocks",
        "cymbal": "striking_cymbal",
        "drum": "playing_drum",
        "wood": "chopping_wood",
    }
    return [
        Part(f"good-{name}-{take}.mp4", Defect.NONE, _spec(scene, seed, 100 * take + number))
        for take in range(1, TAKES + 1)
        for number, (name, scene) in enumerate(scenes.items())
    ]


def _hard(seed: int) -> list[Part]:
    return [
        Part(
            f"hard-{name}.mp4",
            Defect.HARD,
            _spec(scene, seed, 21 + number, camera_shake_px=shake_px, background_noise=noise),
        )
        for number, (name, scene, shake_px, noise) in enumerate(HARD_FILMS)
    ]


def _wrong_sound(seed: int) -> list[Part]:
    swapped = _spec("bouncing_ball", seed, 31, sound_scene="ringing_bell")
    late = _spec("hammering_anvil", seed, 32, sound_shift_s=0.5)
    slightly = _spec("bouncing_ball", seed, 36, sound_shift_s=SLIGHTLY_LATE_S)
    return [
        Part("swapped-sound.mp4", Defect.SWAPPED_SOUND, swapped),
        Part("late-sound.mp4", Defect.LATE_SOUND, late),
        Part("slightly-late-sound.mp4", Defect.SLIGHTLY_LATE, slightly),
        Part("silent.mp4", Defect.SILENT, _spec("playing_drum", seed, 33, silent=True)),
        Part("narration.mp4", Defect.NARRATION, _spec("chopping_wood", seed, 34, narration=True)),
        Part("no-sound-track.mp4", Defect.NO_SOUND_TRACK, _spec("clapping_blocks", seed, 35), sound=False),
    ]


def _wrong_picture(seed: int) -> list[Part]:
    cut = _spec("striking_cymbal", seed, 42, duration_s=5.2, cut_at_s=2.6, cut_to="clapping_blocks")
    no_picture = _spec("hammering_anvil", seed, 43)
    return [
        Part("static-picture.mp4", Defect.STATIC, _spec("ringing_bell", seed, 41, static=True)),
        Part("cut-in-the-middle.mp4", Defect.CUT, cut),
        Part("no-picture-track.mp4", Defect.NO_PICTURE_TRACK, no_picture, picture=False),
        Part("short.mp4", Defect.SHORT, _spec("bouncing_ball", seed, 44, duration_s=2.0)),
    ]


def _broken(seed: int) -> list[Part]:
    return [
        Part("truncated.mp4", Defect.TRUNCATED, _spec("playing_drum", seed, 51)),
        Part("empty.mp4", Defect.EMPTY, _spec("chopping_wood", seed, 52)),
        Part("page.mp4", Defect.PAGE, _spec("ringing_bell", seed, 53)),
    ]
