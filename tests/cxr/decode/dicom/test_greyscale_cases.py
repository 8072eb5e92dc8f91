"""DICOM: wrong, incomplete or unusual elements of real files still give the picture that the standard defines."""

import numpy as np
import pytest

from cxr.decode import decode
from tests.cxr.decode.dicom.greyscale_cases import CASES, Case


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_picture_is_the_expected_one(case: Case) -> None:
    radiograph = decode(case.build())
    assert np.abs(radiograph.pixels - case.expected).max() <= case.tolerance
    assert bool(radiograph.warnings) is case.warns
