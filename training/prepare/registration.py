"""How well one radiograph matches another after registration."""

from typing import Final

import cv2
import numpy as np

from cxr.arrays import Floats32, Grey

Trim = tuple[float, float, float, float]
"""Shares of the height or width cut off at the top, bottom, left and right."""

_NOISE: Final = 2.0  # grey levels: contrast below this is not amplified
_COARSE: Final = 64
_COARSE_BAND: Final = (0.8, 3.0, 5.0)
_FINE_BAND: Final = (1.2, 3.0, 5.0)
_WORTH_REFINING: Final = 0.83  # one of 632 confirmed pairs of the training split was below


def levelled(pixels: Grey, fine: float, coarse: float, neighbourhood: float) -> Floats32:
    """The band of spatial frequencies between two Gaussians, with equalised local contrast.

    Args:
        pixels: [H, W] uint8.
        fine: standard deviation in pixels of the Gaussian that removes smaller structures.
        coarse: standard deviation of the Gaussian that removes larger structures.
        neighbourhood: standard deviation of the Gaussian over which contrast is measured.

    Returns:
        [H, W] float32, around 0, mostly within -3 to 3. Brightness, contrast and gamma of the image hardly change it.
    """
    image = pixels.astype(np.float32)
    band = cv2.GaussianBlur(image, (0, 0), fine) - cv2.GaussianBlur(image, (0, 0), coarse)
    contrast = np.sqrt(cv2.GaussianBlur(band * band, (0, 0), neighbourhood))
    return (band / (contrast + _NOISE)).astype(np.float32)


def registered_correlation(first: Grey, second: Grey, trim: Trim) -> float:
    """Correlation of two frames after the best affine map of the first onto the second; -1 if they do not match.

    The map is found by maximising the enhanced correlation coefficient (Evangelidis and Psarakis, IEEE TPAMI 30(10),
    2008), first on a quarter of the pixels. A pair that does not match there is not examined further.

    Args:
        first, second: [S, S] uint8, of the same size.
        trim: the part of the first that is probably the second; the search starts there.
    """
    side = len(first)
    small = (_shrunk(first), _shrunk(second))
    correlation, warp = _register(*small, _COARSE_BAND, _beginning(trim))
    if correlation < _WORTH_REFINING:
        return -1.0
    warp[:, 2] *= side / _COARSE
    return _register(first, second, _FINE_BAND, warp)[0]


def _shrunk(pixels: Grey) -> Grey:
    return cv2.resize(pixels, (_COARSE, _COARSE), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _beginning(trim: Trim) -> Floats32:
    """[2, 3]: from pixels of the second image to those of the first."""
    top, bottom, left, right = trim
    return np.array([[1 - left - right, 0, left * _COARSE], [0, 1 - top - bottom, top * _COARSE]], np.float32)


def _register(first: Grey, second: Grey, band: tuple[float, float, float], warp: Floats32) -> tuple[float, Floats32]:
    """The correlation over the common part, and the map."""
    moving, fixed = levelled(first, *band), levelled(second, *band)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 25, 1e-3)
    try:
        _, warp = cv2.findTransformECC(fixed, moving, warp, cv2.MOTION_AFFINE, criteria, None, 3)  # type: ignore[call-overload]
    except cv2.error:  # the images have nothing in common, or one of them is empty
        return -1.0, warp
    size, flags = fixed.shape[::-1], cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(moving, warp, size, flags=cv2.INTER_LINEAR | flags)
    both = cv2.warpAffine(np.ones_like(first), warp, size, flags=cv2.INTER_NEAREST | flags) > 0
    if both.mean() < 0.5:
        return -1.0, warp
    one, other = moved[both] - moved[both].mean(), fixed[both] - fixed[both].mean()
    scale = float(np.linalg.norm(one) * np.linalg.norm(other))
    return (float(one @ other) / scale if scale > 0 else -1.0), warp
