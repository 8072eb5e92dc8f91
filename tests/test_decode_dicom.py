"""DICOM: the pixel pipeline in its order, refusals by their names, no word of a patient in any output."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gdcm
import numpy as np
import pydicom.misc
import pytest
from numpy.typing import NDArray
from pydicom import uid
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from cxr import dicom, dicom_pixels, errors
from cxr.decode import decode
from cxr.errors import Refusal
from tests import files
from tests.fuzz import damaged

GRADIENT = np.arange(4096, dtype=np.uint16).reshape(64, 64) * 4


def pixels(stored: NDArray[Any], **elements: Any) -> NDArray[np.uint8]:
    return decode(files.synthetic_dicom(stored, **elements)).pixels


def as_secondary_capture(name: str, **elements: Any) -> bytes:
    """One of pydicom's files, said to be a chest; its pixels are not touched."""
    told = {"SOPClassUID": uid.SecondaryCaptureImageStorage, "SOPInstanceUID": "1.2.3", "Modality": "OT"}
    return files.changed(files.sample(name), **told | {"BodyPartExamined": "CHEST"} | elements)


def lut_item(first: int, bits: int, entries: list[int]) -> Sequence:
    item = Dataset()
    item.LUTDescriptor = [len(entries), first, bits]
    item["LUTDescriptor"].VR = "US"
    item.LUTData = entries
    item["LUTData"].VR = "US"
    return Sequence([item])


# --- A real radiograph, in every encoding


def test_a_real_radiograph() -> None:
    radiograph = decode(files.radiograph_dicom())
    assert radiograph.pixels.shape == (1955, 1841)
    assert radiograph.pixels.dtype == np.uint8
    assert radiograph.pixels.flags.c_contiguous
    assert radiograph.media_type == "application/dicom"
    assert radiograph.warnings == ()
    assert radiograph.instance is not None
    assert radiograph.instance.sop_instance_uid == "1.3.6.1.4.1.5962.1.1.9.1.1.20040826185059.5457"
    assert radiograph.instance.series_instance_uid == "1.3.6.1.4.1.5962.1.3.9.1.20040826185059.5457"
    assert radiograph.instance.study_instance_uid == "1.3.6.1.4.1.5962.1.2.9.20040826185059.5457"


def test_the_real_radiograph_is_windowed_as_pydicom_windows_it_and_then_inverted() -> None:
    dataset = files.parse(files.radiograph_dicom())
    windowed = apply_voi_lut(dataset.pixel_array, dataset)  # 0 to 2^15 - 1
    expected = 255 - windowed / (2**15 - 1) * 255
    assert np.abs(decode(files.radiograph_dicom()).pixels - expected).max() <= 0.5 + 1e-9


def transcoded(syntax: str, tmp_path: Path) -> bytes:
    """The real radiograph, converted by GDCM."""
    source, target = tmp_path / "source.dcm", tmp_path / "target.dcm"
    source.write_bytes(files.radiograph_dicom())
    reader = gdcm.ImageReader()
    reader.SetFileName(str(source))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(target))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return target.read_bytes()


@pytest.mark.parametrize(
    "syntax",
    [
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRBigEndian,
        uid.RLELossless,
        uid.JPEGLossless,
        uid.JPEGLosslessSV1,
        uid.JPEGLSLossless,
        uid.JPEG2000Lossless,
    ],
    ids=lambda syntax: syntax.keyword,
)
def test_lossless_encodings_give_the_same_pixels(syntax: uid.UID, tmp_path: Path) -> None:
    data = transcoded(syntax, tmp_path)
    assert files.parse(data).file_meta.TransferSyntaxUID == syntax
    assert np.array_equal(decode(data).pixels, decode(files.radiograph_dicom()).pixels)


@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEGLSLossless], ids=lambda syntax: syntax.keyword)
def test_what_pydicom_compresses_is_read_back(syntax: uid.UID) -> None:
    assert np.array_equal(
        decode(files.compressed(files.radiograph_dicom(), syntax)).pixels,
        decode(files.radiograph_dicom()).pixels,
    )


