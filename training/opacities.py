"""What the second head learns: where radiologists' boxes are, as a share of each cell of the last feature map.

Images with boxes and normal images, which have no opacity, are known; the others count for nothing. A batch carries two
masks that move with its images: `covered`, one inside the boxes of known images, and `known`, one on known images.
"""

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from cxr.errors import DataError
from cxr.model.frames import Mask, placement
from training.data import Row

Box = tuple[float, float, float, float]
"""Left, top, width and height, as shares of the frame's sides."""

Boxes = Mapping[str, Sequence[Box]]
"""Boxes by the file of their image, as metadata.csv names it."""

OPACITIES: Final = ("opacity", "Pneumonia", "Infiltrate")  # kinds of boxes; the others are of other findings
NORMAL: Final = "normal"


def read_boxes(folder: Path) -> Boxes:
    """The boxes around opacities in boxes.csv, as shares of whole images; none where there is no such file.

    Raises:
        DataError: a column is missing, or a number is not one.
    """
    path = folder / "boxes.csv"
    if not path.exists():
        return {}
    boxes: defaultdict[str, list[Box]] = defaultdict(list)
    with path.open(newline="", encoding="utf-8-sig") as handle:
        for record in csv.DictReader(handle):
            try:
                x, y, w, h = (float(record[name]) for name in "xywh")
                if record["kind"] in OPACITIES:
                    boxes[record["file"]].append((x, y, w, h))
            except (KeyError, TypeError, ValueError):
                raise DataError(f"{path} has a line without file, x, y, w, h and kind") from None
    return boxes


def framed(boxes: Boxes, frame: str, masks: Mapping[str, Mask]) -> Boxes:
    """Boxes over whole images as boxes over a frame of them; masks of the lungs are needed for any but the full one."""

    def moved(file: str, box: Box) -> Box:
        placed = placement(frame, masks.get(file))
        width, height = placed.right - placed.left, placed.bottom - placed.top
        return (box[0] - placed.left) / width, (box[1] - placed.top) / height, box[2] / width, box[3] / height

    return {file: [moved(file, box) for box in its] for file, its in boxes.items()}


def covered_by_boxes(rows: Sequence[Row], boxes: Boxes, side: int) -> NDArray[np.uint8]:
    """[N, side, side]: one where the centre of a pixel lies in a box of the image, elsewhere zero."""
    centres = (np.arange(side) + 0.5) / side
    covered = np.zeros((len(rows), side, side), np.uint8)
    for target, row in zip(covered, rows, strict=True):
        for x, y, w, h in boxes.get(row.file, ()):
            across, down = ((centres >= low) & (centres < low + length) for low, length in ((x, w), (y, h)))
            target[np.outer(down, across)] = 1
    return covered


def known(rows: Sequence[Row], boxes: Boxes) -> NDArray[np.bool_]:
    """[N] whether it is known where an image has opacities: it has boxes, or is normal."""
    return np.array([bool(boxes.get(row.file)) or row.label == NORMAL for row in rows], dtype=bool)


def opacity_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Binary cross-entropy of each cell against the share of it that boxes cover, over the cells that are known.

    It is linear in the masks, so that a mixture of two images has the mixture of their losses: that of an unknown
    image is zero.

    Args:
        logits: [N, 1, h, w].
        masks: [N, 2, S, S] in [0, 1]: covered, and known.

    Returns:
        The mean over what is known; zero where nothing is.
    """
    height, width = logits.shape[-2:]
    covered, counts = F.adaptive_avg_pool2d(masks, (height, width)).split(1, dim=1)
    losses: Tensor = counts * F.softplus(logits) - covered * logits  # counts · BCE(logit, covered / counts)
    mean: Tensor = losses.sum() / counts.sum().clamp(min=1e-6)
    return mean


def opacity_masks(rows: Sequence[Row], boxes: Boxes, side: int, device: torch.device) -> Tensor:
    """[N, 2, side, side] uint8 on the device: covered, and known."""
    covered = torch.from_numpy(covered_by_boxes(rows, boxes, side)).to(device)
    counts = torch.from_numpy(known(rows, boxes)).to(device, torch.uint8).view(-1, 1, 1).expand_as(covered)
    return torch.stack([covered, counts], dim=1)
