"""Files with grey values known by formulas. Each has one of the peculiarities of real files.

Every case has the file and the expected picture. No function of the project computes the expected picture.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom import uid
from pydicom.sequence import Sequence

from tests import files
from tests.cxr.decode.scenes import (
    COLUMNS,
    ROWS,
    Picture,
    dicom,
    in_fragments,
    jpeg_in_16_bits,
    linear,
    linear_exact,
    recompressed,
    scene,
    sigmoid,
    stretched,
    table,
    windowed_by_text,
)


@dataclass(frozen=True)
class Case:
    """build: makes the file. expected: [ROWS, COLUMNS], 0 to 255. warns: whether a warning is expected."""

    build: Callable[[], bytes]
    expected: Picture
    warns: bool = False
    tolerance: float = 1.0


WINDOW: dict[str, Any] = {"WindowCenter": "2048", "WindowWidth": "3600"}
SEEN = linear(scene(), 2048, 3600)
FRAMED = np.pad(np.ones((ROWS - 20, COLUMNS - 20), bool), 10)
OVERLAY = ((np.mgrid[0:ROWS, 0:COLUMNS].sum(0) % 7 == 0) << 12) + ((np.mgrid[0:ROWS, 0:COLUMNS][0] % 5 == 0) << 15)

GAMMA = (np.arange(4096) / 4095) ** 0.7
RISING = np.rint(GAMMA * 4095)
FALLING = RISING[::-1]
BY_TABLE = GAMMA[scene()] * 255

TABLES = {
    "12 bits said to be 16": Case(lambda: dicom(scene(), VOILUTSequence=table(0, 16, RISING)), BY_TABLE),
    "12 bits said to be 8": Case(lambda: dicom(scene(), VOILUTSequence=table(0, 8, RISING)), BY_TABLE),
    "12 bits said to be 12": Case(lambda: dicom(scene(), VOILUTSequence=table(0, 12, RISING)), BY_TABLE),
    "10 bits said to be 16": Case(
        lambda: dicom(scene(), VOILUTSequence=table(0, 16, np.rint(GAMMA * 1023))), BY_TABLE
    ),
    "16 bits": Case(lambda: dicom(scene(), VOILUTSequence=table(0, 16, np.rint(GAMMA * 65535))), BY_TABLE),
    "SS descriptor": Case(lambda: dicom(scene(), VOILUTSequence=table(0, 16, RISING, "SS")), BY_TABLE),
    "MONOCHROME1": Case(
        lambda: dicom(scene(), VOILUTSequence=table(0, 16, RISING), PhotometricInterpretation="MONOCHROME1"),
        255 - BY_TABLE,
    ),
    "falling": Case(lambda: dicom(scene(), VOILUTSequence=table(0, 12, FALLING)), FALLING[scene()] / 4095 * 255),
    "falling said to be 16": Case(
        lambda: dicom(scene(), VOILUTSequence=table(0, 16, FALLING)), FALLING[scene()] / 4095 * 255
    ),
    "first value negative, implicit VR": Case(
        lambda: dicom(
            scene(),
            syntax=uid.ImplicitVRLittleEndian,
            VOILUTSequence=table(-2048 & 0xFFFF, 12, RISING),
            RescaleSlope="1",
            RescaleIntercept="-2048",
        ),
        BY_TABLE,
    ),
    "first value negative, written SS": Case(
        lambda: dicom(
            scene(), VOILUTSequence=table(-2048, 12, RISING, "SS"), RescaleSlope="1", RescaleIntercept="-2048"
        ),
        BY_TABLE,
    ),
    "first value negative, signed pixels": Case(
        lambda: dicom(scene() - 2048, VOILUTSequence=table(-2048 & 0xFFFF, 12, RISING)), BY_TABLE
    ),
    "first value 2048 above signed pixels that are rescaled to positive ones": Case(
        lambda: dicom(
            scene() - 2048, 16, VOILUTSequence=table(40_000, 12, RISING), RescaleSlope="1", RescaleIntercept="42048"
        ),
        BY_TABLE,
    ),
    "first value 40000, written SS": Case(
        lambda: dicom(scene() + 40_000, 16, VOILUTSequence=table(40_000 - 65_536, 12, RISING, "SS")), BY_TABLE
    ),
    "first value 40000 after a modality table": Case(
        lambda: dicom(
            scene(),
            ModalityLUTSequence=table(0, 16, np.arange(4096) + 40_000),
            VOILUTSequence=table(40_000, 12, RISING),
            PixelRepresentation=1,
            BitsStored=16,
            HighBit=15,
        ),
        BY_TABLE,
    ),
    "fewer entries than said": Case(
        lambda: dicom(scene(), VOILUTSequence=_described(table(0, 12, RISING), [5000, 0, 12])), BY_TABLE
    ),
    "two entries to a word": Case(
        lambda: dicom(scene(), VOILUTSequence=_packed()), np.rint(GAMMA * 255)[scene()]
    ),
    "unreadable, a window beside it": Case(
        lambda: dicom(scene(), VOILUTSequence=_described(table(0, 12, RISING), [4096]), **WINDOW), SEEN, warns=True
    ),
    "misses the image": Case(
        lambda: dicom(scene(), VOILUTSequence=table(20_000, 12, RISING)), stretched(scene()), warns=True
    ),
}  # fmt: skip


def _described(tables: Sequence, descriptor: list[int]) -> Sequence:
    tables[0].LUTDescriptor = descriptor
    return tables


def _packed() -> Sequence:
    tables = table(0, 8, RISING)
    tables[0].LUTData = np.rint(GAMMA * 255).astype(np.uint8).tobytes()
    return tables


WINDOWS = {
    "auto": Case(windowed_by_text(b"AUTO", b"AUTO"), stretched(scene()), warns=True),
    "not a number": Case(windowed_by_text(b"NaN", b"NaN"), stretched(scene()), warns=True),
    "infinite": Case(windowed_by_text(b"2048", b"INF"), stretched(scene()), warns=True),
    "decimal comma": Case(windowed_by_text(b"2048,0", b"3600,0"), SEEN),
    "second value empty": Case(windowed_by_text(b"2048\\", b"3600\\"), SEEN),
    "first value empty": Case(windowed_by_text(b"\\2048", b"\\3600"), SEEN),
    "first value unreadable": Case(windowed_by_text(b"X\\2048", b"1\\3600"), SEEN),
    "one centre, two widths": Case(windowed_by_text(b"2048", b"3600\\90"), SEEN),
    "no width": Case(windowed_by_text(b"2048", b""), stretched(scene()), warns=True),
    "both empty": Case(windowed_by_text(b"", b""), stretched(scene())),
    "written FD": Case(lambda: dicom(scene(), WindowCenter=("FD", 2048.0), WindowWidth=("FD", 3600.0)), SEEN),
    "width 0": Case(windowed_by_text(b"2048", b"0"), stretched(scene()), warns=True),
    "width -3600": Case(windowed_by_text(b"2048", b"-3600"), stretched(scene()), warns=True),
    "LINEAR of width 0.9": Case(
        lambda: dicom(scene(), WindowCenter="0.5", WindowWidth="0.9", RescaleSlope="0.0002442", RescaleIntercept="0"),
        stretched(scene()),
        warns=True,
    ),
    "LINEAR_EXACT of width 0.9": Case(
        lambda: dicom(
            scene(), WindowCenter="0.5", WindowWidth="0.9", RescaleSlope="0.0002442", RescaleIntercept="0",
            VOILUTFunction="LINEAR_EXACT",
        ),
        linear_exact(scene() * 0.0002442, 0.5, 0.9),
    ),
    "SIGMOID of width 0.5": Case(
        lambda: dicom(
            scene(), WindowCenter="0.5", WindowWidth="0.5", RescaleSlope="0.0002442", RescaleIntercept="0",
            VOILUTFunction="SIGMOID",
        ),
        sigmoid(scene() * 0.0002442, 0.5, 0.5),
    ),
    "SIGMOID": Case(lambda: dicom(scene(), **WINDOW, VOILUTFunction="SIGMOID"), sigmoid(scene(), 2048, 3600)),
    "above the data": Case(
        lambda: dicom(scene(), WindowCenter="30000", WindowWidth="2000"), stretched(scene()), warns=True
    ),
    "below the data": Case(
        lambda: dicom(scene(16), 16, WindowCenter="500", WindowWidth="400"), stretched(scene(16)), warns=True
    ),
    "of 12 bits for 8": Case(
        lambda: dicom(scene(8), 8, **WINDOW), stretched(scene(8)), warns=True
    ),
    "the second of two shows the data": Case(
        lambda: dicom(scene(), WindowCenter=["30000", "2048"], WindowWidth=["2000", "3600"]), SEEN, warns=True
    ),
}  # fmt: skip

RESCALES = {
    "intercept without slope": Case(
        lambda: dicom(scene(), RescaleIntercept="-1000", WindowCenter="1048", WindowWidth="3600"), SEEN, warns=True
    ),
    "slope without intercept": Case(
        lambda: dicom(scene(), RescaleSlope="2", WindowCenter="4096", WindowWidth="7200"),
        linear(2 * scene(), 4096, 7200),
        warns=True,
    ),
    "both empty": Case(lambda: dicom(scene(), RescaleSlope="", RescaleIntercept="", **WINDOW), SEEN),
    "slope 0": Case(lambda: dicom(scene(), RescaleSlope="0", RescaleIntercept="0", **WINDOW), SEEN, warns=True),
    "slope unreadable": Case(
        lambda: dicom(scene(), RescaleSlope="4711", RescaleIntercept="0", **WINDOW).replace(b"4711", b"ONE "),
        SEEN,
        warns=True,
    ),
    "slope -10 of 8 bits": Case(
        lambda: dicom(
            scene(8), 8, RescaleSlope="-10", RescaleIntercept="3000", WindowCenter="1720", WindowWidth="2500"
        ),
        linear(3000 - 10 * scene(8), 1720, 2500),
    ),
    "negative slope without a window": Case(
        lambda: dicom(scene(), RescaleSlope="-1", RescaleIntercept="4095"), stretched(4095 - scene())
    ),
}  # fmt: skip

BITS = {
    "high bit 15 of 12 stored": Case(lambda: dicom(scene() << 4, HighBit=15, **WINDOW), SEEN),
    "high bit 13 of 12 stored": Case(lambda: dicom(scene() << 2, HighBit=13, **WINDOW), SEEN),
    "high bit 15, an overlay below": Case(lambda: dicom((scene() << 4) + (OVERLAY >> 12), HighBit=15, **WINDOW), SEEN),
    "high bit 15, signed": Case(
        lambda: dicom((scene() - 2048) << 4, HighBit=15, WindowCenter="0", WindowWidth="3600"), SEEN
    ),
    "high bit 15, no window": Case(lambda: dicom(scene() << 4, HighBit=15), stretched(scene())),
    "high bit below stored": Case(lambda: dicom(scene(), HighBit=7, **WINDOW), SEEN),
    "overlay above the value": Case(lambda: dicom(scene() + OVERLAY, **WINDOW), SEEN),
    "overlay above the value, no window": Case(lambda: dicom(scene() + OVERLAY), stretched(scene())),
    "overlay, RLE": Case(lambda: recompressed(dicom(scene() + OVERLAY, **WINDOW), uid.RLELossless), SEEN),
    "overlay, JPEG-LS": Case(lambda: recompressed(dicom(scene() + OVERLAY, **WINDOW), uid.JPEGLSLossless), SEEN),
    "overlay, JPEG 2000": Case(lambda: recompressed(dicom(scene() + OVERLAY, **WINDOW), uid.JPEG2000Lossless), SEEN),
    "high bit 15, RLE": Case(lambda: recompressed(dicom(scene() << 4, HighBit=15, **WINDOW), uid.RLELossless), SEEN),
    "high bit 15, JPEG 2000": Case(
        lambda: recompressed(dicom(scene() << 4, HighBit=15, **WINDOW), uid.JPEG2000Lossless), SEEN
    ),
    "high bit 15 said of a codestream of 12 bits": Case(
        lambda: files.changed(files.compressed(dicom(scene(), **WINDOW), uid.JPEG2000Lossless), HighBit=15), SEEN
    ),
    "signed, not sign-extended": Case(
        lambda: dicom((scene() - 2048) & 0xFFF, PixelRepresentation=1, WindowCenter="0", WindowWidth="3600"), SEEN
    ),
    "signed, not sign-extended, no window": Case(
        lambda: dicom((scene() - 2048) & 0xFFF, PixelRepresentation=1), stretched(scene())
    ),
    **{
        f"signed, not sign-extended, {syntax.keyword}": Case(
            lambda syntax=syntax: recompressed(  # type: ignore[misc]
                dicom((scene() - 2048) & 0xFFF, WindowCenter="0", WindowWidth="3600"), syntax, PixelRepresentation=1
            ),
            SEEN,
        )
        for syntax in (uid.RLELossless, uid.JPEGLSLossless)
    },
    "JPEG of 8 bits in 16": Case(
        lambda: jpeg_in_16_bits(WindowCenter="128", WindowWidth="256"), linear(scene(8), 128, 256), tolerance=6
    ),
    "JPEG of 8 bits in 16, said to store 12": Case(
        lambda: jpeg_in_16_bits(BitsStored=12, HighBit=11), stretched(scene(8)), tolerance=8
    ),
    "JPEG 2000 of 8 bits in 16": Case(
        lambda: files.compressed(dicom(scene(8), 8, WindowCenter="128", WindowWidth="256"), uid.JPEG2000Lossless),
        linear(scene(8), 128, 256),
    ),
    "JPEG-LS of 8 bits in 16": Case(
        lambda: files.compressed(dicom(scene(8), 8, WindowCenter="128", WindowWidth="256"), uid.JPEGLSLossless),
        linear(scene(8), 128, 256),
    ),
    "four fragments": Case(
        lambda: in_fragments(files.compressed(dicom(scene(), **WINDOW), uid.JPEG2000Lossless), 4, offsets=False), SEEN
    ),
    "four fragments, each said to be a frame": Case(
        lambda: in_fragments(files.compressed(dicom(scene(), **WINDOW), uid.JPEG2000Lossless), 4, offsets=True), SEEN
    ),
    "JPEG in three fragments": Case(
        lambda: in_fragments(jpeg_in_16_bits(WindowCenter="128", WindowWidth="256"), 3, offsets=True),
        linear(scene(8), 128, 256),
        tolerance=6,
    ),
}  # fmt: skip

SHAPES = {
    "MONOCHROME1": Case(lambda: dicom(scene(), PhotometricInterpretation="MONOCHROME1", **WINDOW), 255 - SEEN),
    "MONOCHROME1 said INVERSE": Case(
        lambda: dicom(scene(), PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE", **WINDOW),
        255 - SEEN,
    ),
    "MONOCHROME1 said IDENTITY": Case(
        lambda: dicom(scene(), PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="IDENTITY", **WINDOW),
        255 - SEEN,
        warns=True,
    ),
    "MONOCHROME2 said INVERSE": Case(
        lambda: dicom(scene(), PresentationLUTShape="INVERSE", **WINDOW), SEEN, warns=True
    ),
    "MONOCHROME2 said IDENTITY": Case(lambda: dicom(scene(), PresentationLUTShape="IDENTITY", **WINDOW), SEEN),
}  # fmt: skip


def framed(filling: int, photometric: str, window: bool = True, offset: int = 0, **elements: Any) -> Case:
    """A border of padding around the scene, which must become black."""
    whole = np.where(FRAMED, scene() + offset, filling)
    seen = linear(scene(), 2048, 3600) if window else np.clip(_stretched_inside(), 0, 255)
    seen = 255 - seen if photometric == "MONOCHROME1" else seen
    told: dict[str, Any] = {"WindowCenter": str(2048 + offset), "WindowWidth": "3600"} if window else {}
    return Case(
        lambda: dicom(whole, PhotometricInterpretation=photometric, **told | elements), np.where(FRAMED, seen, 0)
    )


def _stretched_inside() -> Picture:
    low, high = np.percentile(scene()[FRAMED], [0.5, 99.5])
    return np.asarray((scene() - low) / (high - low) * 255)


PADDING = {
    **{
        f"{filling} in {photometric}{'' if window else ' without a window'}": framed(
            filling, photometric, window, PixelPaddingValue=filling
        )
        for filling in (0, 4095)
        for photometric in ("MONOCHROME1", "MONOCHROME2")
        for window in (True, False)
    },
    "a range": framed(4003, "MONOCHROME2", PixelPaddingValue=4000, PixelPaddingRangeLimit=4095),
    "a range, ends exchanged": framed(4003, "MONOCHROME2", PixelPaddingValue=4095, PixelPaddingRangeLimit=4000),
    "a range, in MONOCHROME1": framed(30, "MONOCHROME1", PixelPaddingValue=0, PixelPaddingRangeLimit=60),
    "signed, written US": framed(
        -2048, "MONOCHROME2", offset=-2048, PixelPaddingValue=0xF800, PixelRepresentation=1
    ),
    "a word that is no value of 12 bits": framed(0xF000, "MONOCHROME2", PixelPaddingValue=0xF000),
    "all of the image": Case(
        lambda: dicom(scene(), PixelPaddingValue=0, PixelPaddingRangeLimit=4095, **WINDOW), SEEN
    ),
}  # fmt: skip

# A range that covers part of the scene removes that part too.
for _name, _covered in {
    "a range": (4000, 4095), "a range, ends exchanged": (4000, 4095), "a range, in MONOCHROME1": (0, 60),
}.items():  # fmt: skip
    PADDING[_name].expected[(scene() >= _covered[0]) & (scene() <= _covered[1])] = 0

CASES = {
    "table": TABLES, "window": WINDOWS, "rescale": RESCALES, "bits": BITS, "shape": SHAPES, "padding": PADDING,
}  # fmt: skip