@pytest.mark.parametrize(
    ("name", "tolerance"), [("RG1_J2KR.dcm", 0), ("RG1_UNCI.dcm", 4), ("RG1_J2KI.dcm", 4)]
)
def test_its_published_copies(name: str, tolerance: int) -> None:
    difference = decode(files.sample(name)).pixels.astype(int) - decode(files.radiograph_dicom()).pixels
    assert np.abs(difference).max() <= tolerance


def test_a_large_radiograph_takes_about_a_second() -> None:
    data = files.large_radiograph_dicom()
    started = time.process_time()
    assert decode(data).pixels.shape == (4280, 3520)
    assert time.process_time() - started < 2


# --- The pipeline


def test_without_a_window_the_percentiles_are_black_and_white() -> None:
    stored = np.random.default_rng(0).normal(9_000, 2_000, (200, 300)).clip(0, 65_535).astype(np.uint16)
    low, high = np.percentile(stored, [0.5, 99.5])
    assert np.array_equal(pixels(stored), np.rint(np.clip((stored - low) / (high - low), 0, 1) * 255))


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID", ""])
@pytest.mark.parametrize("rescale", [{}, {"RescaleSlope": "0.5", "RescaleIntercept": "-100"}])
def test_windows_agree_with_pydicom(function: str, rescale: dict[str, str]) -> None:
    elements = {"WindowCenter": "3000", "WindowWidth": "2500", "VOILUTFunction": function} | rescale
    data = files.synthetic_dicom(GRADIENT, **elements)
    dataset = files.parse(data)
    if not function:
        del dataset.VOILUTFunction
    windowed = apply_voi_lut(apply_modality_lut(GRADIENT, dataset), dataset)
    lowest, highest = (
        65_535 * 0.5 * end - 100 * bool(rescale) if rescale else 65_535 * end for end in (0, 1)
    )
    expected = (windowed - lowest) / (highest - lowest) * 255
    assert np.abs(decode(data).pixels - expected).max() <= 0.5 + 1e-6


def test_the_first_of_several_windows_counts() -> None:
    first = pixels(GRADIENT, WindowCenter="3000", WindowWidth="2500")
    assert np.array_equal(pixels(GRADIENT, WindowCenter=["3000", "9000"], WindowWidth=["2500", "10"]), first)


@pytest.mark.parametrize("width", ["0", "0.5", "-20"])
def test_a_window_narrower_than_one_is_ignored(width: str) -> None:
    assert np.array_equal(pixels(GRADIENT, WindowCenter="3000", WindowWidth=width), pixels(GRADIENT))


def test_a_window_of_width_one_is_a_threshold() -> None:
    stored = np.array([[7, 8, 9, 10]], np.uint16)
    assert pixels(stored, WindowCenter="9", WindowWidth="1").tolist() == [[0, 0, 255, 255]]


def test_a_voi_lut_beats_a_window() -> None:
    stored = np.array([[0, 10, 11, 12, 500]], np.uint16)
    table = lut_item(first=10, bits=12, entries=[0, 4095, 2048])
    grey = pixels(stored, VOILUTSequence=table, WindowCenter="3000", WindowWidth="2500")
    assert grey.tolist() == [[0, 0, 255, 128, 128]]


def test_a_modality_lut_comes_before_the_window() -> None:
    stored = np.array([[0, 1, 2]], np.uint16)
    table = lut_item(first=0, bits=16, entries=[3000, 1000, 2000])
    grey = pixels(stored, ModalityLUTSequence=table, WindowCenter="2000.5", WindowWidth="2001")
    assert grey.tolist() == [[255, 0, 128]]


@pytest.mark.parametrize(("name", "bits"), [("vlut_04.dcm", 8), ("mlut_18.dcm", 8)])
def test_published_tables_agree_with_pydicom(name: str, bits: int) -> None:
    dataset = files.parse(files.sample(name))
    mapped = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset)
    radiograph = decode(files.sample(name))
    if "VOILUTSequence" in dataset:
        bits = dataset.VOILUTSequence[0].LUTDescriptor[2]
        assert np.array_equal(radiograph.pixels, np.rint(mapped * (255 / (2**bits - 1))))
    else:
        assert np.corrcoef(radiograph.pixels.ravel(), mapped.ravel())[0, 1] > 0.999


