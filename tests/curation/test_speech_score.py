"""Speech is heard, faces are seen, and who speaks unseen is told from who speaks in the picture."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from curation.media.analyse import analyse
from curation.media.timeline import Window
from curation.scores.faces import has_face
from curation.scores.speech import SpeechScore
from shards.errors import Unavailable
from training.world import SCENES, FilmSpec, draw, write_film

RATE = 16_000
pytest.importorskip("silero_vad", reason="the extra `offline` is not installed")
data = pytest.importorskip("skimage.data", reason="the extra `offline` is not installed")


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    made = []
    for number, scene in enumerate(SCENES):
        path = folder / f"{scene}.mp4"
        write_film(draw(FilmSpec(scene=scene, seed=50 + number, duration_s=4.0, width_px=128, height_px=128)), path)
        made.append(Window(analyse(path), 500_000, 3_500_000))
    return made


@pytest.fixture(scope="module")
def spoken(corpus):
    """A real voice over a cake."""
    line = analyse(corpus / "real" / "vp9cake.webm")
    return Window(line, 0, line.duration_us)


@pytest.fixture(scope="module")
def portrait():
    """(112, 112, 3) a person who looks at us."""
    return np.asarray(Image.fromarray(data.astronaut()).resize((112, 112), Image.Resampling.LANCZOS))


def showing(window, shots):
    """The window with other pictures: of microsecond and picture."""
    times, thumbs = zip(*shots, strict=True)
    line = replace(window.timeline, thumb_us=np.array(times), thumbs=np.stack(thumbs))
    return replace(window, timeline=line)


def sounding(window, waveform):
    return replace(window, timeline=replace(window.timeline, waveform=waveform.astype(np.float32)))


def measure(*windows):
    return SpeechScore().score(windows)


def test_what_strikes_or_is_silent_does_not_speak(windows):
    import torch

    threads = torch.get_num_threads()
    strikes = measure(*windows)
    assert np.median([one["speech_presence"] for one in strikes]) < 0.2
    (silence,) = measure(sounding(windows[0], np.zeros(4 * RATE)))
    assert silence["speech_presence"] == silence["unseen_speech"] == 0
    assert np.isnan(silence["face_presence"]), "nobody spoke, so nobody was looked for"
    assert torch.get_num_threads() == threads, "importing silero_vad must not slow the rest down"
    (nothing,) = measure(sounding(windows[0], np.zeros(0)))
    assert tuple(nothing) == SpeechScore.columns and all(map(np.isnan, nothing.values()))


def test_a_voice_over_a_cake_is_nobody_who_is_seen(spoken):
    (found,) = measure(spoken)
    assert found["speech_presence"] > 0.3 and found["face_presence"] < 0.1
    assert found["unseen_speech"] == pytest.approx(found["speech_presence"], abs=0.05)


def test_a_voice_whose_face_is_seen_is_not_unseen(spoken, portrait):
    every = range(0, spoken.end_us, 250_000)
    (found,) = measure(showing(spoken, [(at, portrait) for at in every]))
    assert found["face_presence"] == 1 and found["unseen_speech"] == 0
    assert found["speech_presence"] > 0.3


def test_a_face_speaks_for_its_own_time_only(spoken, portrait):
    middle, blank = spoken.end_us // 2, np.zeros_like(portrait)
    shots = [(at, portrait if at < middle else blank) for at in range(0, spoken.end_us, 250_000)]
    before, after = measure(
        *(replace(showing(spoken, shots), start_us=a, end_us=b) for a, b in ((0, middle), (middle, spoken.end_us)))
    )
    assert before["unseen_speech"] == 0
    assert after["speech_presence"] - 0.6e6 / middle - 0.02 <= after["unseen_speech"] <= after["speech_presence"]


def test_without_pictures_nobody_is_seen(spoken):
    line = replace(spoken.timeline, thumb_us=np.zeros(0, np.int64), thumbs=np.zeros((0, 112, 112, 3), np.uint8))
    (found,) = measure(replace(spoken, timeline=line))
    assert np.isnan(found["face_presence"]) and found["unseen_speech"] == found["speech_presence"] > 0.3


def test_windows_that_overlap_look_at_a_picture_once(spoken, monkeypatch):
    seen = []
    monkeypatch.setattr("curation.scores.speech.has_face", lambda picture: bool(seen.append(picture.sum())))
    measure(
        *(replace(spoken, start_us=at, end_us=at + 3_000_000) for at in range(0, spoken.end_us - 3_000_000, 500_000))
    )
    assert 0 < len(seen) <= -(-spoken.end_us // 500_000)


def test_faces_are_seen_where_they_are_and_nowhere_else(portrait):
    assert has_face(portrait)
    for name in ("coffee", "chelsea", "rocket", "hubble_deep_field"):
        picture = Image.fromarray(getattr(data, name)())
        assert not has_face(np.asarray(picture.resize((149, 112)))), name
    assert not has_face(np.zeros((112, 149, 3), np.uint8)) and not has_face(portrait[:20, :20])


def test_threads_that_listen_at_once_hear_what_one_alone_hears():
    """In a process of its own: a detector that threads share ends the whole of it."""
    code = """
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
import numpy as np
from curation.media.timeline import Window, undecoded
from curation.scores.speech import SpeechScore
sound = np.random.default_rng(1).normal(0, 0.1, 20 * 16_000).astype(np.float32)
window = Window(replace(undecoded(20_000_000), waveform=sound), 0, 20_000_000)
score = SpeechScore()
alone = score._probabilities(window.timeline)
with ThreadPoolExecutor(4) as threads:
    for heard in threads.map(lambda _: score._probabilities(window.timeline), range(12)):
        assert np.array_equal(heard, alone)
print("heard")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "heard", done.stderr[-2000:]


@pytest.mark.parametrize("absent", ["silero_vad", "skimage"])
def test_says_how_to_get_what_is_missing(monkeypatch, absent):
    monkeypatch.setattr("curation.scores.speech.find_spec", lambda name: None if name == absent else name)
    with pytest.raises(Unavailable, match=absent) as lack:
        SpeechScore().check()
    assert "clapboard[offline]" in lack.value.remedy


def test_another_sample_rate_is_heard_as_well(spoken):
    from scipy.signal import resample_poly

    line = spoken.timeline
    faster = replace(line, rate_hz=48_000, waveform=resample_poly(line.waveform, 3, 1).astype(np.float32))
    (slow,), (fast,) = measure(spoken), measure(replace(spoken, timeline=faster))
    assert fast["speech_presence"] == pytest.approx(slow["speech_presence"], abs=0.05)
