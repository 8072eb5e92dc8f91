"""The API ships only packages with a licence on the list; licences are read from metadata."""

from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from scripts.server import REPOSITORY
from scripts.supply.licences import ALLOWED, SPDX, Package, licences, main, packages

API = REPOSITORY / "requirements" / "api.txt"


def test_every_licence_of_the_api_is_allowed() -> None:
    found = list(packages(API))
    assert len(found) > 50
    assert {package.name for package in found if package.licences is None} <= {"onnxruntime"}  # -gpu is installed here
    installed = [package for package in found if package.licences is not None]
    refused = {package.name: package.licences for package in installed if not package.allowed}
    assert not refused


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([("License-Expression", "(MIT OR GPL-3.0-only) AND BSD-3-Clause")], ("MIT", "GPL-3.0-only", "BSD-3-Clause")),
        ([("Classifier", "License :: OSI Approved :: MIT License"), ("License", "see file")], ("MIT",)),
        ([("License", "Apache License 2.0")], ("Apache-2.0",)),
        ([("License", "Ours alone\nAll rights reserved")], ("Ours alone",)),
        ([], ()),
    ],
)
def test_licences_are_read_from_metadata(fields: list[tuple[str, str]], expected: tuple[str, ...]) -> None:
    message: Any = Message()
    for name, value in fields:
        message[name] = value
    assert licences(message) == expected


@pytest.mark.parametrize("found", [("GPL-3.0-only",), ("MIT", "GPL-3.0-only"), ("Ours alone",), (), None])
def test_what_is_not_on_the_list_is_not_allowed(found: tuple[str, ...] | None) -> None:
    assert not Package("some", "1", found).allowed
    assert Package("nvidia-cublas", "1", found).allowed
    assert set(SPDX.values()) <= ALLOWED


def test_a_licence_that_is_not_allowed_ends_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pins = tmp_path / "pins.txt"
    pins.write_text("# pins\nclick==8.0 \\\n    --hash=sha256:00\nnothing-such==1 ; sys_platform == 'linux'\n")
    pins.write_text(pins.read_text() + "colorama==1 ; sys_platform == 'win32'\n")
    assert main(pins) == 0
    assert "nothing-such" in capsys.readouterr().out
    monkeypatch.setattr("scripts.supply.licences.ALLOWED", frozenset({"MIT"}))
    assert main(pins) == 1
    assert "Not allowed: click." in capsys.readouterr().out
