"""Write rows as Parquet with pyarrow, which is an optional package."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from archive.rows import Row
from archive.sources import PATH
from cxr.errors import DataError
from cxr.labels import LABELS

MISSING: Final = "Archives need pyarrow: install the extra `archive` (uv pip install 'deepcovidexplainer[archive]')"


def pyarrow() -> tuple[Any, Any]:
    """pyarrow and pyarrow.dataset. Raises DataError if pyarrow is not installed."""
    try:
        import pyarrow
        import pyarrow.dataset
    except ImportError:
        raise DataError(MISSING) from None
    return pyarrow, pyarrow.dataset


def schema(metadata: Mapping[str, str] | None = None) -> Any:
    """The Parquet schema of a result, that of `archive.rows.Row`."""
    arrow, _ = pyarrow()
    words = arrow.list_(arrow.string())
    fields = [
        (PATH, arrow.string()),
        *((f"p_{label}", arrow.float32()) for label in LABELS),
        ("prediction", arrow.string()),
        ("prediction_set", words),
        ("warnings", words),
        ("error", arrow.string()),
        ("seconds", arrow.float32()),
    ]
    return arrow.schema(fields, metadata=metadata)


def table(rows: Sequence[Row], metadata: Mapping[str, str] | None = None) -> Any:
    """Rows as a table of `schema`."""
    arrow, _ = pyarrow()
    return arrow.Table.from_pylist(list(rows), schema=schema(metadata))


def write(path: Path, table: Any) -> None:
    """Write a table atomically and durably: after a crash the file is complete or absent."""
    from pyarrow import parquet

    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")  # readers ignore such names
    try:
        with unfinished.open("wb") as file:
            parquet.write_table(table, file, compression="zstd")
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Flush the folder, so that the file's name is on the disk too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
