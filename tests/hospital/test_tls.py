"""TLS of the command: callers need a trusted certificate, and so does the called archive."""

import shutil
import subprocess
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from hospital.app import _calling, _listening
from hospital.metrics import Metrics
from hospital.receiver import Node, receiving
from hospital.sender import Dimse, Unreachable
from hospital.spool import Spool
from tests import files
from tests.hospital.peers import archive, echo
from tests.hospital.test_sender import objects

pytestmark = [
    pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl"),
    pytest.mark.usefixtures("forgotten_sockets"),
    # pynetdicom's threads also raise on failed handshakes.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]

Pair = tuple[Path, Path]


def certificate(folder: Path, name: str) -> Pair:
    """A self-signed certificate for 127.0.0.1, and its key."""
    made = folder / f"{name}.pem", folder / f"{name}.key"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}"]
    for_whom = ["-addext", "subjectAltName=IP:127.0.0.1", "-out", str(made[0]), "-keyout", str(made[1])]
    subprocess.run(["openssl", "req", "-x509", *kind, *for_whom], check=True, capture_output=True)
    return made


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    folder = tmp_path_factory.mktemp("certificates")
    return {name: certificate(folder, name) for name in ("ours", "theirs", "stranger")}


def test_a_caller_needs_a_certificate(tmp_path: Path, pairs: dict[str, Pair]) -> None:
    ours, theirs, stranger = pairs["ours"], pairs["theirs"], pairs["stranger"]
    node = Node(port=0, tls=_listening(ours, theirs[0]))
    with receiving(node, Spool(tmp_path / "spool"), Metrics()) as port:
        assert echo(port, tls=_calling(theirs, ours[0])) == 0x0000
        assert echo(port) is None
        assert echo(port, tls=_calling(None, ours[0])) is None
        assert echo(port, tls=_calling(stranger, ours[0])) is None


def test_an_archive_needs_one_too(pairs: dict[str, Pair]) -> None:
    ours, theirs, stranger = pairs["ours"], pairs["theirs"], pairs["stranger"]
    received: list[Dataset] = []
    made = [files.parse(data) for data in objects().values()]
    with archive(received, tls=_listening(theirs, ours[0])) as port:
        assert Dimse("127.0.0.1", port, "ARCHIVE", tls=_calling(ours, theirs[0])).store(made)
        assert len(received) == 2
        with pytest.raises(Unreachable):
            Dimse("127.0.0.1", port, "ARCHIVE", tls=_calling(ours, stranger[0])).store(made)
        with pytest.raises(Unreachable):
            Dimse("127.0.0.1", port, "ARCHIVE").store(made)


def test_without_certificates_there_is_no_tls() -> None:
    assert _listening(None, None) is None
    assert _calling(None, None) is None
