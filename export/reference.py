"""Radiographs to verify an export without a data set."""

from pathlib import Path

import numpy as np
from pydicom.data import get_testdata_file

from cxr.arrays import Views
from cxr.decode import decode
from cxr.errors import DataError
from cxr.model.bundle import Bundle
from cxr.model.views import batched
from cxr.pipeline import Preprocessor

REFERENCE = "RG1_UNCR.dcm"  # a real chest radiograph; the package has the MIT licence


def reference_images(bundle: Bundle) -> tuple[Views, list[str]]:
    """pydicom-data's chest radiograph in eight orientations, prepared for an exported bundle's networks.

    Returns:
        [8, S, S] uint8 in each of the bundle's frames, and a name for each of the eight.

    Raises:
        BundleError: a frame needs the lung segmenter, and it does not match the bundle's description.
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
    preprocessor = Preprocessor(bundle)
    return batched([preprocessor.views(image)[0] for image in turned.values()]), list(turned)
