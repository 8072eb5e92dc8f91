"""The second head's target: the share of each cell of the last feature map that radiologists' boxes cover.

The target is known for images with boxes and for normal images, which have no opacity; other images are ignored. A
batch carries two masks that move with its images: `covered`, 1 inside the boxes of known images, and `known`, 1 on
known images.
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
"""Left, top, width and height, as fractions of the frame's width and height."""

Boxes = Mapping[str, Sequence[Box]]
"""Boxes by the file name of their image in metadata.csv."""

OPACITIES: Final = ("opacity", "Pneumonia", "Infiltrate")  # kinds of boxes to use; the others mark other findings
NORMAL: Final = "normal"


def read_boxes(folder: Path) -> Boxes:
    """The boxes around opacities in boxes.csv, as fractions of whole images; none if the file does not exist.

    Raises:
        DataError: a column is missing, or a value is not a number.
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
    """Convert boxes over whole images to boxes over a frame. Every frame except the full one needs lung masks."""

    def moved(file: str, box: Box) -> Box:
        placed = placement(frame, masks.get(file))
        width, height = placed.right - placed.left, placed.bottom - placed.top
        return (box[0] - placed.left) / width, (box[1] - placed.top) / height, box[2] / width, box[3] / height

    return {file: [moved(file, box) for box in its] for file, its in boxes.items()}


def covered_by_boxes(rows: Sequence[Row], boxes: Boxes, side: int) -> NDArray[np.uint8]:
    """[N, side, side]: 1 where the centre of a pixel lies in a box of the image, else 0."""
    centres = (np.arange(side) + 0.5) / side
    covered = np.zeros((len(rows), side, side), np.uint8)
    for target, row in zip(covered, rows, strict=True):
        for x, y, w, h in boxes.get(row.file, ()):
            across, down = ((centres >= low) & (centres < low + length) for low, length in ((x, w), (y, h)))
            target[np.outer(down, across)] = 1
    return covered


def known(rows: Sequence[Row], boxes: Boxes) -> NDArray[np.bool_]:
    """[N] whether an image's opacities are known: it has boxes, or is normal."""
    return np.array([bool(boxes.get(row.file)) or row.label == NORMAL for row in rows], dtype=bool)


def opacity_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Binary cross-entropy of each cell against the share of it that boxes cover, over the known cells.

    It is linear in the masks, so the loss of a mixture of two images is the mixture of their losses. The loss of an
    unknown image is zero.

    Args:
        logits: [N, 1, h, w].
        masks: [N, 2, S, S] in [0, 1]: covered, and known.

    Returns:
        The mean over known cells; zero if there are none.
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
