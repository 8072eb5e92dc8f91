"""What stands under a table."""

import sys

import pytest

from loadtests import tables


@pytest.mark.parametrize("compiling", [True, False])
def test_a_machine_on_which_every_start_compiles_is_named(monkeypatch: pytest.MonkeyPatch, compiling: bool) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", compiling)
    assert ("PYTHONDONTWRITEBYTECODE" in tables.machine()) is compiling
