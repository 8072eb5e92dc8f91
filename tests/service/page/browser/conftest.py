"""Debian's Chromium, headless, with the live server. Playwright does not download a browser."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, FilePayload, Page, expect, sync_playwright

from scripts.server import Server
from tests import files

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_MS = 20_000
STATUS = "Failed to load resource: the server responded with a status of"


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The browser. Not session-scoped: while Playwright runs, no other test can run an event loop in this thread."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        missing = "no Chromium: `make browser` installs Debian's"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.getuid() == 0 else []
        launched = playwright.chromium.launch(executable_path=path, args=arguments)
        expect.set_options(timeout=PATIENCE_MS)
        yield launched
        launched.close()


@dataclass
class Opened:
    """A page, and its browser's requests and messages."""

    page: Page
    base: str
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def pick(self, *chosen: tuple[str, bytes]) -> None:
        """Choose files by name and content."""
        payloads: list[FilePayload] = [{"name": name, "mimeType": "", "buffer": data} for name, data in chosen]
        self.page.locator("input[type=file]").set_input_files(payloads)

    def assert_clean(self) -> None:
        """Assert that no other origin was requested, and that there was no error except the service's refusals."""
        assert {url for url in self.asked if not url.startswith((self.base, f"blob:{self.base}"))} == set()
        assert [text for text in self.said if not text.startswith(STATUS)] == []


Open = Callable[..., Opened]


@pytest.fixture
def open_page(browser: Browser, server: Server) -> Iterator[Open]:
    """Opens pages. Afterwards `assert_clean` checks each of them."""
    opened: list[Opened] = []
    contexts: list[BrowserContext] = []

    def open_(base: str = str(server.client.base_url), **options: Any) -> Opened:
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}} | options)
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        one = Opened(context.new_page(), base)
        one.page.on("request", lambda request: one.asked.append(request.url))
        one.page.on("console", lambda message: one.said.append(message.text))
        one.page.on("pageerror", lambda error: one.said.append(str(error)))
        one.page.goto(base)
        opened.append(one)
        return one

    yield open_
    for one in opened:
        one.assert_clean()
    for context in contexts:
        context.close()


@pytest.fixture(scope="package")
def dicom() -> bytes:
    """A small DICOM file, for tests that do not need a whole radiograph."""
    return files.small_radiograph_dicom()
