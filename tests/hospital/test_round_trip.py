"""The real Orthanc, dcmtk, the service and `cxr pacs` in a separate network: every study gets one answer."""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import highdicom
import pytest

from cxr.model.bundle import Bundle
from hospital.receiver import OUT_OF_RESOURCES
from scripts.server import REPOSITORY, Server, serve, stop
from tests import files
from tests.dicom_tools import DCIODVFY, errors
from tests.hospital.network import can_be_had, own_network
from tests.hospital.orthanc import DICOM_PORT, DICOMWEB, NODE_PORT, PROGRAM, Orthanc

STORESCU, ECHOSCU = shutil.which("storescu"), shutil.which("echoscu")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (PROGRAM and DICOMWEB.exists()), reason="needs Debian's orthanc and orthanc-dicomweb"),
    pytest.mark.skipif(not (STORESCU and ECHOSCU), reason="needs Debian's dcmtk"),
    pytest.mark.skipif(not can_be_had(), reason="needs a network namespace, so root"),
]

BOTH = ["OT", "SR"]
WAIT_S = 90.0
AWAY_S = 60.0
STUDIES, ASSOCIATIONS = 200, 4


@pytest.fixture(scope="module", autouse=True)
def network() -> Iterator[None]:
    with own_network():
        yield


@pytest.fixture(scope="module", autouse=True)
def service(network: None, bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:  # noqa: ARG001
    with serve(tmp_path_factory.mktemp("service") / "log", bundle.root, port=13000) as running:
        running.wait_for_explainer(files.radiograph_png())
        yield running


@pytest.fixture(scope="module")
def pacs(network: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:  # noqa: ARG001
    archive = Orthanc(tmp_path_factory.mktemp("orthanc"))
    archive.start()
    try:
        yield archive
    finally:
        archive.stop()


@contextmanager
def node(folder: Path, *options: str, program: Sequence[str] = ("-m", "hospital")) -> Iterator[subprocess.Popen[bytes]]:
    """`cxr pacs serve` between service and archive. It has ended after the context."""
    arguments = ["serve", "--spool", str(folder / "spool"), "--port", str(NODE_PORT), "--least-free-gib", "0"]
    arguments += ["--service", "http://127.0.0.1:13000", *options]
    if "--archive" not in options:
        arguments += ["--archive", f"ORTHANC@127.0.0.1:{DICOM_PORT}"]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, *program, *arguments], cwd=REPOSITORY, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        wait_for(lambda: echo() or process.poll() is not None)
        yield process
    finally:
        if process.poll() is None:
            stop(process)


def echo() -> bool:
    return dcmtk(ECHOSCU, "-aec", "CXR", "127.0.0.1", str(NODE_PORT)).returncode == 0


def store(*paths: Path, port: int = NODE_PORT, title: str = "CXR") -> subprocess.CompletedProcess[str]:
    """Send files, or folders of files, by storescu in one association."""
    return dcmtk(STORESCU, "-R", "+sd", "-aec", title, "127.0.0.1", str(port), *map(str, paths))


def dcmtk(program: str | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    assert program is not None
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=300)


def study(folder: Path, number: int = 0, data: bytes | None = None) -> tuple[Path, str]:
    """A file with a radiograph of a new study, and the study's UID."""
    run = int(time.time() * 1e6)
    uids = {name: f"1.2.826.0.1.3680043.8.498.{run}.{number}.{i}" for i, name in enumerate(_UIDS)}
    path = folder / f"study-{number}.dcm"
    path.write_bytes(files.changed(data or files.small_radiograph_dicom(), **uids))
    return path, uids["StudyInstanceUID"]


_UIDS = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")


def wait_for(happened: Callable[[], bool], seconds: float = WAIT_S) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.2)


def waiting(folder: Path) -> int:
    """The contents of a spool."""
    return sum(1 for name in ("tmp", "new", "work", "out", "done") for _ in (folder / "spool" / name).iterdir())


def wait_for_both(pacs: Orthanc, folder: Path, uid: str) -> None:
    wait_for(lambda: pacs.modalities(uid) == BOTH and not waiting(folder))


def test_from_storescu_to_report_and_overlay_in_the_archive(service: Server, pacs: Orthanc, tmp_path: Path) -> None:
    path, uid = study(tmp_path, data=files.radiograph_dicom())
    with node(tmp_path):
        assert store(path).returncode == 0
        wait_for_both(pacs, tmp_path, uid)
    found = {one["modality"]: pacs.file(one["uid"]) for one in pacs.instances(uid)}
    report = highdicom.sr.srread(BytesIO(found["SR"]))
    (group,) = report.content.get_image_measurement_groups()  # type: ignore[attr-defined]
    scores = {m.name.value.removeprefix("score-"): m.value / 100 for m in group.get_measurements()}
    told = service.client.post("/classify", content=path.read_bytes()).json()
    assert scores == pytest.approx(told["probabilities"], abs=1e-9)
    for data in found.values():
        assert str(files.parse(data).PatientName) == str(files.parse(path.read_bytes()).PatientName)
        assert DCIODVFY is None or not errors(data, tmp_path)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("folder", ["new", "work", "out", "done"])
def test_kill_9_at_each_rename(pacs: Orthanc, tmp_path: Path, folder: str, when: str) -> None:
    path, uid = study(tmp_path)
    mark = tmp_path / "killed"
    with node(tmp_path, program=("-m", "tests.hospital.dying", folder, when, str(mark))) as dying:
        sent = store(path).returncode
        wait_for(lambda: dying.poll() is not None)
        assert mark.exists()
        assert (sent == 0) == (folder != "new")
    with node(tmp_path):
        if sent != 0:  # a router keeps a radiograph that was not accepted, and sends it again
            assert store(path).returncode == 0
        wait_for_both(pacs, tmp_path, uid)


