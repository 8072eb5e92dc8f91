"""Take DICOM files apart into elements and fragments, damage these, and put them together again."""

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import numpy as np
from PIL import Image
from pydicom import uid
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_fragments

from tests import files
from tests.fuzzing.mutation import EXTREMES, LENGTHS, scratched, shuffled

_VRS: Final = (b"UN", b"SQ", b"OB", b"OW", b"UT", b"UC", b"DS", b"IS", b"US", b"SS", b"CS", b"AT", b"OV", b"ZZ")
_LONG: Final = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
_PIXELS: Final = 0x7FE00010
_DATA_AT: Final = 132
_UNDEFINED: Final = 0xFFFFFFFF
_SYNTAXES: Final = [
    uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian, uid.RLELossless, uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit,
    uid.JPEGLossless, uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEGLSNearLossless, uid.JPEG2000Lossless,
    uid.JPEG2000, uid.HTJ2KLossless, uid.HTJ2K, uid.DeflatedExplicitVRLittleEndian, "1.2.3",
]  # fmt: skip
_TABLES: Final = [0x00283000, 0x00283010, 0x00281201, 0x00280106, 0x00081140, 0x00540220, 0x00080005]


@dataclass(frozen=True)
class Element:
    """An element of explicit VR, little endian. `length`: a false length, if it should have one."""

    tag: int
    vr: bytes
    value: bytes
    length: int | None = None

    def encoded(self) -> bytes:
        length = len(self.value) if self.length is None else self.length
        head = struct.pack("<HH2s", self.tag >> 16, self.tag & 0xFFFF, self.vr)
        if self.vr in _LONG:
            return head + struct.pack("<HI", 0, length) + self.value
        return head + struct.pack("<H", length & 0xFFFF) + self.value


Damage = Callable[[list[Element], random.Random], list[Element]]


@cache
def bases() -> list[bytes]:
    """A small radiograph in every encoding that the tests can write, and published files in the others."""
    small = files.small_radiograph_dicom()
    grey = np.ascontiguousarray(files.parse(small).pixel_array[::4, ::4])
    plain = files.synthetic_dicom(grey, WindowCenter="9000", WindowWidth="9000")
    made = [plain, *(files.compressed(plain, syntax) for syntax in _WRITTEN)]
    jpeg = files.encoded(Image.fromarray((grey >> 8).astype(np.uint8)), "JPEG")
    captures = ["SC_rgb_jpeg_gdcm.dcm", "SC_rgb_rle.dcm", "SC_rgb_jls_lossy_line.dcm", "SC_rgb_gdcm_KY.dcm"]
    return [
        *made,
        _around(uid.JPEGBaseline8Bit, jpeg, files.synthetic_dicom((grey >> 8).astype(np.uint8))),
        *(_capture(name) for name in [*captures, "MR_small_jpeg_ls_lossless.dcm", "SC_rgb_small_odd_jpeg.dcm"]),
        _capture("JPGLosslessP14SV1_1s_1f_8b.dcm"),
    ]


_WRITTEN: Final = [uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless]


def _around(syntax: uid.UID, codestream: bytes, data: bytes) -> bytes:
    dataset = files.parse(data)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([codestream])
    dataset["PixelData"].is_undefined_length = True
    return files.part10(dataset)


def _capture(name: str) -> bytes:
    told = {"SOPClassUID": uid.SecondaryCaptureImageStorage, "SOPInstanceUID": "1.2.3", "Modality": "OT"}
    return files.changed(files.sample(name), **told | {"BodyPartExamined": "CHEST", "PatientOrientation": None})


