"""A page of another origin, in a real browser, with a service that needs no key."""

import json

from playwright.sync_api import Browser

from scripts.server import Server

# Newer browsers block a page's fetch to loopback by themselves, but they still send a form.
SEND = """(url) => {
  const form = document.createElement("form");
  Object.assign(form, { method: "POST", action: url, enctype: "multipart/form-data" });
  document.body.append(form);
  form.submit();
}"""


def test_its_form_is_refused(browser: Browser, server: Server) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.route("http://other.example/", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
    page.goto("http://other.example/")
    with page.expect_response("**/classify") as answered:
        page.evaluate(SEND, f"{server.client.base_url}/classify")
    assert answered.value.status == 403
    line = server.log_line(answered.value.headers["x-request-id"])
    assert json.loads(line)["code"] == "other_origin"
    context.close()
