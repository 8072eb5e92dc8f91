"""What the model uses, according to ablations of the image and a probe of its features."""

from collections.abc import Sequence
from typing import Final

from cxr.labels import DISPLAY_NAMES, LABELS
from evaluation.checks import Check, CheckName
from reporting.document import Block, Section, Table, Text

ABLATIONS: Final[dict[CheckName, str]] = {
    "whole": "whole image",
    "without_border": "border black",
    "border_only": "all but the border black",
    "with_lungs": "whole image, lungs found",
    "without_lungs": "the same, lungs black",
}
FIGURES: Final = ("macro_f1", "accuracy", *(f"{label}_recall" for label in LABELS))


def looks_section(checks: Sequence[Check]) -> Section:
    """Ablations and the probe, and the meaning of high figures."""
    header = ("input", "images", "macro-F1", "accuracy", *(f"recall of {DISPLAY_NAMES[label]}" for label in LABELS))
    ablated = [
        (ABLATIONS[check.name], f"{check.images:,}", *(str(check.figures[name]) for name in FIGURES))
        for check in checks
        if check.name in ABLATIONS
    ]
    probed = [
        (
            "all" if check.of == "all" else next(DISPLAY_NAMES[label] for label in LABELS if label == check.of),
            f"{check.images:,}",
            str(check.figures["accuracy"]),
            str(check.figures["commonest"]),
        )
        for check in checks
        if check.name == "probe"
    ]
    blocks: list[Block] = [
        Text(
            "On the validation split. Without the lungs no pneumonia is visible. A model that is then still better "
            "than guessing uses other information, possibly the shape of the removed part. No training image had a "
            "black part. The border is a tenth of the side, 36 % of the image."
        ),
        Table(header, tuple(ablated)),
        *([] if any(check.name == "without_lungs" for check in checks) else [Text("Lungs black: not measured.")]),
        Text(
            "A logistic regression on the features before the last layer predicts the source of images of patients "
            "outside its training data, for sources with ten images or more. Within one label, the label cannot help."
        ),
        Table(("images of", "images", "source predicted correctly", "if always the commonest source"), tuple(probed)),
    ]
    return Section("Where does it look?", tuple(blocks))
