"""Unusual, wrong and hostile DICOM files for the tests of decoding."""

from collections.abc import Callable
from typing import Any

from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.sequence import Sequence

from tests import files


def as_secondary_capture(name: str, **elements: Any) -> bytes:
    """One of pydicom's files with chest as body part; its pixels are unchanged."""
    told = {"SOPClassUID": uid.SecondaryCaptureImageStorage, "SOPInstanceUID": "1.2.3", "Modality": "OT"}
    return files.changed(files.sample(name), **told | {"BodyPartExamined": "CHEST"} | elements)


def lut_item(first: int, bits: int, entries: list[int]) -> Sequence:
    item = Dataset()
    item.LUTDescriptor = [len(entries), first, bits]
    item["LUTDescriptor"].VR = "US"
    item.LUTData = entries
    item["LUTData"].VR = "US"
    return Sequence([item])


def small(**elements: Any) -> Callable[[], bytes]:
    return lambda: files.changed(files.small_radiograph_dicom(), **elements)


def with_transfer_syntax(syntax: str) -> bytes:
    """An uncompressed file that claims another transfer syntax, of the same length."""
    data = files.small_radiograph_dicom()
    claimed = syntax.encode().ljust(20, b"\0")
    return data.replace(uid.ExplicitVRLittleEndian.encode() + b"\0", claimed, 1)


def with_codestream(syntax: uid.UID, edit: Callable[[bytearray], None]) -> bytes:
    dataset = files.parse(files.compressed(files.small_radiograph_dicom(), syntax))
    codestream = bytearray(get_frame(dataset.PixelData, 0, number_of_frames=1))
    edit(codestream)
    dataset.PixelData = encapsulate([bytes(codestream)])
    return files.part10(dataset)


def truncated(syntax: uid.UID) -> bytes:
    """A compressed file that ends within its codestream."""
    data = files.compressed(files.small_radiograph_dicom(), syntax)
    return data[: -len(data) // 3]


def truncated_sequence() -> bytes:
    """A file that ends within a sequence of undefined length."""
    data = files.changed(files.small_radiograph_dicom(), VOILUTSequence=lut_item(0, 8, [1, 2, 3]))
    start = data.index(b"\x28\0\x10\x30SQ")
    return data[: start + 8] + b"\xff\xff\xff\xff" + data[start + 12 : start + 30]


def larger_jpeg_ls(codestream: bytearray) -> None:
    frame = codestream.index(b"\xff\xf7")
    codestream[frame + 5 : frame + 9] = b"\xff\xff\x01\x00"


def larger_j2k(codestream: bytearray) -> None:
    codestream[8:16] = b"\0\0\x20\0\0\0\x10\0"


def view_code(code: str) -> Sequence:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, "SCT", "a view"
    return Sequence([item])


def flood_of_elements(nested: bool) -> bytes:
    """A radiograph with 1.3 million empty private elements, optionally inside a sequence's item."""
    data = files.small_radiograph_dicom()
    private = b"".join(b"\x09\x00" + number.to_bytes(2, "little") + b"UT\0\0\0\0\0\0" for number in range(1 << 16))
    flood = private * 20
    if nested:
        flood = b"\x09\0\x01\0SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\0\xe0\xff\xff\xff\xff" + flood
    at = data.index(b"\x10\0\x10\0PN")  # the patient's name
    return data[:at] + flood + data[at:]


def window_of_millions_of_numbers() -> bytes:
    """A radiograph with four million window centres."""
    dataset = files.parse(files.small_radiograph_dicom())
    dataset.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian  # 32-bit lengths
    dataset.WindowCenter = "4711"
    tag, centers = b"\x28\0\x50\x10", b"1\\" * 4_000_000
    data = files.part10(dataset)
    assert data.count(tag + b"\x04\0\0\x004711") == 1
    return data.replace(tag + b"\x04\0\0\x004711", tag + len(centers).to_bytes(4, "little") + centers)
