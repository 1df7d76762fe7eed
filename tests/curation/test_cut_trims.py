"""A reviewer trims on the preview's clock, coarser than the source's: the frame that was meant is the one cut."""

import subprocess

import pytest

from curation.media.analyse import analyse
from curation.media.cut import cut
from shards.ffmpeg import ffmpeg_binary

RATES = ("24000/1001", "60000/1001")
PART = 5
"""Frames in a trimmed part."""


@pytest.fixture(scope="module", params=RATES)
def film(request, tmp_path_factory):
    """Forty-eight frames at a rate whose frames do not fall on whole microseconds."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    drawn = ["-f", "lavfi", "-i", f"testsrc2=s=64x48:r={request.param}", "-f", "lavfi", "-i", "sine"]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    command = [ffmpeg_binary(), "-v", "error", *drawn, *codecs, "-frames:v", "48", "-shortest", path]
    subprocess.run([str(one) for one in command], check=True, timeout=60)
    return path


def test_every_frame_of_the_preview_is_the_frame_that_a_trim_there_cuts(film, tmp_path):
    whole = analyse(film)
    times, first = whole.frame_us.tolist(), 6
    (tmp_path / "preview.mp4").write_bytes(cut(film, start_us=times[first], end_us=whole.duration_us).mp4)
    shown = analyse(tmp_path / "preview.mp4").frame_us.tolist()
    assert len(shown) == len(times) - first
    for number in range(len(shown) - PART):
        start_us, end_us = (times[first] + shown[at] for at in (number, number + PART))
        made = cut(film, start_us=start_us, end_us=end_us)
        assert (made.first_frame_us, made.frames) == (times[first + number], PART), f"frame {number}"


def test_parts_that_meet_between_two_ticks_share_no_frame_and_lose_none(film):
    """Wherever around a frame the edge lies, the frame is in one of the two parts."""
    whole = analyse(film)
    edge_us, counts = int(whole.frame_us[20]), set()
    for off_us in (-20, -12, -6, -1, 0, 1, 6, 12, 20):
        before = cut(film, start_us=0, end_us=edge_us + off_us).frames
        behind = cut(film, start_us=edge_us + off_us, end_us=whole.duration_us).frames
        assert before + behind == len(whole.frame_us)
        counts.add((off_us, before))
    assert {before for off_us, before in counts if abs(off_us) <= 12} == {20}


def test_a_trim_s_sound_begins_with_its_frame_and_is_as_long_as_was_asked(film):
    at_us = int(analyse(film).frame_us[20])
    exact, rounded = (cut(film, start_us=at_us + off_us, end_us=at_us + 200_000) for off_us in (0, 6))
    assert exact.flac == rounded.flac
    assert exact.mp4 == rounded.mp4
