"""The processes: which code runs where, which settings start, and what works without the explainer."""

import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from pydantic import ValidationError

from cxr.errors import BundleError
from cxr.model.bundle import DEFAULT_BUNDLE, Bundle
from scripts.server import REPOSITORY, Server, serve
from service.bento.api import ENTRY, prepare
from service.bento.explainer import PATIENCE, ExplainerService
from service.bento.supervisor import refuse_open_sockets
from service.settings import ELSEWHERE, MAX_SECONDS, TIMEOUT_S, Settings
from service.verify import verify
from tests import files

PNG = {"Content-Type": "image/png"}


def test_settings_are_few_and_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(Settings.model_fields) <= 24
    assert all(field.description for field in Settings.model_fields.values())
    monkeypatch.setenv("CXR_QUEUE", "3")
    assert "CXR_QUEUE=3" in str(Settings())


@pytest.mark.parametrize(("name", "value"), [("QUEUE", "-1"), ("THREADS", "0"), ("EXPLAIN_SECONDS", "3600")])
def test_settings_out_of_range_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"CXR_{name}", value)
    with pytest.raises(ValidationError):
        Settings()


def test_no_request_may_take_longer_than_bentomls_own_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ENTRY["traffic"] == {"timeout": TIMEOUT_S}
    assert Settings().longest_s < TIMEOUT_S
    for name in ("UPLOAD", "CLASSIFY", "OCCLUSION"):
        monkeypatch.setenv(f"CXR_{name}_SECONDS", "100")
    with pytest.raises(ValidationError, match="must be under 300 s together"):
        Settings()


def test_a_call_to_the_explainer_outlives_a_job_that_hangs() -> None:
    service: Any = ExplainerService
    assert service.config["traffic"]["timeout"] > PATIENCE * MAX_SECONDS


@pytest.mark.parametrize("part", ["weights", "onnx"])
def test_one_byte_more_in_any_file_is_noticed(bundle: Bundle, tmp_path: Path, part: str) -> None:
    verify(bundle)
    copy = shutil.copytree(bundle.root, tmp_path / "copy")
    for path in sorted((copy / part).glob("*.*t*")):
        if path.name == "manifest.json":
            continue
        data = path.read_bytes()
        path.write_bytes(data + b"\0")
        with pytest.raises(BundleError):
            verify(Bundle(copy))
        path.write_bytes(data)
    verify(Bundle(copy))


def test_one_byte_more_in_the_hashes_is_noticed(copy: Path) -> None:
    stored = Bundle(DEFAULT_BUNDLE).manifest.hashes
    assert stored is not None
    manifest = json.loads((copy / "bundle.json").read_text()) | {"hashes": stored.model_dump()}
    (copy / "bundle.json").write_text(json.dumps(manifest))
    file, data = copy / "weights" / stored.weights, Bundle(DEFAULT_BUNDLE).read_weights(stored)
    file.write_bytes(data)
    verify(Bundle(copy))
    file.write_bytes(data + b"\0")
    with pytest.raises(BundleError):
        verify(Bundle(copy))


def test_a_broken_bundle_ends_the_server_with_one_line(bundle: Bundle, tmp_path: Path) -> None:
    broken = shutil.copytree(bundle.root, tmp_path / "broken")
    next((broken / "onnx").glob("*.float32.onnx")).write_bytes(b"not a graph")
    with pytest.raises(RuntimeError) as caught, serve(tmp_path / "log", broken):
        pytest.fail("it started")
    log = str(caught.value)
    assert "The bundle cannot be served." in log
    assert "Traceback" not in log
    assert "worker" not in log


@pytest.mark.parametrize(
    ("hosts", "settings", "refused"),
    [
        (["127.0.0.1"], {}, False),
        (["::1"], {}, False),
        (["0.0.0.0"], {}, True),
        (["::"], {}, True),
        (["10.0.0.1"], {}, True),
        (["0.0.0.0"], {"api_keys": "0123456789abcdef"}, False),
        (["0.0.0.0"], {"allow_anonymous": True}, False),
        (["127.0.0.1", "127.0.0.1"], {"allow_anonymous": True}, True),  # the explainer would listen on TCP
    ],
)
def test_listening_beyond_loopback_needs_a_key(hosts: list[str], settings: dict[str, Any], refused: bool) -> None:
    sockets = [SimpleNamespace(host=None), *(SimpleNamespace(host=host) for host in hosts)]
    with pytest.raises(SystemExit) if refused else nullcontext():
        refuse_open_sockets(sockets, Settings(**settings))


