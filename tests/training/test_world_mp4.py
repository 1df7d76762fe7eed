"""Written films: exact alignment after decoding, chosen tracks, the same bytes every time."""

import av
import numpy as np
import pytest

from training.world import FilmSpec, draw, write_film


@pytest.fixture(scope="module")
def film():
    return draw(FilmSpec(scene="clapping_blocks", seed=8, duration_s=3.0))


def decoded_sound(path):
    """Samples, their rate and the time of the first one."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    return np.concatenate([f.to_ndarray()[0] for f in frames]), frames[0].sample_rate, frames[0].time


@pytest.mark.parametrize("scene", ["clapping_blocks", "ringing_bell", "playing_drum"])
@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
def test_decoded_onsets_stand_within_two_milliseconds_of_the_events(tmp_path, scene, rate_hz):
    film = draw(FilmSpec(scene=scene, seed=8, duration_s=3.0, rate_hz=rate_hz, background_noise=0.0))
    write_film(film, tmp_path / "film.mp4")
    samples, rate, start_s = decoded_sound(tmp_path / "film.mp4")
    assert rate == rate_hz
    for event in film.events_s:
        place = round((event - start_s) * rate)
        around = np.abs(samples[max(place - rate // 50, 0) : place + rate // 50])
        rise = np.diff(np.maximum.accumulate(around), prepend=around[0])
        onset_s = (rise.argmax() - min(place, rate // 50)) / rate
        assert abs(onset_s) < 0.002


def test_the_decoded_wave_lies_on_the_drawn_wave_to_the_sample(tmp_path, film):
    write_film(film, tmp_path / "film.mp4")
    samples, rate, start_s = decoded_sound(tmp_path / "film.mp4")
    lag = round(start_s * rate)
    drawn = film.audio[rate // 2 : 2 * rate]
    likeness = [np.dot(drawn, samples[rate // 2 - lag + k :][: len(drawn)]) for k in range(-1200, 1201)]
    assert abs(int(np.argmax(likeness)) - 1200) <= 1


def test_decoded_frames_come_at_the_drawn_times_and_look_alike(tmp_path, film):
    write_film(film, tmp_path / "film.mp4")
    with av.open(str(tmp_path / "film.mp4")) as container:
        frames = list(container.decode(video=0))
    assert [f.time for f in frames] == pytest.approx([k / 24 for k in range(72)])
    for k in (0, 20, 71):
        assert np.abs(frames[k].to_ndarray(format="rgb24") / 255 - film.frames[k] / 255).mean() < 0.02


def test_the_same_film_gives_the_same_bytes_without_encoder_names(tmp_path, film):
    for name in ("a.mp4", "b.mp4"):
        write_film(film, tmp_path / name)
    data = (tmp_path / "a.mp4").read_bytes()
    assert data == (tmp_path / "b.mp4").read_bytes()
    assert b"Lavf" not in data and data.index(b"moov") < data.index(b"mdat")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


@pytest.mark.parametrize(("picture", "sound"), [(True, False), (False, True)])
def test_writes_only_the_tracks_that_were_asked_for(tmp_path, film, picture, sound):
    write_film(film, tmp_path / "film.mp4", picture=picture, sound=sound)
    with av.open(str(tmp_path / "film.mp4")) as container:
        assert (len(container.streams.video), len(container.streams.audio)) == (int(picture), int(sound))
