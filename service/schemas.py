"""The JSON answers of the service."""

from base64 import b64encode
from dataclasses import asdict
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from cxr.anatomy.boxes import Box
from cxr.anatomy.outlines import Outline
from cxr.anatomy.zones import ZoneShare
from cxr.decode import InstanceUIDs
from cxr.labels import DISCLAIMER, Label
from cxr.model.bundle import ENSEMBLE, Bundle
from cxr.model.gate import Verdict
from cxr.model.posterior import EnsembleRule
from cxr.pipeline import Finding, MemberFinding
from cxr.report.explanation import SIGNED, TAUGHT, Explanation, Method, offered
from cxr.report.heatmap import SMALL
from cxr.report.pictures import encode
from cxr.report.wording import set_in_words

Probabilities = Annotated[dict[Label, float], Field(description="Calibrated; they sum to 1.")]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class BundleAnswer(_Answer):
    """The model that answered."""

    name: str
    version: str
    sha256: Annotated[str, Field(description="SHA-256 of its bundle.json, which holds the hashes of its weights.")]
    site: Annotated[str | None, Field(description="The site for which `cxr site` recalibrated it; null if none.")]
    methods: Annotated[list[Method], Field(description="Methods that the default explaining network supports.")]


class GateAnswer(_Answer):
    """Whether the image is an upright frontal radiograph of a chest, like those that the model has seen."""

    score: Annotated[float, Field(ge=0.0, le=1.0, description="A higher score means more like such an image.")]
    verdict: Verdict


class Classification(_Answer):
    """The ensemble's answer for one radiograph."""

    request_id: str
    bundle: BundleAnswer
    prediction: Annotated[Label, Field(description="The label of the largest probability.")]
    probabilities: Probabilities
    prediction_set: Annotated[
        list[Label],
        Field(description="Labels that cannot be ruled out at the bundle's coverage."),
    ]
    prediction_set_text: Annotated[str, Field(description="The prediction set in words.")]
    ensemble: EnsembleRule
    members: list[MemberFinding]
    gate: Annotated[GateAnswer | None, Field(description="null if the bundle has no gate or CXR_GATE is off.")]
    warnings: list[str]
    instance: Annotated[InstanceUIDs | None, Field(description="For DICOM only.")]
    timings_ms: dict[str, float]
    disclaimer: str


class ExplanationAnswer(_Answer):
    """Where one member of the ensemble, or the ensemble as a whole, found evidence for the target."""

    method: Method
    target: Annotated[Label, Field(description=f"The explained label. {', '.join(sorted(TAUGHT))} ignores it.")]
    member: Annotated[str, Field(description=f"A member's name, or {ENSEMBLE} for the mean, weighted by probability.")]
    heatmap_png: Annotated[
        str | None,
        Field(
            description="Base64: 8-bit grey PNG of the whole radiograph, upright. 255 is the most evidence; "
            f"for {', '.join(sorted(SIGNED))} 128 is none, a higher value is evidence for the target and a lower one "
            f"evidence against it. It has the radiograph's own size; if the query names pictures, at most {SMALL} "
            "pixels per side. null if the query names only other pictures."
        ),
    ]
    overlay_png: Annotated[
        str | None,
        Field(description="Base64: PNG of the map over the radiograph. null if the query names only other pictures."),
    ]
    statement: Annotated[str, Field(description="Finding, places and warnings in sentences.")]
    warnings: Annotated[list[str], Field(description="The warnings of the statement.")]
    zones: Annotated[
        list[ZoneShare],
        Field(description="Each zone's share of the positive evidence and of the image's area. Sides: the patient's."),
    ]
    no_lungs: Annotated[
        str, Field(description="Why the zones are thirds of the image's halves; empty if they are thirds of the lungs.")
    ]
    outlines: Annotated[
        list[Outline],
        Field(description="Outlines of all zones except outside: points as shares of the upright image's sides."),
    ]
    boxes: Annotated[
        list[Box],
        Field(description="Critical regions in pixels of the stored image, before any flip or turn for display."),
    ]
    conservation_error: Annotated[
        float | None, Field(description="For lrp: |sum of relevance - logit| / max(|logit|, 1), the members' maximum.")
    ]


class ExplainedClassification(Classification):
    """A classification and its explanation."""

    explanation: ExplanationAnswer


class ErrorDetail(_Answer):
    code: str
    message: str
    request_id: str


class ErrorAnswer(_Answer):
    """Why a request was not answered."""

    error: ErrorDetail


class Batch(_Answer):
    """Answers to several files, in their order: for each, the answer of /classify or its error."""

    request_id: str
    results: list[Classification | ErrorAnswer]


def classification(finding: Finding, bundle: Bundle, timings_ms: dict[str, float], request_id: str) -> Classification:
    """The JSON answer for a finding. `bundle`: the bundle that classified."""
    manifest = bundle.manifest
    return Classification(
        request_id=request_id,
        bundle=BundleAnswer(
            name=manifest.name,
            version=manifest.version,
            sha256=bundle.sha256,
            site=manifest.site.name if manifest.site else None,
            methods=list(offered(manifest, manifest.explainer)),
        ),
        prediction=finding.prediction,
        probabilities=finding.probabilities,
        prediction_set=list(finding.prediction_set),
        prediction_set_text=set_in_words(finding, manifest.conformal.coverage),
        ensemble=finding.ensemble,
        members=list(finding.members),
        gate=GateAnswer(**asdict(finding.gate)) if finding.gate else None,
        warnings=list(finding.warnings),
        instance=finding.instance,
        timings_ms=timings_ms,
        disclaimer=DISCLAIMER,
    )


def explanation_answer(explanation: Explanation) -> ExplanationAnswer:
    """The JSON answer for an explanation. Do not call it in an event loop: encoding the pictures would block it."""
    return ExplanationAnswer(
        method=explanation.method,
        target=explanation.target,
        member=explanation.member,
        heatmap_png=_base64(explanation.heatmap_png),
        overlay_png=_base64(encode(explanation.overlay) if explanation.overlay else None),
        statement=explanation.statement,
        warnings=list(explanation.warnings),
        zones=list(explanation.zones),
        no_lungs=explanation.no_lungs,
        outlines=list(explanation.outlines),
        boxes=list(explanation.boxes),
        conservation_error=explanation.conservation_error,
    )


def _base64(file: bytes | None) -> str | None:
    return None if file is None else b64encode(file).decode()


def explained(
    answer: Classification, explanation: ExplanationAnswer, timings_ms: dict[str, float]
) -> ExplainedClassification:
    """A classification with its explanation, and the timings of both."""
    fields = dict(answer) | {"timings_ms": answer.timings_ms | timings_ms}
    return ExplainedClassification(**fields, explanation=explanation)
