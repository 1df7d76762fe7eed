"""The learned synchrony score that ships tells drawn films from their shifted selves, and says when it cannot."""

from dataclasses import replace

import numpy as np
import pytest

from curation.media.analyse import analyse
from curation.media.timeline import Window
from curation.scores.sync_net import SHIPPED, SyncNetScore
from shards.errors import Unavailable
from shards.synchrony.features import CELLS, cells_of
from shards.synchrony.net import load_net
from training.world import SCENES, FilmSpec, draw, write_film


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    made = []
    for number, scene in enumerate(SCENES):
        path = folder / f"{scene}.mp4"
        write_film(draw(FilmSpec(scene=scene, seed=777 + number, duration_s=4.0, camera_shake_px=1.5)), path)
        made.append(Window(analyse(path, thumbnails=False), 500_000, 3_500_000))
    return made


def late(window, seconds):
    line = window.timeline
    return replace(window, timeline=replace(line, audio_start_us=line.audio_start_us + round(seconds * 1e6)))


def test_tells_films_from_themselves_with_the_sound_moved(windows):
    score = SyncNetScore()
    true = score.score(windows)
    for seconds in (0.3, -0.3):
        moved = score.score([late(one, seconds) for one in windows])
        for column in ("p_sync_sound", "p_sync_picture", "net_p_in_sync"):
            assert min(one[column] for one in true) > max(one[column] for one in moved)
        assert np.median([one["net_offset_s"] for one in moved]) == pytest.approx(seconds, abs=0.05)
    assert min(one["p_sync_sound"] for one in true) > 0.45 > 1 / 3


def test_a_batch_gives_what_each_window_gives_alone(windows):
    score = SyncNetScore()
    shorter = replace(windows[1], end_us=windows[1].end_us - 100_000)
    together = score.score([windows[0], shorter])
    for one, window in zip(together, (windows[0], shorter), strict=True):
        alone = score.score([window])[0]
        assert one == pytest.approx(alone, abs=1e-4)


def test_stillness_and_silence_are_no_evidence(windows):
    line = windows[0].timeline
    frozen = replace(line, cells=np.broadcast_to(line.cells[:1], line.cells.shape))
    silent = replace(line, waveform=np.zeros_like(line.waveform))
    for one in SyncNetScore().score([replace(windows[0], timeline=other) for other in (frozen, silent)]):
        assert one["p_sync_sound"] == pytest.approx(1 / 3, abs=0.02)


def test_what_is_too_short_to_shift_is_not_measured(windows):
    short = replace(windows[0], end_us=windows[0].start_us + 2_000_000)
    assert all(np.isnan(value) for value in SyncNetScore().score([short])[0].values())


def test_the_shipped_network_says_how_it_was_made():
    _, facts = load_net(SHIPPED)
    assert facts["command"] == "clapboard sync train" and facts["settings"]["seed"] == 0
    assert facts["evaluation"]["drawn"]["top1"] > 0.95
    assert SHIPPED.stat().st_size < 5_000_000


def test_says_which_command_makes_a_missing_network(tmp_path):
    with pytest.raises(Unavailable) as lack:
        SyncNetScore(tmp_path / "none.safetensors").check()
    assert "clapboard sync train" in lack.value.remedy


def test_another_network_has_another_name_and_what_is_none_is_refused(tmp_path, monkeypatch):
    assert SyncNetScore().settings == ""
    other = tmp_path / "other.safetensors"
    other.write_bytes(SHIPPED.read_bytes())
    monkeypatch.setenv("CLAPBOARD_SYNC_NET", str(other))
    score = SyncNetScore()
    score.check()
    assert len(score.settings) == 12, "numbers of two networks are never mixed"
    other.write_bytes(SHIPPED.read_bytes()[:1000])
    with pytest.raises(Unavailable, match="holds no sync classifier"):
        SyncNetScore().check()


@pytest.mark.parametrize("shape", [(45, 80), (12, 12), (5, 9), (1080, 1920), (13, 100)])
def test_cells_are_the_means_of_their_part_of_the_picture(shape):
    luma = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    cells = cells_of(luma)
    assert cells.shape == (CELLS, CELLS)
    if min(shape) >= CELLS:
        rows, columns = shape[0] * 1 // CELLS, shape[1] * 1 // CELLS
        assert cells[0, 0] == int(luma[:rows, :columns].mean())
    assert abs(float(cells.mean()) - float(luma.mean())) < 12
