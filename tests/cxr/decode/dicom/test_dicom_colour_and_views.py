"""DICOM: colour becomes grey, mirrored images are flipped, and readers are warned."""

from typing import Any

import numpy as np
import pytest
from pydicom import uid

from cxr.decode import decode
from cxr.decode.dicom import acceptance as dicom
from tests import files
from tests.cxr.decode.dicoms import as_secondary_capture


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
        np.frombuffer(dataset[f"{colour}PaletteColorLookupTableData"].value, "<u2").astype(int)[dataset.pixel_array]
        >> 8
        for colour in ("Red", "Green", "Blue")
    )
    luminance = (red * 19_595 + green * 38_470 + blue * 7_471 + 0x8000) >> 16
    assert np.abs(decode(data).pixels.astype(int) - luminance).max() <= 1


def test_a_mirrored_image_is_flipped_with_a_warning() -> None:
    radiograph = decode(files.radiograph_dicom(PatientOrientation=["R", "F"]))
    assert np.array_equal(radiograph.pixels, decode(files.radiograph_dicom()).pixels[:, ::-1])
    assert radiograph.pixels.flags.c_contiguous
    assert radiograph.warnings == (dicom.MIRRORED,)


@pytest.mark.parametrize("orientation", [["L", "F"], None, "", ["L"]])
def test_an_upright_image_is_unchanged(orientation: Any) -> None:
    radiograph = decode(files.radiograph_dicom(PatientOrientation=orientation))
    assert np.array_equal(radiograph.pixels, decode(files.radiograph_dicom()).pixels)
    assert radiograph.warnings == ()


@pytest.mark.parametrize("orientation", [["L", "H"], ["R", "H"], ["F", "L"], ["H", "R"]])
def test_a_turned_image_is_unchanged_with_a_warning(orientation: list[str]) -> None:
    radiograph = decode(files.radiograph_dicom(PatientOrientation=orientation))
    assert np.array_equal(radiograph.pixels, decode(files.radiograph_dicom()).pixels)
    assert radiograph.warnings == (dicom.TURNED,)


@pytest.mark.parametrize(
    ("age", "minor"),
    [
        ("017Y", True), ("018Y", False), ("065Y", False), ("006M", True), ("215M", True), ("216M", False),
        ("003W", True), ("939W", True), ("940W", False), ("010D", True), ("999D", True),
        ("", False), ("old", False), (None, False),
    ],
)  # fmt: skip
def test_children_get_a_warning(age: str | None, minor: bool) -> None:
    assert (dicom.MINOR in decode(files.changed(files.small_radiograph_dicom(), PatientAge=age)).warnings) is minor


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
def test_invalid_uids_are_not_returned(value: str) -> None:
    instance = decode(files.changed(files.small_radiograph_dicom(), StudyInstanceUID=value)).instance
    assert instance is not None
    assert instance.study_instance_uid in ("", "1.2")
    assert instance.sop_instance_uid == "1.2.826.0.1.3680043.8.498.1"
