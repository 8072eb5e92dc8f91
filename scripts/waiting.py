"""Waiting for a server that starts. Of the standard library alone: the GPU machine has little else."""

import time
import urllib.error
import urllib.request
from pathlib import Path
from subprocess import Popen


def wait_until_answering(
    url: str, process: Popen[bytes], seconds: float, log: Path | None = None, any_status: bool = False
) -> None:
    """Return when a GET is answered with success, or at all where `any_status` will do.

    Args:
        url: what to ask for.
        process: of the server; once it has ended, nobody waits.
        seconds: to wait at the most.
        log: of the server, whose end goes into the error.
        any_status: whether a refusal is an answer too.

    Raises:
        RuntimeError: the process has ended, or the time is over.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except urllib.error.HTTPError:
            if any_status:
                return
        except OSError:
            pass
        time.sleep(0.1)
    said = f":\n{log.read_text(errors='replace')[-4000:]}" if log else ""
    raise RuntimeError(f"{url} did not become ready{said}")
