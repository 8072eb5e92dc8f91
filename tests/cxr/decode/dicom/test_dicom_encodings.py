"""DICOM: the same radiograph in every encoding gives the same pixels, and published files of many decode."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import uid
from pydicom.pixels.processing import apply_voi_lut

from cxr.decode import decode
from tests import files
from tests.cxr.decode.dicoms import as_secondary_capture
from tests.cxr.decode.scenes import COLUMNS, dicom, jpeg_in_16_bits, linear, scene
from tests.dicom_tools import transcoded


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


@pytest.mark.parametrize("syntax", [uid.JPEGLossless, uid.JPEGLosslessSV1], ids=lambda syntax: syntax.keyword)
@pytest.mark.parametrize("shift", [0, 4])
def test_jpeg_lossless_keeps_words_whole(syntax: uid.UID, shift: int, tmp_path: Path) -> None:
    overlay = (1 << 12 if shift == 0 else 1) * (np.arange(COLUMNS) % 3)
    data = dicom((scene() << shift) + overlay, 16, WindowCenter="2048", WindowWidth="3600")
    said = files.changed(transcoded(syntax, tmp_path, data), BitsStored=12, HighBit=11 + shift)
    assert np.abs(decode(said).pixels - linear(scene(), 2048, 3600)).max() <= 1


@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEGLSLossless], ids=lambda syntax: syntax.keyword)
def test_what_pydicom_compresses_is_read_back(syntax: uid.UID) -> None:
    assert np.array_equal(
        decode(files.compressed(files.radiograph_dicom(), syntax)).pixels,
        decode(files.radiograph_dicom()).pixels,
    )


@pytest.mark.parametrize(("name", "tolerance"), [("RG1_J2KR.dcm", 0), ("RG1_UNCI.dcm", 4), ("RG1_J2KI.dcm", 4)])
def test_its_published_copies(name: str, tolerance: int) -> None:
    difference = decode(files.sample(name)).pixels.astype(int) - decode(files.radiograph_dicom()).pixels
    assert np.abs(difference).max() <= tolerance


def test_a_large_radiograph() -> None:
    data = files.large_radiograph_dicom()
    stored = files.parse(data).pixel_array
    assert stored.shape == (4280, 3520)
    low, high = np.percentile(stored, [0.5, 99.5])
    assert np.array_equal(decode(data).pixels, np.rint(np.clip((stored - low) / (high - low), 0, 1) * 255))


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


def test_eight_bits_in_the_extended_process_are_those_of_the_baseline() -> None:
    baseline, extended = (decode(jpeg_in_16_bits(one)).pixels for one in (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit))
    assert np.array_equal(extended, baseline)
