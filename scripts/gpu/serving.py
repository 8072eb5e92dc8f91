"""The service's speed on a GPU, measured within a time budget; results as JSON.

    python3 -m scripts.gpu.serving prepare /tmp/bundles                       # random weights, exported; needs torch
    python3 -m scripts.gpu.serving pipeline /tmp/bundles --output $OUT/pipeline.json
    python3 -m scripts.gpu.serving http /tmp/bundles/resnet18 --dicom FILE --output $OUT/http.json

Without a GPU everything except the ceilings runs on the CPU, slowly. `scripts/gpu/setup.sh` installs what the GPU
machine lacks.
"""

import json
import time
from concurrent.futures import ProcessPoolExecutor
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer
from PIL import Image

from cxr.arrays import Views
from cxr.decode import decode
from cxr.model.bundle import Bundle
from cxr.model.views import batched
from cxr.pipeline import Preprocessor
from scripts.gpu import http as over_http
from scripts.gpu import pipeline as whole_path
from scripts.gpu import preparing
from scripts.gpu.pipeline import Result, failing_alone

ARCHITECTURES: Final = ("resnet18", "vgg19_bn", "densenet161")
BATCHES: Final = [1, 32, 128]
SHORT_SIDE: Final = 256

app = typer.Typer(add_completion=False, no_args_is_help=True)

Output = Annotated[Path, typer.Option(help="Where the JSON goes; written after each part.")]
Seconds = Annotated[float, typer.Option(help="Of each measurement.")]
Budget = Annotated[float, typer.Option(help="Seconds after which nothing new is begun.")]


@app.command()
def prepare(
    root: Annotated[Path, typer.Argument(help="A folder for each network is made in it.")],
    size: Annotated[int, typer.Option(help="Side of the networks' frame.")] = 224,
) -> None:
    """Make and export bundles of one network each with random weights, in parallel."""
    with ProcessPoolExecutor(len(ARCHITECTURES), mp_context=get_context("spawn")) as pool:
        for job in [pool.submit(_prepare, root, name, size) for name in ARCHITECTURES]:
            job.result()


@app.command()
def pipeline(
    root: Annotated[Path, typer.Argument(help="Where `prepare` put its bundles, or exported ones by the same names.")],
    output: Output = Path("pipeline.json"),
    data: Annotated[
        Path | None, typer.Option(help="Radiographs whose validation split is labelled, instead of made-up ones.")
    ] = None,
    batches: Annotated[list[int] | None, typer.Option("--batch", help="Batch sizes.")] = None,
    seconds: Seconds = 0.6,
    budget: Budget = 120,
) -> None:
    """Compare the pipeline with its ceiling, and float16 with float32, network by network."""
    end = time.monotonic() + budget
    result: Result = {}
    for path in (root / name for name in ARCHITECTURES if (root / name / "onnx/manifest.json").exists()):
        if time.monotonic() > end:
            result[path.name] = "out of budget"
            _write(output, result)
            continue
        begun = time.monotonic()
        part = result[path.name] = whole_path.measure(Bundle(path), batches or BATCHES, seconds)
        with failing_alone(part, "flips"):
            part["flips"] = whole_path.flips(Bundle(path), _to_label(Bundle(path), data))
        part["took_s"] = round(time.monotonic() - begun, 1)
        _write(output, result)


@app.command()
def http(
    bundle: Annotated[Path, typer.Argument(help="A bundle, exported.")],
    dicom: Annotated[Path | None, typer.Option(help="A DICOM file of native size, for the second figure.")] = None,
    output: Output = Path("http.json"),
    servers: Annotated[list[int] | None, typer.Option(help="Numbers of server processes to try.")] = None,
    clients: Annotated[int, typer.Option(help="Client processes.")] = 2,
    connections: Annotated[int, typer.Option(help="Requests that a client keeps in flight at a server.")] = 1,
    files: Annotated[int, typer.Option(help="Files of a request.")] = 32,
    threads: Annotated[int, typer.Option(help="Threads of a server that prepare.")] = 2,
    batch: Annotated[int, typer.Option(help="Largest batch of a server.")] = 32,
    seconds: Seconds = 6,
    budget: Budget = 150,
) -> None:
    """Measure `POST /v1/classify` with JPEGs, then with the DICOM file, on the fastest number of servers."""
    end = time.monotonic() + budget
    stored = jpegs(files)
    result: Result = {"prepared_per_second": preparing.rates(bundle, stored, seconds), "jpeg": []}
    settings = {"classifications": threads, "batch": batch, "queue": 512, "upload_mib": 2048}
    for number in servers or [16, 14]:
        if time.monotonic() < end:
            part: Result = {"servers": number}
            with failing_alone(part, "failed"):
                part |= over_http.measure(bundle, stored, number, clients, connections, seconds, **settings)
            result["jpeg"].append(part)
            _write(output, result)
    if dicom is not None and time.monotonic() < end:
        best = max(result["jpeg"], key=lambda part: part.get("images_per_second", 0))["servers"]
        with failing_alone(result, "dicom"):
            native = [dicom.read_bytes()] * 4
            result["dicom"] = over_http.measure(bundle, native, best, clients, 1, seconds, **settings)
        _write(output, result)


def _to_label(bundle: Bundle, data: Path | None) -> Views:
    """Prepared images for the bundle's networks."""
    if data is not None:
        from evaluation.bundle_images import bundle_images

        return bundle_images(bundle, data, "val").views
    preprocessor = Preprocessor(bundle)
    return batched([preprocessor.views(decode(made_up).pixels)[0] for made_up in jpegs(256)])


def jpegs(count: int) -> list[bytes]:
    """Synthetic radiographs in the format of the training images: short side 256, grey, quality 95, about 20 KB."""
    chance = np.random.default_rng(0)
    return [_jpeg(chance) for _ in range(count)]


def _jpeg(chance: np.random.Generator) -> bytes:
    height, width = SHORT_SIDE, int(chance.integers(SHORT_SIDE, 330))
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    body = 210 * np.exp(-((x / 0.9) ** 4)) * np.exp(-((y / 1.3) ** 4))
    lungs = np.exp(-(((abs(x) - chance.uniform(0.35, 0.5)) / 0.28) ** 2)) * np.exp(-(((y + 0.1) / 0.6) ** 2))
    ribs = 1 + 0.08 * np.sin(28 * (y + 0.4 * x**2) + chance.uniform(0, 6))
    grain = chance.normal(0, 4, (height, width))
    pixels = (body * (1 - 0.75 * lungs) * ribs + grain).clip(0, 255).astype(np.uint8)
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def _prepare(root: Path, architecture: Any, size: int) -> None:
    from tests.bundles import make_bundle

    make_bundle(root / architecture, (architecture,), size=size)


def _write(output: Path, result: Result) -> None:
    text = json.dumps(result, indent=1)
    output.write_text(text)
    print(text, flush=True)


if __name__ == "__main__":
    app()
