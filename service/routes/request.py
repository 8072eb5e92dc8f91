"""The first steps of every route for radiographs: check the request's head, read the body."""

from collections.abc import Collection, Sequence
from typing import Final

from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from cxr.errors import EmptyInput
from service.refusals import BodyEncoded, SeveralFiles, UnknownParameter, UnsupportedMedia
from service.routes.multipart import MULTIPART, read_files
from service.routes.negotiation import JSON, preferred
from service.runtime import Runtime

MEDIA_TYPES: Final = frozenset({"image/png", "image/jpeg", "application/dicom", "application/octet-stream", ""})
"""Media types of raw bodies. The format is recognised from the bytes; the type is checked to report mistakes early."""


def check(request: Request, offers: Sequence[str] = (JSON,), parameters: Collection[str] = ()) -> str:
    """Check everything that can be checked before the body is read.

    Args:
        request: the request.
        offers: possible media types of the answer.
        parameters: names allowed in the query, each at most once.

    Returns:
        The answer's media type.

    Raises:
        UnknownParameter, NotAcceptable, BodyEncoded: see there.
    """
    names = [name for name, _ in request.query_params.multi_items()]
    if len(names) > len(set(names)) or set(names) - set(parameters):
        raise UnknownParameter
    if any(coding.strip().lower() not in ("", "identity") for coding in _all(request, "content-encoding")):
        raise BodyEncoded
    return preferred(",".join(_all(request, "accept")), offers)


def check_media_type(request: Request) -> None:
    """Raises UnsupportedMedia unless the media type is that of one file, raw or in a form."""
    media_type = _media_type(request)
    if media_type not in MEDIA_TYPES and media_type != MULTIPART:
        raise UnsupportedMedia


async def body(request: Request) -> bytes:
    """The request's single file. `service.middleware` limits it. Raises EmptyInput, and what `read_files` raises."""
    if _media_type(request) == MULTIPART:
        content_type = request.headers["content-type"]
        (data,) = await read_files(content_type, request.stream(), most=1, too_many=SeveralFiles)
    else:
        data = b"".join([chunk async for chunk in request.stream()])
    if not data:
        raise EmptyInput
    return data


def as_json(answer: BaseModel) -> Response:
    """An answer without further validation: FastAPI would validate it again, which takes as long as making it."""
    return Response(answer.model_dump_json(), media_type="application/json")


def runtime_of(request: Request) -> Runtime:
    """The runtime of the request's app."""
    runtime = request.app.state.runtime
    assert isinstance(runtime, Runtime)
    return runtime


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


def _all(request: Request, name: str) -> list[str]:
    """The members of a list header, which may be repeated."""
    return ",".join(request.headers.getlist(name)).split(",")
