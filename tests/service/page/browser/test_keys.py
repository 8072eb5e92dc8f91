"""Where the service wants a key, the page asks for it. That it is open itself: tests/service/routes/test_page.py."""

from playwright.sync_api import Route, expect

from service.access.keys import Keys
from service.errors import HTTP_ERRORS
from tests.service.page.browser.conftest import Open
from tests.service.page.browser.looking import wait_for_map

KEY = "0123456789abcdef"


def guard(route: Route) -> None:
    """What the boundary does before a request comes in."""
    status = Keys([KEY]).refusal(route.request.headers)
    if status is None:
        route.continue_()
        return
    code, message = HTTP_ERRORS[status]
    route.fulfill(status=status, json={"error": {"code": code, "message": message, "request_id": "x"}})


def test_the_key_is_asked_for_and_kept_in_memory_alone(open_page: Open, dicom: bytes) -> None:
    opened = open_page()
    page = opened.page
    for path in ("classify", "preview", "explain?*"):
        page.route(f"**/{path}", guard)
    opened.pick(("chest.dcm", dicom), ("another.dcm", dicom))
    form = page.get_by_role("form", name="This service wants a key")
    expect(form).to_contain_text(HTTP_ERRORS[401][1])
    page.get_by_role("textbox", name="Key").fill("not the right key")
    page.keyboard.press("Enter")
    expect(form).to_contain_text(HTTP_ERRORS[403][1])
    page.get_by_role("textbox", name="Key").fill(KEY)
    page.get_by_role("button", name="Use this key").click()
    wait_for_map(page)
    expect(page.get_by_text("2 of 2 done")).to_be_visible()
    kept = page.evaluate("() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])")
    assert kept == '[{},{},""]'
    assert not [url for url in opened.asked if KEY in url]
