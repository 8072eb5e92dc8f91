"""Measure the default bundle's networks in each precision on this CPU, with its AMX tiles and as if it had none.

    python -m loadtests.offline.precisions --write

A process must ask the kernel for the tiles. One child process may; another forbids itself the system call with which it
would ask, so that onnxruntime and OpenVINO compute as on the same processor without tiles. int8 graphs are made for the
measurement: their speed does not depend on the calibration images. Functions import what computes, because a child
process imports this module before it forbids itself the tiles.
"""

import ctypes
import random
import struct
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from shutil import copytree
from statistics import median
from typing import Annotated, Any, Final

import typer

from cxr.cpu_count import usable_cores
from loadtests import tables

TILES: Final = {"with": False, "without": True}
"""Whether the tiles are forbidden, by the word in the table."""

PRECISIONS: Final = {
    "float32": "onnxruntime, float32",
    "int8": "onnxruntime, int8",
    "bfloat16": "OpenVINO, bfloat16",
}
IMAGES: Final = 8
SECONDS: Final = 0.6  # of a measurement

_PRCTL_NO_NEW_PRIVILEGES, _PRCTL_SECCOMP, _FILTER = 38, 22, 2
_LOAD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06  # linux/bpf_common.h
_ARCH_PRCTL: Final = 158  # on x86-64
_ALLOW, _EPERM = 0x7FFF0000, 0x00050001


def forbid_tiles() -> None:
    """Make the kernel refuse this process AMX tiles, by seccomp. Raises OSError if it cannot."""
    steps = [(_LOAD, 0, 0, 0), (_JUMP_EQUAL, 0, 1, _ARCH_PRCTL), (_RETURN, 0, 0, _EPERM), (_RETURN, 0, 0, _ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    for option in [(_PRCTL_NO_NEW_PRIVILEGES, 1, 0), (_PRCTL_SECCOMP, _FILTER, program)]:
        if libc.prctl(*option, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")


def serve(line: Connection, bundle: Path, forbidden: bool) -> None:
    """Run in a process: measure one precision after the other, as the parent asks."""
    if forbidden:
        forbid_tiles()  # before any library asks for them
    from loadtests.samples import radiographs

    measures = {precision: measure(bundle, precision, radiographs(1)[0].data) for precision in PRECISIONS}
    line.send(None)
    while (asked := line.recv()) is not None:
        line.send(measures[asked]())


def measure(bundle: Path, precision: Any, file: bytes) -> Callable[[], tuple[float, float]]:
    """A function that measures: milliseconds of an image alone, and images per second of a thread on each core."""
    from cxr.model.bundle import Bundle
    from cxr.model.inference import Ensemble
    from cxr.model.views import batched
    from cxr.pipeline import Preprocessor

    ensemble = Ensemble(Bundle(bundle), precision=precision)
    views = batched([Preprocessor(Bundle(bundle)).prepare(file).views])

    def work(alone: bool) -> int:
        count, end = 0, time.perf_counter() + SECONDS
        while time.perf_counter() < end:
            ensemble.logits(views, alone)
            count += 1
        return count

    def measured() -> tuple[float, float]:
        work(alone=True)
        alone = work(alone=True)
        with ThreadPoolExecutor(usable_cores()) as pool:
            together = sum(pool.map(work, [False] * usable_cores()))
        return SECONDS / alone * 1000, together / SECONDS

    return measured


def with_int8(folder: Path) -> Path:
    """A copy of the default bundle with int8 graphs."""
    from cxr.decode import decode
    from cxr.model.bundle import DEFAULT_BUNDLE, Bundle
    from cxr.model.views import batched
    from cxr.pipeline import Preprocessor
    from export.int8 import quantise_bundle
    from loadtests.samples import radiographs

    bundle = Bundle(copytree(DEFAULT_BUNDLE, folder / "bundle"))
    files = [sample.data for sample in radiographs(IMAGES) if sample.media_type == "image/jpeg"]
    preprocessor = Preprocessor(bundle)
    quantise_bundle(bundle, batched([preprocessor.views(decode(data).pixels)[0] for data in files]))
    return bundle.root


def measurements(bundle: Path, rounds: int) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """By tiles and precision, one measurement per round; all take turns, in random order."""
    context, order = get_context("spawn"), random.Random(0)
    lines, children = {}, []
    for tiles, forbidden in TILES.items():
        lines[tiles], theirs = context.Pipe()
        children.append(context.Process(target=serve, args=(theirs, bundle, forbidden)))
        children[-1].start()
        theirs.close()
    for line in lines.values():
        line.recv()
    taken: dict[tuple[str, str], list[tuple[float, float]]] = {key: [] for key in product(TILES, PRECISIONS)}
    for _ in range(rounds):
        for tiles, precision in order.sample(list(taken), len(taken)):
            lines[tiles].send(precision)
            taken[tiles, precision].append(lines[tiles].recv())
    for line in lines.values():
        line.send(None)
    for child in children:
        child.join()
    return taken


def _row(tiles: str, precision: str, taken: Sequence[tuple[float, float]]) -> tuple[str, ...]:
    alone, together = zip(*taken, strict=True)
    return (
        *(tiles, PRECISIONS[precision], f"{median(alone):.1f} ({min(alone):.1f})"),
        f"{median(together):.0f} ({max(together):.0f})",
    )


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Measurements of each row.")] = 15,
    write: Annotated[bool, typer.Option(help="Put the table into docs/performance.md.")] = False,
) -> None:
    """Measure the precisions and print a table."""
    with tempfile.TemporaryDirectory() as folder:
        taken = measurements(with_int8(Path(folder)), rounds)
    head = (
        *("AMX tiles", "provider, precision", "alone, ms: median (least)"),
        f"{usable_cores()} at once, images/s: median (most)",
    )
    text = (
        f"{tables.table(head, [_row(*key, taken[key]) for key in taken])}\n\n"
        f"Both networks of models/default, one image a run, {rounds} rounds. {tables.machine()}. "
        f"{tables.command('loadtests.offline.precisions')}"
    )
    tables.publish(tables.PERFORMANCE, "precisions", text, write)


if __name__ == "__main__":
    typer.run(main)
