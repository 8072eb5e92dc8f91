"""The engine on Ray Data: this machine, or a cluster by its address.

Ray's checkpoint remembers which paths have been written, in two phases, so that a run that is killed at any moment goes
on with no row lost or twice. What it takes was found out by measuring: blocks of a known number of rows, since a
manifest is else one block; slots for reading, writing and the checkpoint's filter beside those of the actors, since
else nothing is ever read; and an end to waiting without progress.
"""

import logging
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from archive.local import DEATHS
from archive.output import CHUNK, MANIFEST, RAY, Output
from archive.parquet import table
from archive.rows import Row, crashed, row
from archive.sources import PATH
from cxr.errors import DataError
from cxr.model.bundle import Bundle
from cxr.pipeline import Classifier

TICK_S: Final = 1.0
TRIES: Final = 3  # of the whole plan: where it stalls, it is begun again and goes on
STALL_S: Final = 600  # without progress; a block of large files takes less
ACTOR_CPUS: Final = 0.5
TASK_CPUS: Final = 0.25  # of reading and writing
SPARE_CPUS: Final = 2  # logical ones, for those beside the actors
STORE_BYTES: Final = 200 << 20  # of Ray's object store, which holds paths and rows, no pixels
LOOPBACK: Final = "127.0.0.1"
MISSING: Final = "the engine ray needs Ray: install the extra `ray` (uv pip install 'deepcovidexplainer[ray]')"


class Scorer:
    """An actor: a model of its own, and a note for each file while it is worked on."""

    def __init__(self, bundle: str, folder: str, notes: str) -> None:
        """`folder`: where the command was given, for relative paths; `notes`: for what is being worked on."""
        with suppress(OSError):
            os.chdir(folder)
        self._classify = Classifier(Bundle(Path(bundle)), threads=1).classify
        self._notes = Path(notes)

    def __call__(self, batch: Any) -> Any:
        """Paths → rows, both as Arrow tables."""
        return table([self._row(path) for path in batch.column(PATH).to_pylist()])

    def _row(self, path: str) -> Row:
        note = self._notes / sha256(path.encode("utf-8", "surrogateescape")).hexdigest()
        if note.exists() and note.stat().st_size >= DEATHS:
            return crashed(path)
        with note.open("ab") as file:
            file.write(b".")
        made = row(self._classify, path)
        note.unlink()
        return made


def score(output: Output, bundle: Path, workers: int, address: str | None) -> Iterator[int]:
    """Score what has not been; yields the number of rows that this run has written, now and then.

    Args:
        output: begun.
        bundle: on every machine at this path.
        workers: actors.
        address: of a Ray cluster; None starts Ray here, on loopback, for as long as this lasts.

    Raises:
        DataError: Ray is not installed, or the plan failed several times.
    """
    ray = _started(workers, address)
    notes = output.folder.resolve() / RAY / "inflight"
    shutil.rmtree(notes, ignore_errors=True)  # files at hand when a run was killed have ended no actor
    notes.mkdir(parents=True)
    before = output.done()
    try:
        for attempt in range(TRIES):
            with ThreadPoolExecutor(1) as thread:
                plan = thread.submit(_run, output.folder.resolve(), bundle.resolve(), workers, notes)
                while not plan.done():
                    time.sleep(TICK_S)
                    with suppress(OSError):  # a file that Ray takes back
                        yield output.done() - before
            if plan.exception() is None:
                return
            if attempt == TRIES - 1:
                raise DataError(f"Ray failed {TRIES} times: {type(plan.exception()).__name__}")
    finally:
        ray.shutdown()


def _started(workers: int, address: str | None) -> Any:
    """Ray. Raises DataError where it is not installed, or would listen to others than this machine."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if address is None:
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # on any system: Ray stays on 127.0.0.1
    try:
        import ray
    except ImportError:
        raise DataError(MISSING) from None
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address is not None:
        ray.init(address=address, **quiet)
    else:
        ray.init(
            "local", num_cpus=workers + SPARE_CPUS, object_store_memory=STORE_BYTES, include_dashboard=False, **quiet
        )
        if ray.util.get_node_ip_address() != LOOPBACK:
            ray.shutdown()
            raise DataError("Ray does not stay on loopback, so it is not used")
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray


def _run(folder: Path, bundle: Path, workers: int, notes: Path) -> None:
    """The plan: it must begin with a read and end with a write of files for the checkpoint to hold."""
    import ray.data
    from ray.data.checkpoint import CheckpointConfig

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_no_progress_timeout_s = STALL_S
    context.checkpoint_config = CheckpointConfig(
        id_column=PATH, checkpoint_path=str(folder / RAY / "checkpoint"), delete_checkpoint_on_success=False
    )
    (
        ray.data.read_parquet(str(folder / MANIFEST), ray_remote_args={"num_cpus": TASK_CPUS})
        .repartition(target_num_rows_per_block=CHUNK)
        .map_batches(
            Scorer,
            batch_size=CHUNK,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=workers),
            num_cpus=ACTOR_CPUS,
            fn_constructor_kwargs={"bundle": str(bundle), "folder": str(Path.cwd()), "notes": str(notes)},
        )
        .write_parquet(
            str(folder), ray_remote_args={"num_cpus": TASK_CPUS}, mode=ray.data.SaveMode.APPEND, compression="zstd"
        )
    )
