"""DICOM tools and files for the tests."""

import shutil
import subprocess
from pathlib import Path
from typing import Final

import gdcm
import numpy as np
import pytest
from pydicom import uid
from pydicom.dataset import Dataset

from tests import files

DCIODVFY: Final = shutil.which("dciodvfy")
needs_dciodvfy = pytest.mark.skipif(DCIODVFY is None, reason="needs Debian's dicom3tools")

OWN_SCHEME: Final = ("<99DCE>", "<2.25.")  # a private coding scheme is valid, but the program does not know it


def faults(data: bytes, folder: Path) -> list[str]:
    """dciodvfy's errors and warnings for a file, except those about a coding scheme that it cannot know."""
    assert DCIODVFY is not None
    path = folder / "judged.dcm"
    path.write_bytes(data)
    done = subprocess.run([DCIODVFY, str(path)], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    judged = [line for line in lines if line.startswith(("Error", "Warning"))]
    return [line for line in judged if not any(scheme in line for scheme in OWN_SCHEME)]


def errors(data: bytes, folder: Path) -> list[str]:
    return [line for line in faults(data, folder) if line.startswith("Error")]


def transcoded(syntax: str, tmp_path: Path, data: bytes | None = None) -> bytes:
    """A file (by default the real radiograph) converted by GDCM."""
    source, target = tmp_path / "source.dcm", tmp_path / "target.dcm"
    source.write_bytes(data or files.radiograph_dicom())
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


def legal_dx(**elements: object) -> bytes:
    """A DX image for presentation, 268 rows of 220, with only the elements that the standard requires (PS3.3, A.26)."""
    stored = files.parse(files.small_radiograph_dicom()).pixel_array >> 4
    data = files.synthetic_dicom(stored.astype(np.uint16))
    dataset = files.parse(data)
    dataset.SOPClassUID = uid.DigitalXRayImageStorageForPresentation
    dataset.Modality, dataset.PresentationIntentType = "DX", "FOR PRESENTATION"
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate, dataset.PatientSex = "Made^Up", "0", "", ""
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID, dataset.AccessionNumber = "20200101", "120000", "1", ""
    dataset.ReferringPhysicianName, dataset.Manufacturer = "", "Nobody"
    dataset.SeriesNumber, dataset.InstanceNumber = 1, 1
    dataset.AcquisitionDate, dataset.AcquisitionTime = "20200101", "120000"
    dataset.ContentDate, dataset.ContentTime = "20200101", "120001"
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.PatientOrientation, dataset.ImageLaterality = ["L", "F"], "U"
    dataset.ImagerPixelSpacing = [1.5, 1.5]
    dataset.BurnedInAnnotation, dataset.LossyImageCompression = "NO", "00"
    dataset.PixelIntensityRelationship, dataset.PixelIntensityRelationshipSign = "LOG", -1
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "US"
    dataset.PresentationLUTShape, dataset.WindowCenter, dataset.WindowWidth = "IDENTITY", 2048, 4096
    dataset.BitsStored, dataset.HighBit = 12, 11
    dataset.DetectorType = "DIRECT"
    dataset.PositionerType = ""
    dataset.AcquisitionContextSequence = []
    dataset.ViewCodeSequence = [_code("399348003", "SCT", "postero-anterior")]
    dataset.ViewCodeSequence[0].ViewModifierCodeSequence = []
    dataset.AnatomicRegionSequence = [_code("51185008", "SCT", "Chest")]
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return files.part10(dataset)


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item
