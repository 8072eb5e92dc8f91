"""With a service that requires a key, the page opens without one and asks for it at the first file."""

from playwright.sync_api import expect

from scripts.server import Server
from service.errors import HTTP_ERRORS
from tests.conftest import SECOND, WRONG
from tests.service.page.browser.conftest import Open


def test_the_key_is_asked_for_and_kept_in_memory_alone(open_page: Open, server_with_keys: Server, dicom: bytes) -> None:
    opened = open_page(str(server_with_keys.client.base_url))
    page = opened.page
    opened.pick(("chest.dcm", dicom), ("another.dcm", dicom))
    form = page.get_by_role("form", name="This service needs a key")
    expect(form).to_contain_text(HTTP_ERRORS[401][1])
    page.get_by_role("textbox", name="Key").fill(WRONG)
    page.keyboard.press("Enter")
    expect(form).to_contain_text(HTTP_ERRORS[403][1])
    page.get_by_role("textbox", name="Key").fill(SECOND)
    page.get_by_role("button", name="Use this key").click()
    expect(page.get_by_text("2 of 2 done")).to_be_visible()
    expect(form).to_be_hidden()
    kept = page.evaluate("() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])")
    assert kept == '[{},{},""]'
    assert not [url for url in opened.asked if WRONG in url or SECOND in url]
    assert SECOND not in server_with_keys.log_text()
    page.reload()
    opened.pick(("chest.dcm", dicom))
    expect(form).to_contain_text(HTTP_ERRORS[401][1])
