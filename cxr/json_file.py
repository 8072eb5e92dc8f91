"""Dataclasses as JSON files, by pydantic's type adapters."""

from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from cxr.errors import DataError

T = TypeVar("T")


def read_json(adapter: TypeAdapter[T], path: Path, what: str) -> T:
    """Read a value from a JSON file.

    Args:
        adapter: pydantic's adapter of the type to read.
        path: the file.
        what: the type in words, for the error: "a candidate".

    Raises:
        DataError: the file is missing or holds something else.
    """
    try:
        return adapter.validate_json(path.read_bytes())
    except OSError:
        raise DataError(f"{path} cannot be read") from None
    except ValidationError as error:
        raise DataError(f"{path} is not {what}: {error.error_count()} values do not fit") from None


def write_json(adapter: TypeAdapter[T], path: Path, value: T) -> None:
    """Write a value as indented JSON that `read_json` reads."""
    path.write_bytes(adapter.dump_json(value, indent=1) + b"\n")
