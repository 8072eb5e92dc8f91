"""How often the lung segmenter's masks are accepted, by source, and a contact sheet to look at.

    python -m scripts.lung_overlays SHEET.png

The sheet contains radiographs of the data set: do not commit it.
"""

import hashlib
import sys
from collections import Counter
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from cxr.anatomy.lungs import Lungs, LungSegmenter, NoLungs
from cxr.anatomy.outlines import outlines
from cxr.anatomy.zones import zones_of
from cxr.decode import decode
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle
from cxr.report.drawing import fit, outline
from training.data import DEFAULT_DATA, Row, read_table

TAUGHT: Final = "cohen"  # the source of the masks
EACH: Final = 4  # overlays of each other source
ACROSS: Final = 6
TILE: Final = 300  # pixels

console = Console()


def main(sheet: Path) -> None:
    """Segment the whole validation split, and draw four images of each source, chosen by a hash."""
    bundle = Bundle(DEFAULT_BUNDLE)
    assert bundle.manifest.lungs is not None
    segmenter = LungSegmenter(bundle, bundle.manifest.lungs)
    rows = sorted((row for row in read_table(DEFAULT_DATA) if row.split == "val"), key=_hash)
    seen, refused, reasons, tiles = Counter[str](), Counter[str](), Counter[str](), []
    for row in track(rows, "outlining", console=console):
        pixels = decode((DEFAULT_DATA / row.file).read_bytes()).pixels
        found = segmenter.find(pixels)
        seen[row.source] += 1
        if isinstance(found, NoLungs):
            refused[row.source] += 1
            reasons[found.reason] += 1
        if row.source != TAUGHT and seen[row.source] <= EACH:
            tiles.append((row.source, _tile(row, pixels, found)))
    for source, count in sorted(seen.items()):
        console.print(f"{source}: no mask accepted in {refused[source]} of {count}")
    for reason, count in reasons.most_common():
        console.print(f"{count} x {reason}")
    drawn = [tile for _, tile in sorted(tiles, key=lambda pair: pair[0])]
    lines = [np.hstack(drawn[start : start + ACROSS]) for start in range(0, len(drawn) - ACROSS + 1, ACROSS)]
    cv2.imwrite(str(sheet), np.vstack(lines))


def _hash(row: Row) -> bytes:
    return hashlib.sha256(row.file.encode()).digest()


def _tile(row: Row, pixels: NDArray[np.uint8], found: Lungs | NoLungs) -> NDArray[np.uint8]:
    height, width = pixels.shape
    scale = (TILE - 40) / max(height, width)
    grey = fit(pixels, (round(width * scale), round(height * scale)))
    picture = np.repeat(grey[..., np.newaxis], 3, axis=2)
    outline(picture, outlines(zones_of(found)))
    tile = np.zeros((TILE, TILE, 3), np.uint8)
    tile[: picture.shape[0], : picture.shape[1]] = picture
    words = (f"{row.source}, {row.label}", found.reason if isinstance(found, NoLungs) else "")
    for line, text in enumerate(words):
        cv2.putText(tile, text, (4, TILE - 24 + 18 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1)
    return tile


if __name__ == "__main__":
    main(Path(sys.argv[1]))
