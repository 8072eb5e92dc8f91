"""Fixtures of the tests of decoding."""

import pytest

from cxr.decode.guards import BoundedReads


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """The size of every read by a parser of untrusted bytes, to measure the work before a refusal."""
    asked: list[int | None] = []
    read = BoundedReads.read

    def counted(stream: BoundedReads, size: int | None = -1, /) -> bytes:
        asked.append(size)
        return read(stream, size)

    monkeypatch.setattr(BoundedReads, "read", counted)
    return asked
