"""Several files in one request."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from cxr.errors import Refusal, Unavailable
from cxr.pipeline import Finding
from service.bundles.served import Served
from service.errors import HTTP_ERRORS, log_unexpected
from service.limits import MAX_FILES, MAX_FORM_BYTES
from service.metrics import Metrics
from service.routes.multipart import read_files
from service.routes.openapi import ERRORS, FORM
from service.routes.request import as_json, check, runtime_of
from service.schemas import Batch, Classification, ErrorAnswer, ErrorDetail, classification

PATH: Final = "/v1/classify"

router = APIRouter()


@router.post(
    PATH,
    response_model=Batch,
    responses={status: answer for status, answer in ERRORS.items() if status != 422},
    openapi_extra=FORM,
    description=(
        f"Classify up to {MAX_FILES} files, PNG, JPEG or DICOM, each a part of a multipart form of at most "
        f"{MAX_FORM_BYTES >> 20} MiB.\n\n"
        "The answers are in the files' order; text fields are ignored. A file that cannot be answered gets its error, "
        "and the others are still answered."
    ),
)
async def classify_batch(request: Request) -> Response:
    """Classify several files."""
    check(request)
    runtime = runtime_of(request)
    runtime.classifications.check()
    files = await read_files(request.headers.get("content-type", ""), request.stream())
    served = runtime.served
    results = await runtime.classify_all(served, files)
    request_id = request.state.request_id
    answers = [_answer(result, served, runtime.metrics, request_id) for result in results]
    return as_json(Batch(request_id=request_id, results=answers))


def _answer(
    result: tuple[Finding, dict[str, float]] | BaseException, served: Served, metrics: Metrics, request_id: str
) -> Classification | ErrorAnswer:
    if not isinstance(result, BaseException):
        finding, timings_ms = result
        return classification(finding, served.bundle, timings_ms, request_id)
    if isinstance(result, Refusal | Unavailable):
        code, message = result.code, result.message
    else:
        log_unexpected(result, request_id)
        code, message = HTTP_ERRORS[500]
    metrics.failed(code)
    return ErrorAnswer(error=ErrorDetail(code=code, message=message, request_id=request_id))
