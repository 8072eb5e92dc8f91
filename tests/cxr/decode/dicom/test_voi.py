"""Values of interest: a ramp's ends are reached and not passed."""

import numpy as np

from cxr.decode.dicom.voi import ramp


def test_a_ramp_is_flat_outside_its_ends() -> None:
    assert ramp(np.array([-5.0, 0, 5, 10, 15, 40]), 0, 10).tolist() == [0, 0, 127.5, 255, 255, 255]


def test_a_ramp_of_no_width_is_a_step_just_above_it() -> None:
    assert ramp(np.array([-1.0, 3, 3.5, 9]), 3, 3).tolist() == [0, 0, 255, 255]
