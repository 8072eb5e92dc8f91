"""Knobs: the list is frozen, the presets are runs that can be started."""

import dataclasses
import json
from dataclasses import replace

import pytest

from cxr.model.architecture import ARCHITECTURES
from cxr.model.preprocess import RECIPES
from training.config import PRESETS, TrainConfig


def test_the_list_of_knobs_is_this_one() -> None:
    """A new knob changes what a run's config.json means: add it here, and give it a default that changes nothing."""
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
