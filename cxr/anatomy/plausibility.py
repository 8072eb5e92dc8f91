"""Two lungs, or what is not: a segmenter's mask is believed only if it has the size and shape of lungs side by side.

A segmenter fails on lungs that are white, behind devices, on a film that lies on its side. This judges size and shape
and cannot see whether what is outlined is lung.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

# Shares of the frame or of the larger lung. Of the data set's 119 training masks, two are outside, by their solidity.
AREA: Final = (0.10, 0.65)  # of both lungs together
SPECK: Final = 0.25  # of the larger lung: less is noise, or air beside an arm
BALANCE: Final = 0.4  # smaller to larger lung: the heart takes its part of the left one
HEIGHT: Final = 0.25  # of each lung
SOLIDITY: Final = 0.75  # area to convex hull: a lung is bean-shaped at most
SHIFT: Final = 0.2  # between the heights of the two centres


@dataclass(frozen=True, slots=True)
class Lungs:
    """Two lungs: [S, S] bool each, over the whole image squashed into a square. The patient's right is on the left."""

    right: Mask
    left: Mask


@dataclass(frozen=True, slots=True)
class NoLungs:
    """No lungs that could be believed, and why: a clause for people."""

    reason: str


def union(lungs: Lungs | NoLungs) -> Mask | None:
    """[S, S] both lungs together; None where there are none."""
    return lungs.right | lungs.left if isinstance(lungs, Lungs) else None


def judge(mask: Mask) -> Lungs | NoLungs:
    """Two lungs from a mask [S, S], or the first reason against it."""
    parts = _parts(mask)
    reason = _fault(parts, mask.size)
    if reason:
        return NoLungs(reason)
    right, left = sorted(parts, key=lambda part: part.centre[0])
    return Lungs(right.mask, left.mask)


@dataclass(frozen=True, slots=True)
class _Part:
    """A connected part of a mask; centre (x, y), height and area in pixels."""

    mask: Mask
    area: int
    height: int
    centre: tuple[float, float]
    solidity: float


def _parts(mask: Mask) -> list[_Part]:
    """Connected parts without holes, largest first; specks are dropped."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    parts = sorted(
        (_part(np.asarray(contour, np.int32), mask.shape) for contour in contours), key=lambda part: -part.area
    )
    return [part for part in parts if part.area >= SPECK * parts[0].area]


def _part(contour: NDArray[np.integer], shape: tuple[int, ...]) -> _Part:
    filled, hull = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    cv2.drawContours(filled, [contour], -1, 1, cv2.FILLED)
    cv2.drawContours(hull, [cv2.convexHull(contour)], -1, 1, cv2.FILLED)
    rows, columns = np.nonzero(filled)
    centre = float(columns.mean()), float(rows.mean())
    return _Part(filled.astype(bool), len(rows), int(np.ptp(rows)) + 1, centre, len(rows) / int(hull.sum()))


def _fault(parts: list[_Part], size: int) -> str:
    """The first reason why these are not two lungs; empty if they may be."""
    side = size**0.5
    total = sum(part.area for part in parts) / size
    if not AREA[0] <= total <= AREA[1]:
        return "what looks like lung is too small or too large"
    if len(parts) != 2:
        return "what looks like lung is not in two parts"
    larger, smaller = parts
    (x1, y1), (x2, y2) = larger.centre, smaller.centre
    if abs(y1 - y2) > SHIFT * side or abs(x1 - x2) < abs(y1 - y2):
        return "the two lungs do not lie side by side"
    if smaller.area < BALANCE * larger.area:
        return "the two lungs differ too much in size"
    if any(part.height < HEIGHT * side or part.solidity < SOLIDITY for part in parts):
        return "a lung has an implausible shape"
    return ""
