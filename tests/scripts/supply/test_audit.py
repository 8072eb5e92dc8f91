"""The audit reports pip-audit's findings, and treats a missing answer as a failure."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.supply.audit import FOUND, NOT_CHECKED, audit

GOOD = {"name": "good", "version": "1", "vulns": []}
BAD = {"name": "bad", "version": "2", "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["3"]}]}
SKIPPED = {"name": "odd", "skip_reason": "not found"}


def tool(folder: Path, says: str, status: int) -> list[str]:
    """A fake pip-audit."""
    script = folder / "tool.py"
    script.write_text(f"import sys; sys.stdout.write({says!r}); sys.exit({status})")
    return [sys.executable, str(script)]


@pytest.mark.parametrize(
    ("packages", "status", "said"),
    [
        ([GOOD], 0, "1 packages checked, 0 vulnerabilities known"),
        ([GOOD, BAD], FOUND, "bad 2: PYSEC-2026-1, fixed in 3"),
        ([GOOD, SKIPPED], NOT_CHECKED, "NOT CHECKED: odd."),
    ],
)
def test_known_vulnerabilities_are_reported(
    packages: list[Any], status: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit("pins.txt", tool(tmp_path, json.dumps({"dependencies": packages}), bool(status))) == status
    assert said in capsys.readouterr().out


def test_without_a_database_nothing_was_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit("pins.txt", tool(tmp_path, "", 1)) == NOT_CHECKED
    assert audit("pins.txt", [str(tmp_path / "missing")]) == NOT_CHECKED
    assert capsys.readouterr().out.count("NOT CHECKED") == 2
