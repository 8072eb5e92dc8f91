"""Waiting for a server ends when it answers or has died."""

import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from scripts.waiting import wait_until_answering


class Half(BaseHTTPRequestHandler):
    """Ready at /ready, and nowhere else."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/ready" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Half) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def alive() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_a_refusal_counts_only_if_any_status_is_accepted(url: str, alive: subprocess.Popen[bytes]) -> None:
    wait_until_answering(f"{url}/ready", alive, 30)
    wait_until_answering(f"{url}/else", alive, 30, any_status=True)
    with pytest.raises(RuntimeError, match="/else did not become ready"):
        wait_until_answering(f"{url}/else", alive, 0.2)


def test_waiting_stops_when_the_process_is_dead(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("it could not bind")
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        dead.wait()
        with pytest.raises(RuntimeError, match="could not bind"):
            wait_until_answering("http://127.0.0.1:9/", dead, 1000, tmp_path / "log")
