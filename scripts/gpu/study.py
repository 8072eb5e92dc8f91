"""Train the study's networks on a borrowed machine with several GPUs: one queue, and one run per GPU at a time.

    python -m scripts.gpu.study pack .gpu --masks FILE   here: pack images, tables, masks into one file for each call
    python -m scripts.gpu.study unpack .gpu/part-1.tar
    python -m scripts.gpu.study start --minutes 21       prepare the arrays, start the queue and return
    python -m scripts.gpu.study collect $OUT --wait 300
    python -m scripts.gpu.study merge FOLDER runs        here: unpack the results as folders of runs

The machine has neither pydantic nor pydicom, is empty when it starts, and is taken back after half an hour. Results
that one call returned are not sent again by the next. Processes outlive the call that started them.
"""

import csv
import io
import json
import os
import subprocess
import sys
import tarfile
import time
import traceback
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from fcntl import LOCK_EX, flock
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save

from networks.architectures import build, storable
from scripts.gpu.plan import Planned, plan
from training.config import TrainConfig
from training.data import DEFAULT_DATA, Dataset, Masks, held_out, load, table_sha256
from training.loop import train
from training.lungs.mask_file import load_masks
from training.opacities import framed, read_boxes
from training.rundir import RunDir

ROOM: Final = Path(os.environ.get("GPU_STUDY", "/tmp/gpu-study"))  # on the borrowed machine; it is not kept
DATA, RUNS, CLAIMS, LOGS = (ROOM / name for name in ("data", "runs", "claims", "logs"))
MASKS: Final = "lung-masks.npz"
TRIAL: Final = 520  # images of a split in a trial: two batches
LANES: Final = 2  # processes per GPU: one trains while the next one starts and waits for the GPU
PART_BYTES: Final = 47_000_000  # of the data that one call carries
PIECE_BYTES: Final = 16_000_000  # a file that comes back has at most 16 MiB,
NOTHING_LEFT: Final = 3  # exit status
PIECES: Final = 4  # and all that a call brings back 64 MiB at most: the rest comes with the next one


def pack(target: Path, masks: Path, data: Path) -> None:
    """Write the unchanged images, tables and lung masks into a folder as part-1.tar and so on."""
    target.mkdir(parents=True, exist_ok=True)
    files = [(data / name, name) for name in ("metadata.csv", "boxes.csv")]
    files += [(masks, MASKS)] + [(path, f"images/{path.name}") for path in sorted((data / "images").iterdir())]
    for number, part in groupby(_numbered(files), key=lambda entry: entry[0]):
        # Images do not shrink, but the headers of 4,000 small files do.
        with tarfile.open(target / f"part-{number + 1}.tar", "w:gz", compresslevel=1) as tar:
            for _, path, name in part:
                tar.add(path, name)
    for path in sorted(target.glob("part-*.tar")):
        print(f"{path} {path.stat().st_size / 1e6:.1f} MB")


def _numbered(files: list[tuple[Path, str]]) -> Iterator[tuple[int, Path, str]]:
    """Files with the number of their part."""
    total = 0
    for path, name in files:
        total += path.stat().st_size
        yield total // PART_BYTES, path, name


def unpack(part: Path) -> None:
    """Unpack a part of the data."""
    DATA.mkdir(parents=True, exist_ok=True)
    with tarfile.open(part) as tar:
        tar.extractall(DATA, filter="data")
    print(f"{len(list((DATA / 'images').glob('*')))} images at {DATA}")


def start(minutes: float, only: str, shrink: bool) -> None:
    """Prepare the arrays of all frames, then start background processes for the queue."""
    chosen = [run for run in plan() if run.name.startswith(tuple(only.split(",")))]
    for folder in (RUNS, CLAIMS, LOGS):
        folder.mkdir(parents=True, exist_ok=True)
    if shrink:
        _cut_table()
    order = {"end": time.time() + 60 * minutes, "runs": [run.name for run in chosen], "shrink": shrink}
    (ROOM / "queue.json").write_text(json.dumps(order))
    started = time.monotonic()
    masks = load_masks(DATA / MASKS)
    for recipe, size, frame in dict.fromkeys((c.recipe, c.size, c.frame) for c in (_config(run) for run in chosen)):
        images = _splits(recipe, size, frame, masks)
        print(f"{frame}, {size} pixels: {sum(len(data.rows) for data in images)} images")
    gpus = max(1, torch.cuda.device_count())
    _start_lanes(gpus)
    expected = sum(run.seconds for run in chosen) / gpus
    print(f"prepared in {time.monotonic() - started:.0f} s")
    print(f"{len(chosen)} runs on {gpus} GPUs, about {expected:.0f} s")


