"""The coded concepts of results, shared by the DICOM report and FHIR so that both say the same.

Scores have codes of this project's own scheme: a score for pneumonia is not the finding pneumonia, and must not be
mistaken for it in a viewer that drops the number.
"""

from dataclasses import dataclass
from typing import Final

from cxr.labels import DISPLAY_NAMES, LABELS, Label
from cxr.report.identifiers import stable_oid

OWN: Final = "99DCE"
OWN_OID: Final = stable_oid("coding scheme")
OWN_NAME: Final = "DeepCOVIDExplainer"

FHIR_SYSTEMS: Final = {
    "SCT": "http://snomed.info/sct",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    OWN: f"urn:oid:{OWN_OID}",
}


@dataclass(frozen=True, slots=True)
class Concept:
    """A code, the designator of its scheme (PS3.16, table 8-1), and its meaning of at most 64 characters.

    Our own codes have at most 16 characters, the limit of old readers.
    """

    value: str
    scheme: str
    meaning: str


FINDINGS: Final[dict[Label, Concept]] = {
    "normal": Concept("17621005", "SCT", "Normal"),
    "pneumonia": Concept("233604007", "SCT", "Pneumonia"),
    # Not 840539006, the disease: no radiograph confirms it.
    "covid19": Concept("882784691000119100", "SCT", "Pneumonia caused by SARS-CoV-2"),
}
UNDETERMINED: Final = Concept("371934000", "SCT", "Normality undetermined")
LUNGS: Final = Concept("39607008", "SCT", "Lung structure")
CHEST_RADIOGRAPH: Final = Concept("399208008", "SCT", "Plain chest X-ray")
COMMENT: Final = Concept("121106", "DCM", "Comment")

CLASSIFICATION: Final = Concept("classification", OWN, "Chest radiograph classification")
SCORES: Final = {label: Concept(f"score-{label}", OWN, f"Score for {DISPLAY_NAMES[label]}") for label in LABELS}
HIGHEST: Final = Concept("highest-label", OWN, "Highest scored label")
REGION: Final = Concept("map-region", OWN, "Region of the map's strongest evidence")
SHARE: Final = Concept("evidence-share", OWN, "Share of the map's positive evidence")


def not_ruled_out(coverage: float) -> Concept:
    """The statement that a label is in the prediction set at a coverage."""
    percent = round(100 * coverage)
    return Concept(f"not-ruled-out-{percent}", OWN, f"Not ruled out at {percent} % coverage")


def percent_value(share: float) -> float:
    """A fraction as a percentage, rounded so that it fits a DICOM decimal string and still gives the same fraction."""
    return round(100 * share, 8)
