"""A real run, small enough for a CPU: it learns, and an interruption does not change the result."""

import csv
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cxr.errors import DataError
from cxr.labels import LABELS
from cxr.model.preprocess import preprocess
from evaluation.metrics import macro_f1
from networks.architectures import build
from networks.opacity_head import BothHeads
from training.augmentation.augment import STRONG, Augmentation
from training.config import TrainConfig
from training.data import Dataset, Row, Split
from training.loop import predict, train
from training.rundir import RunDir
from training.sampling import SAMPLINGS, Sampling, epoch_order
from training.schedule import learning_rate

TABLE = "c" * 64
SIZE = 32
TINY = TrainConfig(
    size=SIZE,
    epochs=4,
    cycles=2,
    max_lr=0.05,
    batch_size=16,
    mixup=0.2,
    label_smoothing=0.05,
    augmentation=replace(STRONG, flip=0.0),  # below, each label is a side of the image
)


def synthetic(split: Split, count: int, seed: int) -> Dataset:
    """Noise with a bright patch: at the top for one label, at the bottom for another, nowhere for the third."""
    rng = np.random.default_rng(seed)
    rows, images = [], []
    for index in range(count):
        label = index % 3
        image = rng.normal(90, 25, (96, 80))
        if label:
            top = 10 if label == 1 else 60
            image[top : top + 26, 20:60] += 110
        rows.append(Row(f"{split}-{index}.png", LABELS[label], "synthetic", f"{split}{index}", split))
        images.append(preprocess(image.clip(0, 255).astype(np.uint8), "clahe-1", SIZE))
    return Dataset(tuple(rows), np.stack(images))


TRAIN, VAL = synthetic("train", 48, 0), synthetic("val", 24, 1)
HELD_OUT: dict[Split, Dataset] = {"val": VAL, "test": synthetic("test", 12, 2)}


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """One thread, so that sums are always added in the same order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True, scope="module")
def _quick() -> Iterator[None]:
    """On the CPU, and without the spectra of the snapshots, which take longer than the training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        patch.setattr("training.rundir.singular_values", lambda _: {})
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """An uninterrupted run."""
    return train(TINY, TRAIN, HELD_OUT, TABLE, tmp_path_factory.mktemp("whole"))


def same_weights(one: RunDir, other: RunDir, cycle: int) -> bool:
    a, b = load_file(one.snapshot(cycle)), load_file(other.snapshot(cycle))
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.slow
def test_a_run_learns_what_can_be_learnt(tmp_path: Path) -> None:
    gentle = Augmentation(noise=0.02)
    steady = replace(TINY, epochs=10, max_lr=0.01, batch_size=12)
    config = replace(steady, mixup=0.0, label_smoothing=0.0, augmentation=gentle)
    run = train(config, TRAIN, HELD_OUT, TABLE, tmp_path)
    assert macro_f1(run.logits(2, "val"), VAL.labels) > 0.9
    log = run.read_log()
    assert log[-1]["train_loss"] < 0.5 * log[0]["train_loss"]
    assert log[-1]["val_loss"] < 0.5


def test_the_log_has_a_line_an_epoch(whole: RunDir) -> None:
    with (whole.path / "log.csv").open(newline="") as handle:
        log = list(csv.DictReader(handle))
    assert [(row["cycle"], row["epoch"]) for row in log] == [("1", "1"), ("1", "2"), ("2", "3"), ("2", "4")]
    bottom = learning_rate(6, 12, 2, TINY.max_lr)  # 3 batches an epoch, 2 epochs a cycle
    rates = [float(row["lr"]) for row in log]
    assert rates == pytest.approx([learning_rate(3, 12, 2, TINY.max_lr), bottom] * 2)
    for row in log:
        assert 0 < float(row["train_loss"]) < 10
        assert float(row["val_loss"]) > 0
        assert 0 <= float(row["val_macro_f1"]) <= 1
        assert float(row["images_per_second"]) > 0


def test_a_snapshot_with_its_logits_ends_every_cycle(whole: RunDir) -> None:
    assert whole.complete_cycles() == 2
    assert whole.snapshot(1).read_bytes() != whole.snapshot(2).read_bytes()
    images = torch.from_numpy(VAL.images).unsqueeze(1)
    for cycle in (1, 2):
        network = build("resnet18")
        whole.restore(cycle, network)
        expected = predict(network, images)
        np.testing.assert_allclose(whole.logits(cycle, "val"), expected, rtol=1e-3, atol=1e-3)
    assert whole.read_log()[-1]["val_macro_f1"] == macro_f1(whole.logits(2, "val"), VAL.labels)


@pytest.mark.slow
def test_another_seed_is_another_run(tmp_path: Path) -> None:
    one, same, other = (
        train(replace(TINY, seed=seed, epochs=1, cycles=1), TRAIN, HELD_OUT, TABLE, tmp_path / name)
        for name, seed in (("one", 1), ("same", 1), ("other", 2))
    )
    assert same_weights(one, same, 1)
    assert not same_weights(one, other, 1)


