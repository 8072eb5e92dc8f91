"""A real server in a process of its own, on a free loopback port, with its own BENTOML_HOME and its log in a file."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from scripts.waiting import wait_until_answering

REPOSITORY = Path(__file__).parent.parent
START_S = 120
STOP_S = 45


@dataclass(frozen=True)
class Server:
    """A running server. `client` has its base URL; `scratch` is all it can write to but its log."""

    process: subprocess.Popen[bytes]
    log: Path
    scratch: Path
    client: httpx.Client

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")

    def log_line(self, request_id: str) -> str:
        """The access line of a request, which may be written a moment after its answer."""
        end = time.monotonic() + 5
        while time.monotonic() < end:
            for line in self.log_text().split("\n")[:-1]:  # the last one may still be growing
                if request_id in line and "cxr.access" in line:
                    return line
            time.sleep(0.01)
        raise RuntimeError(f"no access line of request {request_id}")

    def explainer(self) -> psutil.Process:
        """The explainer's process."""
        return self.worker("explainer")

    def worker(self, service: str) -> psutil.Process:
        """The process of a BentoML service. Raises StopIteration while it has none."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return next(child for child in children if service in child.cmdline())

    def wait_for_explainer(self, png: bytes) -> None:
        """Return when /explain answers 200 to a radiograph; it starts in its own time."""
        self.wait_for_answer("/explain", png, "image/png", START_S)

    def wait_for_answer(self, route: str, data: bytes, media_type: str, seconds: float) -> None:
        """Return when a route answers 200 to a file. Raises RuntimeError where it has not after so many seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.client.post(route, content=data, headers={"Content-Type": media_type}).is_success:
                return
            time.sleep(0.2)
        raise RuntimeError(f"{route} did not become ready:\n{self.log_text()[-4000:]}")


@contextmanager
def serve(
    log: Path,
    bundle: Path | None,
    service: Sequence[str] = ("service.bento.api:Api",),
    cwd: Path = REPOSITORY,
    host: str = "127.0.0.1",
    port: int | None = None,
    **settings: object,
) -> Iterator[Server]:
    """A server that is ready, and gone afterwards.

    Args:
        log: the file for its log.
        bundle: what to serve; by default what CXR_BUNDLE's default is there.
        service: arguments of `bentoml serve`.
        cwd: where it is started.
        host: the address it listens on; it is asked at 127.0.0.1.
        port: by default one that is free.
        settings: CXR_* variables, in lower case without the prefix.
    """
    port = port or free_port()
    with (
        tempfile.TemporaryDirectory(prefix="cxr-") as scratch,  # short: Unix sockets' paths are limited
        log.open("ab") as out,  # at its end, also when a rotation has cut it short
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
    ):
        process = subprocess.Popen(
            [*_command(service, host), "--port", str(port)],
            cwd=cwd,
            env=_environment(scratch, bundle, settings) | {"PYTHONPATH": str(cwd)},  # the code that lies there
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl+C must not reach it before us
        )
        try:
            wait_until_answering(f"http://127.0.0.1:{port}/readyz", process, START_S, log)
            yield Server(process, log, Path(scratch), client)
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server as an operator would, and its workers the hard way if they outlive it."""
    family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    finally:
        for child in family:
            if child.is_running():
                child.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _command(service: Sequence[str], host: str) -> list[str]:
    options = ("--host", host, "--timeout-graceful-shutdown", "30")
    return [sys.executable, "-m", "bentoml", "serve", *service, *options]


def _environment(scratch: str, bundle: Path | None, settings: dict[str, object]) -> dict[str, str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("CXR_", "BENTOML_"))}
    ours = {f"CXR_{name.upper()}": str(value) for name, value in settings.items()}
    if bundle is not None:
        ours["CXR_BUNDLE"] = str(bundle)
    places = {"BENTOML_HOME": scratch, "TMPDIR": scratch}
    return inherited | ours | places | {"BENTOML_DO_NOT_TRACK": "True"}
