"""Accessibility: axe's rules in dark and light, use by keyboard only, and every width."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.service.page.browser.conftest import Open
from tests.service.page.browser.looking import wait_for_map

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def faults(page: Page) -> list[str]:
    """axe's serious and critical faults."""
    results: dict[str, Any] = Axe().run(page, options={"runOnly": RULES}).response
    return [
        f"{found['id']}: {node['html'][:200]} {node['failureSummary']}"
        for found in results["violations"]
        if found["impact"] in ("serious", "critical")
        for node in found["nodes"]
    ]


@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        ("dark", 1440),
        ("light", 390),
        pytest.param("light", 1440, marks=pytest.mark.slow),
        pytest.param("dark", 390, marks=pytest.mark.slow),
    ],
)
def test_no_serious_fault(open_page: Open, dicom: bytes, scheme: str, width: int) -> None:
    opened = open_page(color_scheme=scheme, reduced_motion="reduce", viewport={"width": width, "height": 900})
    page = opened.page
    assert faults(page) == []
    opened.pick(("chest.dcm", dicom), ("notes.txt", b"no radiograph"))
    wait_for_map(page)
    for summary in page.locator("summary").all():
        summary.click()
    expect(page.locator("figcaption p").last).to_contain_text("radiologists' boxes")
    assert faults(page) == []
    page.locator(".item").last.click()
    expect(page.locator(".finding .warning")).to_be_visible()
    assert faults(page) == []


def test_the_keyboard_alone_reaches_everything(open_page: Open, dicom: bytes) -> None:
    opened = open_page()
    page = opened.page
    opened.pick(("chest.dcm", dicom))
    wait_for_map(page)
    page.locator("body").focus()
    everything = page.locator("button:enabled, select, input, summary, [tabindex='0']").count()
    reached: set[str] = set()
    for _ in range(everything + 5):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "() => document.activeElement.closest('label')?.innerText.split('\\n')[0] || "
                "document.activeElement.getAttribute('aria-label') || document.activeElement.innerText"
            )
        )
    wanted = {
        "Add files",
        "Save as CSV",
        "Clear",
        "Grad-CAM++",
        "Predicted",
        "Radiograph and map",
        "Opacity",
        "Threshold",
        "Map",
        "Hold to hide the map",
        "Save picture",
        "Print",
        "Window level",
        "Window width",
        "Smaller",
        "Larger",
        "Reset view",
        "Methods side by side",
    }
    assert wanted <= reached, wanted - reached


def test_nothing_is_wider_than_the_screen(open_page: Open, dicom: bytes) -> None:
    opened = open_page()
    page = opened.page
    opened.pick((f"{'long' * 30}.dcm", dicom))
    wait_for_map(page)
    for width in (1440, 1024, 820, 390, 320):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
