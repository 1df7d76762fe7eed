"""Sound that the picture does not account for shows; so does speech; so do tones that are held."""

from dataclasses import replace

import numpy as np
import pytest

from curation.media.analyse import analyse
from curation.media.timeline import Window
from curation.scores.diegesis import DiegesisScore, steady_tone, unexplained
from curation.scores.speech import SpeechScore
from shards.errors import Unavailable
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
    assert steady_tone(chord.astype(np.float32), RATE) > 0.9
    clicks = np.zeros(4 * RATE, np.float32)
    clicks[:: RATE // 3] = 1
    assert steady_tone(clicks, RATE) < 0.2
    music = [one["steady_tone"] for one in measure([sounding(one, chord) for one in windows])]
    assert min(music) > max(one["steady_tone"] for one in measure(windows))


def test_of_silence_nothing_is_said(windows):
    (found,) = measure([sounding(windows[0], np.zeros(4 * RATE))])
    assert np.isnan(found["unexplained_sound"]) and np.isnan(found["steady_tone"])
    assert np.isnan(unexplained(np.zeros(0), np.zeros(0))) and np.isnan(steady_tone(np.zeros(10, np.float32), RATE))


def test_hears_speech_where_there_is_some(windows):
    pytest.importorskip("silero_vad", reason="the extra `offline` is not installed")
    import torch

    threads = torch.get_num_threads()
    score = SpeechScore()
    score.check()
    strikes = [one["speech_presence"] for one in score.score(windows)]
    assert np.median(strikes) < 0.2
    silence = score.score([sounding(windows[0], np.zeros(4 * RATE))])[0]
    assert silence["speech_presence"] == 0
    assert torch.get_num_threads() == threads, "importing silero_vad must not slow the rest down"
    assert np.isnan(score.score([sounding(windows[0], np.zeros(0))])[0]["speech_mean"])


def test_a_real_voice_is_speech(corpus):
    pytest.importorskip("silero_vad", reason="the extra `offline` is not installed")
    line = analyse(corpus / "real" / "vp9cake.webm", thumbnails=False)
    (found,) = SpeechScore().score([Window(line, 0, line.duration_us)])
    assert found["speech_presence"] > 0.3


def test_says_how_to_get_what_is_missing(monkeypatch):
    monkeypatch.setattr("curation.scores.speech.find_spec", lambda name: None)
    with pytest.raises(Unavailable) as lack:
        SpeechScore().check()
    assert "clapboard[offline]" in lack.value.remedy
