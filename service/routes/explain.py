"""`POST /explain`. Its parameters are checked before the body is read."""

from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from cxr.arrays import Grey
from cxr.decode import is_dicom
from cxr.errors import NeedsDicom, NoOpacityHead, UnknownMember
from cxr.labels import LABELS, Label
from cxr.model.bundle import ENSEMBLE, Manifest
from cxr.report.explanation import METHODS, Method, offered
from cxr.report.objects import OBJECTS
from cxr.report.pictures import PICTURES, Pictures
from cxr.report.render import for_overlay
from service.bento.explainer import Sealed, Wanted, drawing
from service.refusals import PREDICTED, UnknownMethod, UnknownObject, UnknownPictures, UnknownTarget
from service.routes.negotiation import DICOM, FHIR, JPEG, JSON, PNG, RELATED, WEBP
from service.routes.openapi import BODY, ERRORS
from service.routes.related import related
from service.routes.request import as_json, body, check, check_media_type, runtime_of
from service.schemas import ExplainedClassification, classification, explained

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
        description="For a DICOM answer: sc, the overlay as a secondary capture, or sr, the structured report. "
        "Default: both.",
        json_schema_extra={"enum": list(OBJECTS)},
    ),
]
PicturesParameter = Annotated[
    str | None,
    Query(
        description="For a JSON answer: the pictures that it contains; a heatmap named here is small. Default: both, "
        "the heatmap at the radiograph's own size. heatmap with Accept: image/png returns only the heatmap.",
        json_schema_extra={"enum": list(PICTURES)},
    ),
]
PARAMETERS: Final = ("method", "target", "member", "pictures", "object")

_FILE: Final = {"schema": {"type": "string", "format": "binary"}}
FORMS: Final[dict[str, Any]] = {
    **{media_type: {} for media_type in (JSON, PNG, JPEG, WEBP)},
    **dict.fromkeys((DICOM, RELATED), _FILE),
    FHIR: {"schema": {"type": "object"}},
}
"""Media types of the answer, the default first, as in /docs.json."""
OF_PICTURES: Final[dict[Pictures, tuple[str, ...]]] = {
    "none": (JSON,),
    "heatmap": (JSON, PNG),
    "overlay": (JSON, PNG, JPEG, WEBP),
    "both": (JSON,),
}
"""Media types of an answer if the query names pictures."""
WANTED: Final[dict[str, list[Wanted]]] = {
    JSON: ["json"],
    PNG: ["png"],
    JPEG: ["jpeg"],
    WEBP: ["webp"],
    FHIR: ["fhir"],
}

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
    pictures: PicturesParameter = None,
    object: ObjectParameter = None,
) -> Response:
    """Classify one radiograph and show where the network found evidence for the target.

    The map comes from the bundle's explaining member by default, from a named member, or from the ensemble. Label and
    probabilities are always the ensemble's, as in the answer of /classify.

    The Accept header chooses the answer. image/png, image/jpeg or image/webp: the overlay. application/fhir+json: a
    FHIR R4 bundle. application/dicom or multipart/related, for a DICOM file only: the overlay as a secondary capture
    and a structured report, both as multipart/related, or the one named by the parameter object.

    The answer of /classify lists the model's methods under bundle, methods. The map of method=opacity was trained on
    radiologists' boxes, and is the same for every target.
    """
    objects, drawn = _objects(object), _pictures(pictures)
    form = check(request, _offers(object, drawn), PARAMETERS)
    chosen, label = _method(method), _target(target)
    runtime = runtime_of(request)
    served = runtime.served  # used until the request ends, because the parameters are checked against it
    whose = _member(member, served.manifest)
    if chosen not in offered(served.manifest, whose):
        raise NoOpacityHead
    check_media_type(request)
    runtime.explanations.check()
    runtime.classifications.check()
    data = await body(request)
    if form in (DICOM, RELATED) and not is_dicom(data):
        raise NeedsDicom
    wanted: list[Wanted] = ["heatmap"] if (form, drawn) == (PNG, "heatmap") else WANTED.get(form, objects)
    keep = _kept(served.manifest, overlay=drawing(wanted, drawn).overlay)
    finding, timings_ms, prepared = await runtime.classify_to_explain(served, data, keep)
    answer = classification(finding, served.bundle, timings_ms, request.state.request_id)
    outcome = await runtime.explain(
        bundle=served.sha256,
        sealed=Sealed(prepared),
        data=data if form in (DICOM, RELATED, FHIR) else b"",
        finding=finding,
        target=label or finding.prediction,
        method=chosen,
        member=whose,
        wanted=wanted,
        pictures=drawn,
        request_id=answer.request_id,
    )
    if outcome.answer is not None:
        return as_json(explained(answer, outcome.answer, outcome.timings_ms))
    if form == RELATED or len(outcome.files) > 1:
        return related(outcome.files)
    (file,) = outcome.files.values()
    return Response(file, media_type=form)


def _kept(manifest: Manifest, overlay: bool) -> Callable[[Grey], Grey] | None:
    """How to reduce the radiograph's pixels to what the explainer needs."""
    if manifest.lungs and not manifest.sees_lungs:  # the explainer still has to segment the lungs
        return lambda pixels: pixels
    return for_overlay if overlay else None


def _method(value: str) -> Method:
    try:
        return METHOD_SPELLINGS[value]
    except KeyError:
        raise UnknownMethod from None


def _offers(objects: str | None, pictures: Pictures | None) -> tuple[str, ...]:
    """The possible media types: DICOM if the query names objects; if it names pictures, types that can hold them."""
    if objects is not None:
        return DICOM, RELATED
    return tuple(FORMS) if pictures is None else OF_PICTURES[pictures]


def _pictures(value: str | None) -> Pictures | None:
    """The requested pictures; None if the query names none."""
    if value is None:
        return None
    for pictures in PICTURES:
        if value == pictures:
            return pictures
    raise UnknownPictures


def _objects(value: str | None) -> list[Wanted]:
    """The requested DICOM objects; all if the query names none."""
    if value is None:
        return list(OBJECTS)
    for kind in OBJECTS:
        if value == kind:
            return [kind]
    raise UnknownObject


def _target(value: str) -> Label | None:
    """The requested label; None for the predicted one."""
    if value == PREDICTED:
        return None
    for label in LABELS:
        if value == label:
            return label
    raise UnknownTarget


def _member(value: str | None, manifest: Manifest) -> str:
    """The requested member; by default the bundle's explaining member."""
    if value is None:
        return manifest.explainer
    if value not in manifest.choices:
        raise UnknownMember
    return value
