"""Hyperparameters: the list is frozen, and every preset is valid."""

import dataclasses
import json
from dataclasses import replace
from typing import Any

import pytest

from cxr.model.architecture import ARCHITECTURES
from cxr.model.preprocess import RECIPES
from training.config import PRESETS, TrainConfig, override


def test_the_list_of_hyperparameters_is_this_one() -> None:
    """A new one changes what a run's config.json means: add it here, and give it a default that changes nothing."""
    assert [field.name for field in dataclasses.fields(TrainConfig)] == [
        "architecture",
        "recipe",
        "size",
        "epochs",
        "cycles",
        "max_lr",
        "momentum",
        "weight_decay",
        "batch_size",
        "label_smoothing",
        "mixup",
        "cutmix",
        "clip_norm",
        "sampling",
        "seed",
        "leave_out",
        "frame",
        "opacity_weight",
        "evidence_weight",
        "source_weights",
        "shuffled_labels",
        "augmentation",
    ]


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json_and_name_what_exists(name: str) -> None:
    config = PRESETS[name]()
    assert TrainConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    assert config.recipe in RECIPES
    assert config.architecture in ARCHITECTURES
    assert config.epochs_per_cycle * config.cycles == config.epochs


def test_a_config_of_the_future_is_refused() -> None:
    values = TrainConfig().to_json()
    with pytest.raises(TypeError):
        TrainConfig.from_json(values | {"warmup": 5})
    with pytest.raises(TypeError):
        TrainConfig.from_json(values | {"augmentation": values["augmentation"] | {"sharpness": 1.0}})


@pytest.mark.parametrize("cycles", [3, 7, 201])
def test_cycles_divide_the_epochs(cycles: int) -> None:
    with pytest.raises(ValueError, match="divide"):
        TrainConfig(epochs=200, cycles=cycles)
    with pytest.raises(ValueError, match="divide"):
        replace(TrainConfig(epochs=200, cycles=20), cycles=cycles)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_lr": 0.0},
        {"max_lr": -0.1},
        {"max_lr": float("nan")},
        {"weight_decay": -1e-4},
        {"mixup": -3.0},
        {"cutmix": float("nan")},
        {"clip_norm": float("inf")},
        {"momentum": 1.0},
        {"label_smoothing": -0.1},
    ],
    ids=str,
)
def test_a_number_that_no_run_can_have_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(TrainConfig(), **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("setting", "known"), [("architecture=resnet17", "resnet18"), ("recipe=clahe-0", "clahe-1")])
def test_an_unknown_name_is_refused_by_those_that_there_are(setting: str, known: str) -> None:
    with pytest.raises(ValueError, match=f"{setting.partition('=')[0]} must be one of .*{known}"):
        override(TrainConfig(), [setting])


def test_hyperparameters_are_changed_by_name() -> None:
    settings = ["augmentation.jpeg=0.5", "opacity_weight=3", "source_weights.radiography=0.4", "sampling=pairs"]
    config = override(TrainConfig(), settings)
    assert config.augmentation.jpeg == 0.5
    assert config.opacity_weight == 3.0
    assert config.source_weights == {"radiography": 0.4}
    assert config.sampling == "pairs"
    assert TrainConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


@pytest.mark.parametrize(
    "setting",
    ["warmup=1", "augmentation=1", "augmentation.warmup=1", "source_weights=1", "seed.x=1", "opacity_weight=a"],
)
def test_an_unknown_hyperparameter_is_refused(setting: str) -> None:
    with pytest.raises(ValueError, match=r"hyperparameter|Expecting"):
        override(TrainConfig(), [setting])


@pytest.mark.parametrize("changes", [{"opacity_weight": -1.0}, {"source_weights": {"siim": -0.5}}])
def test_weights_of_losses_are_not_negative(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="at least 0"):
        TrainConfig(**changes)


@pytest.mark.parametrize(
    "changes",
    [{"architecture": "vgg16_bn"}, {"frame": "lungs-1"}, {"opacity_weight": 1.0}],
    ids=str,
)
def test_evidence_needs_a_full_frame_resnet_with_one_head(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="evidence_weight"):
        replace(TrainConfig(evidence_weight=1.0), **changes)
