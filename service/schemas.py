"""What the service answers, as JSON."""

from base64 import b64encode
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from cxr.anatomy.boxes import Box
from cxr.anatomy.outlines import Outline
from cxr.anatomy.zones import ZoneShare
from cxr.decode import InstanceUIDs
from cxr.labels import DISCLAIMER, Label
from cxr.model.bundle import ENSEMBLE, Manifest
from cxr.model.posterior import EnsembleRule
from cxr.pipeline import Finding, MemberFinding
from cxr.report.explanation import SIGNED, TAUGHT, Explanation, Method, offered
from cxr.report.wording import set_in_words

Probabilities = Annotated[dict[Label, float], Field(description="Calibrated; they sum to 1.")]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class BundleAnswer(_Answer):
    """The model that answered."""

    name: str
    version: str
    methods: Annotated[list[Method], Field(description="Of /explain: those of the network that explains by default.")]


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
    warnings: list[str]
    instance: Annotated[InstanceUIDs | None, Field(description="For DICOM only.")]
    timings_ms: dict[str, float]
    disclaimer: str


class ExplanationAnswer(_Answer):
    """Where one member of the ensemble, or all of them together, found evidence for the target."""

    method: Method
    target: Annotated[Label, Field(description=f"No matter to {', '.join(sorted(TAUGHT))}, which asks no label.")]
    member: Annotated[str, Field(description=f"A member's name; {ENSEMBLE}: the mean, weighted by probability.")]
    heatmap_png: Annotated[
        str,
        Field(
            description="Base64: 8-bit grey PNG of the radiograph's own size, upright. 255 is the most evidence; "
            f"for {', '.join(sorted(SIGNED))} 128 is none, above speaks for the target, below against it."
        ),
    ]
    overlay_png: Annotated[str, Field(description="Base64: the map over the radiograph, for people.")]
    statement: Annotated[str, Field(description="Finding, places and warnings in sentences.")]
    warnings: Annotated[list[str], Field(description="Those of the statement.")]
    zones: Annotated[
        list[ZoneShare],
        Field(description="Shares of the positive evidence, and of the image's area; sides are the patient's."),
    ]
    no_lungs: Annotated[
        str, Field(description="Why the zones are thirds of the image's halves; empty where they are of the lungs.")
    ]
    outlines: Annotated[
        list[Outline],
        Field(description="Lines around the zones but the outside: points as shares of the upright image's sides."),
    ]
    boxes: Annotated[
        list[Box],
        Field(description="Critical regions in pixels of the stored image, before any flip or turn for display."),
    ]
    conservation_error: Annotated[
        float | None, Field(description="For lrp: |sum of relevance - logit| / max(|logit|, 1), the members' largest.")
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
    """Answers to several files, in their order: what /classify would have said to each, or why it could not."""

    request_id: str
    results: list[Classification | ErrorAnswer]


def classification(
    finding: Finding, manifest: Manifest, timings_ms: dict[str, float], request_id: str
) -> Classification:
    """A finding as it is answered."""
    return Classification(
        request_id=request_id,
        bundle=BundleAnswer(
            name=manifest.name, version=manifest.version, methods=list(offered(manifest, manifest.explainer))
        ),
        prediction=finding.prediction,
        probabilities=finding.probabilities,
        prediction_set=list(finding.prediction_set),
        prediction_set_text=set_in_words(finding, manifest.conformal.coverage),
        ensemble=finding.ensemble,
        members=list(finding.members),
        warnings=list(finding.warnings),
        instance=finding.instance,
        timings_ms=timings_ms,
        disclaimer=DISCLAIMER,
    )


def _bundle(manifest: Manifest) -> BundleAnswer:
    methods = offered(manifest, manifest.explainer)
    return BundleAnswer(name=manifest.name, version=manifest.version, methods=list(methods))


def explanation_answer(explanation: Explanation) -> ExplanationAnswer:
    """An explanation as it is answered. Encoding its pictures takes longer than an event loop should stand still."""
    return ExplanationAnswer(
        method=explanation.method,
        target=explanation.target,
        member=explanation.member,
        heatmap_png=b64encode(explanation.heatmap_png).decode(),
        overlay_png=b64encode(explanation.overlay_png).decode(),
        statement=explanation.statement,
        warnings=list(explanation.warnings),
        zones=list(explanation.zones),
        no_lungs=explanation.no_lungs,
        outlines=list(explanation.outlines),
        boxes=list(explanation.boxes),
        conservation_error=explanation.conservation_error,
    )


def explained(
    answer: Classification, explanation: ExplanationAnswer, timings_ms: dict[str, float]
) -> ExplainedClassification:
    """A classification with its explanation; the explanation's timings join the others."""
    fields = dict(answer) | {"timings_ms": answer.timings_ms | timings_ms}
    return ExplainedClassification(**fields, explanation=explanation)
