"""What every route that takes a radiograph does first: judge the media type, read the body, classify it."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from cxr.errors import EmptyInput
from cxr.limits import MAX_BYTES, MAX_PIXELS
from cxr.pipeline import Finding
from service.refusals import UnsupportedMedia
from service.runtime import Runtime
from service.schemas import Classification, ErrorAnswer, classification

MEDIA_TYPES: Final = ("image/png", "image/jpeg", "application/dicom")

BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in MEDIA_TYPES},
    }
}
ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": ErrorAnswer, "description": "Empty body, or an unknown method, target or member."},
    401: {"model": ErrorAnswer, "description": "No key, where one is needed."},
    403: {"model": ErrorAnswer, "description": "Not one of the keys."},
    408: {"model": ErrorAnswer, "description": "The body did not arrive in time."},
    413: {"model": ErrorAnswer, "description": f"Over {MAX_BYTES >> 20} MiB or {MAX_PIXELS // 10**6} megapixels."},
    415: {"model": ErrorAnswer, "description": "Not one of the three media types."},
    422: {"model": ErrorAnswer, "description": "Not decodable, or not a frontal chest radiograph."},
    429: {"model": ErrorAnswer, "description": "At capacity. See Retry-After."},
    503: {
        "model": ErrorAnswer,
        "description": "The explainer is away (see Retry-After), or it ended during this explanation.",
    },
    504: {"model": ErrorAnswer, "description": "Not answered within the deadline."},
}


def check_media_type(headers: Mapping[str, str]) -> None:
    """Raises UnsupportedMedia unless the body is said to be a PNG, a JPEG or a DICOM file."""
    if headers.get("content-type", "").split(";")[0].strip().lower() not in MEDIA_TYPES:
        raise UnsupportedMedia


async def classified(request: Request) -> tuple[Finding, Classification, bytes]:
    """Read and classify the body: the finding, its answer, and the bytes."""
    runtime = runtime_of(request)
    runtime.classifications.check()
    data = await _body(request)
    finding, timings_ms = await runtime.classify(data)
    answer = classification(finding, runtime.manifest, timings_ms, request.state.request_id)
    return finding, answer, data


def as_json(answer: BaseModel) -> Response:
    """An answer as it stands: FastAPI would validate it once more, which takes as long as making it."""
    return Response(answer.model_dump_json(), media_type="application/json")


def runtime_of(request: Request) -> Runtime:
    """The runtime of the app that was asked."""
    runtime = request.app.state.runtime
    assert isinstance(runtime, Runtime)
    return runtime


async def _body(request: Request) -> bytes:
    """The body, joined once; `service.middleware` bounds it."""
    data = b"".join([chunk async for chunk in request.stream()])
    if not data:
        raise EmptyInput
    return data
