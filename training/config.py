"""The hyperparameters of a training run, and the named presets."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from math import inf
from typing import Any, Final

from cxr.model.architecture import ARCHITECTURES, Architecture
from cxr.model.frames import FRAMES, FULL, LUNGS
from cxr.model.preprocess import RECIPES
from training.augmentation.augment import GENTLE, STRONG, Augmentation
from training.sampling import SAMPLINGS, Sampling

OF_BASIC_BLOCKS: Final[tuple[Architecture, ...]] = ("resnet18", "resnet34")
"""Architectures that `training.evidence` supports; the blocks of deeper ResNets have three convolutions."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """A run's hyperparameters. Rates are per step of one batch; angles and shares are in `Augmentation`.

    `clip_norm`: limit of the gradient's norm; 0 means none, but a ResNet-18 with a first rate of 0.1 then diverges at
    the start (docs/decisions.md).
    `batch_size`: of all processes together.
    `mixup`, `cutmix`: α of their Beta distributions; 0 switches off. With both, each batch uses one of the two.
    `leave_out`: a source whose patients are excluded from training, to measure the network at an unknown hospital.
    `frame`: the part of a radiograph that the network sees.
    `opacity_weight`: weight of the second head's loss relative to the first head's; 0 means no second head.
    `evidence_weight`: weight of the loss for evidence outside the lungs (`training.evidence`); for a ResNet-18 or -34
    with the full frame only.
    `source_weights`: weight of a source's images in the first head's loss, for sources with less reliable labels;
    by default 1.
    `shuffled_labels`: a control experiment. Labels are shuffled within each source, so only the source can be learnt.
    """

    architecture: Architecture = "resnet18"
    recipe: str = "clahe-1"
    size: int = 224
    epochs: int = 200
    cycles: int = 20
    max_lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    batch_size: int = 256
    label_smoothing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    clip_norm: float = 0.0
    sampling: Sampling = "class_balanced"
    seed: int = 0
    leave_out: str = ""
    frame: str = FULL
    opacity_weight: float = 0.0
    evidence_weight: float = 0.0
    source_weights: dict[str, float] = field(default_factory=dict)
    shuffled_labels: bool = False
    augmentation: Augmentation = field(default_factory=lambda: GENTLE)

    def __post_init__(self) -> None:
        """Raises ValueError for an unknown name, a number out of range, or cycles that do not divide the epochs."""
        if self.architecture not in ARCHITECTURES:
            raise ValueError(f"architecture must be one of {', '.join(ARCHITECTURES)}")
        if self.recipe not in RECIPES:
            raise ValueError(f"recipe must be one of {', '.join(RECIPES)}")
        if self.frame not in FRAMES:
            raise ValueError(f"frame must be one of {', '.join(FRAMES)}")
        if self.sampling not in SAMPLINGS:
            raise ValueError(f"sampling must be one of {', '.join(SAMPLINGS)}")
        if min(self.size, self.epochs, self.cycles, self.batch_size) < 1:
            raise ValueError("size, epochs, cycles and batch_size must be at least 1")
        if self.epochs % self.cycles:
            raise ValueError("the number of cycles must divide the number of epochs")
        if not 0 < self.max_lr < inf:
            raise ValueError("max_lr must be above 0")
        if not 0 <= self.momentum < 1 or not 0 <= self.label_smoothing < 1:
            raise ValueError("momentum and label_smoothing must be at least 0 and below 1")
        if not all(0 <= value < inf for value in (self.weight_decay, self.mixup, self.cutmix, self.clip_norm)):
            raise ValueError("weight_decay, mixup, cutmix and clip_norm must be at least 0")
        self._check_weights()

    def _check_weights(self) -> None:
        weights = self.opacity_weight, self.evidence_weight, *self.source_weights.values()
        if not all(0 <= weight < inf for weight in weights):
            raise ValueError("opacity_weight, evidence_weight and source_weights must be at least 0")
        if self.evidence_weight and (self.architecture not in OF_BASIC_BLOCKS or self.frame != FULL):
            raise ValueError(f"evidence_weight works only with {' and '.join(OF_BASIC_BLOCKS)} and the frame {FULL}")
        if self.evidence_weight and self.opacity_weight:
            raise ValueError("evidence_weight and opacity_weight cannot both be above 0")

    @property
    def epochs_per_cycle(self) -> int:
        """Epochs from one snapshot to the next."""
        return self.epochs // self.cycles

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `from_json` reads it back."""
        return asdict(self)

    @staticmethod
    def from_json(values: dict[str, Any]) -> "TrainConfig":
        """The inverse of `to_json`. Raises TypeError for a hyperparameter that does not exist."""
        return TrainConfig(**{**values, "augmentation": Augmentation(**values["augmentation"])})


