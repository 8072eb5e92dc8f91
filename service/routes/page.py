"""`GET /` and the page's files. They need no key: they contain no data, and the page asks the user for the key."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from service.page.files import FILES, INDEX, File

STATIC: Final = "/static"
TEMPLATE: Final = f"{STATIC}/{{name}}"

PATHS: Final = {"/": "/", **{f"{STATIC}/{name}": TEMPLATE for name in FILES if name != INDEX}}
"""The paths of the page, with their names in log and metrics."""

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-cache",  # revalidated each time; the answer is 304 if nothing has changed
}

router = APIRouter()


@router.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
async def index(request: Request) -> Response:
    """The page."""
    return _answer(request, FILES[INDEX])


@router.api_route(STATIC + "/{name:path}", methods=["GET", "HEAD"], include_in_schema=False)
async def static(request: Request, name: str) -> Response:
    """A file of the page."""
    if f"{STATIC}/{name}" not in PATHS:
        raise HTTPException(404)
    return _answer(request, FILES[name])


def _answer(request: Request, file: File) -> Response:
    headers = {**HEADERS, "ETag": file.etag}
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if known & {file.etag, "*"}:
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)
