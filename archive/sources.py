"""Expand a command's sources (files, folders, globs, lists and Parquet manifests) into paths."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from cxr.errors import BodyTooLarge, DataError
from cxr.limits import MAX_BYTES

PATH: Final = "path"
"""The name of the column with the paths in a Parquet manifest."""

_GLOB: Final = frozenset("*?[")
_BATCH: Final = 65_536  # rows of a manifest in memory at once


def paths_of(sources: Iterable[str]) -> Iterator[str]:
    """The paths of all sources, in order, each once.

    Args:
        sources: each one of
            a file, which is not checked: it may be unreadable;
            a folder: all files below it except hidden ones, sorted;
            a glob, `**` for folders of any depth, sorted;
            `@LIST`, a text file with one path per line;
            a Parquet file, or a folder of them whose name ends in .parquet, with a column `path`.

    Raises:
        DataError: a list or a manifest cannot be read.
    """
    seen: set[str] = set()
    for source in sources:
        for path in _expanded(source):
            if path not in seen:
                seen.add(path)
                yield path


def read(path: Path) -> bytes:
    """Read a file. The size is checked first.

    Raises:
        BodyTooLarge: it is larger than the service accepts.
        OSError: it cannot be read.
    """
    if path.stat().st_size > MAX_BYTES:
        raise BodyTooLarge
    return path.read_bytes()


def _expanded(source: str) -> Iterable[str]:
    path = Path(source)
    if source.startswith("@"):
        return _listed(Path(source[1:]))
    if path.suffix == ".parquet" and path.exists():
        return _manifest(path)
    if path.is_dir():
        return _below(path)
    if not path.exists() and _GLOB & set(source):
        root = Path(path.anchor)
        found = [one for one in root.glob(str(path.relative_to(root))) if _is_file(one) and one.name[0] != "."]
        return sorted(map(str, found)) or [source]
    return [source]


def _below(folder: Path) -> Iterator[str]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from _below(path)
        elif _is_file(path):
            yield str(path)


def _is_file(path: Path) -> bool:
    """Whether it is a file, or a link to one that is missing: an archive with a hole gets a row that says so."""
    return path.is_file() or (path.is_symlink() and not path.exists())


def _listed(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError):
        raise DataError(f"{path} is not a text file with one path per line") from None


def _manifest(path: Path) -> Iterator[str]:
    from archive.parquet import pyarrow

    arrow, dataset = pyarrow()
    try:
        for batch in dataset.dataset(path).to_batches(columns=[PATH], batch_size=_BATCH):
            yield from batch.column(PATH).to_pylist()
    except (OSError, arrow.ArrowInvalid, arrow.ArrowKeyError):
        raise DataError(f"{path} is not a Parquet file with a column {PATH}") from None
