"""Wait for a server to start. Uses only the standard library, because the GPU machine has little else."""

import time
import urllib.error
import urllib.request
from pathlib import Path
from subprocess import Popen


def wait_until_answering(
    url: str, process: Popen[bytes], seconds: float, log: Path | None = None, any_status: bool = False
) -> None:
    """Wait until a GET succeeds, or is answered at all with `any_status`.

    Args:
        url: the URL to get.
        process: the server's process; waiting stops when it has ended.
        seconds: the longest wait.
        log: the server's log; the error quotes its end.
        any_status: accept any status.

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
