"""Average precision of boxes at an IoU of 0.5, as in PASCAL VOC 2010 and later: docs/marks.md, rule 8."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from cxr.anatomy.boxes import Rectangle
from cxr.arrays import Floats, Mask
from evaluation.bootstrap import Figures

OVERLAP: Final = 0.5  # least intersection over union of a box that counts as found


class Found(NamedTuple):
    """A detected box with its confidence, in any unit."""

    box: Rectangle
    score: float


def average_precision(found: Sequence[Sequence[Found]], true: Sequence[Sequence[Rectangle]]) -> Figures:
    """The average precision, for `Resampling`: the area under the envelope of precision over recall, all points.

    Args:
        found: the detected boxes of each image, in any order.
        true: the true boxes of each image; may be empty.

    Returns:
        Weights [R, N] → {"ap": [R]}, NaN where a resample has no true box.
    """
    image = np.array([number for number, boxes in enumerate(found) for _ in boxes], np.int64)
    scores = np.array([box.score for boxes in found for box in boxes], np.float64)
    hit = np.array([was for pair in zip(found, true, strict=True) for was in _hits(*pair)], bool)
    order = np.argsort(-scores, kind="stable")
    image, hit = image[order], hit[order]
    wanted = np.array([len(boxes) for boxes in true], np.float64)
    return lambda weights: {"ap": _area(weights, image, hit, weights @ wanted)}


def _hits(found: Sequence[Found], true: Sequence[Rectangle]) -> list[bool]:
    """Whether each detected box of an image matches a true one.

    The most confident box chooses first. Each true box is matched at most once.
    """
    hits, free = [False] * len(found), set(range(len(true)))
    for number in sorted(range(len(found)), key=lambda i: -found[i].score):
        best = max(free, key=lambda i: overlap(found[number].box, true[i]), default=None)
        if best is not None and overlap(found[number].box, true[best]) >= OVERLAP:
            hits[number] = True
            free.discard(best)
    return hits


def overlap(left: Rectangle, right: Rectangle) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    width = min(left[0] + left[2], right[0] + right[2]) - max(left[0], right[0])
    height = min(left[1] + left[3], right[1] + right[3]) - max(left[1], right[1])
    common = max(width, 0.0) * max(height, 0.0)
    union = left[2] * left[3] + right[2] * right[3] - common
    return common / union if union > 0 else 0.0


def _area(weights: Floats, image: np.ndarray[tuple[int], np.dtype[np.int64]], hit: Mask, wanted: Floats) -> Floats:
    """[R] the area for weights [R, N].

    It takes the image and the hit of each of the D detected boxes, [D], most confident first, and the weighted number
    of true boxes [R].
    """
    if not len(image):
        return np.where(wanted > 0, 0.0, np.nan)
    counts = weights[:, image]
    hits, taken = np.cumsum(counts * hit, axis=1), np.cumsum(counts, axis=1)
    precision = hits / np.maximum(taken, 1e-12)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = hits / np.where(wanted > 0, wanted, np.nan)[:, None]
    area: Floats = (np.diff(recall, axis=1, prepend=0.0) * envelope).sum(axis=1)
    return area
