"""`cxr pacs` and `python -m hospital`: what options make of a node, and how each command ends."""

import logging
import runpy
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from hospital import app as module
from hospital.node import Plan
from hospital.sender import Dimse, Stow
from hospital.spool import Spool, SpoolFull, SpoolInUse
from tests import files

runner = CliRunner()


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> list[Plan]:
    """The nodes that were to run; none does."""
    caplog.set_level(logging.INFO, "cxr")  # put back afterwards
    monkeypatch.setattr("logging.basicConfig", lambda **_: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    made: list[Plan] = []
    monkeypatch.setattr("hospital.node.run", lambda plan, *_: made.append(plan))
    return made


def serve(tmp_path: Path, *options: str) -> Result:
    return runner.invoke(module.app, ["serve", "--spool", str(tmp_path / "spool"), *options])


def test_options_become_a_node(tmp_path: Path, plans: list[Plan]) -> None:
    for name, text in (("key", "0123456789abcdef\n"), ("login", "user:pass:word\n")):
        (tmp_path / name).write_text(text)
    done = serve(
        tmp_path,
        *("--archive", "PACS@10.0.0.1:104", "--key-file", str(tmp_path / "key"), "--title", "HERE"),
        *("--host", "0.0.0.0", "--caller", "ROUTER", "--workers", "3", "--keep-hours", "2", "--metrics-port", "9"),
        *("--orthanc", "http://orthanc", "--orthanc-login", str(tmp_path / "login")),
    )
    assert done.exit_code == 0, done.output
    (plan,) = plans
    assert plan.archive == Dimse("10.0.0.1", 104, "PACS", "HERE")
    assert (plan.node.host, plan.node.title, list(plan.node.callers)) == ("0.0.0.0", "HERE", ["ROUTER"])
    assert (plan.workers, plan.keep_s, plan.metrics) == (3, 7200, ("0.0.0.0", 9))
    assert plan.changes is not None
    assert plan.node.tls is None


def test_a_url_is_an_archive_with_stow(tmp_path: Path, plans: list[Plan]) -> None:
    (tmp_path / "login").write_text("user:pass:word\n")
    options = ("--archive", "https://pacs/studies", "--archive-login", str(tmp_path / "login"))
    assert serve(tmp_path, *options).exit_code == 0
    (plan,) = plans
    assert plan.archive == Stow("https://pacs/studies", ("user", "pass:word"))
    assert (plan.changes, plan.metrics) == (None, None)


@pytest.mark.parametrize("archive", ["PACS", "PACS@host", "@host:1", "PACS@:1", "PACS@host:x"])
def test_an_archive_without_title_host_and_port_is_none(tmp_path: Path, plans: list[Plan], archive: str) -> None:
    done = serve(tmp_path, "--archive", archive)
    assert done.exit_code == 2
    assert "TITLE@HOST:PORT" in done.stderr
    assert plans == []


@pytest.mark.parametrize(
    ("error", "said"), [(SpoolInUse(), "another process uses this spool"), (OSError(98, "it is taken"), "it is taken")]
)
def test_what_keeps_it_from_running_is_one_line(
    tmp_path: Path, plans: list[Plan], monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def fails(*_: Any) -> None:
        raise error

    monkeypatch.setattr("hospital.node.run", fails)
    done = serve(tmp_path, "--archive", "PACS@host:104")
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1].endswith(said if isinstance(error, OSError) else f"{said}.")
    assert plans == []


def test_without_pynetdicom_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    done = serve(tmp_path, "--archive", "PACS@host:104")
    assert done.exit_code == 2
    assert "deepcovidexplainer[hospital]" in done.stderr


def test_files_that_cannot_be_fed_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good, missing = tmp_path / "good.dcm", tmp_path / "missing.dcm"
    good.write_bytes(files.small_radiograph_dicom())
    done = runner.invoke(module.app, ["feed", "--spool", str(tmp_path / "spool"), str(missing)])
    assert done.exit_code == 1
    assert f"{missing}: No such file" in done.stderr

    def full(*_: Any) -> None:
        raise SpoolFull

    monkeypatch.setattr(Spool, "add", full)
    done = runner.invoke(module.app, ["feed", "--spool", str(tmp_path / "spool"), str(good)])
    assert done.exit_code == 1
    assert f"{good}: The spool or its disk is full." in done.stderr


def test_the_package_is_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["hospital", "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("hospital", run_name="__main__")
    assert ended.value.code == 0
    assert "python -m hospital" in capsys.readouterr().out
