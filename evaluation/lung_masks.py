"""The lungs of many images, for measuring whether maps look there: as a bundle's segmenter outlines them.

    python -m evaluation.lung_masks --split val --output build/lungs.npz

For a machine without onnxruntime: the file holds `files`, names as in metadata.csv, and `masks` [N, S, S] bool over
the whole image squashed into a square, all false where no lungs could be believed.
"""

from pathlib import Path
from typing import Annotated, get_args

import numpy as np
import typer
from rich.progress import track

from cxr.arrays import Mask
from training.data import DEFAULT_DATA, Row, Split, read_table
from training.lung_segmenter import SIZE, load_masked


def segmented(bundle_folder: Path, folder: Path, rows: tuple[Row, ...]) -> Mask:
    """Masks of rows [N, S, S] by the lung segmenter of an exported bundle; all false where it has none."""
    from cxr.anatomy.lungs import Lungs, LungSegmenter
    from cxr.decode import decode
    from cxr.model.bundle import Bundle  # needs pydantic and onnxruntime, which a training machine may lack

    bundle = Bundle(bundle_folder)
    if bundle.manifest.lungs is None:
        return np.zeros((len(rows), 1, 1), bool)
    segmenter = LungSegmenter(bundle, bundle.manifest.lungs)
    nothing = np.zeros((bundle.manifest.lungs.recipe.size,) * 2, bool)
    masks = []
    for row in track(rows, "finding lungs", transient=True):
        found = segmenter.find(decode((folder / row.file).read_bytes()).pixels)
        masks.append(found.right | found.left if isinstance(found, Lungs) else nothing)
    return np.stack(masks)


def stored(path: Path, rows: tuple[Row, ...]) -> Mask:
    """Masks of rows [N, S, S] from a file that this module wrote; rows that it lacks have none, all false."""
    with np.load(path) as archive:
        known = dict(zip(archive["files"].tolist(), archive["masks"], strict=True))
    nothing = np.zeros_like(next(iter(known.values())))
    return np.stack([known.get(row.file, nothing) for row in rows])


def of_the_table(folder: Path, rows: tuple[Row, ...]) -> Mask:
    """Masks of rows [N, S, S] where the data set has one, which is rare; elsewhere all false."""
    masked = load_masked(folder, get_args(Split))
    known = {row.file: mask for row, mask in zip(masked.rows, masked.masks, strict=True)}
    return np.stack([known.get(row.file, np.zeros((SIZE, SIZE), bool)) for row in rows])


def main(
    output: Annotated[Path, typer.Option(help="An .npz file.")],
    bundle: Path = Path("models/default"),
    data: Path = DEFAULT_DATA,
    split: Split = "val",
) -> None:
    """Outline the lungs of a split with a bundle's segmenter."""
    rows = tuple(row for row in read_table(data) if row.split == split)
    masks = segmented(bundle, data, rows)
    np.savez_compressed(output, files=np.array([row.file for row in rows]), masks=masks)
    typer.echo(f"{output}: {int(masks.any(axis=(1, 2)).sum())} of {len(rows)} images have lungs")


if __name__ == "__main__":
    typer.run(main)
