"""The engine on Ray Data: this machine, or a cluster by its address.

Ray's checkpoint records in two phases which paths have been written, so that a run that is killed at any moment resumes
without a lost or a duplicate row. Experiments showed what this needs: blocks of a fixed number of rows, because
otherwise the manifest is one block; slots for reading, writing and the checkpoint's filter in addition to those of the
actors, because otherwise nothing is ever read; and a time limit on waiting without progress.
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
TRIES: Final = 3  # attempts at the whole plan: if it stalls, it starts again and resumes
STALL_S: Final = 600  # seconds without progress; a block of large files takes less
ACTOR_CPUS: Final = 0.5
TASK_CPUS: Final = 0.25  # slots for reading and writing
SPARE_CPUS: Final = 2  # logical CPUs, for the tasks beside the actors
STORE_BYTES: Final = 200 << 20  # bytes of Ray's object store, which holds paths and rows but no pixels
LOOPBACK: Final = "127.0.0.1"
MISSING: Final = "the engine ray needs Ray: install the extra `ray` (uv pip install 'deepcovidexplainer[ray]')"


class Scorer:
    """An actor with its own model. It keeps a note of the file that it is scoring."""

    def __init__(self, bundle: str, folder: str, notes: str) -> None:
        """`folder`: the command's working directory, for relative paths. `notes`: folder for the notes."""
        with suppress(OSError):
            os.chdir(folder)
        self._classify = Classifier(Bundle(Path(bundle)), threads=1, at_once=1).classify
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
    """Score the files that have no row yet. Yields the number of rows that this run has written, from time to time.

    Args:
        output: from `Output.begun`.
        bundle: folder of the bundle; it must exist at this path on every machine.
        workers: number of actors.
        address: of a Ray cluster; None starts Ray on this machine, on loopback, for the duration of the call.

    Raises:
        DataError: Ray is not installed, or the plan failed several times.
    """
    ray = _started(workers, address)
    notes = output.folder.resolve() / RAY / "inflight"
    shutil.rmtree(notes, ignore_errors=True)  # old notes: these files did not end an actor
    notes.mkdir(parents=True)
    before = output.done()
    try:
        for attempt in range(TRIES):
            with ThreadPoolExecutor(1) as thread:
                plan = thread.submit(_run, output.folder.resolve(), bundle.resolve(), workers, notes)
                while not plan.done():
                    time.sleep(TICK_S)
                    yield output.done() - before
            if plan.exception() is None:
                return
            if attempt == TRIES - 1:
                raise DataError(f"Ray failed {TRIES} times: {type(plan.exception()).__name__}")
    finally:
        ray.shutdown()


def _started(workers: int, address: str | None) -> Any:
    """Start Ray. Raises DataError if it is not installed, or if it would accept connections from other machines."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if address is None:
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # makes Ray stay on 127.0.0.1 on any system
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
    """Run the plan. For the checkpoint it must begin with a read and end with a write of files."""
    import ray.data
    from ray.data.checkpoint import CheckpointConfig

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.use_datasource_v2 = False  # version 2 starts actors to read the footer of one small file
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