def test_a_deleted_cycle_is_made_again_to_the_bit(whole: RunDir, tmp_path: Path) -> None:
    copy = RunDir(Path(shutil.copytree(whole.path, tmp_path / "copy")))
    copy.snapshot(2).unlink()
    train(TINY, TRAIN, HELD_OUT, TABLE, copy.path)
    assert same_weights(whole, copy, 2)
    assert np.array_equal(copy.logits(2, "val"), whole.logits(2, "val"))
    timeless = [[{**row, "images_per_second": 0.0} for row in run.read_log()] for run in (whole, copy)]
    assert timeless[0] == timeless[1]


@pytest.mark.parametrize(("epoch", "complete"), [(2, 0), (3, 1)])
def test_a_run_stopped_in_any_epoch_resumes_to_the_same_result(
    whole: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epoch: int, complete: int
) -> None:
    class Stopped(Exception):
        pass

    def stop(self: RunDir, record: dict[str, float]) -> None:
        original(self, record)
        if record["epoch"] == epoch:
            raise Stopped

    original = RunDir.log
    with monkeypatch.context() as patch:
        patch.setattr(RunDir, "log", stop)
        with pytest.raises(Stopped):
            train(TINY, TRAIN, HELD_OUT, TABLE, tmp_path)
    stopped = RunDir(tmp_path)
    assert stopped.complete_cycles() == complete
    torch.manual_seed(1234)  # other uses of the generators in between do not matter
    resumed = train(TINY, TRAIN, HELD_OUT, TABLE, tmp_path)
    assert same_weights(whole, resumed, 1)
    assert same_weights(whole, resumed, 2)
    assert [row["epoch"] for row in resumed.read_log()] == [1, 2, 3, 4]


def test_every_cycle_visits_the_images_in_another_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = []

    def record(*args: Any) -> torch.Tensor:
        orders.append(epoch_order(*args))
        return orders[-1]

    monkeypatch.setattr("training.loop.epoch_order", record)
    few = TRAIN.where(index < 16 for index in range(48))
    train(replace(TINY, epochs=2), few, {"val": few}, TABLE, tmp_path)
    assert len(orders) == 2
    assert not torch.equal(*orders)


@pytest.mark.slow
def test_dropout_is_resumed_too(tmp_path: Path) -> None:
    config = replace(TINY, architecture="vgg16_bn", epochs=2, batch_size=6)
    few = TRAIN.where(index < 6 for index in range(48))
    run = train(config, few, {"val": few}, TABLE, tmp_path / "run")
    copy = RunDir(Path(shutil.copytree(run.path, tmp_path / "copy")))
    copy.snapshot(2).unlink()
    train(config, few, {"val": few}, TABLE, copy.path)
    assert same_weights(run, copy, 2)


def test_a_finished_run_is_left_as_it_is(whole: RunDir, tmp_path: Path) -> None:
    copy = shutil.copytree(whole.path, tmp_path / "copy")
    train(TINY, TRAIN, HELD_OUT, TABLE, copy)
    for path in whole.path.iterdir():
        assert path.suffix == ".png" or (copy / path.name).read_bytes() == path.read_bytes(), path.name


def test_another_run_is_not_continued(whole: RunDir) -> None:
    with pytest.raises(DataError, match="other hyperparameters"):
        train(replace(TINY, max_lr=0.1), TRAIN, HELD_OUT, TABLE, whole.path)


def test_a_source_is_left_out_of_training(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="all of them"):
        train(replace(TINY, leave_out="synthetic"), TRAIN, HELD_OUT, TABLE, tmp_path)


@pytest.mark.slow
def test_cutmix_trains(tmp_path: Path) -> None:
    short = replace(TINY, mixup=0.0, epochs=2, cycles=1)
    run = train(replace(short, cutmix=1.0), TRAIN, HELD_OUT, TABLE, tmp_path / "cutmix")
    assert run.complete_cycles() == 1
    plain = train(short, TRAIN, HELD_OUT, TABLE, tmp_path / "plain")
    assert not np.array_equal(run.logits(1, "val"), plain.logits(1, "val"))


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_fewer_images_than_a_batch_are_one_batch(tmp_path: Path, sampling: Sampling) -> None:
    config = replace(TINY, epochs=1, cycles=1, batch_size=512, sampling=sampling)
    few = TRAIN.where(index < 7 for index in range(48))
    run = train(config, few, HELD_OUT, TABLE, tmp_path)
    assert len(run.read_log()) == 1
    assert run.read_log()[0]["lr"] == config.max_lr


def test_predict_is_the_same_in_any_batches_and_leaves_evaluation_mode_on() -> None:
    torch.manual_seed(0)
    network = build("resnet18").train()
    images = torch.from_numpy(VAL.images).unsqueeze(1)
    logits = predict(network, images, batch_size=24)
    assert logits.shape == (24, 3)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(predict(network, images, batch_size=5), logits, rtol=0, atol=1e-4)
    assert not network.training