@pytest.mark.parametrize(
    "elements",
    [
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"PresentationLUTShape": "INVERSE"},
        {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"},
        {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "IDENTITY"},
    ],
)
def test_it_is_inverted_once(elements: dict[str, str]) -> None:
    window = {"WindowCenter": "8000", "WindowWidth": "6000"}
    assert np.array_equal(pixels(GRADIENT, **window, **elements), 255 - pixels(GRADIENT, **window))


def test_signed_pixels() -> None:
    stored = np.array([[-1000, 0, 1000]], np.int16)
    assert pixels(stored, WindowCenter="0.5", WindowWidth="2001").tolist() == [[0, 128, 255]]
    assert pixels(stored).tolist() == [[0, 128, 255]]


def test_8_bits_are_windowed_like_16() -> None:
    eight = (GRADIENT >> 6).astype(np.uint8)
    assert np.array_equal(pixels(eight), pixels(eight.astype(np.uint16)))


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian])
@pytest.mark.parametrize(
    ("filling", "elements"),
    [
        (65_535, {"PixelPaddingValue": 65_535}),
        (60_003, {"PixelPaddingValue": 60_000, "PixelPaddingRangeLimit": 60_010}),
        (60_003, {"PixelPaddingValue": 60_010, "PixelPaddingRangeLimit": 60_000}),
    ],
)
def test_padding_does_not_count_for_the_percentiles(
    filling: int, elements: dict[str, int], syntax: uid.UID
) -> None:
    stored = np.pad(GRADIENT, 30, constant_values=filling)
    dataset = files.parse(files.synthetic_dicom(stored, **elements))
    dataset.file_meta.TransferSyntaxUID = syntax
    assert np.array_equal(decode(files.part10(dataset)).pixels[30:-30, 30:-30], pixels(GRADIENT))


def test_signed_padding() -> None:
    stored = np.pad(GRADIENT.astype(np.int16), 30, constant_values=-2000)
    assert np.array_equal(pixels(stored, PixelPaddingValue=-2000)[30:-30, 30:-30], pixels(GRADIENT))


@pytest.mark.parametrize(
    "elements", [{}, {"PixelPaddingValue": 5}, {"RescaleSlope": "0", "RescaleIntercept": "1"}]
)
def test_a_constant_image_is_constant(elements: dict[str, Any]) -> None:
    assert np.ptp(pixels(np.full((9, 9), 5, np.uint16), **elements)) == 0


def test_a_pixel_spacing_of_zero_is_no_matter() -> None:
    assert np.array_equal(pixels(GRADIENT, PixelSpacing=["0.000", "0.000"]), pixels(GRADIENT))


def test_numbers_without_end_are_survived() -> None:
    grey = pixels(GRADIENT, RescaleSlope="1E308", RescaleIntercept="-1E308")
    assert grey.shape == GRADIENT.shape


# --- Colour


@pytest.mark.parametrize(
    "name",
    [
        "SC_rgb.dcm",
        "SC_rgb_16bit.dcm",
        "SC_rgb_rle.dcm",
        "SC_rgb_expb_16bit.dcm",
        "SC_ybr_full_uncompressed.dcm",
    ],
)
def test_colour_becomes_grey(name: str) -> None:
    radiograph = decode(as_secondary_capture(name))
    # Bars of red, green, blue, black, dark and light grey, and white at these rows.
    bars = radiograph.pixels[[5, 25, 45, 65, 75, 85, 95], 50].astype(int)
    assert np.abs(bars - [76, 150, 29, 0, 64, 192, 255]).max() <= 2
    assert radiograph.warnings == (dicom.SECONDARY_CAPTURE,)


def test_a_palette_is_looked_up() -> None:
    data = as_secondary_capture("examples_palette.dcm")
    dataset = files.parse(data)
    red, green, blue = (
        np.frombuffer(dataset[f"{colour}PaletteColorLookupTableData"].value, "<u2").astype(int)[
            dataset.pixel_array
        ]
        >> 8
        for colour in ("Red", "Green", "Blue")
    )
    luminance = (red * 19_595 + green * 38_470 + blue * 7_471 + 0x8000) >> 16
    assert np.abs(decode(data).pixels.astype(int) - luminance).max() <= 1


