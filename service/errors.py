"""Turn exceptions into answers: {"error": {"code", "message", "request_id"}}, always with a fixed text.

An unexpected exception becomes a 500. Its log line has the exception's type and our own line of code. Neither answer
nor log contains the exception's text, which may quote a client's data.
"""

import logging
import traceback
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from cxr.errors import BadRequest, DecoderUnavailable, NeedsDicom, Refusal, TooLarge, Unavailable, Unprocessable
from service.refusals import (
    BodyEncoded,
    Busy,
    DeadlineExceeded,
    ExplainerDied,
    ExplainerUnavailable,
    NotAcceptable,
    OtherBundle,
    OtherOrigin,
    UnknownHost,
    UnsupportedMedia,
    UploadTooSlow,
)
from service.schemas import ErrorAnswer, ErrorDetail

logger = logging.getLogger("cxr.service")

STATUS: Final[dict[type[Refusal | Unavailable], int]] = {
    BadRequest: 400,
    OtherOrigin: 403,
    NeedsDicom: 406,
    NotAcceptable: 406,
    UploadTooSlow: 408,
    TooLarge: 413,
    UnsupportedMedia: 415,
    UnknownHost: 421,
    Unprocessable: 422,
    Busy: 429,
    ExplainerUnavailable: 503,
    ExplainerDied: 503,
    OtherBundle: 503,
    DecoderUnavailable: 503,
    DeadlineExceeded: 504,
}

HEADERS: Final[dict[type[Refusal | Unavailable], dict[str, str]]] = {
    ExplainerUnavailable: {"Retry-After": "5"},
    OtherBundle: {"Retry-After": "2"},
    DecoderUnavailable: {"Retry-After": "5"},
    BodyEncoded: {"Accept-Encoding": "identity"},
    UploadTooSlow: {"Connection": "close"},  # otherwise the rest of the body would still be read
}

HTTP_ERRORS: Final[dict[int, tuple[str, str]]] = {
    400: ("malformed_request", "The request is malformed."),
    401: ("unauthorized", "A key is required. Send Authorization: Bearer KEY, or X-API-Key: KEY."),
    403: ("forbidden", "The key is not valid for this service."),
    404: ("not_found", "There is nothing at this path."),
    405: ("method_not_allowed", "This path does not support this method."),
    408: ("head_too_slow", "The request's head did not arrive within 10 seconds."),
    429: ("rate_limited", "This key has used up its requests for this minute. Try again after Retry-After."),
    431: ("head_too_large", "The request's head is over 64 KiB or 100 fields."),
    499: ("client_disconnected", "The client disconnected before its request was complete."),
    503: ("too_many_connections", "All connections are in use. Try again shortly."),
    500: ("internal_error", "The service failed. The failure was logged with the request id."),
}

_HOME: Final = Path(__file__).parent.parent


class ExplanationFailed(Exception):
    """The explainer met an unexpected error and logged it in its own process."""


def status_of(error: Refusal | Unavailable) -> int:
    """The HTTP status of a named error: that of its class or of its nearest base class."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def answer_error(
    request: Request, status: int, code: str, message: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    """An error answer. Its code is stored in the request's state for the middleware to count."""
    request.state.error_code = code
    detail = ErrorDetail(code=code, message=message, request_id=request.state.request_id)
    return JSONResponse(ErrorAnswer(error=detail).model_dump(), status, headers)


def answer_named(request: Request, error: Refusal | Unavailable) -> JSONResponse:
    """The answer to an error that the project raises on purpose."""
    headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, Busy) else HEADERS.get(type(error))
    return answer_error(request, status_of(error), error.code, error.message, headers)


def answer_http_error(request: Request, status: int, headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer to an HTTP error, or to a failure of the service."""
    known = status if status in HTTP_ERRORS else 400
    return answer_error(request, known, *HTTP_ERRORS[known], headers)


def install(app: FastAPI) -> None:
    """Give all exceptions of routes the same form of answer."""
    app.add_exception_handler(Refusal, _on_named)
    app.add_exception_handler(Unavailable, _on_named)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)
    app.add_exception_handler(Exception, _on_unexpected)


def log_unexpected(error: BaseException, request_id: str) -> None:
    """Log one line: the type of the error, our own line of code, and the request."""
    logger.error("unexpected %s at %s, request %s", type(error).__qualname__, _our_line(error), request_id)


def _our_line(error: BaseException) -> str:
    """The innermost line of this repository that an exception passed through."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(_HOME) and "site-packages" not in path.parts:
            return f"{path.relative_to(_HOME)}:{frame.lineno}"
    return "no line of ours"


async def _on_named(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal | Unavailable)
    return answer_named(request, error)


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return answer_http_error(request, error.status_code, dict(error.headers or {}))


async def _on_invalid(request: Request, _: Exception) -> JSONResponse:
    return answer_http_error(request, 400)  # FastAPI's own answer quotes the input


async def _on_disconnect(request: Request, _: Exception) -> JSONResponse:
    return answer_http_error(request, 499)  # no client reads it, but BentoML's timeout waits for an answer


async def _on_unexpected(request: Request, _: Exception) -> JSONResponse:
    return answer_http_error(request, 500)  # Starlette raises the error again, and the middleware logs it
