"""The only pre-processing function of the project: 8-bit grey → network input.

Training, evaluation, command line and service all call `preprocess`, so that the array for a file is bit-equal in all
of them (`tests/cxr/model/test_preprocess.py` has golden hashes). The image is first shrunk to a short side of 256
pixels, the size of the stored training images: at native resolution a recipe would give other pixels.

A recipe's id stands for its exact arithmetic. Whoever changes the arithmetic must change the id: a build refuses a
bundle that was trained with a recipe it does not know.
"""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

from cxr.errors import TooSmall
from cxr.limits import MIN_SIDE
from cxr.model.frames import FRAMES, FULL, Grey, Mask, fit

SHORT_SIDE: Final = 256


def preprocess(pixels: Grey, recipe: str, size: int, frame: str = FULL, lungs: Mask | None = None) -> Grey:
    """Prepare one image for a network: shrink, cut out the frame, apply the recipe, resize to the network's square.

    Args:
        pixels: [H, W] uint8, grey, at any resolution.
        recipe: a key of `RECIPES`.
        size: side of the network's square, in pixels.
        frame: a key of `FRAMES`.
        lungs: [S, S] bool over the whole image scaled to a square, for a frame that needs them; None or all false
            without plausible lungs.

    Returns:
        [size, size] uint8. The aspect ratio is not kept: a map over the square is a map over the whole frame, and the
        network cannot use the ratio, which differs between hospitals.

    Raises:
        TooSmall: the short side is under `MIN_SIDE` pixels.
        KeyError: the recipe or the frame does not exist.
    """
    enhance, cut = RECIPES[recipe], FRAMES[frame]
    if min(pixels.shape) < MIN_SIDE:
        raise TooSmall
    return fit(enhance(cut(shrink(pixels), lungs)), size)


def shrink(pixels: Grey) -> Grey:
    """Shrink to a short side of `SHORT_SIDE` by area averaging; never enlarge."""
    height, width = pixels.shape
    scale = SHORT_SIDE / min(height, width)
    if scale >= 1:
        return pixels
    target = (max(SHORT_SIDE, round(width * scale)), max(SHORT_SIDE, round(height * scale)))
    return cv2.resize(pixels, target, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _unsharp(pixels: Grey) -> Grey:
    """Unsharp mask, amount 0.5. Both weights are exact in binary, so that every processor rounds the same way."""
    blurred = cv2.GaussianBlur(pixels, (0, 0), sigmaX=2.0)
    return cv2.addWeighted(pixels, 1.5, blurred, -0.5, 0.0).astype(np.uint8, copy=False)


def _clahe(pixels: Grey) -> Grey:
    """Contrast-limited adaptive histogram equalisation (Zuiderveld 1994), then edge sharpening."""
    # An OpenCV CLAHE object has scratch buffers; a new one for each call keeps the function thread-safe.
    equalised = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8)).apply(pixels)
    return _unsharp(equalised.astype(np.uint8, copy=False))


def _paper(pixels: Grey) -> Grey:
    """Karim et al. 2020, section III-A: contrast enhancement, noise removal, edge sharpening, in that order.

    Global histogram equalisation; an edge-preserving filter (here bilateral, for the paper's Perona-Malik
    diffusion, which the bilateral filter approximates: Barash 2002); unsharp masking.
    """
    equalised = cv2.equalizeHist(pixels)
    smooth = cv2.bilateralFilter(equalised, d=5, sigmaColor=30.0, sigmaSpace=3.0)
    return _unsharp(smooth.astype(np.uint8, copy=False))


def _plain(pixels: Grey) -> Grey:
    """No enhancement: the network sees the image unchanged."""
    return pixels


RECIPES: Final[dict[str, Callable[[Grey], Grey]]] = {"clahe-1": _clahe, "paper-1": _paper, "plain-1": _plain}
