"""Display shutters: which part of a frame is to be shown (PS3.3 C.7.6.11)."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pydicom.dataset import Dataset

from cxr.decode.dicom.elements import integer, numbers, texts

_MAX_CORNERS: Final = 256
_EDGES: Final = (
    "ShutterUpperHorizontalEdge",
    "ShutterLowerHorizontalEdge",
    "ShutterLeftVerticalEdge",
    "ShutterRightVerticalEdge",
)

Shown = NDArray[np.bool_]


def shown(dataset: Dataset, rows: int, columns: int) -> Shown | None:
    """[rows, columns], true where no shutter covers the image; None if there is no shutter, or if it would cover all.

    Each shape covers everything outside itself. Incomplete shapes are ignored.
    """
    shapes = {"RECTANGULAR": _rectangle, "CIRCULAR": _circle, "POLYGONAL": _polygon}
    masks = [
        shapes[name](dataset, rows, columns) for name in dict.fromkeys(texts(dataset, "ShutterShape")) if name in shapes
    ]
    stated = [mask for mask in masks if mask is not None]
    if not stated:
        return None
    together: Shown = np.logical_and.reduce(stated)
    return together if together.any() and not together.all() else None


def outside(dataset: Dataset) -> int:
    """The grey of the area under a shutter, 0 to 255; black if the file does not state it."""
    return round(min(max(integer(dataset, "ShutterPresentationValue", 0), 0), 0xFFFF) / 0xFFFF * 255)


def _rectangle(dataset: Dataset, rows: int, columns: int) -> Shown | None:
    edges = [number for keyword in _EDGES for number in numbers(dataset, keyword)[:1] if number is not None]
    if len(edges) < len(_EDGES):
        return None
    top, bottom, left, right = edges
    row, column = _centers(rows, columns)
    return (row >= top) & (row <= bottom) & (column >= left) & (column <= right)


def _circle(dataset: Dataset, rows: int, columns: int) -> Shown | None:
    center, radius = numbers(dataset, "CenterOfCircularShutter")[:2], numbers(dataset, "RadiusOfCircularShutter")[:1]
    stated = [number for number in center + radius if number is not None]
    if len(stated) < 3:
        return None
    row, column = _centers(rows, columns)
    return (row - stated[0]) ** 2 + (column - stated[1]) ** 2 <= stated[2] ** 2


def _polygon(dataset: Dataset, rows: int, columns: int) -> Shown | None:
    flat = [number for number in numbers(dataset, "VerticesOfThePolygonalShutter") if number is not None]
    corners = [(column - 1, row - 1) for row, column in zip(flat[::2], flat[1::2], strict=False)]
    if not 3 <= len(corners) <= _MAX_CORNERS or max(abs(number) for number in flat) > 0xFFFF:
        return None
    image = Image.new("1", (columns, rows))
    ImageDraw.Draw(image).polygon(corners, fill=1, outline=1)
    return np.array(image)


def _centers(rows: int, columns: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows and columns as DICOM counts them, from 1."""
    return np.arange(1.0, rows + 1)[:, None], np.arange(1.0, columns + 1)
