"""`POST /explain`. Its parameters are judged before a byte of the body is read."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from cxr.errors import UnknownMember
from cxr.labels import LABELS, Label
from cxr.model.bundle import ENSEMBLE, Manifest
from cxr.report.explanation import METHODS, Method
from service.refusals import PREDICTED, UnknownMethod, UnknownTarget
from service.routes.negotiation import JSON, PNG
from service.routes.openapi import BODY, ERRORS
from service.routes.request import as_json, check, check_media_type, classified, runtime_of
from service.schemas import ExplainedClassification, explained

# An unescaped plus sign in a query is a space.
METHOD_SPELLINGS: Final[dict[str, Method]] = {
    **{method: method for method in METHODS},
    "gradcam++": "gradcam_plus_plus",
    "gradcam  ": "gradcam_plus_plus",
}

MethodParameter = Annotated[str, Query(json_schema_extra={"enum": list(METHODS)})]
TargetParameter = Annotated[str, Query(json_schema_extra={"enum": [PREDICTED, *LABELS]})]
MemberParameter = Annotated[
    str | None,
    Query(description=f"A member's name, or {ENSEMBLE} for the mean of all; the explaining member by default."),
]

router = APIRouter()


@router.post(
    "/explain",
    response_model=ExplainedClassification,
    responses={**ERRORS, 200: {"content": {PNG: {}}}},
    openapi_extra=BODY,
)
async def explain(
    request: Request,
    method: MethodParameter = "gradcam_plus_plus",
    target: TargetParameter = PREDICTED,
    member: MemberParameter = None,
) -> Response:
    """Classify one radiograph and show where the network found evidence for the target.

    The map is the bundle's explaining member's, or that of the member named, or the ensemble's; label and probabilities
    are the ensemble's, as /classify gives them. Where Accept prefers image/png the answer is the overlay.
    """
    form = check(request, (JSON, PNG), ("method", "target", "member"))
    chosen, label = _method(method), _target(target)
    runtime = runtime_of(request)
    whose = _member(member, runtime.manifest)
    check_media_type(request)
    runtime.explanations.check()
    finding, answer, data = await classified(request)
    outcome = await runtime.explain(
        data=data,
        finding=finding,
        target=label or finding.prediction,
        method=chosen,
        member=whose,
        as_picture=form == PNG,
        request_id=answer.request_id,
    )
    if outcome.answer is None:
        return Response(outcome.overlay_png, media_type=PNG)
    return as_json(explained(answer, outcome.answer, outcome.timings_ms))


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


def _member(value: str | None, manifest: Manifest) -> str:
    """The member meant; the bundle's explaining member where none is named."""
    if value is None:
        return manifest.explainer
    if value not in manifest.choices:
        raise UnknownMember
    return value
