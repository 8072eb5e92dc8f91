"""The networks that the study trains on a machine with several GPUs, in the order of their start.

First the paper's protocol, then the rows of docs/travel.md: one recipe per row, trained with all sources and without
some of them. Seconds are measured on one H100 or H200, including the start of a run.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from cxr.model.architecture import Architecture
from training.augmentation.augment import STRONG
from training.config import TrainConfig, default, paper, travel, travel_full
from training.sampling import Sampling

TRAINED: Final = 8372  # images of the training split
BALANCED: Final = 2817  # of its balanced subset
WATCHED, JUDGED = 1149, 3647  # images of the validation split, and with the test split
START: Final = 20  # seconds until a run's first step, and from its last to its end
IMAGES_PER_SECOND: Final[dict[Architecture, int]] = {
    "resnet18": 15000,
    "resnet34": 9000,
    "vgg16_bn": 3600,
    "vgg19_bn": 3100,
    "densenet161": 1520,
    "densenet201": 1640,
}
LEFT_OUT: Final = {"siim": 3265, "cohen": 287, "rsna": 3018, "nih": 606, "radiography": 1477, "cxnet": 391}
"""Sources that some runs are trained without, with their approximate numbers of training images."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A run of the plan. `weights`: whether the weights of its last snapshot are copied back."""

    name: str
    config: TrainConfig
    weights: bool = False

    @property
    def seconds(self) -> float:
        """Approximate duration in seconds."""
        config, speed = self.config, IMAGES_PER_SECOND[self.config.architecture]
        images = BALANCED if config.sampling == "undersampled" else TRAINED - LEFT_OUT.get(config.leave_out, 0)
        learning = images * config.epochs / speed * (3 if config.evidence_weight else 1)
        return START + learning + (WATCHED * config.epochs / 4 + JUDGED * config.cycles / 2) / speed

    @property
    def least_seconds(self) -> float:
        """Seconds that must be left to start it: most of many snapshots are useful too."""
        return self.seconds * (0.6 if self.config.cycles > 2 else 1)


def plan() -> list[Planned]:
    """All runs, the most important first. If time runs out, the next start continues with the rest."""
    rows = {
        "baseline": BASELINE,
        "lungs": LUNGS,
        "convolution": CONVOLUTION,
        "moderate": MODERATE,
        "full": FULL,
        "mixed": MIXED,
        "mixed-full": MIXED_FULL,
    }
    main = [run for name, recipe in rows.items() for run in _row(name, recipe)]
    first = [run for run in main if run.config.seed == 0 and run.config.leave_out in ("", "siim", "cohen")]
    seeds = [run for run in main if run.config.seed > 0]
    others = [run for run in main if run not in first and run not in seeds]
    six = sorted([*_paper(), *_candidate_seeds(), *_outside()], key=lambda run: -run.seconds)
    return [*first, *_remedies(("siim", "cohen")), *seeds, *others, *_controls(), *six, *_remedies(("",))]


def _paper() -> Iterator[Planned]:
    """The paper's six networks on the imbalanced and on the balanced set, and by the travelling preset."""
    samplings: tuple[Sampling, ...] = ("natural", "undersampled")
    for architecture in IMAGES_PER_SECOND:
        network = architecture.replace("_", "")
        for sampling, name in zip(samplings, ("imbalanced", "balanced"), strict=True):
            config = replace(paper(), architecture=architecture, sampling=sampling)
            yield Planned(f"{network}-{name}", config, True)
        if architecture != CONVOLUTION.architecture:  # whose run is `convolution-all-s0`
            yield Planned(f"{network}-travel", replace(CONVOLUTION, architecture=architecture), True)


def _outside() -> Iterator[Planned]:
    """The paper's six networks without `siim`, by its protocol and the travelling preset; one also without `cohen`."""
    for architecture in IMAGES_PER_SECOND:
        network = architecture.replace("_", "")
        config = replace(paper(), architecture=architecture, sampling="natural", leave_out="siim")
        yield Planned(f"{network}-imbalanced-without-siim", config, True)
        if architecture != CONVOLUTION.architecture:
            travelling = replace(CONVOLUTION, architecture=architecture, leave_out="siim")
            yield Planned(f"{network}-travel-without-siim", travelling, True)
    yield Planned(
        "resnet34-travel-without-cohen", replace(CONVOLUTION, architecture="resnet34", leave_out="cohen"), True
    )


def _candidate_seeds() -> Iterator[Planned]:
    """The two networks of docs/study/candidate.json from other seeds: how much randomness in training changes it."""
    candidate: tuple[Architecture, ...] = ("vgg16_bn", "resnet34")
    for architecture in candidate:
        for seed in (1, 2):
            config = replace(paper(), architecture=architecture, sampling="natural", seed=seed)
            yield Planned(f"{architecture.replace('_', '')}-imbalanced-s{seed}", config)


BASELINE: Final = replace(default(), epochs=100)
CONVOLUTION: Final = travel()
LUNGS: Final = replace(CONVOLUTION, augmentation=STRONG)
FULL: Final = travel_full()
MODERATE: Final = replace(FULL, frame=LUNGS.frame)
MIXED: Final = replace(
    LUNGS, augmentation=replace(STRONG, resolution=0.5, jpeg=0.25, random_convolution=0.3, amplitude_mix=0.3)
)
MIXED_FULL: Final = replace(MIXED, frame=FULL.frame)


def _row(name: str, recipe: TrainConfig) -> Iterator[Planned]:
    """A recipe with all sources and without `siim` or `cohen`, three seeds each, and without the others, one seed."""
    for source in ("", *LEFT_OUT):
        for seed in range(3 if source in ("", "siim", "cohen") else 1):
            home = source in ("", "siim", "cohen") and (seed == 0 or (not source and recipe != BASELINE))
            yield Planned(_named(name, source, seed), replace(recipe, leave_out=source, seed=seed), home)


def _remedies(sources: Sequence[str]) -> Iterator[Planned]:
    """One change of the recipe `LUNGS` per row, one seed."""
    remedies = {
        "resolution": replace(LUNGS, augmentation=replace(STRONG, resolution=0.5)),
        "noise": replace(LUNGS, augmentation=replace(STRONG, noise_family=0.5)),
        "amplitude": replace(LUNGS, augmentation=replace(STRONG, amplitude_mix=0.3)),
        "jpeg": replace(LUNGS, augmentation=replace(STRONG, jpeg=0.5)),
        "swabs": replace(LUNGS, source_weights={"radiography": 0.4}),
        "cells": replace(LUNGS, sampling="cell_balanced"),
        "hull": replace(LUNGS, frame="hull-1"),
        "no-boxes": replace(LUNGS, opacity_weight=0.0),
        "full-pairs-boxes": replace(LUNGS, frame="full-1"),
        "evidence": replace(LUNGS, frame="full-1", opacity_weight=0.0, evidence_weight=0.5),
    }
    for name, recipe in remedies.items():
        for source in sources:
            yield Planned(_named(name, source, 0), replace(recipe, leave_out=source))


def _controls() -> Iterator[Planned]:
    """A control: networks trained on labels that depend only on the source should be useless."""
    for name, recipe in {"shuffled": LUNGS, "shuffled-full": FULL}.items():
        yield Planned(_named(name, "", 0), replace(recipe, shuffled_labels=True, opacity_weight=0.0))


def _named(recipe: str, source: str, seed: int) -> str:
    return f"{recipe}-{'all' if not source else 'without-' + source}-s{seed}"