def _cut_table() -> None:
    """For a trial: the table of a few images of each split, of those that have come."""
    table = DATA / "metadata.csv"
    header, *lines = table.read_text(encoding="utf-8-sig").splitlines(keepends=True)
    records = list(csv.DictReader([header, *lines]))
    kept: Counter[str] = Counter()
    few = [header]
    for line, record in zip(lines, records, strict=True):
        if kept[record["split"]] < TRIAL and (DATA / record["file"]).exists():
            kept[record["split"]] += 1
            few.append(line)
    table.write_text("".join(few), encoding="utf-8")


def _start_lanes(gpus: int) -> None:
    """Start background processes that outlive this one. Only those that have ended since an earlier start are replaced.

    Failed runs are started again.
    """
    for claim in CLAIMS.iterdir():
        if claim.read_text().startswith("failed"):
            claim.unlink()
    lanes, again = gpus * LANES, (ROOM / "started").exists()
    (ROOM / "started").write_text(str(lanes))
    for number in range(lanes):
        ended = ROOM / f"ended-{number}"
        if again and not ended.exists():
            continue
        ended.unlink(missing_ok=True)
        with (LOGS / f"lane-{number}.log").open("a") as log:
            command = [sys.executable, "-m", "scripts.gpu.study", "lane", str(number), str(number % gpus)]
            subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)


def lane(number: int, gpu: int) -> None:
    """Train one run after the other on a GPU, each in its own process, so that a crash does not affect the next."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": str(gpu), "OMP_NUM_THREADS": "4"}
    environment["TORCHINDUCTOR_COMPILE_THREADS"] = "8"  # by default each process would start a thread per core
    command = [sys.executable, "-m", "scripts.gpu.study", "one", str(gpu)]
    for _ in plan():  # limit, in case processes die before they have taken a run
        if subprocess.run(command, env=environment).returncode == NOTHING_LEFT:
            break
    (ROOM / f"ended-{number}").touch()


def one(gpu: int) -> None:
    """Wait for the GPU, take the next run of the queue and train it. The exit status says if no run is left."""
    torch.zeros(1, device="cuda" if torch.cuda.is_available() else "cpu")  # initialise CUDA before the GPU is free
    masks = load_masks(DATA / MASKS)
    with (ROOM / f"gpu-{gpu}.lock").open("w") as lock:
        flock(lock, LOCK_EX)
        order = json.loads((ROOM / "queue.json").read_text())
        run = _claimed(order)
        if run is None:
            sys.exit(NOTHING_LEFT)
        began = time.monotonic()
        try:
            cycles = _train(run, masks, order["end"] - time.time())
            outcome = f"done {cycles} cycles"
        except Exception:
            (LOGS / f"{run.name}.txt").write_text(traceback.format_exc())
            outcome = "failed"
        spent = time.monotonic() - began
        (CLAIMS / run.name).write_text(f"{outcome}, {spent:.0f} s of {run.seconds:.0f}, GPU {gpu}")


def _claimed(order: dict[str, Any]) -> Planned | None:
    """Claim the first free run of the queue that fits into the remaining time."""
    left = order["end"] - time.time()
    for run in plan():
        enough = run.least_seconds < left or order["shrink"]
        if run.name in order["runs"] and enough:
            try:
                (CLAIMS / run.name).touch(exist_ok=False)
            except FileExistsError:
                continue
            return run
    return None


def _train(run: Planned, masks: Masks, seconds: float) -> int:
    """The number of the run's complete cycles."""
    config = _config(run)
    learnt, val, test = _splits(config.recipe, config.size, config.frame, masks)
    boxes = framed(read_boxes(DATA), config.frame, masks)
    folder, table = RUNS / run.name, table_sha256(DATA)
    done = train(config, learnt, {"val": val, "test": test}, table, folder, "last", seconds, boxes, masks)
    return done.complete_cycles()


def _config(run: Planned) -> TrainConfig:
    """A run's hyperparameters; in a trial, those of a short run."""
    if not json.loads((ROOM / "queue.json").read_text())["shrink"]:
        return run.config
    short = replace(run.config, epochs=2, cycles=2)
    return short if torch.cuda.is_available() else replace(short, size=64, batch_size=16)


