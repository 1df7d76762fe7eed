"""Matrices, pixel aspects and sizes that change: everything shows the picture as a player does."""

import io
import itertools
from fractions import Fraction

import av
import numpy as np
import pytest

from curation.media.analyse import analyse
from curation.media.cut import cut
from curation.media.failures import MediaFailure
from curation.media.look import look
from curation.media.settings import AnalysisSettings
from curation.media.shots import find_shots
from curation.outcomes import Outcome
from tests.curation.odd_films import Picture, Sound, corner_names, film

ONE = 1 << 16
EIGHT = {
    (1, 0, 0, 1): "RGBW", (-1, 0, 0, 1): "GRWB", (1, 0, 0, -1): "BWRG", (-1, 0, 0, -1): "WBGR",
    (0, 1, -1, 0): "BRWG", (0, -1, 1, 0): "GWRB", (0, 1, 1, 0): "RBGW", (0, -1, -1, 0): "WGBR",
}  # fmt: skip
"""What a, b, c, d of a display matrix make of four corners: x' = ax + cy, y' = bx + dy."""


def matrix(a, b, c, d):
    return [round(a * ONE), round(b * ONE), 0, round(c * ONE), round(d * ONE), 0, 0, 0, 1 << 30]


def shown(path):
    """Corners of the thumbnails, of a closer look and of a cut clip, and the clip's size."""
    line = analyse(path)
    near = look(path, start_us=0, end_us=500_000, hz=25, short_px=64, side_px=64).images[0]
    made = cut(path, start_us=0, end_us=500_000)
    with av.open(io.BytesIO(made.mp4)) as clip:
        picture = next(clip.decode(video=0)).to_ndarray(format="rgb24")
    assert picture.shape[:2] == (made.height_px, made.width_px)
    assert line.thumbs[0].shape[1] / line.thumbs[0].shape[0] == pytest.approx(made.width_px / made.height_px, rel=0.05)
    return line, {corner_names(line.thumbs[0]), corner_names(near), corner_names(picture)}, made


@pytest.mark.parametrize("four", EIGHT, ids=str)
def test_a_picture_is_turned_and_mirrored_as_its_matrix_asks(tmp_path, four):
    line, corners, made = shown(film(tmp_path / "film.mp4", Picture(matrix=matrix(*four)), Sound(codec="aac")))
    assert corners == {EIGHT[four]}
    assert (line.width_px, line.height_px) == (made.width_px, made.height_px) == ((64, 96) if four[1] else (96, 64))
    assert line.notes == ""
    # Luma says which corner is which, too: white, green, red, blue.
    order = "".join(sorted("RGBW", key=lambda name: -line.cells[0][_corner(EIGHT[four].index(name), 12)].astype(int)))
    still = "".join(sorted("RGBW", key=lambda name: -line.stills[0][_corner(EIGHT[four].index(name), 32)].astype(int)))
    assert order == still == "WGRB"


def _corner(place, side):
    return (1 if place < 2 else side - 2, 1 if place % 2 == 0 else side - 2)


@pytest.mark.parametrize(("degrees", "corners"), [(10, "RGBW"), (80, "BRWG"), (-100, "GWRB")])
def test_a_matrix_of_no_right_angle_means_the_nearest_and_that_is_told(tmp_path, degrees, corners):
    turn = np.radians(degrees)
    four = (np.cos(turn), np.sin(turn), -np.sin(turn), np.cos(turn))
    line, seen, _ = shown(film(tmp_path / "film.mp4", Picture(matrix=matrix(*four)), Sound(codec="aac")))
    assert seen == {corners}
    assert "display matrix" in line.notes


def test_thumbnails_and_closer_looks_have_square_pixels_as_clips_do(tmp_path):
    path = film(tmp_path / "wide.mkv", Picture(pixel_aspect=Fraction(4, 3)), Sound())
    line, corners, made = shown(path)
    assert (line.width_px, line.height_px) == (made.width_px, made.height_px) == (128, 64)
    assert corners == {"RGBW"}


def joined(path, *parts, codec=None):
    """One stream of pictures of several shapes, one after the other, with sound."""
    with av.open(str(path), "w") as out:
        first, *_ = films = [av.open(str(part)) for part in parts]
        copies = {one.type: out.add_stream_from_template(one) for one in first.streams}
        packets, reached_s = [], 0.0
        for one in films:
            for packet in one.demux():
                if packet.size:
                    shift = round(reached_s / packet.time_base)
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packets.append(packet)
            reached_s += 4.0
        for packet in sorted(packets, key=lambda one: one.dts * one.time_base):
            packet.stream = copies[packet.stream.type]
            out.mux(packet)
        for one in films:
            one.close()
    return path


CHANGES = {
    "size": (Picture(96, 64, codec="libvpx"), Picture(64, 96, codec="libvpx")),
    "smaller": (Picture(192, 128, codec="libvpx"), Picture(96, 64, codec="libvpx")),
    "pixel aspect": (
        Picture(codec="mpeg2video", pixel_aspect=Fraction(4, 3)),
        Picture(codec="mpeg2video", pixel_aspect=Fraction(1)),
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_stream_that_changes_its_shape_is_cut_there_and_no_clip_holds_two(tmp_path, what):
    ending = "ts" if what == "pixel aspect" else "mkv"
    sound = Sound(codec="mp2")
    parts = [film(tmp_path / f"{number}.{ending}", one, sound) for number, one in enumerate(CHANGES[what])]
    path = joined(tmp_path / f"both.{ending}", *parts)
    line = analyse(path, settings=AnalysisSettings(thumb_hz=10))
    assert line.resized.tolist() == [100]
    at_us = int(line.frame_us[100])
    assert at_us in list(itertools.chain(*find_shots(line)))
    before, after = (cut(path, start_us=at, end_us=at + 1_000_000) for at in (at_us - 1_000_000, at_us))
    alone = [cut(part, start_us=0, end_us=1_000_000) for part in parts]
    assert [(one.width_px, one.height_px) for one in (before, after)] == [(a.width_px, a.height_px) for a in alone]
    with pytest.raises(MediaFailure) as refused:
        cut(path, start_us=at_us - 500_000, end_us=at_us + 500_000)
    assert refused.value.outcome is Outcome.SHOT_CHANGE
    # What comes later is in the thumbnails, too, with its own shape: all four corners, on black where it does not fit.
    last = line.thumbs[-1]
    rows, columns = (np.flatnonzero(last.max(axis=(other, 2)) > 30) for other in (1, 0))
    inside = last[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert corner_names(inside) == "RGBW"
    assert inside.shape[1] / inside.shape[0] == pytest.approx(alone[1].width_px / alone[1].height_px, rel=0.08)
