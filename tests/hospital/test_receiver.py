"""The receiver: which objects it accepts from which callers, and its statuses."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom import uid

from hospital.metrics import Metrics
from hospital.receiver import Node, receiving
from hospital.spool import Spool
from tests import files
from tests.hospital.peers import echo, send

RADIOGRAPH = files.small_radiograph_dicom()


@contextmanager
def node(folder: Path, least_free: int = 0, **options: Any) -> Iterator[tuple[int, Spool, Metrics]]:
    spool, metrics = Spool(folder / "spool", least_free=least_free), Metrics()
    with receiving(Node(port=0, **options), spool, metrics) as port:
        yield port, spool, metrics


def value(metrics: Metrics, name: str) -> float | None:
    return metrics.registry.get_sample_value(f"cxr_pacs_{name}_total")


def test_echo(tmp_path: Path) -> None:
    with node(tmp_path) as (port, _, _):
        assert echo(port) == 0x0000


@pytest.mark.parametrize("sop_class", [uid.ComputedRadiographyImageStorage, uid.DigitalXRayImageStorageForPresentation])
def test_a_radiograph_is_in_the_spool_before_success_is_returned(tmp_path: Path, sop_class: uid.UID) -> None:
    data = files.changed(RADIOGRAPH, SOPClassUID=sop_class)
    with node(tmp_path) as (port, spool, metrics):
        assert send(port, data) == 0x0000
        (waiting,) = (spool.root / "new").iterdir()
        received, sent = files.parse(waiting.read_bytes()), files.parse(data)
        assert received == sent
        assert received.file_meta.TransferSyntaxUID == sent.file_meta.TransferSyntaxUID
        assert spool.count("tmp") == 0
        assert value(metrics, "received") == 1


def test_compressed_files_are_stored_unchanged(tmp_path: Path) -> None:
    data = files.compressed(RADIOGRAPH, uid.JPEGLSLossless)
    with node(tmp_path) as (port, spool, _):
        assert send(port, data) == 0x0000
        (waiting,) = (spool.root / "new").iterdir()
        assert files.parse(waiting.read_bytes()).file_meta.TransferSyntaxUID == uid.JPEGLSLossless


@pytest.mark.parametrize(
    "sop_class",
    [uid.SecondaryCaptureImageStorage, uid.Comprehensive3DSRStorage, uid.CTImageStorage],
    ids=lambda sop_class: sop_class.keyword,
)
def test_other_classes_find_no_context_so_that_results_do_not_come_back(tmp_path: Path, sop_class: uid.UID) -> None:
    with node(tmp_path) as (port, spool, _):
        assert send(port, files.changed(RADIOGRAPH, SOPClassUID=sop_class)) is None
        assert spool.count("new") == 0


def test_titles_are_checked(tmp_path: Path) -> None:
    with node(tmp_path, title="AI", callers=("ROUTER",)) as (port, spool, metrics):
        assert send(port, RADIOGRAPH, called="OTHER", calling="ROUTER") is None
        assert send(port, RADIOGRAPH, called="AI", calling="STRANGER") is None
        assert send(port, RADIOGRAPH, called="AI", calling="ROUTER") == 0x0000
        assert spool.count("new") == 1
        assert value(metrics, "rejected_associations") == 2


def test_a_full_disk_is_reported_and_the_router_keeps_the_radiograph(tmp_path: Path) -> None:
    with node(tmp_path, least_free=1 << 62) as (port, spool, metrics):
        assert send(port, RADIOGRAPH) == 0xA700
        assert (spool.count("new"), spool.count("tmp")) == (0, 0)
        assert value(metrics, "turned_away") == 1


def test_a_failing_disk_is_not_a_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with node(tmp_path) as (port, spool, _):
        monkeypatch.setattr(spool, "_move", fail)
        assert send(port, RADIOGRAPH) == 0xA700
        assert spool.count("new") == 0
