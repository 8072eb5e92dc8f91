"""`make demo`: serve the default bundle, classify and explain a real radiograph, and show the answers.

The radiograph comes with the package pydicom-data: a chest film from the DICOM working group's test set, with
multiple rounded opacities. It is probably none of the three classes, and so a good example of an uncertain answer.
"""

import io
import sys
import time
from base64 import b64decode
from pathlib import Path
from typing import Any, Final

import httpx
from PIL import Image
from pydicom.data import get_testdata_file
from rich.console import Console
from rich.table import Table

from cxr.decode import decode
from cxr.labels import DISPLAY_NAMES, LABELS
from scripts.server import Server, serve

OUT: Final = Path("build/demo")
SUFFIXES: Final = {"application/dicom": "dicom", "image/png": "png", "image/jpeg": "jpeg"}

console = Console()


def main() -> int:
    """Run the demo. Returns 0 if all answers arrived; otherwise prints the reason and returns 1."""
    OUT.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    files = radiograph()
    try:
        with console.status("starting the server"), serve(OUT / "server.log", bundle=None) as server:
            with console.status("waiting for the explainer"):
                server.wait_for_explainer(files["image/png"])
            answers = {media_type: ask(server, data, media_type) for media_type, data in files.items()}
    except (RuntimeError, httpx.HTTPError) as error:
        console.print(f"[red]The demo failed:[/red] {error}")
        return 1
    show(answers, time.monotonic() - start)
    return 0


def radiograph() -> dict[str, bytes]:
    """The DICOM file, and its pixels as PNG and JPEG as an archive would export them."""
    path = get_testdata_file("RG1_UNCR.dcm", download=False)
    if path is None:
        raise RuntimeError("pydicom-data is not installed: run `make setup`")
    data = Path(path).read_bytes()
    image = Image.fromarray(decode(data).pixels)
    return {"application/dicom": data, "image/png": encoded(image, "PNG"), "image/jpeg": encoded(image, "JPEG")}


def encoded(image: Image.Image, kind: str) -> bytes:
    """An image file's bytes."""
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def ask(server: Server, data: bytes, media_type: str) -> dict[str, Any]:
    """Classify and explain one file and keep its overlay. Raises RuntimeError if the two answers disagree."""
    answers = []
    for route in ("/classify", "/explain"):
        with console.status(f"{route} {media_type}"):
            response = server.client.post(route, content=data, headers={"Content-Type": media_type})
            response.raise_for_status()
            answers.append(response.json())
    classified, explained = answers
    if classified["probabilities"] != explained["probabilities"]:
        raise RuntimeError("/classify and /explain disagree")
    overlay = b64decode(explained["explanation"]["overlay_png"])
    (OUT / f"overlay-{SUFFIXES[media_type]}.png").write_bytes(overlay)
    return dict(explained)


def show(answers: dict[str, dict[str, Any]], seconds: float) -> None:
    """Print the answers side by side."""
    table = Table(title="RG1 of pydicom-data, three ways")
    for column in ("", *SUFFIXES):
        table.add_column(column, justify="right" if column else "left")
    for label in LABELS:
        values = (f"{answer['probabilities'][label]:.3f}" for answer in answers.values())
        table.add_row(DISPLAY_NAMES[label], *values)
    table.add_section()
    for stage in next(iter(answers.values()))["timings_ms"]:
        table.add_row(f"{stage}, ms", *(f"{answer['timings_ms'][stage]:.1f}" for answer in answers.values()))
    console.print(table)
    answer = answers["application/dicom"]
    for text in (answer["explanation"]["statement"], *answer["warnings"]):
        console.print(text)
    console.print(f"[dim]{answer['disclaimer']}[/dim]")
    console.print(f"{seconds:.0f} s. Overlays: {OUT}/overlay-*.png. The server's log: {OUT}/server.log.")


if __name__ == "__main__":
    sys.exit(main())
