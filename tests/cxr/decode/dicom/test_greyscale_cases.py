"""DICOM: wrong, incomplete or unusual elements of real files still give the picture that the standard defines."""

import numpy as np
import pytest

from cxr.decode import Radiograph, decode
from tests.cxr.decode.dicom.greyscale_cases import CASES, Case


@pytest.mark.parametrize("kind", CASES)
def test_the_picture_is_the_one_that_is_meant(kind: str) -> None:
    wrong = [name for name, case in CASES[kind].items() if not is_meant(decode(case.build()), case)]
    assert wrong == []


def is_meant(radiograph: Radiograph, case: Case) -> bool:
    near = np.abs(radiograph.pixels - case.expected).max() <= case.tolerance
    return bool(near) and bool(radiograph.warnings) is case.warns
