"""Builders of real, unusual and hostile files. Each returns the bytes of one file and does not use the disk."""

import struct
import zlib
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom import uid
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset

from cxr.decode import decode


@cache
def sample(name: str) -> bytes:
    """The bytes of a file of pydicom or pydicom-data."""
    return Path(sample_path(name)).read_bytes()


def sample_path(name: str) -> str:
    """Its path."""
    path = get_testdata_file(name, download=False)
    assert path is not None, f"{name} is in neither pydicom nor pydicom-data"
    return str(path)


def parse(data: bytes) -> FileDataset:
    return pydicom.dcmread(BytesIO(data))


def part10(dataset: Dataset) -> bytes:
    """The dataset as a DICOM Part 10 file, with matching meta information."""
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    stream = BytesIO()
    pydicom.dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()


def changed(data: bytes, **elements: Any) -> bytes:
    """A DICOM file with some elements, named by keyword, replaced, or removed if the value is None."""
    dataset = parse(data)
    for keyword, value in elements.items():
        if value is not None:
            setattr(dataset, keyword, value)
        elif keyword in dataset:
            delattr(dataset, keyword)
    return part10(dataset)


# --- Valid radiographs


def radiograph_dicom(**elements: Any) -> bytes:
    """A real chest radiograph (CR, PA, 1955 rows of 1841, 15-bit MONOCHROME1), with elements changed."""
    return changed(sample("RG1_UNCR.dcm"), **elements) if elements else sample("RG1_UNCR.dcm")


@cache
def quarter_dicom() -> bytes:
    """The same object with every fourth row and column alone, for tests of what stands beside its pixels."""
    dataset = parse(radiograph_dicom())
    stored = np.ascontiguousarray(dataset.pixel_array[::4, ::4])
    dataset.Rows, dataset.Columns = stored.shape
    dataset.PixelData = stored.tobytes()
    return part10(dataset)


@cache
def radiograph_png() -> bytes:
    """The same radiograph as an 8-bit grey PNG, as a PACS would render it."""
    return png(_radiograph())


@cache
def radiograph_jpeg(quality: int = 90) -> bytes:
    """The same radiograph as an 8-bit grey JPEG."""
    return encoded(Image.fromarray(_radiograph()), "JPEG", quality=quality)


@cache
def _radiograph() -> NDArray[np.uint8]:
    return decode(radiograph_dicom()).pixels


def png(pixels: NDArray[Any], **options: Any) -> bytes:
    """[H, W], [H, W, 3] or [H, W, 4] of uint8, or [H, W] of uint16."""
    return encoded(Image.fromarray(pixels), "PNG", **{"compress_level": 1} | options)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@cache
def quarter_png() -> bytes:
    """The same radiograph a quarter as high and as wide, for tests of what becomes of it rather than of its size."""
    return png(np.asarray(Image.fromarray(_radiograph()).reduce(4)))


@cache
def large_radiograph_dicom() -> bytes:
    """A made-up chest of 4,280 rows of 3,520, 16 bits (30 MB), without noise: as large as detectors are."""
    return synthetic_dicom(_made_up(1))


@cache
def small_radiograph_dicom() -> bytes:
    """Every 16th row and column of it, 268 rows of 220, for tests that need many decodings."""
    return synthetic_dicom(_made_up(16))


def _made_up(step: int) -> NDArray[np.uint16]:
    rows, columns = 4280, 3520
    y = np.linspace(-1, 1, rows, dtype=np.float32)[::step, None]
    x = np.linspace(-1, 1, columns, dtype=np.float32)[::step]
    body = 52_000 * np.exp(-((x / 0.9) ** 4)) * np.exp(-((y / 1.4) ** 4))
    lungs = np.exp(-(((abs(x) - 0.42) / 0.28) ** 2)) * np.exp(-(((y + 0.1) / 0.6) ** 2))
    ribs = 1 + 0.08 * np.sin(28 * (y + 0.4 * x**2))
    return np.asarray((body * (1 - 0.75 * lungs) * ribs).clip(0, 65_535).astype(np.uint16))


