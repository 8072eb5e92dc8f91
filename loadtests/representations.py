"""The forms of an explanation for other systems, and checks of such answers against the golden one."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from pydicom import dcmread
from pydicom.dataset import Dataset

from cxr.labels import LABELS, Label
from cxr.model.bundle import Bundle
from cxr.report.codes import SCORES
from cxr.report.result import Result
from loadtests.golden import TOLERANCE, GoldenRequest

Scores = dict[Label, float]


@dataclass(frozen=True, slots=True)
class Representation:
    """A form of /explain's answer: its name in reports, the Accept header, the query, and its check."""

    name: str
    accept: str
    query: str
    is_right: Callable[[Result, bytes], bool]


def result_of(request: GoldenRequest, bundle: Bundle) -> Result:
    """The data for the golden answer to a request to /explain."""
    assert request.finding is not None
    assert request.explanation is not None
    return Result.of(request.finding, request.explanation, bundle, request.sample.data)


def _is_fhir(result: Result, body: bytes) -> bool:
    resources = {entry["resource"]["resourceType"]: entry["resource"] for entry in json.loads(body)["entry"]}
    quantities = {
        component["code"]["coding"][0]["code"]: component["valueQuantity"]["value"]
        for component in resources["Observation"]["component"]
        if "valueQuantity" in component
    }
    told = {label: quantities[SCORES[label].value] / 100 for label in LABELS}
    return _same(result, told) and resources["DiagnosticReport"]["id"] == str(result.uuid("report"))


def _is_report(result: Result, body: bytes) -> bool:
    report = dcmread(BytesIO(body))
    values = {code: value / 100 for code, value in _numbers(report)}
    told = {label: values[SCORES[label].value] for label in LABELS}
    return _same(result, told) and report.SOPInstanceUID == result.uid("sr")


def _is_capture(result: Result, body: bytes) -> bool:
    capture = dcmread(BytesIO(body))
    return bool(capture.SOPInstanceUID == result.uid("sc") and capture.Rows * capture.Columns > 0)


def _is_both(result: Result, body: bytes) -> bool:
    return all(body.count(f"Content-ID: <{kind}>".encode()) == 1 for kind in ("sc", "sr")) and all(
        result.uid(kind).encode() in body for kind in ("sc", "sr")
    )


def _numbers(item: Dataset) -> list[tuple[str, float]]:
    """Codes and values of all NUM items in a report."""
    found = []
    for inner in item.get("ContentSequence", ()):
        if inner.ValueType == "NUM":
            value = float(inner.MeasuredValueSequence[0].NumericValue)
            found.append((str(inner.ConceptNameCodeSequence[0].CodeValue), value))
        found += _numbers(inner)
    return found


def _same(result: Result, told: Scores) -> bool:
    return all(abs(told[label] - p) <= TOLERANCE for label, p in result.finding.probabilities.items())


REPRESENTATIONS: Final = (
    Representation("fhir", "application/fhir+json", "", _is_fhir),
    Representation("sr", "application/dicom", "?object=sr", _is_report),
    Representation("sc", "application/dicom", "?object=sc", _is_capture),
    Representation("both", 'multipart/related; type="application/dicom"', "", _is_both),
)
