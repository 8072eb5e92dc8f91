"""Measure the detection of near-duplicates in a prepared folder, and list its own pairs that span two splits.

    python -m scripts.near_duplicates ../shared/data/cxr --pairs pairs.csv

Altered copies of held-out images are added to all images of the folder, and the search must find them. The threshold
was chosen on the training split, so the copies are of validation and test images.
"""

import csv
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Final

import cv2
import numpy as np
import typer

from cxr.arrays import Grey
from cxr.decode import decode
from training.data import Row, read_table
from training.prepare.groups import connected
from training.prepare.near_duplicates import Pair, find_pairs, frame

Alteration = Callable[[Grey, np.random.Generator], Grey]


def recompressed(pixels: Grey, rng: np.random.Generator) -> Grey:
    """Recompress as a JPEG of quality 30 to 90."""
    quality = int(rng.integers(30, 91))
    jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return decode(jpeg.tobytes()).pixels


def resized(pixels: Grey, rng: np.random.Generator) -> Grey:
    """Resize to 40 to 100 % of each side, with the aspect ratio changed by up to a tenth."""
    scale = rng.uniform(0.4, 1.0)
    small = cv2.resize(pixels, None, fx=scale, fy=scale * rng.uniform(0.9, 1.1), interpolation=cv2.INTER_AREA)
    return small.astype(np.uint8, copy=False)


def brightened(pixels: Grey, rng: np.random.Generator) -> Grey:
    """Change gamma (0.6 to 1.6), contrast (up to 30 %) and brightness (up to 30 grey levels), with clipping."""
    curved = 255.0 * (pixels / 255.0) ** rng.uniform(0.6, 1.6)
    return (curved * rng.uniform(0.7, 1.3) + rng.uniform(-30, 30)).clip(0, 255).astype(np.uint8)


def equalised(pixels: Grey, _rng: np.random.Generator) -> Grey:
    """Equalise the global histogram."""
    return cv2.equalizeHist(pixels).astype(np.uint8, copy=False)


def cropped(share: float) -> Alteration:
    """Crop each side by a random amount up to this share."""

    def crop(pixels: Grey, rng: np.random.Generator) -> Grey:
        height, width = pixels.shape
        top, bottom, left, right = (rng.uniform(0, share, 4) * (height, height, width, width)).astype(int)
        return pixels[top : height - bottom, left : width - right]

    return crop


def all_of(*alterations: Alteration) -> Alteration:
    """Apply several changes in sequence."""

    def alter(pixels: Grey, rng: np.random.Generator) -> Grey:
        for alteration in alterations:
            pixels = alteration(pixels, rng)
        return pixels

    return alter


ALTERATIONS: Final[dict[str, Alteration]] = {
    "recompressed": recompressed,
    "resized": all_of(resized, recompressed),
    "brightness, contrast, gamma": all_of(brightened, recompressed),
    "histogram equalised": all_of(equalised, recompressed),
    "cropped by up to 5 % a side": all_of(cropped(0.05), recompressed),
    "cropped by up to 10 % a side": all_of(cropped(0.10), recompressed),
    "all but equalised, crop 5 %": all_of(cropped(0.05), resized, brightened, recompressed),
}


def main(
    folder: Annotated[Path, typer.Argument(help="A prepared folder.")],
    copies: Annotated[int, typer.Option(help="Number of added copies for each alteration.")] = 200,
    pairs_file: Annotated[Path | None, typer.Option("--pairs", help="Write the folder's own pairs as CSV.")] = None,
) -> None:
    """Print the recall on added copies, the folder's own pairs, and pairs that span two splits."""
    rows = read_table(folder)
    with ThreadPoolExecutor() as pool:
        images = list(pool.map(lambda row: decode((folder / row.file).read_bytes()).pixels, rows))
        frames = list(pool.map(frame, images))
    began = time.perf_counter()
    own = find_pairs(frames)
    print(f"{len(frames)} images: {len(own)} pairs found in {time.perf_counter() - began:.0f} s")
    audit(rows, own)
    if pairs_file is not None:
        write_pairs(pairs_file, rows, own)
    plant(images, frames, [index for index, row in enumerate(rows) if row.split != "train"], copies, own)


def plant(
    images: Sequence[Grey], frames: Sequence[Grey], held_out: Sequence[int], copies: int, own: list[Pair]
) -> None:
    """Search all frames and copies together. A copy that is paired with another image is a false pair."""
    rng = np.random.default_rng(0)
    originals = {name: rng.choice(held_out, copies, replace=False) for name in ALTERATIONS}
    planted = [(name, int(index)) for name, chosen in originals.items() for index in chosen]
    altered = [frame(ALTERATIONS[name](images[index], rng)) for name, index in planted]
    groups = connected(len(frames), [(pair.first, pair.second) for pair in own])
    group_of = {member: number for number, members in enumerate(groups) for member in members}
    found, false = Counter[str](), 0
    for pair in find_pairs([*frames, *altered]):
        if pair.first < len(frames) <= pair.second:
            name, original = planted[pair.second - len(frames)]
            found[name] += pair.first == original
            false += group_of[pair.first] != group_of[original]
    for name in ALTERATIONS:
        print(f"  {name}: {found[name]} of {copies} copies found")
    print(f"  copies paired with an image of another group than their original: {false}")


def audit(rows: Sequence[Row], pairs: Sequence[Pair]) -> None:
    """Count the pairs by splits and labels."""
    ends = [(rows[pair.first], rows[pair.second]) for pair in pairs]
    print(f"  of different patients: {sum(a.patient != b.patient for a, b in ends)}")
    print(f"  of different splits: {sum(a.split != b.split for a, b in ends)}")
    print(f"  of different labels: {sum(a.label != b.label for a, b in ends)}")
    print("  by source:", Counter(" + ".join(sorted((a.source, b.source))) for a, b in ends))
    for split in ("val", "test"):
        both_ways = [*ends, *((other, one) for one, other in ends)]
        found = {one.file for one, other in both_ways if one.split == split and other.split == "train"}
        print(f"  {split}: {len(found)} of {sum(row.split == split for row in rows)} have a near-duplicate in train")


def write_pairs(path: Path, rows: Sequence[Row], pairs: Sequence[Pair]) -> None:
    """One row per pair: both files, the correlation, both splits, both labels."""
    with path.open("w", newline="", encoding="utf-8") as handle:
        table = csv.writer(handle, lineterminator="\n")
        table.writerow(("file", "other_file", "correlation", "split", "other_split", "label", "other_label"))
        for pair in pairs:
            one, other = rows[pair.first], rows[pair.second]
            correlation = f"{pair.correlation:.3f}"
            table.writerow((one.file, other.file, correlation, one.split, other.split, one.label, other.label))


if __name__ == "__main__":
    typer.run(main)
