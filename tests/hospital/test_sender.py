"""The sender: archives that accept results, already have them, refuse one, or are unreachable."""

from pathlib import Path
from typing import Any

import pytest
from pydicom import uid
from pydicom.dataset import Dataset

from hospital.metrics import Metrics
from hospital.sender import Dimse, Sender, Stow, Unreachable
from hospital.spool import Spool
from tests import files
from tests.hospital.peers import Answer, archive, service


def objects(number: int = 1) -> dict[str, bytes]:
    """A secondary capture, and an object with the class of a structured report."""
    small = files.changed(files.small_radiograph_dicom(), Modality="OT", SOPInstanceUID=f"2.25.{number}")
    report = files.changed(small, SOPClassUID=uid.Comprehensive3DSRStorage, SOPInstanceUID=f"2.25.9{number}")
    return {"sc": files.changed(small, SOPClassUID=uid.SecondaryCaptureImageStorage), "sr": report}


def spool_of(folder: Path, count: int = 1) -> Spool:
    spool = Spool(folder / "spool", least_free=0)
    for number in range(1, count + 1):
        spool.add(b"radiograph", f"1.2.{number}")
        job = spool.claim()
        assert job is not None
        spool.answer(job, objects(number))
    return spool


def dimse(port: int) -> Dimse:
    return Dimse("127.0.0.1", port, "ARCHIVE")


def test_results_arrive_and_are_deleted(tmp_path: Path) -> None:
    spool, received = spool_of(tmp_path, 2), list[Dataset]()
    with archive(received) as port:
        Sender(spool, dimse(port), Metrics()).step()
    assert sorted(one.SOPInstanceUID for one in received) == ["2.25.1", "2.25.2", "2.25.91", "2.25.92"]
    assert [spool.count(folder) for folder in ("out", "done", "tmp")] == [0, 0, 0]


def test_results_are_kept_for_as_long_as_is_asked(tmp_path: Path) -> None:
    spool = spool_of(tmp_path)
    with archive([]) as port:
        Sender(spool, dimse(port), Metrics(), keep_s=3600).step()
    assert [spool.count(folder) for folder in ("out", "done")] == [0, 1]


@pytest.mark.parametrize("status", [0x0111, 0xB000, 0xB007])
def test_what_an_archive_has_already_or_coerces_has_arrived(tmp_path: Path, status: int) -> None:
    spool = spool_of(tmp_path)
    with archive([], lambda: status) as port:
        Sender(spool, dimse(port), Metrics()).step()
    assert spool.count("out") == 0


@pytest.mark.usefixtures("forgotten_sockets")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_unreachable_archive_is_tried_again(tmp_path: Path) -> None:
    spool = spool_of(tmp_path, 2)
    with archive([]) as port:
        pass
    sender = Sender(spool, dimse(port), Metrics())
    assert [sender.step(), sender.step(), sender.step()] == [1, 2, 4]
    assert spool.count("out") == 2
    received: list[Dataset] = []
    with archive(received, port=port):
        sender.step()
    assert len(received) == 4
    assert spool.count("out") == 0


@pytest.mark.parametrize("trouble", ["status", "class"])
def test_a_rejected_result_does_not_block_others(tmp_path: Path, trouble: str) -> None:
    spool, received = spool_of(tmp_path, 2), list[Dataset]()
    answers = iter([0xA700, 0, 0, 0, 0])
    classes = [uid.SecondaryCaptureImageStorage] if trouble == "class" else []
    with archive(received, lambda: next(answers) if trouble == "status" else 0, classes) as port:
        sender = Sender(spool, dimse(port), Metrics())
        sender.step()
        assert spool.count("out") == (1 if trouble == "status" else 2)
        sender.step()
        assert spool.count("out") == (1 if trouble == "status" else 2), "its turn has not come"


def stow(answer: Answer) -> bool:
    made = [files.parse(data) for data in objects().values()]
    with service(lambda _headers, _body: answer) as url:
        return Stow(url).store(made)


def test_stow() -> None:
    heard: list[tuple[dict[str, str], bytes]] = []

    def answer(headers: dict[str, str], body: bytes) -> Answer:
        heard.append((headers, body))
        return 200, {"Content-Type": "application/dicom+json"}, b'{"00081198": {"vr": "SQ"}}'

    made = [files.parse(data) for data in objects().values()]
    with service(answer) as url:
        assert Stow(url, ("user", "password")).store(made)
    ((headers, body),) = heard
    boundary = headers["content-type"].rpartition("boundary=")[2].encode()
    parts = [part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in body.split(b"--" + boundary)[1:-1]]
    assert [files.parse(part) for part in parts] == made
    assert headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    "answer",
    [
        (409, {}, b"{}"),
        (202, {}, b'{"00081198": {"vr": "SQ", "Value": [{}]}}'),
        (200, {}, b'{"00081198": {"vr": "SQ", "Value": [{}]}}'),
        (200, {}, b"<html>"),
        (500, {}, b""),
    ],
)
def test_stow_that_does_not_arrive(answer: Any) -> None:
    assert not stow(answer)


def test_stow_without_a_server() -> None:
    with service(lambda _headers, _body: (200, {}, b"{}")) as url:
        pass
    with pytest.raises(Unreachable):
        Stow(url).store([files.parse(objects()["sc"])])
