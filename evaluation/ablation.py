"""Images with a part taken away: does a model need the lungs, or will the rest do?

The part is black in the network's input, after pre-processing: what is left looks as it always does.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]

BORDER: Final = 0.1
"""Width of the border, as a share of the side: 36 % of the image."""


def without_border(images: Images) -> Images:
    """[N, S, S] with the border black: no labels, collimator edges, tubes at the rim."""
    kept = np.array(images)
    kept[:, _is_border(images.shape[1])] = 0
    return kept


def border_only(images: Images) -> Images:
    """[N, S, S] with all but the border black: hardly a lung is left."""
    kept = np.array(images)
    kept[:, ~_is_border(images.shape[1])] = 0
    return kept


def without(images: Images, masks: NDArray[np.bool_]) -> Images:
    """[N, S, S] with masks [N, M, M] black, scaled to the images."""
    side = images.shape[1]
    kept = np.array(images)
    for image, mask in zip(kept, masks, strict=True):
        image[cv2.resize(mask.astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST) > 0] = 0
    return kept


def _is_border(side: int) -> NDArray[np.bool_]:
    width = round(BORDER * side)
    border = np.ones((side, side), dtype=bool)
    border[width : side - width, width : side - width] = False
    return border
