"""The lung masks of every image of a data folder in one file, for training machines without onnxruntime.

    python -m training.lungs.mask_file --output runs/lungs.npz

One machine segments the lungs, so that every network is trained and measured on the same frames. The file contains
`files`, names as in metadata.csv and extras.csv; `bits`, a row of packed bits for each image; and `segmenter`, the
SHA-256 of the segmenter's weights.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import numpy as np
import typer
from rich.progress import track

from cxr.decode import decode
from cxr.errors import DataError
from cxr.model.frames import Mask
from training.data import DEFAULT_DATA

if TYPE_CHECKING:  # needs pydantic, which a training machine may lack
    from cxr.model.bundle import Bundle

TABLES: Final = ("metadata.csv", "extras.csv")


def load_masks(path: Path) -> dict[str, Mask]:
    """File names of images → lungs [S, S] bool over the whole image scaled to a square, all false without lungs.

    Raises:
        DataError: the file is missing, or was not written by this module.
    """
    try:
        with np.load(path) as archive:
            files, bits = archive["files"].tolist(), archive["bits"]
    except (OSError, KeyError, ValueError):
        raise DataError(
            f"{path} is not a file of lung masks: make it with `python -m training.lungs.mask_file`"
        ) from None
    side = int((bits.shape[1] * 8) ** 0.5)
    masks = np.unpackbits(bits, axis=1, count=side * side).reshape(len(bits), side, side).astype(bool)
    return dict(zip(files, masks, strict=True))


def save_masks(path: Path, masks: Mapping[str, Mask], segmenter: str = "") -> None:
    """Write masks [S, S], S a multiple of 8, all of one size; see `load_masks`."""
    bits = np.packbits(np.stack(list(masks.values())).reshape(len(masks), -1), axis=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, files=np.array(list(masks)), bits=bits, segmenter=np.array(segmenter))


def find_masks(bundle: "Bundle", folder: Path, files: Sequence[str]) -> dict[str, Mask]:
    """Segment the lungs of some images of a folder with the segmenter of an exported bundle.

    Raises:
        DataError: the bundle has no segmenter.
    """
    from cxr.anatomy.lungs import LungSegmenter, union  # needs onnxruntime

    if bundle.manifest.lungs is None:
        raise DataError(f"{bundle.root} has no lung segmenter")
    segmenter = LungSegmenter(bundle, bundle.manifest.lungs)
    nothing = np.zeros((bundle.manifest.lungs.recipe.size,) * 2, bool)

    def find(file: str) -> Mask:
        found = union(segmenter.find(decode((folder / file).read_bytes()).pixels))
        return nothing if found is None else found

    with ThreadPoolExecutor() as pool:
        return dict(zip(files, track(pool.map(find, files), "finding lungs", total=len(files)), strict=True))


def main(
    output: Annotated[Path, typer.Option(help="An .npz file.")],
    bundle: Path = Path("models/default"),
    data: Path = DEFAULT_DATA,
) -> None:
    """Outline the lungs of all images of a folder with a bundle's segmenter, and print where none are found."""
    from cxr.model.bundle import Bundle

    finder, sources = Bundle(bundle), dict(_sources(data))
    masks = find_masks(finder, data, list(sources))
    save_masks(output, masks, finder.manifest.lungs.sha256 if finder.manifest.lungs else "")
    total = Counter(sources.values())
    without = Counter(sources[file] for file, mask in masks.items() if not mask.any())
    for source in sorted(total):
        typer.echo(
            f"{source:12} {without[source]:5} of {total[source]:5} without lungs, {without[source] / total[source]:.2%}"
        )
    typer.echo(f"{output}: {len(masks)} images, {without.total()} without lungs, {output.stat().st_size / 1e6:.1f} MB")


def _sources(folder: Path) -> Iterator[tuple[str, str]]:
    """(file, source) of each image of a folder's tables."""
    for table in TABLES:
        if (folder / table).exists():
            with (folder / table).open(newline="", encoding="utf-8-sig") as handle:
                yield from ((record["file"], record.get("source") or "unknown") for record in csv.DictReader(handle))


if __name__ == "__main__":
    typer.run(main)
