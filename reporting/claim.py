"""The first lines of a card: the paper's claim, this bundle's figures on the test split, and at other hospitals."""

from collections.abc import Iterator
from typing import Final

from cxr.labels import DISPLAY_NAMES
from evaluation.evaluation_file import BundleEvaluation
from reporting.document import Items, Section
from study.paper import BEST_BY_LABEL, HEADLINES

F1, PPV, RECALL = HEADLINES
CLAIM: Final = (
    f"**The paper claims**, for its best ensemble on its own data, a macro-F1 of {F1}, and for COVID-19 a precision of "
    f"{PPV} and a recall of {RECALL} (in its table III {BEST_BY_LABEL['covid19'].recall}). It gives no intervals."
)


def claim_section(evaluation: BundleEvaluation) -> Section:
    """The claim, this bundle's figures on the test split, and its figures on left-out sources."""
    return Section(
        "What the paper claims, and what holds", (Items((CLAIM, *_inside(evaluation), *_outside(evaluation))),)
    )


def _inside(evaluation: BundleEvaluation) -> Iterator[str]:
    if test := evaluation.splits.get("test"):
        figures = test.figures
        yield (
            f"**At the hospitals that it has learnt from** (test split, {test.images:,} images of other patients): "
            f"macro-F1 {figures['macro_f1']}, COVID-19 precision {figures['covid19_ppv']} and recall "
            f"{figures['covid19_recall']}."
        )


def _outside(evaluation: BundleEvaluation) -> Iterator[str]:
    told = [
        f"{one.auroc} at `{one.source}` ({DISPLAY_NAMES[one.told]} against {DISPLAY_NAMES[one.other]})"
        for one in evaluation.elsewhere
        if one.auroc and one.other
    ]
    if told:
        yield f"**At a hospital that its recipe was trained without**: AUROC {'; '.join(told)}."
