"""Radiographs to verify an export with where no data set is at hand."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.data import get_testdata_file

from cxr.decode import decode
from cxr.errors import DataError
from cxr.model.bundle import Recipe
from cxr.model.preprocess import preprocess

REFERENCE = "RG1_UNCR.dcm"  # a real chest radiograph; the package is under MIT


def reference_images(recipe: Recipe) -> tuple[NDArray[np.uint8], list[str]]:
    """pydicom-data's chest radiograph in its eight orientations, prepared: ([8, S, S] uint8, names).

    Raises:
        DataError: the package pydicom-data is not installed.
    """
    path = get_testdata_file(REFERENCE, download=False)
    if path is None:
        raise DataError("no images to verify with: give --data, or install pydicom-data")
    pixels = decode(Path(str(path)).read_bytes()).pixels
    turned = {
        f"{REFERENCE}, turned {90 * turns} degrees{', mirrored' if mirrored else ''}": np.ascontiguousarray(
            np.rot90(pixels[:, ::-1] if mirrored else pixels, turns)
        )
        for mirrored in (False, True)
        for turns in range(4)
    }
    images = [preprocess(image, recipe.id, recipe.size) for image in turned.values()]
    return np.stack(images), list(turned)
