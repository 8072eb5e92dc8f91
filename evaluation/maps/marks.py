"""Compare single maps with people's marks: the measures of docs/marks.md, rule 5.

Maps and marks are [N, G, G] over the whole image; a map's values are evidence ≥ 0.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cxr.arrays import Floats, Map, Mask

MEASURES: Final = ("pointing", "energy", "iou", "dice", "auprc")


def measures(maps: NDArray[np.float32], marked: Mask) -> dict[str, Floats]:
    """The values [N] of each of `MEASURES`.

    pointing: of the cells with the map's maximum, the share that is marked: 1 or 0 if there is one such cell
        (Zhang et al. 2018). 0 for a map without evidence.
    energy: the marked cells' share of the evidence over their share of the image. 0 for a map without evidence.
    iou, dice: of the marked cells and those above a threshold, at the image's best threshold.
    auprc: average precision of the marked cells, Σ (R_k - R_k-1) · P_k over thresholds; 0 for a map without evidence.

    Raises:
        ValueError: nothing is marked in an image.
    """
    if not marked.any(axis=(1, 2)).all():
        raise ValueError("an image has no marks")
    rows = [tuple(_measures(heatmap, inside)) for heatmap, inside in zip(maps, marked, strict=True)]
    return dict(zip(MEASURES, np.array(rows, np.float64).T, strict=True))


def _measures(heatmap: Map, inside: Mask) -> Iterator[float]:
    values, marks = heatmap.ravel().astype(np.float64), inside.ravel()
    total = values.sum()
    if total <= 0:
        yield from (0.0,) * len(MEASURES)
        return
    yield float(marks[values == values.max()].mean())
    yield float(values[marks].sum() / total / marks.mean())
    hits, taken = _at_thresholds(values, marks)
    yield float((hits / (taken + marks.sum() - hits)).max())
    yield float((2 * hits / (taken + marks.sum())).max())
    recall = hits / marks.sum()
    yield float((np.diff(recall, prepend=0.0) * hits / taken).sum())


def _at_thresholds(values: Floats, marks: Mask) -> tuple[Floats, Floats]:
    """For each value of a map, highest first: the number of marked cells and of all cells that are at least as high."""
    order = np.argsort(-values, kind="stable")
    descending = values[order]
    last = np.append(descending[1:] != descending[:-1], True)  # the last of the cells with equal values
    return np.cumsum(marks[order])[last].astype(np.float64), (np.flatnonzero(last) + 1).astype(np.float64)
