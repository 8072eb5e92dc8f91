"""Many files, bad files, a busy service and an unavailable one."""

import csv
import io
import re

import pytest
from playwright.sync_api import Page, Route, expect

from cxr.errors import LateralView, NotDecodable, Truncated
from cxr.limits import MAX_BYTES
from tests import files
from tests.service.page.browser.conftest import Open
from tests.service.page.browser.looking import MAP, wait_for_map

BUSY = {"error": {"code": "busy", "message": "The service is at capacity. Try again shortly.", "request_id": "x"}}


def state(page: Page, name: str) -> str:
    """A file's state in the worklist."""
    return page.locator(".item").filter(has_text=name).locator(".state").inner_text()


def ten(dicom: bytes) -> list[tuple[str, bytes]]:
    good = [(f"chest {number}", dicom) for number in range(6)]
    picture = ("=SUM(1).png", files.png(files.parse(dicom).pixel_array))
    bad = [("notes.dcm", files.text_file()), ("cut.png", files.truncated_png()), ("side.dcm", files.lateral_dicom())]
    return [*good, picture, *bad]


def test_ten_files_and_the_reasons_of_those_that_are_refused(open_page: Open, dicom: bytes) -> None:
    opened = open_page()
    page = opened.page
    opened.pick(*ten(dicom))
    expect(page.get_by_text("10 of 10 done")).to_be_visible()
    assert state(page, "notes.dcm") == f"Refused: {NotDecodable.message}"
    assert state(page, "cut.png") == f"Refused: {Truncated.message}"
    assert state(page, "side.dcm") == f"Refused: {LateralView.message}"
    assert len(re.findall(r"\d\.\d\d", " ".join(page.locator(".state").all_inner_texts()))) == 7

    page.locator(".item").filter(has_text="side.dcm").click()
    expect(page.locator(".finding")).to_contain_text(LateralView.message)
    page.locator(".item").filter(has_text="SUM").click()
    wait_for_map(page)

    with page.expect_download() as download:
        page.get_by_role("button", name="Save as CSV").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert [row["file"] for row in rows][6:8] == ["'=SUM(1).png", "notes.dcm"]
    assert [row["state"] for row in rows] == ["done"] * 7 + ["refused"] * 3
    assert sum(float(rows[0][f"p_{label}"]) for label in ("normal", "pneumonia", "covid19")) == pytest.approx(1)
    assert rows[9]["error_code"] == LateralView.code

    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_text("Drop chest radiographs here")).to_be_visible()


def test_a_file_that_is_too_large_is_not_sent(open_page: Open) -> None:
    opened = open_page()
    page = opened.page
    page.evaluate(
        """(size) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(size)], "huge.dcm"));
          dispatchEvent(new DragEvent("drop", { dataTransfer: transfer }));
        }""",
        MAX_BYTES + 1,
    )
    expect(page.locator(".state")).to_contain_text("Refused: The body is larger than 64 MiB.")
    assert not [url for url in opened.asked if url.endswith("/classify")]


def test_an_unavailable_service_that_comes_back(open_page: Open, dicom: bytes) -> None:
    opened = open_page()
    page = opened.page
    page.context.set_offline(True)
    opened.pick(("chest.dcm", dicom))
    expect(page.locator(".finding .warning")).to_have_text("The service cannot be reached.")
    page.context.set_offline(False)
    page.locator(".finding").get_by_role("button", name="Try again").click()
    wait_for_map(page)
    opened.said = [text for text in opened.said if "ERR_INTERNET_DISCONNECTED" not in text]


def test_a_busy_service_is_asked_again(open_page: Open, dicom: bytes) -> None:
    opened = open_page()
    page = opened.page
    refused: list[str] = []

    def busy_once(route: Route) -> None:
        if refused:
            route.continue_()
            return
        refused.append(route.request.url)
        route.fulfill(status=429, headers={"Retry-After": "1"}, json=BUSY)

    page.route("**/classify", busy_once)
    opened.pick(("chest.dcm", dicom))
    expect(page.locator(".state")).to_have_text("The service is busy: waiting")
    wait_for_map(page)
    assert len(refused) == 1


def test_an_unavailable_explainer_leaves_the_finding(open_page: Open, dicom: bytes) -> None:
    opened = open_page()
    page = opened.page
    message = "Explanations are unavailable at the moment. Classification is not affected."
    away = {"error": {"code": "explainer_unavailable", "message": message, "request_id": "x"}}
    page.route("**/explain?*", lambda route: route.fulfill(status=503, json=away))
    opened.pick(("chest.dcm", dicom))
    expect(page.locator(".finding .warning")).to_have_text(message)
    expect(page.locator(".set p")).to_be_visible()
    page.unroute_all(behavior="wait")
    page.get_by_role("button", name="Request the map again").click()
    wait_for_map(page)


def test_stopped_and_tried_again(open_page: Open, dicom: bytes) -> None:
    opened = open_page()
    page = opened.page
    page.route("**/classify", lambda route: route.fulfill(status=429, headers={"Retry-After": "30"}, json=BUSY))
    opened.pick(*((f"chest {number}", dicom) for number in range(3)))
    expect(page.get_by_text("The service is busy: waiting").first).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("3 of 3 done")).to_be_visible()
    assert page.locator(".state").all_inner_texts() == ["Stopped"] * 3
    page.unroute_all(behavior="wait")
    page.locator(".list").get_by_role("button", name="Try again").click()
    expect(page.locator(MAP)).to_be_visible()
    expect(page.locator(".state").filter(has_text=re.compile(r"\d\.\d\d"))).to_have_count(3)
