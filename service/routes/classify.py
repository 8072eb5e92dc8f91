"""`POST /classify` and `GET /metrics`. The request's head is checked before the body is read."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.routes import batch
from service.routes import explain as explain_route
from service.routes import preview as preview_route
from service.routes.openapi import BODY, ERRORS
from service.routes.request import as_json, body, check, check_media_type, runtime_of
from service.schemas import Classification, classification

router = APIRouter()


@router.post("/classify", response_model=Classification, responses=ERRORS, openapi_extra=BODY)
async def classify(request: Request) -> Response:
    """Classify one frontal chest radiograph: a PNG, a JPEG or a DICOM file, raw or as the one file of a form."""
    check(request)
    check_media_type(request)
    runtime = runtime_of(request)
    runtime.classifications.check()
    data = await body(request)
    served = runtime.served
    finding, timings_ms = await runtime.classify(served, data)
    return as_json(classification(finding, served.bundle, timings_ms, request.state.request_id))


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Prometheus metrics."""
    return Response(runtime_of(request).metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


router.include_router(explain_route.router)
router.include_router(batch.router)
router.include_router(preview_route.router)