@pytest.mark.parametrize(
    "name",
    [
        "JPEG-LL.dcm", "JPEG2000.dcm", "JPGLosslessP14SV1_1s_1f_8b.dcm", "GDCMJ2K_TextGBR.dcm",
        "SC_rgb_jpeg_dcmtk.dcm", "SC_rgb_dcmtk_+eb+cr.dcm", "SC_rgb_jpeg_gdcm.dcm", "SC_rgb_gdcm_KY.dcm",
        "SC_rgb_small_odd_jpeg.dcm", "JPEGLSNearLossless_08.dcm", "JPEGLSNearLossless_16.dcm",
        "MR_small_RLE.dcm",
        "SC_rgb_jls_lossy_line.dcm", "SC_rgb_jls_lossy_sample.dcm", "J2K_pixelrep_mismatch.dcm",
        "US1_J2KR.dcm", "MR_small_implicit.dcm", "MR_small_expb.dcm", "OBXXXX1A_rle.dcm",
        "MR_small_jpeg_ls_lossless.dcm", "SC_ybr_full_422_uncompressed.dcm",
    ],
)  # fmt: skip
def test_published_files_of_many_encodings_decode(name: str) -> None:
    dataset = files.parse(files.sample(name))
    radiograph = decode(as_secondary_capture(name, PatientOrientation=None))
    assert radiograph.pixels.shape == (dataset.Rows, dataset.Columns)
    assert np.ptp(radiograph.pixels) > 60


# --- Views and warnings


def test_a_mirrored_image_is_flipped_and_said_to_be() -> None:
    radiograph = decode(files.radiograph_dicom(PatientOrientation=["R", "F"]))
    assert np.array_equal(radiograph.pixels, decode(files.radiograph_dicom()).pixels[:, ::-1])
    assert radiograph.pixels.flags.c_contiguous
    assert radiograph.warnings == (dicom.MIRRORED,)


@pytest.mark.parametrize("orientation", [["L", "F"], None, "", ["L"]])
def test_other_orientations_are_left_alone(orientation: Any) -> None:
    radiograph = decode(files.radiograph_dicom(PatientOrientation=orientation))
    assert np.array_equal(radiograph.pixels, decode(files.radiograph_dicom()).pixels)
    assert radiograph.warnings == ()


@pytest.mark.parametrize(
    ("age", "minor"),
    [
        ("017Y", True), ("018Y", False), ("065Y", False), ("006M", True), ("215M", True), ("216M", False),
        ("003W", True), ("010D", True), ("", False), ("old", False), (None, False),
    ],
)  # fmt: skip
def test_children_are_warned_of(age: str | None, minor: bool) -> None:
    assert (
        dicom.MINOR in decode(files.changed(files.small_radiograph_dicom(), PatientAge=age)).warnings
    ) is minor


@pytest.mark.parametrize("part", ["CHEST", "chest ", "THORAX", "LUNG", "PORT CHEST", "CHEST_PA", "", None])
@pytest.mark.parametrize(
    ("sop_class", "modality"),
    [
        (uid.ComputedRadiographyImageStorage, "CR"),
        (uid.DigitalXRayImageStorageForPresentation, "DX"),
        (uid.SecondaryCaptureImageStorage, "OT"),
    ],
)
def test_chests_are_accepted(part: str | None, sop_class: uid.UID, modality: str) -> None:
    data = files.changed(
        files.small_radiograph_dicom(),
        BodyPartExamined=part,
        SOPClassUID=sop_class,
        Modality=modality,
        PresentationIntentType="FOR PRESENTATION",
    )
    assert decode(data).pixels.shape == (268, 220)


@pytest.mark.parametrize("value", ["", "patient 4711", "1" * 65, "1.2\\3.4"])
def test_uids_that_are_none_are_not_returned(value: str) -> None:
    instance = decode(files.changed(files.small_radiograph_dicom(), StudyInstanceUID=value)).instance
    assert instance is not None
    assert instance.study_instance_uid in ("", "1.2")
    assert instance.sop_instance_uid == "1.2.826.0.1.3680043.8.498.1"


