"""The checks of the load test's forms: right answers pass, those of another file fail."""

from dataclasses import replace
from typing import Any

import pytest

from cxr.model.bundle import Bundle
from cxr.report.result import Result
from loadtests.representations import REPRESENTATIONS, Representation
from service.bento.explainer import Wanted, outcome
from service.routes.related import related
from tests import files
from tests.cxr.report.test_dicom_objects import result_of
from tests.findings import make_finding


def answer(form: Representation, result: Result, data: bytes) -> bytes:
    wanted: list[Any] = ["sc", "sr"] if form.name == "both" else [form.name]
    kinds: list[Wanted] = wanted
    made = outcome(result, data, kinds).files
    return bytes(related(made).body) if form.name == "both" else made[form.name]


@pytest.mark.parametrize("form", REPRESENTATIONS, ids=lambda form: form.name)
def test_a_right_answer_and_another_files(bundle: Bundle, form: Representation) -> None:
    data, other = files.radiograph_dicom(), files.radiograph_dicom(SOPInstanceUID="1.2.3")
    result = result_of(bundle, data)
    assert form.is_right(result, answer(form, result, data))
    assert not form.is_right(result, answer(form, result_of(bundle, other), other))


@pytest.mark.parametrize("form", REPRESENTATIONS[:2], ids=lambda form: form.name)
def test_other_figures(bundle: Bundle, form: Representation) -> None:
    data = files.radiograph_dicom()
    result = result_of(bundle, data)
    changed = replace(result, finding=replace(make_finding(), instance=result.finding.instance))
    assert not form.is_right(result, answer(form, changed, data))