def test_the_same_study_twice(pacs: Orthanc, tmp_path: Path) -> None:
    path, uid = study(tmp_path)
    with node(tmp_path):
        for _ in range(2):
            assert store(path).returncode == 0
            wait_for_both(pacs, tmp_path, uid)
        assert store(path, path).returncode == 0
        wait_for(lambda: not waiting(tmp_path))
    assert pacs.modalities(uid) == BOTH


def test_the_archive_is_unavailable_for_a_minute(pacs: Orthanc, tmp_path: Path) -> None:
    path, uid = study(tmp_path)
    with node(tmp_path):
        with pacs.away():
            assert store(path).returncode == 0
            wait_for(lambda: any((tmp_path / "spool" / "out").iterdir()))
            time.sleep(AWAY_S)
        wait_for_both(pacs, tmp_path, uid)


def test_200_studies_in_4_associations(pacs: Orthanc, tmp_path: Path) -> None:
    uids = []
    for association in range(ASSOCIATIONS):
        folder = tmp_path / f"association-{association}"
        folder.mkdir()
        each = STUDIES // ASSOCIATIONS
        uids += [study(folder, association * each + number)[1] for number in range(each)]
    with node(tmp_path, "--workers", "2"):
        commands = [
            subprocess.Popen(
                [
                    str(STORESCU),
                    "-R",
                    "+sd",
                    "-aec",
                    "CXR",
                    "127.0.0.1",
                    str(NODE_PORT),
                    str(tmp_path / f"association-{i}"),
                ]
            )
            for i in range(ASSOCIATIONS)
        ]
        assert [command.wait(300) for command in commands] == [0] * ASSOCIATIONS
        wait_for(lambda: not waiting(tmp_path), 900)
    assert {uid: pacs.modalities(uid) for uid in uids} == dict.fromkeys(uids, BOTH)


def test_the_service_is_unavailable(pacs: Orthanc, bundle: Bundle, tmp_path: Path) -> None:
    path, uid = study(tmp_path)
    with node(tmp_path, "--service", "http://127.0.0.1:13001"):
        assert store(path).returncode == 0
        time.sleep(3)
        assert waiting(tmp_path) == 1
        with serve(tmp_path / "service.log", bundle.root, port=13001):
            wait_for_both(pacs, tmp_path, uid)


def test_a_disk_that_is_full(pacs: Orthanc, tmp_path: Path) -> None:
    """The spool is on a disk of 17 MiB, which has less than 4 MiB left after two radiographs of 7 MB."""
    small = tmp_path / "spool"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=17m", "none", str(small)], check=False).returncode:
        pytest.skip("needs the right to mount")
    try:
        first, _ = study(tmp_path, 1, files.radiograph_dicom())
        second, uid = study(tmp_path, 2, files.radiograph_dicom())
        with node(tmp_path, "--service", "http://127.0.0.1:13009", "--least-free-gib", "0.004"):
            assert store(first).returncode == 0
            assert store(second).returncode == OUT_OF_RESOURCES >> 8, "storescu exits with the status's high byte"
        with node(tmp_path, "--least-free-gib", "0.004"):
            wait_for(lambda: not waiting(tmp_path))
            assert store(second).returncode == 0, "the router has kept it"
            wait_for(lambda: pacs.modalities(uid) == BOTH)
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_by_stow(pacs: Orthanc, tmp_path: Path) -> None:
    path, uid = study(tmp_path)
    with node(tmp_path, "--archive", f"{pacs.url}/dicom-web"):
        assert store(path).returncode == 0
        wait_for_both(pacs, tmp_path, uid)


def test_orthancs_router_rule(pacs: Orthanc, tmp_path: Path) -> None:
    path, uid = study(tmp_path)
    with node(tmp_path):
        assert store(path, port=DICOM_PORT, title="ORTHANC").returncode == 0
        wait_for(lambda: pacs.modalities(uid) == ["CR", *BOTH])
        time.sleep(5)
        assert pacs.modalities(uid) == ["CR", *BOTH], "results are not answered themselves"


def test_an_orthancs_changes_fetch_what_its_router_could_not_send(
    pacs: Orthanc,
    tmp_path: Path,
) -> None:
    path, uid = study(tmp_path)
    assert store(path, port=DICOM_PORT, title="ORTHANC").returncode == 0
    time.sleep(2)
    with node(tmp_path, "--orthanc", pacs.url):
        wait_for(lambda: pacs.modalities(uid) == ["CR", *BOTH])


def test_names_of_patients_stay_out_of_the_log(pacs: Orthanc, tmp_path: Path) -> None:
    canary = "CANARYBIRD"
    data = files.changed(files.small_radiograph_dicom(), PatientName=canary, PatientID=canary, StudyID=canary)
    path, uid = study(tmp_path, data=data)
    with node(tmp_path, "--metrics-port", "19100"):
        assert store(path).returncode == 0
        wait_for_both(pacs, tmp_path, uid)
    log = (tmp_path / "log").read_text()
    assert canary not in log
    assert not re.search(r"1\.2\.826\.0\.1\.3680043\.8\.498\.\d+\.0", log)
    left = [path for path in (tmp_path / "spool").rglob("*") if path.is_file()]
    assert not [path for path in left if canary in path.name or canary.encode() in path.read_bytes()]
