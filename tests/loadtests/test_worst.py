"""The most expensive files are legal, whatever their size."""

import pytest

from cxr.decode import decode
from loadtests import worst
from scripts.forms import FORM


def test_every_file_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worst, "SHAPE", (1000, 1600))
    posted = worst.worst_files()
    assert {path for path, _, _ in posted} == {"/classify", "/v1/classify"}
    for _, media_type, data in posted:
        if media_type != FORM:
            radiograph = decode(data)
            assert radiograph.media_type == media_type
            assert radiograph.pixels.shape == (1000, 1600)
