"""`python -m scripts.page.screenshots`: screenshots of the page with the default model and RG1 into docs/page/.

It needs Chromium (`make browser`).
"""

import io
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, expect, sync_playwright

from scripts.demo import radiograph
from scripts.server import REPOSITORY, serve

OUT: Final = REPOSITORY / "docs" / "page"
LARGEST: Final = 200_000  # bytes of a picture
QUALITY: Final = 85  # WebP quality
PATIENCE_MS: Final = 60_000
BANNER: Final = 40  # pixels of the banner, which stays at the top


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture: its name, the window's size, the steps before it, and whether it shows the whole page."""

    name: str
    size: tuple[int, int]
    scheme: str
    method: str = "Grad-CAM++"
    zones: bool = False
    compare: bool = False
    whole: bool = False


SHOTS: Final = (
    Shot("1440-dark", (1440, 900), "dark"),
    Shot("1440-light", (1440, 900), "light", method="LRP", zones=True),
    Shot("1440-methods", (1440, 900), "dark", compare=True),
    Shot("1024-light", (1024, 768), "light"),
    Shot("390-dark", (390, 844), "dark", whole=True),
)


def main() -> int:
    """Make all pictures. Returns 0 if every picture was made and is small enough."""
    OUT.mkdir(exist_ok=True)
    payloads = _payloads()
    with serve(OUT.parent.parent / "build" / "screenshots.log", bundle=None) as server, sync_playwright() as playwright:
        server.wait_for_explainer(payloads[1]["buffer"])
        path = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        sizes = {shot.name: _take(browser, str(server.client.base_url), shot, payloads) for shot in SHOTS}
        browser.close()
    for name, size in sizes.items():
        print(f"docs/page/{name}.webp {size / 1000:.0f} kB")
    return int(max(sizes.values()) > LARGEST)


def _payloads() -> list[FilePayload]:
    """The radiograph in three formats, and a file that is not an image."""
    made = radiograph()
    names = {"application/dicom": "RG1_UNCR.dcm", "image/png": "RG1 as PNG.png", "image/jpeg": "RG1 as JPEG.jpg"}
    good = [FilePayload(name=name, mimeType="", buffer=made[kind]) for kind, name in names.items()]
    return [*good, FilePayload(name="report.txt", mimeType="", buffer=b"This is no radiograph.")]


def _take(browser: Browser, base: str, shot: Shot, payloads: list[FilePayload]) -> int:
    width, height = shot.size
    options: dict[str, Any] = {"color_scheme": shot.scheme, "reduced_motion": "reduce"}
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(base)
    page.locator("input[type=file]").set_input_files(payloads[:1] if shot.whole else payloads)
    page.locator(".stage .map").wait_for()
    _ask(page, shot)
    picture = page.screenshot(full_page=shot.whole)
    context.close()
    return _store(picture, OUT / f"{shot.name}.webp")


def _ask(page: Page, shot: Shot) -> None:
    page.get_by_role("radio", name=shot.method, exact=True).check()
    expect(page.locator(".statement")).to_contain_text(f"{shot.method} locates", timeout=PATIENCE_MS)
    if shot.zones:
        page.get_by_label("Zones").check()
    if shot.compare:
        page.get_by_text("Methods side by side").click()
        compared = page.locator(".compare")
        expect(compared).not_to_contain_text("The map is being made.", timeout=PATIENCE_MS)
        compared.evaluate("element => element.scrollIntoView()")
        page.mouse.wheel(0, -BANNER)
    page.wait_for_timeout(500)  # until the canvases are drawn


def _store(picture: bytes, path: Path) -> int:
    Image.open(io.BytesIO(picture)).save(path, quality=QUALITY, method=6)
    return path.stat().st_size


if __name__ == "__main__":
    sys.exit(main())
