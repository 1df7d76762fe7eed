"""Sound that the picture does not account for shows; so does speech; so do tones that are held."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from curation.media.analyse import analyse
from curation.media.timeline import Window
from curation.scores.diegesis import DiegesisScore, tones, unexplained
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
    assert tones(chord.astype(np.float32), RATE).steadiness() > 0.9
    clicks = np.zeros(4 * RATE, np.float32)
    clicks[:: RATE // 3] = 1
    assert tones(clicks, RATE).steadiness() < 0.2
    music = [one["steady_tone"] for one in measure([sounding(one, chord) for one in windows])]
    assert min(music) > max(one["steady_tone"] for one in measure(windows))


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


def test_threads_that_listen_at_once_hear_what_one_alone_hears(windows):
    """In a process of its own: a detector that threads share ends the whole of it."""
    pytest.importorskip("silero_vad", reason="the extra `offline` is not installed")
    code = """
import numpy as np
from concurrent.futures import ThreadPoolExecutor
from curation.media.timeline import Window, undecoded
from curation.scores.speech import SpeechScore
from dataclasses import replace
sound = np.random.default_rng(1).normal(0, 0.1, 20 * 16_000).astype(np.float32)
window = Window(replace(undecoded(20_000_000), waveform=sound), 0, 20_000_000)
score = SpeechScore()
alone = score.score([window])
with ThreadPoolExecutor(4) as threads:
    assert all(found == alone for found in threads.map(lambda _: score.score([window]), range(12)))
print("heard")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "heard", done.stderr[-2000:]


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
