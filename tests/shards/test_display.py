"""Which way up: eight orientations, the nearest of any matrix, and photos whose EXIF PyAV cannot name."""

from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from shards.display import Orientation, square_px

ONE = 1 << 16


def test_orientations_move_pixels_as_their_matrices_say():
    image = np.arange(12).reshape(3, 4)
    for transposed in (False, True):
        for x in (1, -1):
            for y in (1, -1):
                four = (0, y, 0, x, 0) if transposed else (x, 0, 0, 0, y)
                seen = Orientation.nearest(*four)
                turned = seen.upright(image)
                for row, column in np.ndindex(image.shape):
                    to_x, to_y = (x * row, y * column) if transposed else (x * column, y * row)
                    assert (
                        turned[to_y % turned.shape[0] if y > 0 else to_y - 1, to_x if x > 0 else to_x - 1]
                        == (image[row, column])
                    )
                assert turned.shape[::-1] == seen.shown(*image.shape[::-1])


@example(90.0, False, 1.0, 1.0)
@given(st.floats(-180, 180), st.booleans(), st.floats(0.1, 10), st.floats(0.1, 10))
def test_any_matrix_has_a_nearest_orientation_that_is_exact_only_at_right_angles(degrees, mirrored, wide, high):
    turn = np.radians(degrees)
    a, b, c, d = wide * np.cos(turn), wide * np.sin(turn), -high * np.sin(turn), high * np.cos(turn)
    seen = Orientation.nearest(-a if mirrored else a, b, 0, -c if mirrored else c, d)
    off = abs((degrees + 45) % 90 - 45)
    if off > 10:
        assert not seen.exact
    if off < 0.01:
        assert seen.exact
        assert seen.transposed == (round(degrees / 90) % 2 == 1)
        assert (seen.transposed + seen.mirrored_x + seen.mirrored_y) % 2 == mirrored


def test_a_matrix_of_zeros_turns_nothing_and_is_not_exact():
    seen = Orientation.nearest(0, 0, 0, 0, 0)
    assert seen.plain and not seen.exact


@pytest.mark.parametrize("tag", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_a_photo_is_turned_as_its_exif_asks(tmp_path, tag, ending):
    drawn = np.zeros((32, 48, 3), np.uint8)
    drawn[:16, :24], drawn[16:, :24], drawn[16:, 24:] = (250, 0, 0), (0, 0, 250), 250
    exif = Image.Exif()
    exif[0x0112] = tag
    path = tmp_path / f"photo.{ending}"
    Image.fromarray(drawn).save(path, exif=exif, quality=95)
    with Image.open(path) as photo:
        truth = np.asarray(ImageOps.exif_transpose(photo).convert("RGB"), float)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    seen = Orientation.of(frame).upright(frame.to_ndarray(format="rgb24"))
    assert seen.shape == truth.shape
    assert np.abs(seen - truth).mean() < 8


@pytest.mark.parametrize(
    ("aspect", "size"),
    [(None, (96, 64)), (Fraction(4, 3), (128, 64)), (Fraction(1, 2), (48, 64)), (Fraction(9), (96, 64))],
)
def test_pixels_become_square_where_their_aspect_can_be_believed(aspect, size):
    assert square_px(96, 64, aspect) == size


def test_an_upright_picture_is_not_copied():
    image = np.zeros((4, 4), np.uint8)
    assert Orientation().upright(image) is image
