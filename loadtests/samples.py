"""The files that a load test sends: real radiographs as PNG, JPEG and DICOM of native size, and bad files.

The images are those of the data set if it is beside the checkout. Otherwise they are darker and brighter variants of
pydicom-data's radiograph. A DICOM file is that radiograph's object with another image, enlarged to its 1955 × 1841
pixels, because the data set's images are stored with a short side of 256.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import pydicom
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from cxr.arrays import Grey
from cxr.decode import decode

IMAGES: Final = Path(__file__).parents[2] / "shared" / "data" / "cxr" / "images"
SHORT_SIDE: Final = 256
STORED_BITS: Final = 12


@dataclass(frozen=True, slots=True)
class Sample:
    """A file to send."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Bad:
    """A file, and the expected status of its refusal."""

    sample: Sample
    status: int


def radiographs(count: int, folder: Path = IMAGES) -> list[Sample]:
    """Images of the data set, each in three formats: JPEG, PNG, and DICOM of native size."""
    samples = []
    for name, jpeg in _jpegs(count, folder):
        pixels = decode(jpeg).pixels
        samples += [
            Sample(name, "image/jpeg", jpeg),
            Sample(name, "image/png", _encoded(pixels, ".png")),
            Sample(name, "application/dicom", native_dicom(name, pixels)),
        ]
    return samples


def native_dicom(name: str, pixels: Grey) -> bytes:
    """[H, W] uint8 → a CR object of 1955 × 1841 pixels of 12 bits, uncompressed: 7 MB. The name determines its UIDs."""
    dataset = pydicom.dcmread(io.BytesIO(real_radiograph().data))
    large = cv2.resize(pixels, (dataset.Columns, dataset.Rows), interpolation=cv2.INTER_CUBIC)
    stored = large.astype(np.uint16) << (STORED_BITS - 8)
    dataset.BitsStored, dataset.HighBit = STORED_BITS, STORED_BITS - 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PixelData = stored.tobytes()
    for keyword in ("WindowCenter", "WindowWidth", "SmallestImagePixelValue", "LargestImagePixelValue"):
        if keyword in dataset:
            delattr(dataset, keyword)
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=[name])
    return _part10(dataset)


def bad_ones(good: list[Sample]) -> list[Bad]:
    """One example of each kind of client mistake."""
    by_type = {sample.media_type: sample for sample in good}
    half = {media: Sample(f"half {media}", media, s.data[: len(s.data) // 2]) for media, s in by_type.items()}
    lateral = pydicom.dcmread(io.BytesIO(by_type["application/dicom"].data))
    lateral.ViewPosition = "LL"
    return [
        *(Bad(sample, 422) for sample in half.values()),
        Bad(Sample("text", "image/png", b"not a picture " * 1000), 422),
        Bad(Sample("lateral", "application/dicom", _part10(lateral)), 422),
        Bad(Sample("empty", "image/png", b""), 400),
        Bad(Sample("pdf", "application/pdf", by_type["image/png"].data), 415),
    ]


def _jpegs(count: int, folder: Path) -> list[tuple[str, bytes]]:
    """Name and bytes of images evenly spaced in a folder, or variants of pydicom-data's radiograph."""
    found = sorted(folder.glob("*.jpg")) if folder.is_dir() else []
    if found:
        return [(path.stem, path.read_bytes()) for path in found[:: max(1, len(found) // count)][:count]]
    whole = decode(real_radiograph().data).pixels
    scale = SHORT_SIDE / min(whole.shape)
    small = cv2.resize(whole, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) / 255
    variants = ((255 * small**gamma).astype(np.uint8) for gamma in np.geomspace(0.5, 2, count))
    return [(f"variant-{i}", _encoded(pixels, ".jpg")) for i, pixels in enumerate(variants)]


def real_radiograph() -> Sample:
    """RG1 of pydicom-data, unchanged: a CR object of 1955 × 1841 pixels, uncompressed."""
    path = get_testdata_file("RG1_UNCR.dcm", download=False)
    if path is None:
        raise RuntimeError("pydicom-data is not installed: run `make setup`")
    return Sample("RG1", "application/dicom", Path(path).read_bytes())


def _encoded(pixels: Grey, suffix: str) -> bytes:
    _, data = cv2.imencode(suffix, pixels)
    return data.tobytes()


def _part10(dataset: pydicom.Dataset) -> bytes:
    stream = io.BytesIO()
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    pydicom.dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()
