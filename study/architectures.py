"""Measure whether the paper's networks, and ensembles of architectures, travel: trained with and without a hospital.

Figures are those of `study.travel`. If all sources were trained on, they are over the validation split, else over the
training and validation images of the left-out source. The test split is not read. Every run has seed 0.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from evaluation.bootstrap import RESAMPLES
from study.travel import ALL, BASELINE, Candidate, Inside, Network, Outside, inside, out_of
from study.travel_archive import Archive
from training.data import Row

SHIPPED: Final = "convolution + full"
"""The recipes of the default bundle's two members (ResNet-18: lungs, and the whole radiograph)."""

MEMBERS: Final[dict[str, tuple[str, ...]]] = {
    BASELINE: ("baseline",),
    "VGG-19, the paper's protocol": ("vgg19bn-imbalanced",),
    "DenseNet-161, the paper's protocol": ("densenet161-imbalanced",),
    "VGG-19 + DenseNet-161, the paper's best": ("vgg19bn-imbalanced", "densenet161-imbalanced"),
    "ResNet-18, travelling": ("convolution",),
    "ResNet-34, travelling": ("resnet34-travel",),
    "VGG-16, travelling": ("vgg16bn-travel",),
    "VGG-19, travelling": ("vgg19bn-travel",),
    "DenseNet-161, travelling": ("densenet161-travel",),
    "DenseNet-201, travelling": ("densenet201-travel",),
    "VGG-19 + DenseNet-161, travelling": ("vgg19bn-travel", "densenet161-travel"),
    "ResNet-18 + ResNet-34, travelling": ("convolution", "resnet34-travel"),
    SHIPPED: ("convolution", "full"),
    "ResNet-34, travelling + full": ("resnet34-travel", "full"),
}
"""The rows, and the trainings whose mean (SCPA) each row is."""

SOURCES: Final = ("siim", "cohen")
_NAME: Final = re.compile(r"(?P<training>.+?)(-all)?(-without-(?P<source>[a-z]+))?(-s0)?")


@dataclass(frozen=True, slots=True)
class Travelled:
    """For each row: figures with all sources, and for each left-out source, compared with the baseline and with the
    shipped recipes.
    """

    inside: dict[str, Inside]
    outside: dict[str, dict[str, Outside]]
    to_shipped: dict[str, dict[str, Outside]]


def travelled(rows: Sequence[Row], archives: Sequence[Archive], resamples: int = RESAMPLES) -> Travelled:
    """Every figure of `MEMBERS` for which there are runs.

    Args:
        rows: the whole table.
        archives: archives of the paper's and the travelling runs, by the names of `scripts.gpu.plan`.
        resamples: of patients, for intervals.
    """
    runs = dict(_by_training(archives))
    given = [Candidate(name, "recipe", _networks(trainings, runs)) for name, trainings in MEMBERS.items()]
    return Travelled(
        inside(rows, given, ALL, resamples),
        {source: out_of(rows, given, source, resamples) for source in SOURCES},
        {source: out_of(rows, given, source, resamples, SHIPPED) for source in SOURCES},
    )


def _by_training(archives: Sequence[Archive]) -> Iterator[tuple[tuple[str, str], Archive]]:
    """The archives by training and left-out source."""
    for one in archives:
        if one.config.seed == 0 and (found := _NAME.fullmatch(one.name)):
            yield (found["training"], found["source"] or ALL), one


def _networks(trainings: Sequence[str], runs: dict[tuple[str, str], Archive]) -> dict[str, tuple[Network, ...]]:
    """The network of a row for each condition that all its members were trained in."""
    found = {
        condition: tuple(runs[training, condition] for training in trainings if (training, condition) in runs)
        for condition in (ALL, *SOURCES)
    }
    return {condition: (network,) for condition, network in found.items() if len(network) == len(trainings)}
