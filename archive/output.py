"""The folder of a result, and its manifest: the list of files, which is made once and used to resume.

    OUT.parquet/
      _manifest.parquet     the paths in order; its metadata says what the result is made with
      part-000000.parquet   rows; with the local engine those of the manifest's first `CHUNK` paths, and so on
      _ray/                 Ray's checkpoint

pyarrow, Spark and Ray ignore names that begin with an underscore or a dot when they read the data set.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from archive.parquet import pyarrow, write
from archive.sources import PATH, paths_of
from cxr.errors import DataError
from cxr.model.bundle import Bundle

Engine = Literal["local", "ray"]
CHUNK: Final = 256  # the largest number of answers that a process can lose
MANIFEST: Final = "_manifest.parquet"
RAY: Final = "_ray"


@dataclass(frozen=True, slots=True)
class Made:
    """What a result is made with. It is stored in the metadata of the files, and a resumed run must use the same."""

    bundle: str
    version: str
    sha256: str
    engine: str
    chunk: str
    sources: str

    @classmethod
    def by(cls, bundle: Bundle, engine: Engine, sources: Iterable[str]) -> "Made":
        """`sources` is stored as a hash: its names may identify patients, and there may be a million."""
        named = hashlib.sha256("\0".join(sources).encode("utf-8", "surrogateescape")).hexdigest()
        manifest = bundle.manifest
        return cls(manifest.name, manifest.version, bundle.sha256, engine, str(CHUNK), named)

    def metadata(self) -> Mapping[str, str]:
        return {f"cxr.{key}": value for key, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Output:
    """A result's folder, with a manifest of `rows` paths."""

    folder: Path
    made: Made
    rows: int

    @classmethod
    def begun(cls, folder: Path, made: Made, sources: Sequence[str]) -> "Output":
        """Create the folder, or open an existing one to resume it.

        Raises:
            DataError: the folder was made with another bundle, engine or sources, or is not a result; or the sources
                contain no file.
        """
        arrow, _ = pyarrow()
        from pyarrow import parquet

        path = folder / MANIFEST
        if path.exists():
            found = parquet.read_schema(path).metadata or {}
            for key, value in made.metadata().items():
                if found.get(key.encode(), b"").decode() != value:
                    what = key.removeprefix("cxr.")
                    raise DataError(f"{folder} was made with another {what}: use the same, or name a new folder")
            return cls(folder, made, parquet.read_metadata(path).num_rows)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise DataError(f"{folder} exists but is not a result: name a new folder")
        paths = list(paths_of(sources))
        if not paths:
            raise DataError("the sources contain no file")
        folder.mkdir(parents=True, exist_ok=True)
        schema = arrow.schema([(PATH, arrow.string())], metadata=made.metadata())
        write(path, arrow.table([arrow.array(paths, arrow.string())], schema=schema))
        return cls(folder, made, len(paths))

    def part(self, chunk: int) -> Path:
        return self.folder / f"part-{chunk:06}.parquet"

    def chunks(self) -> list[int]:
        """Numbers of the chunks that the local engine has not scored yet."""
        return [chunk for chunk in range(-(-self.rows // CHUNK)) if not self.part(chunk).exists()]

    def paths(self) -> Any:
        """The manifest's column of paths."""
        from pyarrow import parquet

        return parquet.read_table(self.folder / MANIFEST, columns=[PATH]).column(PATH)

    def parts(self) -> list[Path]:
        return sorted(path for path in self.folder.glob("*.parquet") if not path.name.startswith(("_", ".")))

    def done(self) -> int:
        """The number of rows on the disk. A file that Ray is writing, or was writing when it was killed, counts 0."""
        arrow, _ = pyarrow()
        count = 0
        for path in self.parts():
            with suppress(OSError, arrow.ArrowInvalid):
                count += _rows(path)
        return count

    def errors(self) -> Counter[str]:
        """The number of rows by error code; "" counts rows without an error.

        Raises:
            DataError: a path of the manifest has no row, or more than one.
        """
        _, dataset = pyarrow()
        counts: Counter[str] = Counter()
        seen: set[str] = set()
        for batch in dataset.dataset([str(path) for path in self.parts()]).to_batches(columns=[PATH, "error"]):
            counts.update(error or "" for error in batch.column("error").to_pylist())
            seen.update(batch.column(PATH).to_pylist())
        if counts.total() != self.rows or seen != set(self.paths().to_pylist()):
            raise DataError(f"{self.folder} has {counts.total()} rows of {len(seen)} files, and its list {self.rows}")
        return counts


@cache  # the progress bar asks every second, and a complete file never changes
def _rows(path: Path) -> int:
    from pyarrow import parquet

    return int(parquet.read_metadata(path).num_rows)
