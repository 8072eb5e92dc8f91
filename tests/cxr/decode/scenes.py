"""Small radiographs made by formulas, and their grey values by PS3.3 C.11, computed with only numpy."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.sequence import Sequence

from tests import files

ROWS, COLUMNS = 96, 80
Picture = NDArray[Any]


def scene(bits: int = 12) -> Picture:
    """Ripples between 3 and 97 % of the range of an integer with this many bits, as integers."""
    y, x = np.mgrid[0:ROWS, 0:COLUMNS]
    ripples = 0.5 + 0.3 * np.sin(x / 9) * np.cos(y / 13) + 0.17 * np.sin((x + 2 * y) / 17)
    return np.asarray(np.rint(ripples * (2**bits - 1)), np.int64)


def linear(values: Picture, center: float, width: float) -> Picture:
    """PS3.3 C.11.2.1.2.1."""
    return np.clip((values - (center - 0.5)) / (width - 1) + 0.5, 0, 1) * 255


def linear_exact(values: Picture, center: float, width: float) -> Picture:
    """PS3.3 C.11.2.1.3.2."""
    return np.clip((values - center) / width + 0.5, 0, 1) * 255


def sigmoid(values: Picture, center: float, width: float) -> Picture:
    """PS3.3 C.11.2.1.3.1."""
    return np.asarray(255 / (1 + np.exp(-4 * (values - center) / width)))


def stretched(values: Picture) -> Picture:
    """Stretched by the percentiles that the project uses without a window."""
    low, high = np.percentile(values, [0.5, 99.5])
    return np.asarray(np.clip((values - low) / (high - low), 0, 1) * 255)


def dicom(
    stored: Picture, stored_bits: int = 12, syntax: uid.UID = uid.ExplicitVRLittleEndian, **elements: Any
) -> bytes:
    """A small radiograph. Elements are given by keyword, as a (VR, value) pair to use another VR than pydicom's."""
    kind = np.int16 if stored.min() < 0 else np.uint16
    dataset = files.parse(files.synthetic_dicom(stored.astype(kind)))
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.BitsStored, dataset.HighBit = stored_bits, stored_bits - 1
    for keyword, value in elements.items():
        vr, plain = value if isinstance(value, tuple) else ("", value)
        setattr(dataset, keyword, plain)
        if vr or dataset[keyword].VR == "US or SS":
            dataset[keyword].VR = vr or "US"
    return files.part10(dataset)


def windowed_by_text(center: bytes, width: bytes) -> Callable[[], bytes]:
    """A file with this text as its window. pydicom itself would not write it."""

    def build() -> bytes:
        data = dicom(scene(), WindowCenter="12345678", WindowWidth="87654321")
        assert data.count(b"12345678") == data.count(b"87654321") == 1
        return data.replace(b"12345678", center.ljust(8)).replace(b"87654321", width.ljust(8))

    return build


def table(first: int, bits: int, entries: Picture, vr: str = "US") -> Sequence:
    item = Dataset()
    item.add_new("LUTDescriptor", vr, [len(entries), first, bits])
    item.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
    return Sequence([item])


def recompressed(data: bytes, syntax: uid.UID, **elements: Any) -> bytes:
    """The file compressed with whole words, including unused bits, and then with changed elements."""
    dataset = files.parse(data)
    stored, high = dataset.BitsStored, dataset.HighBit
    dataset.BitsStored, dataset.HighBit = 16, 15
    dataset.compress(syntax, generate_instance_uid=False)
    dataset.BitsStored, dataset.HighBit = stored, high
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return files.part10(dataset)


def in_fragments(data: bytes, parts: int, offsets: bool) -> bytes:
    """The frame in this many fragments. `offsets`: the offset table lists each fragment as if it were a frame."""
    dataset = files.parse(data)
    codestream = get_frame(dataset.PixelData, 0, number_of_frames=1)
    size = -(-len(codestream) // parts // 2) * 2
    fragments = [codestream[at : at + size] for at in range(0, len(codestream), size)]
    if offsets:
        dataset.PixelData = encapsulate(fragments, has_bot=True)
    else:
        dataset.PixelData = encapsulate([codestream], fragments_per_frame=parts, has_bot=False)
    return files.part10(dataset)


def jpeg_in_16_bits(syntax: uid.UID = uid.JPEGBaseline8Bit, **elements: Any) -> bytes:
    """A baseline JPEG whose elements allocate 16 bits for its 8."""
    stream = BytesIO()
    Image.fromarray(scene(8).astype(np.uint8)).save(stream, "JPEG", quality=98)
    dataset = files.parse(dicom(scene(8), 8))
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([stream.getvalue()])
    dataset["PixelData"].VR = "OB"
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return files.part10(dataset)
