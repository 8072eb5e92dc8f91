"""Decide whether a segmenter's mask plausibly shows two lungs, by their size, shape and position.

A segmenter can fail on white lungs, behind devices, or on an image that lies on its side. This check sees size and
shape only: it cannot tell whether the outlined area is lung.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

# Fractions of the frame or of the larger lung. Two of the data set's 119 training masks fail, both by solidity.
AREA: Final = (0.10, 0.65)  # area of both lungs together
SPECK: Final = 0.25  # as a fraction of the larger lung: less is noise, or air beside an arm
BALANCE: Final = 0.4  # area of the smaller lung to the larger: the heart covers part of the left one
HEIGHT: Final = 0.25  # of each lung
SOLIDITY: Final = 0.75  # area to area of the convex hull: a lung is at most bean-shaped
SHIFT: Final = 0.2  # difference between the heights of the two centres


@dataclass(frozen=True, slots=True)
class Lungs:
    """Two lungs: [S, S] bool each, over the whole image scaled to a square. The patient's right is on the left."""

    right: Mask
    left: Mask


@dataclass(frozen=True, slots=True)
class NoLungs:
    """No plausible lungs. `reason` is a clause to show to people."""

    reason: str


def union(lungs: Lungs | NoLungs) -> Mask | None:
    """[S, S] both lungs together; None if there are none."""
    return lungs.right | lungs.left if isinstance(lungs, Lungs) else None


def judge(mask: Mask) -> Lungs | NoLungs:
    """The two lungs of a mask [S, S], or the first reason to reject it."""
    parts = _parts(mask)
    reason = _fault(parts, mask.size)
    if reason:
        return NoLungs(reason)
    right, left = sorted(parts, key=lambda part: part.centre[0])
    return Lungs(right.mask, left.mask)


@dataclass(frozen=True, slots=True)
class _Part:
    """A connected part of a mask. Centre (x, y), height and area are in pixels."""

    mask: Mask
    area: int
    height: int
    centre: tuple[float, float]
    solidity: float


def _parts(mask: Mask) -> list[_Part]:
    """Connected parts with their holes filled, largest first. Specks are dropped."""
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
    """The first reason why these are not two lungs; "" if they may be."""
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
