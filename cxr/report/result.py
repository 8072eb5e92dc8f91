"""A finding with its explanation and its model: the source of every object for other systems."""

import hashlib
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from cxr.labels import DISPLAY_NAMES, Label
from cxr.model.bundle import Bundle
from cxr.pipeline import Finding
from cxr.report import texts
from cxr.report.explanation import METHOD_NAMES, TAUGHT, Explanation
from cxr.report.identifiers import stable_oid, stable_uuid

NAME: Final = "DeepCOVIDExplainer"
DESCRIPTION: Final = "AI result - research use only, not for diagnosis"  # series description, at most 64 characters


@dataclass(frozen=True, slots=True)
class Result:
    """One explained finding.

    subject: identifies the file: the SOP instance UID of a DICOM file, the SHA-256 of another file's bytes
    """

    finding: Finding
    explanation: Explanation
    bundle: Bundle
    subject: str

    @classmethod
    def of(cls, finding: Finding, explanation: Explanation, bundle: Bundle, data: bytes) -> "Result":
        """Combine finding and explanation of a file's bytes with the bundle that made them."""
        named = finding.instance.sop_instance_uid if finding.instance else ""
        return cls(finding, explanation, bundle, named or hashlib.sha256(data).hexdigest())

    @property
    def coverage(self) -> float:
        """Coverage of the prediction set, 0 to 1."""
        return self.bundle.manifest.conformal.coverage

    @property
    def not_ruled_out(self) -> tuple[Label, ...]:
        return self.finding.prediction_set

    @property
    def model(self) -> str:
        """Name and version of the bundle."""
        return f"{self.bundle.manifest.name} {self.bundle.manifest.version}"

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters that the bundle's figures depend on, one per line."""
        manifest = self.bundle.manifest
        return (
            f"bundle: {self.model}",
            f"bundle SHA-256: {self.bundle.sha256}",
            f"ensemble: {self.finding.ensemble} of {len(manifest.members)}",
            f"temperature: {manifest.temperature:g}",
            f"coverage of the prediction set: {self.coverage:g}",
        )

    @property
    def map_in_words(self) -> str:
        """The map's method, member and label, in words."""
        explanation = self.explanation
        text = texts.TAUGHT_RESULT if explanation.method in TAUGHT else texts.RESULT
        name, target = METHOD_NAMES[explanation.method], DISPLAY_NAMES[explanation.target]
        return text.format(method=name, member=explanation.member, label=target)

    def uuid(self, kind: str) -> UUID:
        """The UUID of an object of a kind. It differs for another file, bundle, method, target or member."""
        return stable_uuid(*self._key(kind))

    def uid(self, kind: str) -> str:
        """The same UUID as a DICOM UID."""
        return stable_oid(*self._key(kind))

    def device_uuid(self) -> UUID:
        """The UUID of the bundle as a device."""
        return stable_uuid(self.bundle.sha256, "device")

    def device_uid(self) -> str:
        return stable_oid(self.bundle.sha256, "device")

    def _key(self, kind: str) -> tuple[str, ...]:
        explanation = self.explanation
        return self.subject, self.bundle.sha256, explanation.method, explanation.target, explanation.member, kind
