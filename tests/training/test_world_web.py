import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.world import Fault, Split, crawled, draw
from training.world.folder import EVENTS, FAULTS, SOURCES, draw_folder
from training.world.web import SHARES

SMALL = {"duration_s": 2.0, "height_px": 64, "width_px": 64, "rate_hz": 16_000}


def one_with(fault: Fault):
    return crawled(3, split=Split.TRAIN, shares={fault: 1.0}, **SMALL)


def clean_twin(fault: Fault):
    return crawled(3, split=Split.TRAIN, shares={Fault.NONE: 1.0}, **SMALL).spec, one_with(fault).spec


def test_faults_come_as_often_as_their_shares_say():
    count = 2000
    found = Counter(crawled(number, split=Split.TRAIN).fault for number in range(count))
    for fault, share in SHARES.items():
        spread = 4 * np.sqrt(share * (1 - share) * count)
        assert abs(found[fault] - share * count) <= spread, fault


def test_the_same_number_is_the_same_film_and_splits_share_none():
    assert crawled(5, split=Split.TRAIN) == crawled(5, split=Split.TRAIN)
    seeds = {split: {crawled(n, split=split).spec.seed for n in range(50)} for split in Split}
    assert not seeds[Split.TRAIN] & seeds[Split.EVALUATION]


@pytest.mark.parametrize("fault", Fault)
def test_in_sync_says_whether_picture_and_sound_agree(fault: Fault):
    film = draw(one_with(fault).spec)
    # A cut leaves both in time; it is a fault because no clip may hold one.
    agree = np.array_equal(film.events_s, film.sounds_s)
    assert agree == (fault.in_sync or fault in (Fault.CUT, Fault.NARRATED, Fault.MUSIC))


@pytest.mark.parametrize("fault", [Fault.NARRATED, Fault.MUSIC])
def test_what_is_laid_over_a_sound_changes_it_and_not_the_picture(fault: Fault):
    clean, noisy = (draw(spec) for spec in clean_twin(fault))
    np.testing.assert_array_equal(clean.frames, noisy.frames)
    difference = noisy.audio - clean.audio
    assert float(np.sqrt(np.mean(difference**2))) > 0.02
    assert float(np.abs(noisy.audio).max()) <= 0.98


def test_what_is_off_screen_is_heard_and_not_seen():
    clean, hidden = (draw(spec) for spec in clean_twin(Fault.OFF_SCREEN))
    np.testing.assert_array_equal(clean.audio, hidden.audio)
    assert not len(hidden.events_s) and len(hidden.sounds_s)
    still = [
        draw(replace(spec, distractors=0, lamp=0.0, pan_px=0.0, camera_shake_px=0.0))
        for spec in clean_twin(Fault.OFF_SCREEN)
    ]
    moved = [np.abs(np.diff(film.frames.astype(np.int16), axis=0)).mean() for film in still]
    assert moved[1] < 0.2 * moved[0]


def test_a_folder_of_a_crawl_names_its_faults(tmp_path: Path):
    draw_folder(tmp_path, 3, split=Split.TRAIN, duration_s=2.0, size_px=64, web=True)
    faults, events = (json.loads((tmp_path / name).read_text()) for name in (FAULTS, EVENTS))
    assert set(faults) == set(events) == {path.name for path in tmp_path.glob("*.mp4")}
    assert [Fault(one) for one in faults.values()] == [crawled(n, split=Split.TRAIN).fault for n in range(3)]
    assert len((tmp_path / SOURCES).read_text().splitlines()) == 4
