"""Find near-duplicates among thousands of radiographs: likely pairs by matrix products, each confirmed by registration.

Two collections often contain the same picture: recompressed, resized, brightened, equalised, or cropped by a few
percent. Such a pair on both sides of a split is a leak. The comparison uses the band of spatial frequencies that shows
ribs and vessels, normalised in local contrast, so that brightness and contrast do not matter. All pairs are compared as
whole frames and as frames trimmed at any of their sides, because a crop shifts everything. Pairs that correlate are
then registered by an affine map and compared at twice the resolution.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Final

import cv2
import numpy as np

from cxr.arrays import Floats32, Grey
from training.prepare.registration import Trim, levelled, registered_correlation

FRAME: Final = 128  # side of the compared frames, in pixels

_COARSE: Final = 64
_BAND: Final = (1.5, 4.0, 6.0)
_CELLS: Final = 24  # side of a descriptor
_TRIMS: Final = (0.0, 0.06)  # trims at either end of an axis, as shares of its length
_WINDOWS: Final[tuple[Trim, ...]] = tuple(product(_TRIMS, _TRIMS, _TRIMS, _TRIMS))
_NEIGHBOURS: Final = 5
_LIKELY: Final = 0.78
_BLOCK: Final = 64  # images that are compared with all others in one matrix product

# Chosen on the training split of ../shared/data, between pairs of different patients (nearly all below 0.7) and
# altered copies (above 0.83): docs/decisions.md.
SAME: Final = 0.80


@dataclass(frozen=True, slots=True)
class Pair:
    """Two frames, by index, that show the same picture, and their correlation after registration, 0.8 to 1."""

    first: int
    second: int
    correlation: float


@dataclass(frozen=True, slots=True)
class _LikelyPair:
    """A likely pair: the first frame, cut by the trim, may be the second."""

    first: int
    second: int
    trim: Trim


def frame(pixels: Grey) -> Grey:
    """[H, W] uint8 of any size → [128, 128] uint8 for the comparison."""
    return cv2.resize(pixels, (FRAME, FRAME), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def find_pairs(frames: Sequence[Grey], progress: Callable[[float], None] = lambda _share: None) -> list[Pair]:
    """All pairs of near-duplicates, each once, in the order of their indices.

    Args:
        frames: made by `frame`.
        progress: called from time to time with the finished share of the work, 0 to 1.
    """
    if len(frames) < 2:
        return []
    with ThreadPoolExecutor() as pool:
        bands = np.stack(list(pool.map(_coarse_band, frames)))
        likely_pairs = _likely_pairs(bands, progress)
        found = []
        for done, pair in enumerate(pool.map(lambda one: _confirm(frames, one), likely_pairs), 1):
            progress(0.5 + 0.5 * done / len(likely_pairs))
            if pair.correlation >= SAME:
                found.append(pair)
    return found


def _coarse_band(pixels: Grey) -> Floats32:
    small = cv2.resize(pixels, (_COARSE, _COARSE), interpolation=cv2.INTER_AREA)
    return levelled(small.astype(np.uint8, copy=False), *_BAND)


def _confirm(frames: Sequence[Grey], likely: _LikelyPair) -> Pair:
    first, second = likely.first, likely.second
    correlation = registered_correlation(frames[first], frames[second], likely.trim)
    return Pair(min(first, second), max(first, second), correlation)


def _likely_pairs(bands: Floats32, progress: Callable[[float], None]) -> list[_LikelyPair]:
    """For each image, whole or trimmed, the few most similar others, if they are similar enough."""
    whole = _descriptors(bands, _WINDOWS[0])
    likeliest: dict[tuple[int, int], tuple[float, _LikelyPair]] = {}
    for start in range(0, len(bands), _BLOCK):
        for likeness, found in _nearest(bands, start, whole):
            key = min(found.first, found.second), max(found.first, found.second)
            if likeness > likeliest.get(key, (0.0, found))[0]:
                likeliest[key] = likeness, found
        progress(0.5 * start / len(bands))
    return [likeliest[key][1] for key in sorted(likeliest)]


def _nearest(bands: Floats32, start: int, whole: Floats32) -> Iterator[tuple[float, _LikelyPair]]:
    """The likely pairs of a block's images, each with its similarity."""
    block = bands[start : start + _BLOCK]
    trimmed = np.concatenate([_descriptors(block, window) for window in _WINDOWS])
    by_window = (trimmed @ whole.T).reshape(len(_WINDOWS), len(block), len(whole))
    closest = by_window.max(axis=0)
    own = np.arange(len(block))
    closest[own, start + own] = -1.0
    kept = min(_NEIGHBOURS, len(whole))
    for row, others in enumerate(np.argpartition(-closest, kept - 1, axis=1)[:, :kept]):
        for other in others[closest[row, others] >= _LIKELY]:
            window = _WINDOWS[int(by_window[:, row, other].argmax())]
            yield float(closest[row, other]), _LikelyPair(start + row, int(other), window)


def _descriptors(bands: Floats32, trim: Trim) -> Floats32:
    """[N, 64, 64] → [N, 576]: the trimmed frames averaged over cells, each of mean 0 and length 1."""
    top, bottom, left, right = trim
    averaged = _averaging(top, bottom) @ bands @ _averaging(left, right).T
    cells: Floats32 = averaged.reshape(len(bands), -1).astype(np.float32, copy=False)
    cells -= cells.mean(axis=1, keepdims=True)
    cells /= np.maximum(np.linalg.norm(cells, axis=1, keepdims=True), 1e-6)
    return cells


def _averaging(low: float, high: float) -> Floats32:
    """[24, 64]: the matrix that trims both ends of an axis and averages the rest over cells."""
    edges = np.linspace(low * _COARSE, (1.0 - high) * _COARSE, _CELLS + 1)
    pixels = np.arange(_COARSE)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    weights: Floats32 = overlap.clip(min=0.0).astype(np.float32)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights
