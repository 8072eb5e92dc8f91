"""Fixtures of the protocol's tests."""

import asyncio
from typing import Any

import pytest
import uvicorn.config
import uvicorn.server


@pytest.fixture(autouse=True)
def protocols(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what a test installs."""
    monkeypatch.setattr(uvicorn.config, "HTTP_PROTOCOLS", dict(uvicorn.config.HTTP_PROTOCOLS))


class _Hasty:
    """asyncio, whose clock runs ten times as fast for whoever sleeps."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    @staticmethod
    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds / 10)


@pytest.fixture(autouse=True)
def _quick_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """uvicorn looks every 10 ms whether it is to end, and not every tenth of a second."""
    monkeypatch.setattr(uvicorn.server, "asyncio", _Hasty())
