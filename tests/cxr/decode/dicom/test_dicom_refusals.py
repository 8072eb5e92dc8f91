"""DICOM: files that are not frontal chest radiographs, or are harmful, get the right refusal."""

from collections.abc import Callable

import pytest
from pydicom import uid

from cxr import errors
from cxr.decode import decode
from cxr.decode.dicom import acceptance as dicom
from cxr.decode.dicom import pixels as dicom_pixels
from cxr.decode.dicom.acceptance import decode_dicom
from cxr.errors import Refusal
from tests import files
from tests.cxr.decode.dicoms import (
    as_secondary_capture,
    flood_of_elements,
    larger_j2k,
    larger_jpeg_ls,
    small,
    truncated,
    truncated_sequence,
    view_code,
    window_of_millions_of_numbers,
    with_codestream,
    with_transfer_syntax,
)
from tests.fuzz import check_damaged

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
    ("lateral in short", small(ViewPosition="LAT"), errors.LateralView),
    ("lateral by its body part", small(BodyPartExamined="CHEST LAT"), errors.LateralView),
    ("lateral by rows", small(PatientOrientation=["A", "F"]), errors.LateralView),
    ("lateral by rows, other side", small(PatientOrientation=["P", "F"]), errors.LateralView),
    ("lateral by code", small(ViewCodeSequence=view_code("399173006")), errors.LateralView),
    ("lateral by old code", small(ViewCodeSequence=view_code("R-10236")), errors.LateralView),
    ("lower leg", files.lower_leg_dicom, errors.NotAChest),
    ("skull", small(BodyPartExamined="SKULL"), errors.NotAChest),
    ("no pixels", files.dicom_without_pixels, errors.NoPixels),
    ("empty pixels", small(PixelData=b""), errors.NoPixels),
    ("truncated", files.truncated_dicom, errors.Truncated),
    ("preamble only", lambda: b"\0" * 128 + b"DICM", errors.NotDecodable),
    ("truncated at its start", lambda: files.small_radiograph_dicom().partition(b"Made^")[0], errors.Truncated),
    ("truncated codestream", lambda: truncated(uid.JPEG2000Lossless), errors.Truncated),
    ("truncated jpeg-ls", lambda: truncated(uid.JPEGLSLossless), errors.Truncated),
    ("truncated sequence", truncated_sequence, errors.Truncated),
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
    with pytest.raises(refusal) as caught:
        decode(data)
    assert type(caught.value) is refusal
    assert caught.value.__context__ is None


def test_the_bomb_would_work() -> None:
    data = files.deflated_bomb_dicom(inflated_megabytes=16)
    assert len(data) < 20_000
    assert len(files.parse(data).PixelData) == 16 << 20


@pytest.mark.parametrize("nested", [False, True])
def test_a_file_of_millions_of_elements_is_refused_at_once(nested: bool, reads: list[int | None]) -> None:
    data = flood_of_elements(nested)
    with pytest.raises(errors.NotDecodable):
        decode_dicom(data)
    assert len(reads) == 100_001  # of the millions of elements


def test_a_window_of_millions_of_numbers_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    data = window_of_millions_of_numbers()
    monkeypatch.setattr(dicom, "_check_object", lambda _dataset: pytest.fail("its elements were parsed"))
    with pytest.raises(errors.NotDecodable):
        decode_dicom(data)


@pytest.mark.parametrize("syntax", [uid.JPEGLSLossless, uid.JPEG2000Lossless], ids=lambda syntax: syntax.keyword)
def test_a_larger_codestream_never_reaches_the_decoder(syntax: uid.UID, monkeypatch: pytest.MonkeyPatch) -> None:
    data = files.compressed(files.small_radiograph_dicom(), syntax)
    assert decode(data).pixels.shape == (268, 220)
    monkeypatch.setattr(dicom_pixels, "_decode", lambda *_: pytest.fail("it was decoded"))
    for smaller in ({"Rows": 267}, {"Columns": 219}):
        with pytest.raises(errors.NotDecodable):
            decode_dicom(files.changed(data, **smaller))


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
    check_damaged(build(), times=100)
