"""The routes. Parameters and media type are judged before a byte of the body is read."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from cxr.errors import EmptyInput, UnknownMethod, UnknownTarget, UnsupportedMedia
from cxr.explanation import METHODS, Method
from cxr.labels import LABELS, Label
from cxr.pipeline import Finding
from service.runtime import Runtime
from service.schemas import (
    Classification,
    ErrorAnswer,
    ExplainedClassification,
    classification,
    explained,
)

MEDIA_TYPES: Final = ("image/png", "image/jpeg", "application/dicom")
PREDICTED: Final = "predicted"

# An unescaped plus sign in a query is a space.
METHOD_SPELLINGS: Final[dict[str, Method]] = {
    **{method: method for method in METHODS},
    "gradcam++": "gradcam_plus_plus",
    "gradcam  ": "gradcam_plus_plus",
}

_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in MEDIA_TYPES},
    }
}
_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": ErrorAnswer, "description": "Empty body, or an unknown method or target."},
    413: {"model": ErrorAnswer, "description": "Over 64 MiB or 40 megapixels."},
    415: {"model": ErrorAnswer, "description": "Not one of the three media types."},
    422: {"model": ErrorAnswer, "description": "Not decodable, or not a frontal chest radiograph."},
    503: {"model": ErrorAnswer, "description": "At capacity, or the explainer is away. See Retry-After."},
    504: {"model": ErrorAnswer, "description": "Not answered within the deadline."},
}

MethodParameter = Annotated[str, Query(json_schema_extra={"enum": list(METHODS)})]
TargetParameter = Annotated[str, Query(json_schema_extra={"enum": [PREDICTED, *LABELS]})]

router = APIRouter()


@router.post("/classify", responses=_ERRORS, openapi_extra=_BODY)
async def classify(request: Request) -> Classification:
    """Classify one frontal chest radiograph: the raw bytes of a PNG, a JPEG or a DICOM file."""
    _check_media_type(request.headers)
    _, answer, _ = await _classified(request)
    return answer


@router.post(
    "/explain",
    response_model=ExplainedClassification,
    responses={**_ERRORS, 200: {"content": {"image/png": {}}}},
    openapi_extra=_BODY,
)
async def explain(
    request: Request, method: MethodParameter = "gradcam_plus_plus", target: TargetParameter = PREDICTED
) -> ExplainedClassification | Response:
    """Classify one radiograph and show where the network found evidence for the target.

    The map is the bundle's explaining member's; label and probabilities are the ensemble's, as /classify gives
    them. With `Accept: image/png` the answer is the overlay.
    """
    chosen = _method(method)
    label = _target(target)
    _check_media_type(request.headers)
    _runtime(request).explanations.check()
    finding, answer, data = await _classified(request)
    explanation = await _runtime(request).explain(data, finding, label or finding.prediction, chosen, answer.request_id)
    if _wants_picture(request.headers):
        return Response(explanation.overlay_png, media_type="image/png")
    return explained(answer, explanation)


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Prometheus metrics."""
    return Response(_runtime(request).metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def _classified(request: Request) -> tuple[Finding, Classification, bytes]:
    runtime = _runtime(request)
    runtime.classifications.check()
    data = await _body(request)
    finding, timings_ms = await runtime.classify(data)
    answer = classification(finding, runtime.manifest, timings_ms, request.state.request_id)
    return finding, answer, data


async def _body(request: Request) -> bytes:
    """The body, joined once; `service.middleware` bounds it."""
    data = b"".join([chunk async for chunk in request.stream()])
    if not data:
        raise EmptyInput
    return data


def _check_media_type(headers: Mapping[str, str]) -> None:
    if headers.get("content-type", "").split(";")[0].strip().lower() not in MEDIA_TYPES:
        raise UnsupportedMedia


def _method(value: str) -> Method:
    try:
        return METHOD_SPELLINGS[value]
    except KeyError:
        raise UnknownMethod from None


def _target(value: str) -> Label | None:
    """The label meant; None for the predicted one."""
    if value == PREDICTED:
        return None
    for label in LABELS:
        if value == label:
            return label
    raise UnknownTarget


def _wants_picture(headers: Mapping[str, str]) -> bool:
    """Whether the Accept header names PNG and not JSON."""
    ranges = [part.split(";")[0].strip().lower() for part in headers.get("accept", "").split(",")]
    return "image/png" in ranges and "application/json" not in ranges


def _runtime(request: Request) -> Runtime:
    runtime = request.app.state.runtime
    assert isinstance(runtime, Runtime)
    return runtime
