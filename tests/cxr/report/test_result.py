"""What a result says of itself: its subject, its model, its map in words, and identifiers that come again."""

import hashlib
from dataclasses import replace

import pytest

from cxr.decode import InstanceUIDs
from cxr.model.bundle import Bundle
from cxr.report.result import Result
from tests.findings import make_explanation, make_finding

DATA = b"the bytes of a file"


@pytest.fixture
def result(bundle: Bundle) -> Result:
    return Result.of(make_finding(), make_explanation(target="covid19"), bundle, DATA)


def test_a_dicom_file_names_itself_and_another_is_named_by_its_bytes(bundle: Bundle) -> None:
    finding = make_finding()
    of_dicom = replace(finding, instance=InstanceUIDs("1.2.3", "1.2", "1"))
    nameless = replace(finding, instance=InstanceUIDs("", "1.2", "1"))
    subjects = [Result.of(one, make_explanation(), bundle, DATA).subject for one in (finding, of_dicom, nameless)]
    digest = hashlib.sha256(DATA).hexdigest()
    assert subjects == [digest, "1.2.3", digest]


def test_the_model_and_its_parameters_are_stated(result: Result, bundle: Bundle) -> None:
    assert result.model == "random 0"
    assert (result.coverage, result.not_ruled_out) == (0.9, ("covid19",))
    assert result.parameters == (
        "bundle: random 0",
        f"bundle SHA-256: {bundle.sha256}",
        "ensemble: scpa of 2",
        "temperature: 0.5",
        "coverage of the prediction set: 0.9",
    )


def test_a_map_is_described_by_its_method_member_and_label(result: Result) -> None:
    words = result.map_in_words
    assert "COVID-19" in words
    assert result.explanation.member in words
    taught = replace(result, explanation=replace(result.explanation, method="opacity"))
    assert taught.map_in_words != words
    assert "COVID-19" not in taught.map_in_words


def test_identifiers_come_again_and_differ_by_kind_file_and_map(result: Result) -> None:
    others = [
        replace(result, subject="another"),
        replace(result, explanation=replace(result.explanation, method="lrp")),
        replace(result, explanation=replace(result.explanation, target="normal")),
        replace(result, explanation=replace(result.explanation, member="another")),
    ]
    assert result.uuid("sr") == replace(result).uuid("sr")
    uids = [result.uid("sr"), result.uid("sc"), *(other.uid("sr") for other in others), result.device_uid()]
    assert len(set(uids)) == len(uids)
    assert result.uid("sr") == f"2.25.{result.uuid('sr').int}"
    assert result.device_uid() == f"2.25.{result.device_uuid().int}"
    assert {other.device_uid() for other in others} == {result.device_uid()}