def paper() -> TrainConfig:
    """Karim et al. 2020, section III-B: 200 epochs in 20 cycles, so 20 snapshots of each of six networks.

    The paper's imbalanced training set is `sampling` natural, its balanced one undersampled. The paper states a
    maximum rate of 1.0; training converged only with 0.1 and a clipped gradient (docs/decisions.md).
    """
    return TrainConfig(epochs=200, cycles=20, clip_norm=1.0, sampling="natural")


def plain() -> TrainConfig:
    """The plain recipe of the data's README: ten-epoch cycles, gentle augmentation."""
    return TrainConfig(epochs=100, cycles=10)


def default() -> TrainConfig:
    """The recipe of version 2 of `models/default`, and the baseline of docs/travel.md."""
    return TrainConfig(epochs=300, cycles=2, mixup=0.4, weight_decay=1e-3, clip_norm=1.0, augmentation=STRONG)


def travel() -> TrainConfig:
    """The first member of an ensemble for unknown hospitals (docs/travel.md): it sees the lungs only.

    It uses pairs within sources, the opacity head, and random convolutions, which make a source's texture less useful.
    """
    return replace(
        default(),
        epochs=100,
        frame=LUNGS,
        sampling="pairs",
        opacity_weight=3.0,
        augmentation=replace(STRONG, random_convolution=0.3),
    )


def travel_full() -> TrainConfig:
    """The second member: it sees the whole radiograph, with moderate variations of resolution, JPEG and texture."""
    styles = replace(STRONG, resolution=0.5, jpeg=0.25, noise_family=0.25, random_convolution=0.15)
    return replace(travel(), frame=FULL, augmentation=styles)


def quick() -> TrainConfig:
    """Smaller images and few epochs: minutes on a CPU, to test that everything works."""
    return TrainConfig(size=112, epochs=4, cycles=2, batch_size=64, clip_norm=1.0)


def override(config: TrainConfig, settings: Iterable[str]) -> TrainConfig:
    """Change hyperparameters by `name=value`; values are JSON.

    Those of the augmentation are `augmentation.name=value`, weights of sources `source_weights.SOURCE=value`.

    Raises:
        ValueError: the hyperparameter does not exist, or the value has another type.
    """
    values = config.to_json()
    for setting in settings:
        path, _, text = setting.partition("=")
        group_name, _, name = path.rpartition(".")
        group = values if not group_name else values.get(group_name)
        if not isinstance(group, dict):
            raise ValueError(f"there is no hyperparameter {path}")
        current = group.get(name, 1.0 if group_name == "source_weights" else None)
        if not isinstance(current, str | int | float):
            raise ValueError(f"there is no hyperparameter {path}")
        group[name] = _parsed(text, current)
    return TrainConfig.from_json(values)


def _parsed(text: str, current: str | float) -> str | float:
    if isinstance(current, str):
        return text
    value = json.loads(text)
    if isinstance(value, bool) is not isinstance(current, bool) or not isinstance(value, int | float):
        raise ValueError(f"{text} is not of the hyperparameter's type")
    if isinstance(current, int) and not isinstance(value, int):
        raise ValueError(f"{text} is not a whole number")
    return float(value) if isinstance(current, float) else value


PRESETS: Final = {
    "default": default,
    "paper": paper,
    "plain": plain,
    "quick": quick,
    "travel": travel,
    "travel-full": travel_full,
}
