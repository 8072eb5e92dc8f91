"""A page of another origin, in a real browser, before a service that asks for no key."""

import json
from base64 import b64encode

from playwright.sync_api import Browser

from scripts.server import Server
from tests import files

POST = """async ([url, data]) => {
  await fetch(url, { method: "POST", mode: "no-cors", body: Uint8Array.from(atob(data), (c) => c.charCodeAt(0)) });
}"""


def test_it_cannot_have_a_radiograph_classified(browser: Browser, server: Server) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.route("http://other.example/", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
    page.goto("http://other.example/")
    before = len(server.log_text())
    with page.expect_response("**/classify") as answered:
        page.evaluate(POST, [f"{server.client.base_url}/classify", b64encode(files.radiograph_png()).decode()])
    assert answered.value.status == 403
    line = server.log_line(answered.value.headers["x-request-id"])
    assert json.loads(line)["code"] == "other_origin"
    assert '"status": 200' not in server.log_text()[before:]
    context.close()
