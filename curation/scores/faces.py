"""Is a face to be seen? By the cascade of local binary patterns that ships inside scikit-image (extra `offline`).

Viola and Jones's detector with the features of Liao et al. (2007): frontal faces, upright, of at least 24 px.
`clapboard bench faces` tells how many it finds, and where it sees faces that are none.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_PX = 24
"""The cascade was trained on faces of this size, a fifth of a thumbnail's height."""

GROWTH, STRIDE, NEIGHBOURS = 1.15, 1.25, 2
"""Step between sizes, step between places, and how many hits in one place make a face [ours, by `bench faces`]."""


def has_face(picture: NDArray[np.uint8]) -> bool:
    """Whether a (height, width, 3) RGB picture shows a face that looks this way."""
    height, width = picture.shape[:2]
    if min(height, width) < LEAST_PX:
        return False
    found = _cascade().detect_multi_scale(
        img=np.ascontiguousarray(picture),
        scale_factor=GROWTH,
        step_ratio=STRIDE,
        min_size=(LEAST_PX, LEAST_PX),
        max_size=(height, width),
        min_neighbor_number=NEIGHBOURS,
    )
    return bool(found)


@cache
def _cascade() -> Any:
    from skimage.data import lbp_frontal_face_cascade_filename
    from skimage.feature import Cascade

    return Cascade(lbp_frontal_face_cascade_filename())
