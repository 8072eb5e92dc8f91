"""A whole node in this process, with fake router, service and archive. No patient's name appears outside."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from pydicom.dataset import Dataset
from typer.testing import CliRunner

from cli import app
from hospital.client import Service
from hospital.feeders import OrthancChanges
from hospital.node import Plan, run
from hospital.receiver import Node
from hospital.sender import Dimse
from hospital.spool import FOLDERS, Spool
from scripts.server import free_port
from service.routes.related import related
from tests import files
from tests.hospital.peers import Answer, archive, echo, send, service
from tests.hospital.test_sender import objects

CANARY = "CANARYBIRD"
WAIT_S = 20.0
RADIOGRAPH = files.small_radiograph_dicom()

runner = CliRunner()


def answering(_headers: dict[str, str], body: bytes) -> Answer:
    """A fake service: it returns objects with UIDs derived from the radiograph's, and refuses lateral views."""
    dataset = files.parse(body)
    if dataset.ViewPosition == "LL":
        return 422, {}, b'{"error": {"code": "lateral_view"}}'
    made = related(objects(int(str(dataset.SOPInstanceUID).rpartition(".")[2])))
    return 200, {"Content-Type": made.headers["Content-Type"]}, bytes(made.body)


@contextmanager
def running(plan: Plan, spool: Spool) -> Iterator[None]:
    ended = threading.Event()
    thread = threading.Thread(target=run, args=(plan, spool, ended))
    thread.start()
    try:
        wait_for(lambda: echo(plan.node.port) == 0x0000)
        yield
    finally:
        ended.set()
        thread.join(WAIT_S)
        assert not thread.is_alive()