def from_two_sources(data: Dataset) -> Dataset:
    rows = [replace(row, source="hospital" if index % 4 else "clinic") for index, row in enumerate(data.rows)]
    return Dataset(tuple(rows), data.images)


def test_logits_of_the_left_out_source_are_stored(tmp_path: Path) -> None:
    train_set, val = from_two_sources(TRAIN), from_two_sources(VAL)
    config = replace(TINY, epochs=1, cycles=1, leave_out="clinic")
    run = train(config, train_set, {"val": val}, TABLE, tmp_path)
    network = build("resnet18")
    run.restore(1, network)
    clinic = np.concatenate([data.images[::4] for data in (train_set, val)])
    expected = predict(network, torch.from_numpy(clinic).unsqueeze(1))
    np.testing.assert_allclose(run.logits(1, "left_out"), expected, rtol=2e-3, atol=2e-3)


@pytest.mark.slow
def test_a_sources_loss_weight_is_what_its_images_count(tmp_path: Path) -> None:
    """A source with weight 0 has no effect, whatever its labels are."""
    train_set = from_two_sources(TRAIN)
    wrong = tuple(replace(row, label="normal") if row.source == "clinic" else row for row in train_set.rows)
    short = replace(TINY, epochs=1, cycles=1, mixup=0.0, sampling="natural")
    unweighted, weighted = (replace(short, source_weights=weights) for weights in ({}, {"clinic": 0.0}))

    def trained(config: TrainConfig, rows: tuple[Row, ...], name: str) -> RunDir:
        return train(config, Dataset(rows, train_set.images), {"val": VAL}, TABLE, tmp_path / name)

    assert same_weights(trained(weighted, train_set.rows, "a"), trained(weighted, wrong, "b"), 1)
    assert not same_weights(trained(unweighted, train_set.rows, "c"), trained(unweighted, wrong, "d"), 1)


@pytest.mark.slow
def test_the_second_head_learns_where_the_boxes_are(tmp_path: Path) -> None:
    """Two labels have a patch each, at the top or at the bottom. The head must find the patches that have boxes."""
    places = {1: (0.25, 0.1, 0.5, 0.27), 2: (0.25, 0.62, 0.5, 0.27)}
    boxes = {row.file: [places[label]] for row, label in zip(TRAIN.rows, TRAIN.labels, strict=True) if label in places}
    config = replace(TINY, size=64, epochs=12, cycles=2, max_lr=0.01, opacity_weight=3.0, augmentation=Augmentation())
    big = [Dataset(data.rows, np.kron(data.images, np.ones((1, 2, 2), np.uint8))) for data in (TRAIN, VAL)]
    run = train(config, big[0], {"val": big[1]}, TABLE, tmp_path, boxes=boxes)
    network = build("resnet18", opacity_head=True)
    run.restore(2, network)
    with torch.no_grad():
        _, found = BothHeads(network.eval())(torch.from_numpy(big[1].images).unsqueeze(1))
    top, bottom = found[:, 0, 0].mean(dim=1), found[:, 0, 1].mean(dim=1)
    higher = (top > bottom).numpy()
    assert higher[VAL.labels == 1].mean() > 0.7
    assert higher[VAL.labels == 2].mean() < 0.3


def test_the_second_head_needs_boxes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"boxes\.csv"):
        train(replace(TINY, opacity_weight=1.0), TRAIN, HELD_OUT, TABLE, tmp_path)


@pytest.mark.slow
def test_a_run_with_both_heads_resumes_bit_for_bit(tmp_path: Path) -> None:
    boxes = {TRAIN.rows[1].file: [(0.1, 0.2, 0.5, 0.5)]}
    config = replace(TINY, epochs=2, opacity_weight=1.0, cutmix=0.5, mixup=0.4)
    whole = train(config, TRAIN, HELD_OUT, TABLE, tmp_path / "whole", boxes=boxes)
    copy = RunDir(Path(shutil.copytree(whole.path, tmp_path / "copy")))
    copy.snapshot(2).unlink()
    train(config, TRAIN, HELD_OUT, TABLE, copy.path, boxes=boxes)
    assert same_weights(whole, copy, 2)


@pytest.mark.slow
def test_evidence_is_trained_with_mixtures_and_augmentation(tmp_path: Path) -> None:
    lungs = {row.file: np.eye(16, dtype=bool) for row in TRAIN.rows[:30]}
    config = replace(TINY, epochs=1, cycles=1, evidence_weight=0.5)
    run = train(config, TRAIN, HELD_OUT, TABLE, tmp_path / "with", lungs=lungs)
    plain = train(replace(config, evidence_weight=0.0), TRAIN, HELD_OUT, TABLE, tmp_path / "without")
    assert run.read_log()[0]["train_loss"] > plain.read_log()[0]["train_loss"]
    assert not same_weights(run, plain, 1)


def test_evidence_needs_lungs(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--masks"):
        train(replace(TINY, evidence_weight=0.5), TRAIN, HELD_OUT, TABLE, tmp_path)
