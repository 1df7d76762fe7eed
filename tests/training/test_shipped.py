"""What comes with the package: weights that load, an adapter that is heard, a size that can be shipped."""

import numpy as np
import pytest

from training.adapter.files import load_adapter
from training.animate.animator import Animator, Request
from training.animate.settings import SampleSettings
from training.animate.shipped import shipped_adapter
from training.backbones.drawn import SHIPPED
from training.evaluate.events import detect_events
from training.world import SCENES, Split, draw, varied

MOST_BYTES = 20_000_000
FILMS = range(4)


@pytest.fixture(scope="module")
def animator() -> Animator:
    return Animator(shipped_adapter(), device="cpu")


def test_the_weights_are_small_enough_to_ship_and_hold_no_place_of_their_making():
    files = [path for path in SHIPPED.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= MOST_BYTES
    notes = load_adapter(shipped_adapter()).notes
    assert notes["weights"] == ".."
    assert notes["backbone_weights"] is None


def test_it_strikes_with_the_sound_and_not_half_a_second_later(animator: Animator):
    """Four drawn films of the evaluation split, each animated from its first picture."""
    hits = {0.0: 0, 0.4: 0}
    strikes = 0
    for number in FILMS:
        spec = varied(number, split=Split.EVALUATION, duration_s=2.0, fps=24, height_px=96, width_px=96)
        film = draw(spec)
        request = Request(film.frames[0], film.audio, film.rate_hz, SCENES[spec.scene].caption, SampleSettings())
        frames = np.concatenate(list(animator.frames(request)))
        assert frames.shape == (24, 96, 96, 3)
        np.testing.assert_array_equal(frames[0], film.frames[0])
        found = detect_events(frames, 12)
        true = film.events_s[(film.events_s > 1 / 24) & (film.events_s < 2 - 1 / 24)]
        strikes += len(true)
        for shift_s in hits:
            hits[shift_s] += sum(bool((np.abs(found - time_s - shift_s) <= 1 / 12).any()) for time_s in true)
    assert hits[0.0] >= 0.7 * strikes
    assert hits[0.4] <= 0.5 * strikes