def wait_for(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def numbered(number: int, **elements: object) -> bytes:
    return files.changed(RADIOGRAPH, SOPInstanceUID=f"1.2.3.{number}", **elements)


def is_done(spool: Spool) -> bool:
    return not any(spool.count(folder) for folder in ("tmp", "new", "work", "out", "done"))


@pytest.mark.usefixtures("forgotten_sockets")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_from_the_router_to_the_archive(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    spool, received = Spool(tmp_path / "spool", least_free=0), list[Dataset]()
    caplog.set_level(logging.DEBUG)
    metrics_port = free_port()
    named = {"PatientName": CANARY, "PatientID": CANARY, "StudyID": CANARY}
    with archive(received) as port, service(answering) as url:
        plan = Plan(
            Node(port=free_port()),
            Service(url),
            Dimse("127.0.0.1", port, "ARCHIVE"),
            workers=2,
            metrics=("127.0.0.1", metrics_port),
        )
        with running(plan, spool):
            for number in (1, 2, 1):  # the first one again
                assert send(plan.node.port, numbered(number, **named), calling=CANARY) == 0x0000
            assert send(plan.node.port, numbered(3, ViewPosition="LL", **named)) == 0x0000
            assert send(plan.node.port, numbered(4, **named), called=CANARY) is None
            wait_for(lambda: is_done(spool) and len(received) >= 4 and spool.count("refused") == 1)
            metrics = httpx.get(f"http://127.0.0.1:{metrics_port}/metrics").text
    assert {one.SOPInstanceUID for one in received} == {"2.25.1", "2.25.91", "2.25.2", "2.25.92"}
    assert "cxr_pacs_received_total 4.0" in metrics
    assert "cxr_pacs_refused_total 1.0" in metrics
    left = [path for path in spool.root.rglob("*") if path.is_file()]
    assert not [path for path in left if CANARY in path.name or CANARY.encode() in path.read_bytes()]
    output = capfd.readouterr()
    for text in (metrics, caplog.text, output.out, output.err):
        assert CANARY not in text
        assert "1.2.3." not in text


@pytest.mark.usefixtures("forgotten_sockets")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_next_node_answers_what_the_last_one_accepted(tmp_path: Path) -> None:
    spool, received = Spool(tmp_path / "spool", least_free=0), list[Dataset]()
    spool.add(numbered(1), "1.2.3.1")
    assert spool.claim() is not None, "the process ended in the middle of its work"
    (spool.root / "tmp" / "half").write_bytes(b"half")
    with archive(received) as port, service(answering) as url:
        with running(Plan(Node(port=free_port()), Service(url), Dimse("127.0.0.1", port, "ARCHIVE")), spool):
            wait_for(lambda: len(received) == 2)
        wait_for(lambda: is_done(spool))


def test_feeding_files(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", least_free=0)
    good, bad = tmp_path / "good.dcm", tmp_path / "bad.dcm"
    good.write_bytes(RADIOGRAPH)
    bad.write_bytes(files.radiograph_png())
    result = runner.invoke(app, ["pacs", "feed", "--spool", str(spool.root), str(bad), str(good)])
    assert result.exit_code == 1
    assert f"{bad}: This is not a DICOM file." in result.stderr
    (waiting,) = (spool.root / "new").iterdir()
    assert waiting.read_bytes() == RADIOGRAPH


class Orthanc:
    """Answers GET requests like Orthanc, from a list of instances."""

    def __init__(self, modalities: list[str]) -> None:
        self.modalities = modalities
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        kind = request.url.path.split("/")
        if kind[1] == "changes":
            since = int(request.url.params["since"])
            changes = [{"ChangeType": "NewInstance", "ID": str(i)} for i in range(since, len(self.modalities))]
            changes.append({"ChangeType": "StableStudy", "ID": "x"})
            return httpx.Response(200, json={"Changes": changes, "Last": len(self.modalities), "Done": True})
        number = int(kind[2])
        if self.modalities[number] == "gone":
            return httpx.Response(404)
        if kind[3] == "file":
            return httpx.Response(200, content=numbered(number))
        return httpx.Response(200, json={"Modality": self.modalities[number], "SOPInstanceUID": f"1.2.3.{number}"})


def feeder(spool: Spool, orthanc: Callable[[httpx.Request], httpx.Response]) -> OrthancChanges:
    changes = OrthancChanges("http://orthanc", spool)
    changes._client = httpx.Client(base_url="http://orthanc", transport=httpx.MockTransport(orthanc))
    return changes


def test_an_orthancs_changes(tmp_path: Path) -> None:
    spool, orthanc = Spool(tmp_path / "spool", least_free=0), Orthanc(["CR", "SR", "OT", "gone", "DX"])
    feeder(spool, orthanc).step()
    assert spool.count("new") == 2
    orthanc.asked.clear()
    orthanc.modalities.append("CR")
    feeder(spool, orthanc).step()  # another process continues where the last one stopped
    assert spool.count("new") == 3
    assert orthanc.asked == ["/changes", "/instances/5/simplified-tags", "/instances/5/file"]


def test_an_unavailable_orthanc_is_asked_again_and_nothing_is_missed(tmp_path: Path) -> None:
    spool, orthanc = Spool(tmp_path / "spool", least_free=0), Orthanc(["CR", "CR"])

    def failing(request: httpx.Request) -> httpx.Response:
        return httpx.Response(500) if request.url.path == "/instances/1/file" else orthanc(request)

    changes = feeder(spool, failing)
    assert [changes.step(), changes.step()] == [1, 2]
    assert spool.count("new") == 1
    feeder(spool, orthanc).step()
    assert spool.count("new") == 2


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--archive", "nonsense"], "TITLE@HOST:PORT"),
        (["--archive", "PACS@127.0.0.1:1", "--host", "0.0.0.0"], "--caller"),
    ],
)
def test_invalid_options(tmp_path: Path, options: list[str], complaint: str) -> None:
    result = runner.invoke(app, ["pacs", "serve", "--spool", str(tmp_path / "spool"), *options])
    assert result.exit_code == 2
    assert complaint in result.stderr


def test_every_folder_is_explained() -> None:
    import hospital.spool

    assert all(f"{folder}/" in (hospital.spool.__doc__ or "") for folder in FOLDERS)
