"""The page's files, in process: headers, media types, ETags; only listed files are served."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from cxr.labels import DISCLAIMER
from service.access.keys import Keys
from service.access.origins import Origins
from service.app import LIMITS, app
from service.middleware import Boundary
from service.page.files import FILES
from service.routes import page
from service.uploads import Uploads

seen: list[tuple[str, int, str | None]] = []


def ask(method: str, path: str, *keys: str, **headers: str) -> httpx.Response:
    """A client of all routes, behind a boundary with these keys."""

    def observe(route: str, status: int, _: float, code: str | None) -> None:
        seen.append((route, status, code))

    boundary = Boundary(app, LIMITS, observe, page.PATHS)
    boundary.open(Keys(keys), Uploads(1 << 20, 30.0), Origins(keyless=not keys, loopback_only=False))

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(boundary)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(send())


def code(response: httpx.Response) -> Any:
    return response.json()["error"]["code"]


def test_the_page_has_its_disclaimer_before_any_script_runs() -> None:
    answer = ask("GET", "/")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert DISCLAIMER in answer.text
    assert "{{" not in answer.text


@pytest.mark.parametrize("path", page.PATHS)
def test_every_file_under_the_strict_policy(path: str) -> None:
    answer = ask("GET", path)
    assert answer.status_code == 200
    assert {name: answer.headers[name] for name in page.HEADERS} == page.HEADERS
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "http" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Request-ID"]
    assert seen[-1] == ("/" if path == "/" else "/static/{name}", 200, None)
    assert ask("HEAD", path).headers["ETag"] == answer.headers["ETag"]


@pytest.mark.parametrize("suffix", ["js", "css", "svg", "txt"])
def test_types(suffix: str) -> None:
    kind = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml", "txt": "text/plain"}[suffix]
    names = [name for name in FILES if name.endswith(f".{suffix}")]
    assert names
    for name in names:
        assert ask("GET", f"/static/{name}").headers["Content-Type"].startswith(kind)


def test_cached_files_are_not_sent_again() -> None:
    tag = ask("GET", "/static/app.js").headers["ETag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = ask("GET", "/static/app.js", **{"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["ETag"] == tag
    assert ask("GET", "/static/app.js", **{"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/static",
        "/static/",
        "/static/styles",
        "/static/index.html",
        "/static/vendor/manifest.json",
        "/static/../files.py",
        "/static/..%2ffiles.py",
        "/static/%2e%2e/words.py",
        "/static//app.js",
        "/index.html",
    ],
)
def test_only_listed_files_are_served(path: str) -> None:
    answer = ask("GET", path)
    assert (answer.status_code, code(answer)) == (404, "not_found")
    assert seen[-1] == ("other", 404, "not_found")


@pytest.mark.parametrize("path", ["/", "/static/app.js"])
def test_other_methods(path: str) -> None:
    answer = ask("POST", path)
    assert (answer.status_code, code(answer)) == (405, "method_not_allowed")


def test_the_page_needs_no_key_and_all_else_does() -> None:
    assert ask("GET", "/", "0123456789abcdef").status_code == 200
    assert ask("GET", "/static/app.js", "0123456789abcdef").status_code == 200
    for path in ("/docs.json", "/static/nothing.js", "/metrics", "/anything"):
        assert ask("GET", path, "0123456789abcdef").status_code == 401
    assert ask("POST", "/preview", "0123456789abcdef").status_code == 401


def test_it_is_not_in_the_description_of_the_api() -> None:
    assert not [path for path in json.loads(ask("GET", "/docs.json").text)["paths"] if "static" in path or path == "/"]