def dicom(rng: random.Random) -> bytes:
    """A damaged DICOM file."""
    data = rng.choice(bases())
    meta, elements = _elements(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        elements = rng.choice(_DAMAGES)(elements, rng)
        elements = elements or [Element(_PIXELS, b"OW", b"")]
    if rng.random() < 0.05:
        meta = _other_syntax(meta, rng)
    body = b"".join(element.encoded() for element in elements)
    whole = data[:_DATA_AT] + meta + body
    return scratched(whole, rng, reach=2000) if rng.random() < 0.1 else whole


def _elements(data: bytes) -> tuple[bytes, list[Element]]:
    """The unchanged file meta information, and the dataset's elements in the order of the file."""
    dataset = files.parse(data)
    start = _DATA_AT + 12 + dataset.file_meta.FileMetaInformationGroupLength
    return data[_DATA_AT:start], [_raw(dataset, tag) for tag in sorted(dataset.keys())]


def _raw(dataset: Dataset, tag: int) -> Element:
    element = dataset.get_item(tag)
    value = element.value if isinstance(element.value, bytes) else b""
    vr = (element.VR or "UN").encode()
    if tag == _PIXELS and dataset.file_meta.TransferSyntaxUID.is_compressed:
        return Element(tag, b"OB", value + b"\xfe\xff\xdd\xe0\0\0\0\0", _UNDEFINED)
    return Element(int(tag), vr, value)


def _one(
    damage: Callable[[Element, random.Random], Element],
) -> Callable[[list[Element], random.Random], list[Element]]:
    def damaged(elements: list[Element], rng: random.Random) -> list[Element]:
        at = rng.randrange(len(elements))
        return [*elements[:at], damage(elements[at], rng), *elements[at + 1 :]]

    return damaged


def _codestream(elements: list[Element], rng: random.Random) -> list[Element]:
    """Damage the pixels' fragments: header bytes, data, number, lengths."""
    (pixels, *_), others = [e for e in elements if e.tag == _PIXELS] or [Element(_PIXELS, b"OB", b"")], elements
    try:
        fragments = list(generate_fragments(pixels.value))
    except Exception:
        fragments = []
    if pixels.length is None or len(fragments) < 2:
        changed = scratched(pixels.value, rng)
    else:
        at = rng.randrange(1, len(fragments))
        match rng.randrange(4):
            case 0 | 1:
                fragments[at] = scratched(fragments[at], rng, reach=rng.choice((100, len(fragments[at]) or 1)))
            case 2:
                cut = rng.randrange(len(fragments[at]) + 1)
                fragments[at : at + 1] = [fragments[at][:cut], fragments[at][cut:]]
            case 3:
                fragments = shuffled(fragments, rng)
        changed = b"".join(
            b"\xfe\xff\0\xe0" + struct.pack("<I", len(one) if rng.random() < 0.97 else rng.choice(LENGTHS)) + one
            for one in fragments
        ) + rng.choice((b"\xfe\xff\xdd\xe0\0\0\0\0", b""))
    return [replace(e, value=changed) if e.tag == _PIXELS else e for e in others]


def _layout(elements: list[Element], rng: random.Random) -> list[Element]:
    """Change rows, columns, bits, samples or sign to a near or a distant value."""
    tags = (0x00280002, 0x00280006, 0x00280008, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102, 0x00280103)
    tag = rng.choice(tags)
    number = rng.choice((*EXTREMES, 3, 8, 12, 16, 32, 64, 6300, 65_535, rng.randrange(400)))
    return sorted([e for e in elements if e.tag != tag] + [Element(tag, b"US", struct.pack("<H", number))], key=_tag)


def _insert(elements: list[Element], rng: random.Random) -> list[Element]:
    """Insert any element of the dictionary, a table, or a deeply nested element, with a value of any length."""
    value = rng.choice((b"", b"\\", b"1\\", b"12", b"-1e400\\", rng.randbytes(7))) * rng.choice((1, 2, 3000, 100_000))
    inner = Element(rng.choice(_TABLES), rng.choice(_VRS), value)
    for _ in range(rng.choice((0, 0, 1, 2, 40))):
        item = b"\xfe\xff\0\xe0\xff\xff\xff\xff" + inner.encoded() + b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
        inner = Element(rng.choice((*_TABLES, rng.choice(_KNOWN))), b"SQ", item, _UNDEFINED)
    return sorted([*elements, inner], key=_tag)


def _tag(element: Element) -> int:
    return element.tag


_KNOWN: Final = [tag for tag in DicomDictionary if 0x00080000 <= tag < _PIXELS]
_DAMAGES: Final[list[Damage]] = [
    shuffled,
    _one(lambda e, rng: replace(e, value=scratched(e.value, rng))),
    _one(lambda e, rng: replace(e, vr=rng.choice(_VRS))),
    _one(lambda e, rng: replace(e, length=rng.choice(LENGTHS))),
    _one(lambda e, rng: replace(e, tag=rng.choice(_KNOWN))),
    _codestream,
    _codestream,
    _codestream,
    _layout,
    _layout,
    _insert,
]


def _other_syntax(meta: bytes, rng: random.Random) -> bytes:
    at = meta.find(b"\x02\0\x10\0UI")
    if at < 0:
        return meta
    (length,) = struct.unpack_from("<H", meta, at + 6)
    name = rng.choice(_SYNTAXES).encode()
    name += b"\0" * (len(name) % 2)
    return meta[: at + 6] + struct.pack("<H", len(name)) + name + meta[at + 8 + length :]
