"""JSON files: what is written is read, and what is wrong is named."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from cxr.errors import DataError
from cxr.json_file import read_json, write_json


@dataclass(frozen=True)
class Pair:
    name: str
    number: int


PAIR = TypeAdapter(Pair)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_json(PAIR, tmp_path / "pair.json", Pair("ä", 3))
    assert (tmp_path / "pair.json").read_text(encoding="utf-8") == '{\n "name": "ä",\n "number": 3\n}\n'
    assert read_json(PAIR, tmp_path / "pair.json", "a pair") == Pair("ä", 3)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "pair.json"
    with pytest.raises(DataError, match="cannot be read"):
        read_json(PAIR, path, "a pair")
    path.write_text('{"number": "many"}', encoding="utf-8")
    with pytest.raises(DataError, match="is not a pair: 2 values do not fit"):
        read_json(PAIR, path, "a pair")