# --- Refusals


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


def larger_jpeg_ls(codestream: bytearray) -> None:
    frame = codestream.index(b"\xff\xf7")
    codestream[frame + 5 : frame + 9] = b"\xff\xff\x01\x00"


def larger_j2k(codestream: bytearray) -> None:
    codestream[8:16] = b"\0\0\x20\0\0\0\x10\0"


def view_code(code: str) -> Sequence:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, "SCT", "a view"
    return Sequence([item])


REFUSED: list[tuple[str, Callable[[], bytes], type[Refusal]]] = [
    ("ct", files.ct_dicom, errors.NotARadiograph),
    ("mr", files.mr_dicom, errors.NotARadiograph),
    ("ultrasound", files.ultrasound_dicom, errors.NotARadiograph),
    ("report", lambda: files.sample("test-SR.dcm"), errors.NotARadiograph),
    ("ct by modality", small(Modality="CT"), errors.NotARadiograph),
    ("mammogram", small(Modality="MG"), errors.NotARadiograph),
    ("ultrasound capture", lambda: as_secondary_capture("SC_rgb.dcm", Modality="US"), errors.NotARadiograph),
    ("other modality", small(Modality="OT"), errors.NotARadiograph),
    ("multi-frame", files.multiframe_dicom, errors.MultiFrame),
    ("for processing", files.for_processing_dicom, errors.ForProcessing),
    ("intent", small(PresentationIntentType="FOR PROCESSING"), errors.ForProcessing),
    ("class", small(SOPClassUID=uid.DigitalXRayImageStorageForProcessing), errors.ForProcessing),
    ("lateral", files.lateral_dicom, errors.LateralView),
    ("right lateral", small(ViewPosition="RL"), errors.LateralView),
    ("lateral in words", small(ViewPosition="LATERAL"), errors.LateralView),
    ("lateral by rows", small(PatientOrientation=["A", "F"]), errors.LateralView),
    ("lateral by rows, other side", small(PatientOrientation=["P", "F"]), errors.LateralView),
    ("lateral by code", small(ViewCodeSequence=view_code("399173006")), errors.LateralView),
    ("lateral by old code", small(ViewCodeSequence=view_code("R-10236")), errors.LateralView),
    ("lower leg", files.lower_leg_dicom, errors.NotAChest),
    ("skull", small(BodyPartExamined="SKULL"), errors.NotAChest),
    ("no pixels", files.dicom_without_pixels, errors.NoPixels),
    ("empty pixels", small(PixelData=b""), errors.NoPixels),
    ("truncated", files.truncated_dicom, errors.NotDecodable),
    ("preamble only", lambda: b"\0" * 128 + b"DICM", errors.NotDecodable),
    ("meta only", lambda: files.small_radiograph_dicom()[:300], errors.NotARadiograph),
    ("deflated", lambda: files.sample("image_dfl.dcm"), errors.DeflatedDicom),
    ("deflated bomb", files.deflated_bomb_dicom, errors.DeflatedDicom),
    ("12-bit jpeg", files.jpeg_12_bit_dicom, errors.TransferSyntaxUnsupported),
    ("mpeg", lambda: with_transfer_syntax("1.2.840.10008.1.2.4"), errors.TransferSyntaxUnsupported),
    ("unknown", lambda: with_transfer_syntax("1.2.840.10008.1.2.8"), errors.TransferSyntaxUnsupported),
    ("no syntax", lambda: files.sample("meta_missing_tsyntax.dcm"), errors.NotDecodable),
    ("70 megapixels", small(Rows=8400, Columns=8400), errors.TooManyPixels),
    ("4 gigapixels", small(Rows=65_535, Columns=65_535), errors.TooManyPixels),
    ("more rows than pixels", small(Rows=6000, Columns=6000), errors.NotDecodable),
    ("no rows", small(Rows=0), errors.NotDecodable),
    ("rows absent", small(Rows=None), errors.NotDecodable),
    ("segmented palette", lambda: as_secondary_capture("gdcm-US-ALOKA-16.dcm"), errors.NotDecodable),
    ("32 bits", lambda: as_secondary_capture("SC_rgb_32bit.dcm"), errors.NotDecodable),
    ("colour in one sample", small(PhotometricInterpretation="RGB"), errors.NotDecodable),
    ("unknown photometric", small(PhotometricInterpretation="XYZ"), errors.NotDecodable),
    ("larger jpeg-ls", lambda: with_codestream(uid.JPEGLSLossless, larger_jpeg_ls), errors.NotDecodable),
    ("larger j2k", lambda: with_codestream(uid.JPEG2000Lossless, larger_j2k), errors.NotDecodable),
    ("no codestream", lambda: with_codestream(uid.JPEG2000Lossless, bytearray.reverse), errors.NotDecodable),
]  # fmt: skip


