"""How much of an element is read, at the last byte and one beyond; and what is copied as it is stored."""

import numpy as np
import pytest
from pydicom import uid

from cxr.decode.dicom.acceptance import decode_dicom
from cxr.decode.dicom.elements import stored_bytes
from cxr.errors import NotDecodable
from tests import files
from tests.cxr.decode.scenes import table


def with_windows(length: int) -> bytes:
    """A file whose window centres take so many bytes, an even number."""
    dataset = files.parse(files.small_radiograph_dicom())
    dataset.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian  # lengths of 32 bits
    dataset.WindowCenter = "4711"
    tag, text = b"\x28\0\x50\x10", b"1\\" * (length // 2)
    return files.part10(dataset).replace(tag + b"\x04\0\0\x004711", tag + length.to_bytes(4, "little") + text)


def test_an_element_has_16_kib_at_the_most() -> None:
    assert decode_dicom(with_windows(1 << 14)).pixels.any()
    with pytest.raises(NotDecodable):
        decode_dicom(with_windows((1 << 14) + 2))


def test_a_table_has_a_mebibyte_at_the_most() -> None:
    small = files.small_radiograph_dicom()
    for entries, fits in (((1 << 19) - 100, True), ((1 << 19) + 1, False)):
        tables = table(0, 16, np.arange(16))
        tables[0].LUTData = bytes(2 * entries)
        data = files.changed(small, VOILUTSequence=tables)
        if fits:
            assert decode_dicom(data).pixels.any()
        else:
            with pytest.raises(NotDecodable):
                decode_dicom(data)


def test_text_is_copied_as_it_is_stored_up_to_400_bytes() -> None:
    small = files.small_radiograph_dicom()
    named = {length: files.changed(small, PatientComments="x" * length) for length in (400, 402)}
    for length, kept in ((400, b"x" * 400), (402, b"")):
        assert stored_bytes(named[length], ["PatientComments"])["PatientComments"] == kept
    assert stored_bytes(small, ["PatientName", "StudyID"]) == {"PatientName": b"Made^Up", "StudyID": b""}


def test_the_character_set_is_copied_with_its_extensions() -> None:
    for stated, copied in (("ISO_IR 100", b"ISO_IR 100"), (["", "ISO 2022 IR 87"], b"\\ISO 2022 IR 87"), ("", b"")):
        data = files.changed(files.small_radiograph_dicom(), SpecificCharacterSet=stated)
        assert stored_bytes(data, ["SpecificCharacterSet"])["SpecificCharacterSet"] == copied
