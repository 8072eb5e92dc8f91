"""Keys in a file: its format, replacement by a new file, and no change by a bad one."""

import logging
import time
from pathlib import Path

import pytest

from service.access.key_file import MAX_FILE_BYTES, KeyFile, KeyFileError
from service.bento.api import prepare

OLD, NEW, OTHER = "0123456789abcdef", "fedcba9876543210", "a key of another ward"
BAD = [None, b"", b"\n# 0123456789abcdef\n", b"0123456789abcdef\nhunter2\n", b"\xff" * 20, b"k" * (MAX_FILE_BYTES + 1)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.write_text(f"# of November\n{OLD}\r\n\n  {OTHER}\n")
    return path


def opens(file: KeyFile, key: str) -> bool:
    return file.keys.refusal({"x-api-key": key}) is None


def put(path: Path, content: bytes | None) -> None:
    """Replace the file by a rename, as an operator should."""
    if content is None:
        path.unlink(missing_ok=True)
        return
    path.with_suffix(".new").write_bytes(content)
    path.with_suffix(".new").rename(path)


def test_a_new_file_takes_over(path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("cxr"), "propagate", True)
    caplog.set_level(logging.INFO)
    file = KeyFile(path)
    assert opens(file, OLD)
    assert opens(file, OTHER)
    assert not opens(file, "# of November")
    put(path, f"{NEW}\n{OTHER}".encode())
    assert opens(file, OLD), "nobody looked yet"
    file.check()
    assert [opens(file, key) for key in (OLD, NEW, OTHER)] == [False, True, True]
    file.check()
    assert caplog.messages == ["the API keys were replaced"]


@pytest.mark.parametrize("content", BAD, ids=["missing", "empty", "comment", "short", "binary", "long"])
def test_a_bad_file_changes_nothing_and_is_logged_once(
    path: Path, content: bytes | None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("cxr"), "propagate", True)
    file = KeyFile(path)
    put(path, content)
    file.check()
    file.check()
    assert opens(file, OLD)
    assert not opens(file, "hunter2")
    assert caplog.messages == ["the file of API keys cannot be used; the earlier keys stay in force"]
    put(path, NEW.encode())
    file.check()
    assert [opens(file, key) for key in (OLD, NEW)] == [False, True]
    put(path, content)
    with pytest.raises(KeyFileError) as caught:
        KeyFile(path)
    assert "hunter2" not in str(caught.value)


def test_the_service_does_not_start_with_a_bad_file_or_with_two_sources(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.bento.api.confine", lambda _: None)
    monkeypatch.setattr("service.bento.api.verify", lambda *_: None)
    monkeypatch.setattr("service.logs.configure", lambda: None)
    monkeypatch.setenv("CXR_API_KEYS_FILE", str(path))
    prepare()
    put(path, b"hunter2")
    with pytest.raises(SystemExit, match="must hold one key per line"):
        prepare()
    monkeypatch.setenv("CXR_API_KEYS", OLD)
    with pytest.raises(SystemExit, match="not both"):
        prepare()


def test_a_running_service_reads_the_file_by_itself(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.access.key_file.CHECK_S", 0.01)
    file = KeyFile(path)
    file.watch()
    put(path, NEW.encode())
    end = time.monotonic() + 10
    while not opens(file, NEW):
        assert time.monotonic() < end
        time.sleep(0.01)
