"""Run a real server in its own process, on a free loopback port, with its own BENTOML_HOME and a log file."""

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
    """A running server. `client` has its base URL. `scratch` is the only folder it writes to, except for its log."""

    process: subprocess.Popen[bytes]
    log: Path
    scratch: Path
    client: httpx.Client

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")

    def log_line(self, request_id: str) -> str:
        """The access log line of a request, which may be written a moment after the answer."""
        end = time.monotonic() + 5
        while time.monotonic() < end:
            for line in self.log_text().split("\n")[:-1]:  # the last line may be incomplete
                if request_id in line and "cxr.access" in line:
                    return line
            time.sleep(0.01)
        raise RuntimeError(f"no access line of request {request_id}")

    def explainer(self) -> psutil.Process:
        """The explainer's process."""
        return self.worker("explainer")

    def worker(self, service: str) -> psutil.Process:
        """The process of a BentoML service. Raises StopIteration if there is none."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return next(child for child in children if service in child.cmdline())

    def wait_for_explainer(self, png: bytes) -> None:
        """Wait until /explain answers 200 to a radiograph: the explainer starts later than the API."""
        self.wait_for_answer("/explain", png, "image/png", START_S)

    def wait_for_answer(self, route: str, data: bytes, media_type: str, seconds: float) -> None:
        """Wait until a route answers 200 to a file. Raises RuntimeError after `seconds`."""
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
    """Start a server, wait until it is ready, and stop it afterwards.

    Args:
        log: the file for its log.
        bundle: the bundle to serve; by default that of CXR_BUNDLE's default.
        service: arguments of `bentoml serve`.
        cwd: working directory.
        host: the address to listen on; clients use 127.0.0.1.
        port: by default a free one.
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
            env=_environment(scratch, bundle, settings) | {"PYTHONPATH": str(cwd)},  # use the code in that folder
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl+C must not reach it before this process
        )
        try:
            wait_until_answering(f"http://127.0.0.1:{port}/readyz", process, START_S, log)
            yield Server(process, log, Path(scratch), client)
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a server as an operator would, and kill workers that outlive it."""
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
