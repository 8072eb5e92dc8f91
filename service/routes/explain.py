"""`POST /explain`. Its parameters are judged before a byte of the body is read."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from cxr.errors import NoOpacityHead, UnknownMember
from cxr.labels import LABELS, Label
from cxr.model.bundle import ENSEMBLE, Manifest
from cxr.report.explanation import METHODS, Method, offered
from cxr.report.objects import OBJECTS
from service.bento.explainer import Wanted
from service.refusals import PREDICTED, UnknownMethod, UnknownObject, UnknownTarget
from service.routes.negotiation import DICOM, FHIR, JSON, PNG, RELATED
from service.routes.openapi import BODY, ERRORS
from service.routes.related import related
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

ObjectParameter = Annotated[
    str | None,
    Query(
        description="Of a DICOM answer: sc, the overlay as a secondary capture, or sr, the structured report.",
        json_schema_extra={"enum": list(OBJECTS)},
    ),
]
PARAMETERS: Final = ("method", "target", "member", "object")

_FILE: Final = {"schema": {"type": "string", "format": "binary"}}
FORMS: Final[dict[str, Any]] = {JSON: {}, PNG: {}, DICOM: _FILE, RELATED: _FILE, FHIR: {"schema": {"type": "object"}}}
"""Media types of the answer, the favourite first, as /docs.json has them."""
WANTED: Final[dict[str, list[Wanted]]] = {JSON: ["json"], PNG: ["png"], FHIR: ["fhir"]}

router = APIRouter()


@router.post(
    "/explain",
    response_model=ExplainedClassification,
    responses={**ERRORS, 200: {"content": FORMS}},
    openapi_extra=BODY,
)
async def explain(
    request: Request,
    method: MethodParameter = "gradcam_plus_plus",
    target: TargetParameter = PREDICTED,
    member: MemberParameter = None,
    object: ObjectParameter = None,
) -> Response:
    """Classify one radiograph and show where the network found evidence for the target.

    The map is the bundle's explaining member's, or that of the member named, or the ensemble's; label and probabilities
    are the ensemble's, as /classify gives them. Where Accept prefers image/png the answer is the overlay; where it
    prefers application/fhir+json, a FHIR R4 bundle; where it prefers application/dicom or multipart/related, of a DICOM
    file, the overlay as a secondary capture and a structured report, both as multipart/related or the one named.

    The methods that the model has are in the answer of /classify: bundle, methods. The map of method=opacity has been
    taught by radiologists' boxes, and is the same for every target.
    """
    objects = _objects(object)
    form = check(request, tuple(FORMS) if object is None else (DICOM, RELATED), PARAMETERS)
    chosen, label = _method(method), _target(target)
    runtime = runtime_of(request)
    whose = _member(member, runtime.manifest)
    if chosen not in offered(runtime.manifest, whose):
        raise NoOpacityHead
    check_media_type(request)
    runtime.explanations.check()
    finding, answer, data = await classified(request, dicom=form in (DICOM, RELATED))
    outcome = await runtime.explain(
        data=data,
        finding=finding,
        target=label or finding.prediction,
        method=chosen,
        member=whose,
        wanted=WANTED.get(form, objects),
        request_id=answer.request_id,
    )
    if outcome.answer is not None:
        return as_json(explained(answer, outcome.answer, outcome.timings_ms))
    if form == RELATED or len(outcome.files) > 1:
        return related(outcome.files)
    (file,) = outcome.files.values()
    return Response(file, media_type=form)


def _method(value: str) -> Method:
    try:
        return METHOD_SPELLINGS[value]
    except KeyError:
        raise UnknownMethod from None


def _objects(value: str | None) -> list[Wanted]:
    """The DICOM objects meant; all where none is named."""
    if value is None:
        return list(OBJECTS)
    for kind in OBJECTS:
        if value == kind:
            return [kind]
    raise UnknownObject


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
