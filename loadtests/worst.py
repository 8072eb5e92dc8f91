"""Send the most expensive legal files from four clients at once: measure answers, and the memory of all processes.

    python -m loadtests.worst --seconds 60

They have 40 megapixels, nearly the limit: 16-bit DICOM in RLE and in JPEG 2000, PNG in colour with alpha, and forms
with sixteen of the latter.
"""

import io
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Final

import cv2
import httpx
import numpy as np
import psutil
import pydicom
import typer
from numpy.typing import NDArray
from pydicom.uid import JPEG2000Lossless, RLELossless

from loadtests.clients import lasting
from loadtests.samples import native_dicom, radiographs
from scripts.forms import FORM, form
from scripts.server import Server, serve

CLIENTS: Final = 4
SHAPE: Final = (5_000, 8_000)
IN_A_FORM: Final = 16
READ_EVERY_S: Final = 0.1
MOST_GIB: Final = 4.0
EXPECTED: Final = frozenset({200, 413, 422, 429, 503, 504})

Posted = tuple[str, str, bytes]
"""Path, media type and body."""


def worst_files() -> list[Posted]:
    """One request of each kind."""
    ramp = np.add.outer(np.arange(SHAPE[0]), np.arange(SHAPE[1])) % 4096
    dicoms = [_dicom(ramp.astype(np.uint16), syntax) for syntax in (RLELossless, JPEG2000Lossless)]
    grey = (ramp >> 4).astype(np.uint8)
    _, encoded = cv2.imencode(".png", np.dstack([grey] * 4))
    png = encoded.tobytes()
    return [
        *(("/classify", "application/dicom", data) for data in dicoms),
        ("/classify", "image/png", png),
        ("/v1/classify", FORM, form([png] * IN_A_FORM)),
    ]


def _dicom(stored: NDArray[np.uint16], syntax: str) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(native_dicom("worst", np.zeros((64, 64), np.uint8))))
    dataset.Rows, dataset.Columns = stored.shape
    dataset.PixelData = stored.tobytes()
    dataset.compress(syntax, generate_instance_uid=False)
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()


@contextmanager
def watched(server: Server) -> Iterator[list[float]]:
    """Read repeatedly, while the block runs, the GiB that the server and all its children use together."""
    readings: list[float] = [_gib(server)]
    over = threading.Event()

    def read() -> None:
        while not over.wait(READ_EVERY_S):
            readings.append(_gib(server))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield readings
    finally:
        over.set()
        reader.join()


def _gib(server: Server) -> float:
    total = 0
    first = psutil.Process(server.process.pid)
    for process in (first, *first.children(recursive=True)):
        with suppress(psutil.Error):
            total += process.memory_info().rss
    return total / 2**30


def ask(url: str, posted: list[Posted], going: Callable[[], bool], first: int) -> Counter[int]:
    """One client in a closed loop. Returns the counts of statuses."""
    statuses: Counter[int] = Counter()
    with httpx.Client(base_url=url, timeout=120) as client:
        while going():
            path, media_type, data = posted[(first + statuses.total()) % len(posted)]
            statuses[client.post(path, content=data, headers={"Content-Type": media_type}).status_code] += 1
    return statuses


def main(seconds: Annotated[float, typer.Option(help="How long.")] = 60) -> None:
    """Serve the default bundle, load it, and print the results. Exit status 1 if a requirement is violated."""
    posted = worst_files()
    small = next(sample for sample in radiographs(1) if sample.media_type == "image/jpeg")
    with tempfile.TemporaryDirectory() as logs, serve(Path(logs) / "server.log", None) as server:
        server.wait_for_answer("/explain", small.data, small.media_type, 120)  # torch is imported
        url, going = str(server.client.base_url), lasting(seconds)
        with watched(server) as readings, ThreadPoolExecutor(CLIENTS) as clients:
            counted = list(clients.map(lambda first: ask(url, posted, going, first), range(CLIENTS)))
        time.sleep(1)
        after = _gib(server)
    statuses = sum(counted, Counter[int]())
    typer.echo(
        f"statuses: {dict(statuses)}; GiB: {readings[0]:.2f} before, {max(readings):.2f} at most, {after:.2f} after"
    )
    raise typer.Exit(0 if set(statuses) <= EXPECTED and max(readings) <= MOST_GIB else 1)


if __name__ == "__main__":
    typer.run(main)