def test_an_unknown_setting_ends_the_server_with_one_line(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as caught, serve(tmp_path / "log", bundle.root, api_key="0123456789abcdef"):
        pytest.fail("it started")
    log = str(caught.value)
    assert "There is no setting CXR_API_KEY. Did you mean CXR_API_KEYS?" in log
    assert "0123456789abcdef" not in log
    assert "Traceback" not in log


def test_variables_of_other_files_are_neither_settings_nor_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = ["git", "grep", "-hoIE", r"\bCXR_[A-Z_]*[A-Z]\b", "--", ":!tests"]
    names = set(subprocess.run(listed, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.split())
    settings = {f"CXR_{name.upper()}" for name in Settings.model_fields}
    assert names - settings - {"CXR_API_KEY"} == set(ELSEWHERE)  # the misspelt one is named in the error
    monkeypatch.setenv("CXR_IMAGE", "x")
    Settings()


@pytest.mark.parametrize("user", [0, 1034])
def test_root_gets_a_warning(user: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("logs.configure", "bento.api.confine", "bento.api.verify"):
        monkeypatch.setattr(f"service.{name}", lambda *_: None)
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setattr(logging.getLogger("cxr"), "propagate", True)
    prepare()
    assert ("as root" in caplog.text) == (user == 0)


@pytest.mark.slow  # the supervisor's own refusal is below
def test_a_worker_that_listens_everywhere_does_not_start(bundle: Bundle) -> None:
    """Independently of the supervisor's check."""
    with socket.create_server(("0.0.0.0", 0)) as listener:
        arguments = ["-m", "_bentoml_impl.worker.service", "service.bento.classifier:ApiWithoutExplainer"]
        result = subprocess.run(
            [sys.executable, *arguments, "--fd", str(listener.fileno()), "--worker-id", "1"],
            cwd=REPOSITORY,
            env=os.environ | {"CXR_BUNDLE": str(bundle.root), "BENTOML_DO_NOT_TRACK": "True"},
            pass_fds=[listener.fileno()],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert result.returncode != 0
    assert "Without a key the service listens on loopback only." in result.stdout + result.stderr


def test_a_server_that_would_listen_everywhere_ends_with_one_line(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as caught, serve(tmp_path / "log", bundle.root, host="0.0.0.0"):
        pytest.fail("it started")
    assert "Without a key the service listens on loopback only." in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_the_services_own_port_is_the_only_one(server: Server) -> None:
    parent = psutil.Process(server.process.pid)
    listening = {
        connection.laddr
        for process in (parent, *parent.children(recursive=True))
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN or connection.type == socket.SOCK_DGRAM
    }
    assert listening == {("127.0.0.1", server.client.base_url.port)}


def test_the_settings_are_in_the_log(server: Server, bundle: Bundle) -> None:
    assert f"CXR_BUNDLE={bundle.root}" in server.log_text()


@pytest.mark.slow  # the next explainer must load torch
def test_a_dead_explainer_does_not_affect_classify(server: Server) -> None:
    image = files.radiograph_png()
    server.explainer().kill()
    away = server.client.post("/explain", content=image, headers=PNG)
    assert away.status_code == 503
    assert away.json()["error"]["code"] == "explainer_unavailable"
    assert int(away.headers["Retry-After"]) > 0
    for _ in range(5):
        assert server.client.post("/classify", content=image, headers=PNG).status_code == 200
    assert server.client.get("/readyz").status_code == 200
    server.wait_for_explainer(image)


def test_a_hanging_explainer_does_not_affect_classify(server: Server) -> None:
    image = files.radiograph_png()
    explainer = server.explainer()
    explainer.suspend()
    try:
        away = server.client.post("/explain", content=image, headers=PNG)
        assert away.json()["error"]["code"] == "explainer_unavailable"
        assert server.client.post("/classify", content=image, headers=PNG).status_code == 200
    finally:
        explainer.resume()
    server.wait_for_explainer(image)


@pytest.mark.slow
def test_sigterm_answers_what_was_accepted(bundle: Bundle, tmp_path: Path) -> None:
    image = files.large_radiograph_dicom()
    with serve(tmp_path / "log", bundle.root) as server, ThreadPoolExecutor(4) as clients:
        headers = {"Content-Type": "application/dicom"}
        sent = [clients.submit(server.client.post, "/classify", content=image, headers=headers) for _ in range(4)]
        time.sleep(0.3)
        server.process.terminate()
        assert [future.result().status_code for future in sent] == [200] * 4
        assert server.process.wait(30) == 0


@pytest.mark.slow
def test_a_full_queue_refuses_at_once(bundle: Bundle, tmp_path: Path) -> None:
    image = files.large_radiograph_dicom()
    with serve(tmp_path / "log", bundle.root, classifications=1, queue=1) as server, ThreadPoolExecutor(8) as clients:
        headers = {"Content-Type": "application/dicom"}
        sent = [clients.submit(server.client.post, "/classify", content=image, headers=headers) for _ in range(8)]
        answers = [future.result() for future in sent]
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 429}
    for refused in (answer for answer in answers if answer.status_code == 429):
        assert refused.json()["error"]["code"] == "busy"
        assert refused.headers["Retry-After"] == "1"