def _splits(recipe: str, size: int, frame: str, masks: Masks) -> list[Dataset]:
    """Training, validation and test images, from the cache or prepared now."""
    learnt = load(DATA, "train", recipe, size, ROOM / "cache", frame, masks)
    return [learnt, *held_out(DATA, recipe, size, ROOM / "cache", frame, masks).values()]


def collect(out: Path, wait: float) -> None:
    """Wait, print the queue's progress, and write all new results as pieces of one tar file into a folder."""
    end = time.monotonic() + wait
    while time.monotonic() < end and len(list(ROOM.glob("ended-*"))) < int((ROOM / "started").read_text()):
        time.sleep(2)
    sent = set((ROOM / "sent").read_text().split()) if (ROOM / "sent").exists() else set()
    buffer, left = io.BytesIO(), 0
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in _results():
            if name in sent:
                continue
            if buffer.tell() + len(content) + 20_000 > PIECES * PIECE_BYTES:
                left += 1
                continue
            header = tarfile.TarInfo(name)
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))
            if not name.endswith((".csv", ".json")):
                sent.add(name)
    whole = buffer.getvalue()
    for number, place in enumerate(range(0, len(whole), PIECE_BYTES)):
        (out / f"piece-{number}").write_bytes(whole[place : place + PIECE_BYTES])
    (ROOM / "sent").write_text("\n".join(sent))
    print(f"{_progress()}\n{len(whole) / 1e6:.1f} MB come home now, {left} files wait for the next call")


def _results() -> Iterator[tuple[str, bytes]]:
    """Names and bytes: settings, log and archives of every run, then the weights that are copied back."""
    runs = [run for run in plan() if (RUNS / run.name / "log.csv").exists()]
    for run in runs:
        folder = RunDir(RUNS / run.name)
        names = ["config.json", "log.csv", *(folder.archive(n + 1).name for n in range(folder.complete_cycles()))]
        yield from ((f"{run.name}/{name}", (folder.path / name).read_bytes()) for name in names)
    for run in runs:
        folder, config = RunDir(RUNS / run.name), _config(run)
        if run.weights and folder.complete_cycles() == config.cycles:
            network = build(config.architecture, opacity_head=config.opacity_weight > 0)
            folder.restore(config.cycles, network)
            yield f"{run.name}/{folder.snapshot(config.cycles).name}", save(storable(network))


def _progress() -> str:
    """One line for each started run, and the last lines of failed ones."""
    lines = [f"{claim.name}: {claim.read_text() or _so_far(claim.name)}" for claim in sorted(CLAIMS.iterdir())]
    failures = [path.read_text()[-600:] for path in sorted(LOGS.glob("*.txt"))]
    return "\n".join([*lines, *failures[:3]])


def _so_far(name: str) -> str:
    log = RunDir(RUNS / name).read_log()
    return f"epoch {log[-1]['epoch']:.0f}, {log[-1]['images_per_second']:.0f} images/s" if log else "begun"


def merge(folder: Path, runs: Path) -> None:
    """Run here: unpack the results of one call into a folder of runs."""
    whole = b"".join(path.read_bytes() for path in sorted(folder.rglob("piece-*")))
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        tar.extractall(runs, filter="data")
    print(f"{len(list(runs.iterdir()))} runs, {len(list(runs.rglob('cycle-*.npz')))} archives in {runs}")


def main() -> None:
    """Parse arguments with argparse, because the borrowed machine's typer may need pydantic."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)

    def command(call: Callable[..., None], *names: str) -> ArgumentParser:
        added = commands.add_parser(call.__name__, help=call.__doc__)
        for name in names:
            added.add_argument(name, type=int if name in ("number", "gpu") else Path)
        added.set_defaults(call=call)
        return added

    packing = command(pack, "target")
    packing.add_argument("--masks", type=Path, required=True, help="made by training.lungs.mask_file")
    packing.add_argument("--data", type=Path, default=DEFAULT_DATA)
    command(unpack, "part")
    starting = command(start)
    starting.add_argument("--minutes", type=float, required=True, help="begin nothing that would end later than this")
    starting.add_argument("--only", default="", help="runs whose names begin so, by commas; by default all")
    starting.add_argument("--shrink", action="store_true", help="a trial: two epochs of the images that have come")
    command(lane, "number", "gpu")
    command(one, "gpu")
    command(collect, "out").add_argument("--wait", type=float, default=0.0, help="seconds")
    command(merge, "folder", "runs")
    arguments = vars(parser.parse_args())
    arguments.pop("call")(**arguments)


if __name__ == "__main__":
    main()