def synthetic_dicom(stored: NDArray[Any], **elements: Any) -> bytes:
    """[H, W] or [H, W, 3] of 8- or 16-bit integers as an uncompressed CR object without a window."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    dataset.SOPClassUID = uid.ComputedRadiographyImageStorage
    dataset.SOPInstanceUID = "1.2.826.0.1.3680043.8.498.1"
    dataset.SeriesInstanceUID = "1.2.826.0.1.3680043.8.498.2"
    dataset.StudyInstanceUID = "1.2.826.0.1.3680043.8.498.3"
    dataset.Modality, dataset.BodyPartExamined, dataset.ViewPosition = "CR", "CHEST", "PA"
    dataset.PatientName, dataset.PatientID = "Made^Up", "0"
    dataset.Rows, dataset.Columns = stored.shape[:2]
    dataset.SamplesPerPixel = 1 if stored.ndim == 2 else 3
    dataset.PhotometricInterpretation = "MONOCHROME2" if stored.ndim == 2 else "RGB"
    if stored.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = dataset.BitsStored = 8 * stored.dtype.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    dataset.PixelData = stored.tobytes() + b"\0" * (stored.nbytes % 2)
    dataset["PixelData"].VR = "OW" if stored.dtype.itemsize == 2 else "OB"
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return part10(dataset)


def compressed(data: bytes, syntax: uid.UID) -> bytes:
    """A DICOM file in another transfer syntax: RLE, JPEG-LS or JPEG 2000."""
    dataset = parse(data)
    dataset.compress(syntax, generate_instance_uid=False)
    return part10(dataset)


# --- Files to be refused


def empty() -> bytes:
    return b""


def text_file() -> bytes:
    return b"This is not a radiograph.\n" * 20


def pdf_file() -> bytes:
    return b"%PDF-1.7 is not a radiograph\n" * 20


def truncated_png() -> bytes:
    return radiograph_png()[: len(radiograph_png()) // 2]


def truncated_jpeg() -> bytes:
    return radiograph_jpeg()[: len(radiograph_jpeg()) // 2]


def truncated_dicom() -> bytes:
    return radiograph_dicom()[: len(radiograph_dicom()) // 2]


def png_of_400_megapixels() -> bytes:
    """20,000 x 20,000 according to its header, with almost no data."""
    return png_file(20_000, 20_000, zlib.compress(b"\0" * 1000))


@cache
def png_of_169_megapixels() -> bytes:
    """13,000 x 13,000, real and complete: 169 MB of black in 164 KB."""
    deflate, row = zlib.compressobj(9), bytes(1 + 13_000)
    data = b"".join(deflate.compress(row) for _ in range(13_000)) + deflate.flush()
    return png_file(13_000, 13_000, data)


_ADAM7 = ((0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1))


def deep_png(samples: NDArray[np.uint16], interlaced: bool = False) -> bytes:
    """[H, W, 1 to 4] of 16 bits as a PNG of grey, grey with alpha, colour, or colour with alpha."""
    height, width, channels = samples.shape
    passes = _ADAM7 if interlaced else ((0, 1, 0, 1),)
    parts = [samples[top::down, left::right] for top, down, left, right in passes]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for part in parts if part.size for row in part)
    return png_file(width, height, zlib.compress(rows, 1), 16, {1: 0, 2: 4, 3: 2, 4: 6}[channels], interlaced)


def png_file(width: int, height: int, data: bytes, bits: int = 8, colour: int = 0, interlaced: bool = False) -> bytes:
    """A PNG around zlib data; by default 8-bit grey."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    )


def lateral_dicom() -> bytes:
    return radiograph_dicom(ViewPosition="LL")


def lower_leg_dicom() -> bytes:
    return sample("RG3_UNCR.dcm")


def ct_dicom() -> bytes:
    return sample("CT_small.dcm")


def mr_dicom() -> bytes:
    return sample("MR_small.dcm")


def ultrasound_dicom() -> bytes:
    return sample("examples_rgb_color.dcm")


def multiframe_dicom() -> bytes:
    """Two frames of a chest radiograph."""
    dataset = parse(small_radiograph_dicom())
    dataset.NumberOfFrames = 2
    dataset.PixelData *= 2
    return part10(dataset)


def for_processing_dicom() -> bytes:
    return radiograph_dicom(
        SOPClassUID=uid.DigitalXRayImageStorageForProcessing,
        Modality="DX",
        PresentationIntentType="FOR PROCESSING",
    )


def dicom_without_pixels() -> bytes:
    return radiograph_dicom(PixelData=None)


def jpeg_12_bit_dicom() -> bytes:
    """A secondary capture in JPEG Extended of 12 bits, which no decoder with a permissive licence reads."""
    return changed(sample("JPEG-lossy.dcm"), Modality="OT", BodyPartExamined="CHEST")


@cache
def deflated_bomb_dicom(inflated_megabytes: int = 512) -> bytes:
    """A deflated DICOM file of half a megabyte that inflates to half a gigabyte."""
    dataset = parse(sample("image_dfl.dcm"))
    del dataset.PixelData
    dataset.Rows = dataset.Columns = 1
    preface = part10(dataset)
    # The file's header stays. Its dataset is deflated again, with a huge element of zeros at its end.
    meta_length = 132 + 12 + dataset.file_meta.FileMetaInformationGroupLength
    header = zlib.decompress(preface[meta_length:], -zlib.MAX_WBITS)
    pixels = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, inflated_megabytes << 20)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    start = deflate.compress(header + pixels) + deflate.flush(zlib.Z_FULL_FLUSH)
    # After a full flush nothing refers back, so one deflated megabyte can be repeated many times.
    megabyte = deflate.compress(bytes(1 << 20)) + deflate.flush(zlib.Z_FULL_FLUSH)
    return preface[:meta_length] + start + megabyte * inflated_megabytes + deflate.flush()
