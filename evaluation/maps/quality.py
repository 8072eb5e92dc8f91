"""Figures of the quality of a network's explanations, with intervals, and their verdict on the paper's claim."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from cxr.arrays import Floats
from evaluation.bootstrap import Resampling, means_of
from evaluation.figure import Figure

METHOD_NAMES: Final = {
    "gradcam_plus_plus": "Grad-CAM++",
    "gradcam": "Grad-CAM",
    "lrp": "LRP",
    "integrated_gradients": "integrated gradients",
    "occlusion": "occlusion",
    "random": "random map",
    "gaussian": "centred Gaussian",
}
CLAIMANT: Final = "gradcam_plus_plus"
RIVALS: Final = ("gradcam", "lrp")  # the paper's other methods
OTHERS: Final = ("integrated_gradients", "occlusion")


@dataclass(frozen=True, slots=True)
class Criterion:
    """One figure of merit: its title, whether higher is better, and whether it measures faithfulness to the network."""

    title: str
    better: Literal["higher", "lower"]
    faithful: bool = False


CRITERIA: Final = {
    "deletion": Criterion("deletion, AUC below random", "higher", faithful=True),
    "insertion": Criterion("insertion, AUC above random", "higher", faithful=True),
    "aopc": Criterion("AOPC, MoRF - LeRF, logits", "higher", faithful=True),
    "infidelity": Criterion("infidelity, 1 = worthless", "lower", faithful=True),
    "sensitivity": Criterion("max-sensitivity", "lower"),
    "randomised": Criterion("abs. rank correlation, weights shuffled", "lower"),
    "lungs": Criterion("lung evidence / lung area", "higher"),
    "pointing": Criterion("maximum in a lung", "higher"),
    "conservation": Criterion("|ΣR - logit| / max(|logit|, 1)", "lower"),
}


@dataclass(frozen=True, slots=True)
class Explanations:
    """The quality of the explanations of one network on some images.

    `figures` are means over images, with intervals of a patient-clustered bootstrap. Their names:

        <method>/<criterion>
        <method>/randomised@<share>             signed, after randomising this share of the layers from the logits down
        gradcam_plus_plus-<rival>/<criterion>   of the differences between two methods on the same image

    `lungs` is the number of images with known lungs.
    """

    architecture: str
    images: int
    patients: int
    lungs: int
    device: str
    seconds: float
    figures: dict[str, Figure]

    @staticmethod
    def of(values: dict[str, Floats], patients: Sequence[str], **about: Any) -> "Explanations":
        """Make it from the values [N] of all images for each `<method>/<criterion>`; NaN if nothing was measured."""
        resampling = Resampling(patients)
        figures = resampling.measure(means_of(values | _differences(values)))
        return Explanations(images=len(patients), patients=resampling.patients, figures=figures, **about)

    def verdict(self) -> list[str]:
        """The verdict in sentences. An interval that contains 0 decides nothing."""
        return [*(self._against_random(method) for method in self._methods()), *self._claim()]

    def _methods(self) -> list[str]:
        """The paper's methods, and the other measured ones."""
        return [CLAIMANT, *RIVALS, *(method for method in OTHERS if f"{method}/deletion" in self.figures)]

    def _against_random(self, method: str) -> str:
        beaten = [name for name in ("deletion", "insertion") if _sign(self.figures[f"{method}/{name}"]) > 0]
        said = f"beats a random order on {' and '.join(beaten)}" if beaten else "does not beat a random order"
        missed = [name for name in ("deletion", "insertion") if name not in beaten]
        return f"{_first_upper(METHOD_NAMES[method])} {said}{f', not on {missed[0]}' if len(missed) == 1 else ''}."

    def _claim(self) -> list[str]:
        sentences, holds = [], True
        for rival in RIVALS:
            signs = {name: self._advantage(rival, name) for name in CRITERIA if f"{rival}/{name}" in self.figures}
            better, worse = ([name for name, sign in signs.items() if sign == wanted] for wanted in (1, -1))
            faithful = [sign for name, sign in signs.items() if CRITERIA[name].faithful]
            holds = holds and sum(faithful) > len(faithful) / 2 and min(faithful) >= 0
            sentences.append(
                f"Grad-CAM++ is better than {METHOD_NAMES[rival]} in {_listed(better)}, worse in {_listed(worse)}."
            )
        outcome = "support" if holds else "do not support"
        sentences.append(
            f"So the figures of these {self.images:,} images {outcome} the paper's claim that Grad-CAM++ generates the "
            "most reliable heatmaps of the three. (They would if, of the four criteria of faithfulness, deletion, "
            "insertion, AOPC and infidelity, it were better than each of the others in most and worse in none.)"
        )
        return sentences

    def _advantage(self, rival: str, criterion: str) -> int:
        """1 if Grad-CAM++ is better than a rival, -1 if it is worse, 0 if undecided."""
        difference = self.figures.get(f"{CLAIMANT}-{rival}/{criterion}")
        if difference is None:
            return 0
        return _sign(difference) * (1 if CRITERIA[criterion].better == "higher" else -1)


def _differences(values: dict[str, Floats]) -> dict[str, Floats]:
    return {
        f"{CLAIMANT}-{rival}/{name}": values[f"{CLAIMANT}/{name}"] - values[f"{rival}/{name}"]
        for rival in RIVALS
        for name in CRITERIA
        if f"{CLAIMANT}/{name}" in values
    }


def _sign(figure: Figure) -> int:
    """The sign of the value, 1 or -1, if the interval excludes 0; else 0."""
    if figure.low is None or figure.high is None:
        return 0
    return int(figure.low > 0) - int(figure.high < 0)


def _first_upper(name: str) -> str:
    return name[:1].upper() + name[1:]


def _listed(criteria: list[str]) -> str:
    return ", ".join(criteria) or "none"
