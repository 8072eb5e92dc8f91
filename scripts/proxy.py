"""Run a real nginx with `deploy/nginx.conf`, in front of replicas on this machine."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from scripts.server import REPOSITORY, free_port
from scripts.waiting import wait_until_answering

CONFIGURATION: Final = REPOSITORY / "deploy" / "nginx.conf"
START_S: Final = 10.0


def nginx() -> str | None:
    """The path of nginx, if it is installed. Debian installs it where only root's PATH leads."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


@contextmanager
def proxy(replicas: Sequence[str]) -> Iterator[str]:
    """The proxy's URL.

    Args:
        replicas: host:port of two replicas, which replace the configuration's two names.
    """
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="nginx-") as scratch:
        Path(scratch).chmod(0o711)  # nginx's workers are not root, and store bodies there
        configuration = Path(scratch) / "nginx.conf"
        configuration.write_text(_here(CONFIGURATION.read_text(), replicas, port, scratch))
        options = ["-p", scratch, "-c", str(configuration), "-g", f"daemon off; pid {scratch}/pid;"]
        process = subprocess.Popen([nginx() or "nginx", *options])
        try:
            wait_until_answering(f"http://127.0.0.1:{port}/livez", process, START_S, any_status=True)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


def _here(text: str, replicas: Sequence[str], port: int, scratch: str) -> str:
    """The configuration with this machine's addresses."""
    places = {f"api-{i}:3000": address for i, address in enumerate(replicas, 1)}
    places |= {"listen 8080": f"listen 127.0.0.1:{port}", "/tmp/nginx-body": f"{scratch}/body"}
    for theirs, ours in places.items():
        if theirs not in text:
            raise ValueError(f"{CONFIGURATION} does not say {theirs}")
        text = text.replace(theirs, ours)
    return text
