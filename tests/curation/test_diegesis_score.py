"""Sound that the picture does not account for shows; so do tones that are held."""

from dataclasses import replace

import numpy as np
import pytest

from curation.media.analyse import analyse
from curation.media.timeline import Window
from curation.scores.diegesis import DiegesisScore, tones, unexplained
from training.world import SCENES, FilmSpec, draw, write_film
from training.world.speech import narrate

RATE = 16_000


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    made = []
    for number, scene in enumerate(SCENES):
        path = folder / f"{scene}.mp4"
        write_film(draw(FilmSpec(scene=scene, seed=50 + number, duration_s=4.0, width_px=128, height_px=128)), path)
        line = analyse(path, thumbnails=False)
        made.append(Window(line, 500_000, 3_500_000))
    return made


def sounding(window, waveform):
    return replace(window, timeline=replace(window.timeline, waveform=waveform.astype(np.float32)))


def measure(windows):
    return DiegesisScore().score(windows)


def test_a_voice_over_the_film_is_not_accounted_for(windows):
    own = [one["unexplained_sound"] for one in measure(windows)]
    voices = []
    for at, one in enumerate(windows):
        sound = one.timeline.waveform
        voice, _ = narrate(at, duration_s=len(sound) / RATE, rate_hz=RATE, unlike=np.zeros(0))
        voices.append(sounding(one, 0.5 * np.resize(voice, len(sound)) + 0.2 * sound))
    over = [one["unexplained_sound"] for one in measure(voices)]
    assert all(0 <= value <= 1 for value in own + over)
    assert np.mean(np.array(over)[:, None] > np.array(own)[None]) > 0.9


def test_a_sound_over_a_still_picture_is_not_accounted_for_at_all(windows):
    line = windows[0].timeline
    still = replace(windows[0], timeline=replace(line, motion=np.zeros_like(line.motion)))
    assert measure([still])[0]["unexplained_sound"] == pytest.approx(1)


def test_held_chords_are_steady_and_strikes_are_not(windows):
    time = np.arange(4 * RATE) / RATE
    chord = 0.1 * sum(np.sin(2 * np.pi * hz * time) for hz in (262, 330, 392))
    assert tones(chord.astype(np.float32), RATE).steadiness() > 0.9
    clicks = np.zeros(4 * RATE, np.float32)
    clicks[:: RATE // 3] = 1
    assert tones(clicks, RATE).steadiness() < 0.2
    music = [one["steady_tone"] for one in measure([sounding(one, chord) for one in windows])]
    assert min(music) > max(one["steady_tone"] for one in measure(windows))


def test_music_over_a_film_is_not_what_the_film_plays(windows):
    random, own, over = np.random.default_rng(5), measure(windows), []
    for one in windows:
        notes, time = [], np.arange(4 * RATE) / RATE
        for begin in np.sort(random.uniform(0, 4, 8)):
            notes.append(0.1 * np.sin(2 * np.pi * random.choice([262, 330, 392, 523]) * time) * (time >= begin))
        over.append(sounding(one, 0.2 * one.timeline.waveform + np.resize(sum(notes), len(one.timeline.waveform))))
    music = [one["unexplained_music"] for one in measure(over)]
    assert np.mean(np.array(music)[:, None] > np.array([one["unexplained_music"] for one in own])[None]) > 0.95


def test_of_silence_nothing_is_said(windows):
    (found,) = measure([sounding(windows[0], np.zeros(4 * RATE))])
    assert np.isnan(found["unexplained_sound"]) and np.isnan(found["steady_tone"])
    assert np.isnan(unexplained(np.zeros(0), np.zeros(0)))
    assert np.isnan(tones(np.zeros(10, np.float32), RATE).steadiness())
    assert np.isnan(tones(np.zeros(0, np.float32), RATE).within(-1, 2).steadiness())


def test_long_sounds_are_heard_a_minute_at_a_time_and_no_seam_is_left():
    sound = np.random.default_rng(3).normal(0, 0.1, 65 * RATE).astype(np.float32)
    sound += 0.2 * np.sin(2 * np.pi * 440 * np.arange(len(sound)) / RATE, dtype=np.float32)
    whole, tail = tones(sound, RATE), tones(sound[56 * RATE :], RATE)
    seam, apart = slice(2900, 3100), slice(2900 - 2800, 3100 - 2800)
    assert len(whole.energy) == (65 * RATE - 1024) // 320 + 1
    assert np.allclose(whole.energy[seam], tail.energy[apart]) and np.allclose(whole.held[seam], tail.held[apart])
    assert (whole.held <= whole.energy).all()


def test_tones_lie_where_they_sound_and_beyond_the_track_is_silence():
    sound = np.zeros(4 * RATE, np.float32)
    sound[RATE : 2 * RATE] = 0.3 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    found = tones(sound, RATE)
    assert found.within(1.1, 1.9).steadiness() > 0.9
    assert np.isnan(found.within(2.2, 3.8).steadiness())
    assert len(found.within(-1, 6).energy) == 350
    assert found.within(-1, 6).steadiness() == 0