@pytest.mark.parametrize(("build", "refusal"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refusals(build: Callable[[], bytes], refusal: type[Refusal]) -> None:
    data = build()
    started = time.process_time()
    with pytest.raises(refusal) as caught:
        decode(data)
    assert type(caught.value) is refusal
    assert time.process_time() - started < 1
    assert caught.value.__context__ is None


def test_the_bomb_would_go_off() -> None:
    data = files.deflated_bomb_dicom(inflated_megabytes=16)
    assert len(data) < 20_000
    assert len(files.parse(data).PixelData) == 16 << 20


@pytest.mark.parametrize("nested", [False, True])
def test_a_file_of_millions_of_elements_is_refused_at_once(nested: bool) -> None:
    data = files.small_radiograph_dicom()
    private = b"".join(
        b"\x09\x00" + number.to_bytes(2, "little") + b"UT\0\0\0\0\0\0" for number in range(1 << 16)
    )
    flood = private * 20
    if nested:
        flood = b"\x09\0\x01\0SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\0\xe0\xff\xff\xff\xff" + flood
    at = data.index(b"\x10\0\x10\0PN")  # the patient's name
    started = time.process_time()
    with pytest.raises(errors.NotDecodable):
        decode(data[:at] + flood + data[at:])
    assert time.process_time() - started < 2


def test_a_window_of_millions_of_numbers_is_refused_at_once() -> None:
    dataset = files.parse(files.small_radiograph_dicom())
    dataset.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian  # lengths of 32 bits
    centers = b"1\\" * 4_000_000
    tag = Tag("WindowCenter")
    dataset[tag] = RawDataElement(tag, None, len(centers), centers, 0, True, True)
    data = files.part10(dataset)
    started = time.process_time()
    with pytest.raises(errors.NotDecodable):
        decode(data)
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    "syntax", [uid.JPEGLSLossless, uid.JPEG2000Lossless], ids=lambda syntax: syntax.keyword
)
def test_a_larger_codestream_never_reaches_the_decoder(
    syntax: uid.UID, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = files.compressed(files.small_radiograph_dicom(), syntax)
    assert decode(data).pixels.shape == (268, 220)
    monkeypatch.setattr(dicom_pixels, "_decode", lambda _dataset: pytest.fail("it was decoded"))
    for smaller in ({"Rows": 267}, {"Columns": 219}):
        with pytest.raises(errors.NotDecodable):
            decode(files.changed(data, **smaller))


# --- Anything at all


@pytest.mark.parametrize(
    "build",
    [
        files.small_radiograph_dicom,
        lambda: files.compressed(files.small_radiograph_dicom(), uid.RLELossless),
        lambda: files.compressed(files.small_radiograph_dicom(), uid.JPEGLSLossless),
        lambda: files.compressed(files.small_radiograph_dicom(), uid.JPEG2000Lossless),
        lambda: as_secondary_capture("SC_rgb_jpeg_dcmtk.dcm"),
        lambda: as_secondary_capture("SC_rgb_jpeg_gdcm.dcm"),
        lambda: as_secondary_capture("examples_palette.dcm"),
        lambda: as_secondary_capture("MR_small_implicit.dcm"),
        lambda: as_secondary_capture("vlut_04.dcm"),
        lambda: as_secondary_capture("mlut_18.dcm"),
    ],
    ids=[
        "raw",
        "rle",
        "jpeg-ls",
        "j2k",
        "jpeg",
        "jpeg lossless",
        "palette",
        "implicit",
        "voi lut",
        "modality lut",
    ],
)
def test_damaged_files_are_decoded_or_refused(build: Callable[[], bytes]) -> None:
    for data in damaged(build(), times=100):
        try:
            radiograph = decode(data)
        except Refusal:
            continue
        assert radiograph.pixels.ndim == 2
        assert radiograph.pixels.dtype == np.uint8


# --- No word of a patient

CANARY = "CANARY4711"
CHARACTER_SET = "ISO_IR 100"  # as long as the canary, which takes its place once the file is written
TEXTS = [
    "PatientName", "PatientID", "PatientBirthDate", "PatientComments", "StudyDate",
    "AcquisitionTime", "AccessionNumber", "StudyID", "InstitutionName", "ReferringPhysicianName",
    "StudyDescription", "OperatorsName", "StationName", "ImageComments", "ImageType",
    "WindowCenterWidthExplanation", "IssuerOfPatientID", "SeriesDescription",
    "RequestedProcedureDescription", "PatientAge",
]  # fmt: skip


def with_canaries(**elements: str) -> bytes:
    """A radiograph with the canary in its texts, dates, character set, preamble and the elements given."""
    dataset = files.parse(files.small_radiograph_dicom())
    dataset.SpecificCharacterSet = CHARACTER_SET
    for keyword, value in (dict.fromkeys(TEXTS, CANARY) | elements).items():
        tag = Tag(keyword)
        raw = value.encode() + b" " * (len(value) % 2)
        dataset[tag] = RawDataElement(tag, dictionary_VR(tag), len(raw), raw, 0, False, True)
    data = files.part10(dataset).replace(CHARACTER_SET.encode(), CANARY.encode())
    return CANARY.encode().ljust(128) + data[128:]


@pytest.mark.parametrize(
    "elements",
    [
        {},
        {"PatientOrientation": "R\\F"},
        *({keyword: CANARY} for keyword in (
            "Modality", "BodyPartExamined", "ViewPosition", "PhotometricInterpretation", "PatientOrientation",
            "PresentationIntentType", "PresentationLUTShape", "VOILUTFunction", "SOPInstanceUID",
            "SOPClassUID", "WindowCenter", "WindowWidth", "RescaleSlope", "NumberOfFrames", "PatientAge",
        )),
    ],
    ids=str,
)  # fmt: skip
def test_nothing_of_a_patient_gets_out(
    elements: dict[str, str],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    recwarn: pytest.WarningsRecorder,
) -> None:
    data = with_canaries(**elements)
    assert data.count(CANARY.encode()) >= len(TEXTS) + 2
    outcome: Any
    with caplog.at_level(logging.DEBUG):
        try:
            radiograph = decode(data)
            outcome = (radiograph.instance, radiograph.warnings)
        except Refusal as refusal:
            outcome = (repr(refusal), refusal.__context__, refusal.__cause__)
    said = f"{outcome} {caplog.text} {capfd.readouterr()} {[str(one.message) for one in recwarn]}"
    assert "CANARY" not in said
    assert not caplog.records
    assert not recwarn.list


def test_without_the_fence_pydicom_does_quote_the_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, pydicom no longer talks through these two doors, and the canary test proves less."""
    said: list[str] = []
    monkeypatch.setattr(
        pydicom.misc, "warnings", SimpleNamespace(warn=lambda text, *_, **__: said.append(text))
    )
    decode(with_canaries())
    assert any(CANARY in text for text in said)


def test_the_decoders_loggers_reach_no_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    decode(files.small_radiograph_dicom())
    decoders = logging.getLogger("pydicom.pixels.decoders.base")
    assert not decoders.isEnabledFor(logging.CRITICAL)
    # Not by caplog: pytest puts its handler on loggers that do not propagate, too.
    heard: list[logging.LogRecord] = []
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", heard.append)
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    logging.getLogger("cxr").error("heard")
    monkeypatch.setattr(decoders, "level", logging.DEBUG)  # as verbose logging might set it
    decoders.error(CANARY)
    assert [record.msg for record in heard] == ["heard"]
