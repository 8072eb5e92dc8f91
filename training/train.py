"""The training loop: cyclic cosine annealing with a snapshot at the bottom of each cycle.

Everything random in a cycle comes from (seed, cycle), and momentum starts at zero in each: a snapshot is a whole
checkpoint, and a run that is stopped and resumed goes on as if it had not been.
"""

import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from cxr.labels import LABELS
from cxr.nets import build
from training.augment import augment
from training.config import TrainConfig
from training.curve import plot_learning_curve
from training.data import Dataset
from training.metrics import macro_f1, negative_log_likelihood
from training.rundir import RunDir
from training.sampling import epoch_order
from training.schedule import learning_rate


def train(
    config: TrainConfig, train_set: Dataset, val_set: Dataset, table_sha256: str, folder: Path
) -> RunDir:
    """Train one network, or go on with it, and leave its snapshots in `folder`.

    Runs in bfloat16 on a CUDA device, in float32 on a CPU.

    Raises:
        DataError: the folder holds a run with other knobs.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cudnn.benchmark = True
    run = RunDir(folder)
    done = run.begin(config, table_sha256)
    torch.manual_seed(config.seed)
    network = build(config.architecture)
    if done:
        run.restore(done, network)
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    images, labels = _to_device(train_set, device)
    val_images, _ = _to_device(val_set, device)
    epochs_per_cycle = config.epochs // config.cycles
    with _progress(config) as progress:
        task = progress.add_task(
            "", total=config.cycles * epochs_per_cycle, completed=done * epochs_per_cycle, note=""
        )
        for cycle in range(done + 1, config.cycles + 1):
            chance = _Chance(config, cycle, device)
            optimizer = torch.optim.SGD(
                network.parameters(),
                lr=config.max_lr,
                momentum=config.momentum,
                nesterov=True,
                weight_decay=config.weight_decay,
                fused=True,
            )
            for epoch in range(epochs_per_cycle):
                started = time.perf_counter()
                order = epoch_order(labels.cpu(), config.balanced, chance.order).to(device)
                loss = _epoch(network, optimizer, images, labels, order, epoch, config, chance)
                seconds = time.perf_counter() - started
                val_logits = predict(network, val_images)
                record = {
                    "cycle": cycle,
                    "epoch": (cycle - 1) * epochs_per_cycle + epoch + 1,
                    "lr": optimizer.param_groups[0]["lr"],
                    "train_loss": loss,
                    "val_loss": negative_log_likelihood(val_logits, val_set.labels),
                    "val_macro_f1": macro_f1(val_logits, val_set.labels),
                    "images_per_second": len(order) / seconds,
                }
                run.log(record)
                progress.update(task, advance=1, note=f"val macro-F1 {record['val_macro_f1']:.3f}")
            run.save_cycle(cycle, network, val_logits)
    plot_learning_curve(run)
    return run


class _Chance:
    """A cycle's sources of chance, derived from the run's seed and the cycle's number alone."""

    def __init__(self, config: TrainConfig, cycle: int, device: torch.device) -> None:
        seed = int(np.random.SeedSequence([config.seed, cycle]).generate_state(1, np.uint64)[0]) >> 1
        torch.manual_seed(seed)  # dropout
        self.order = torch.Generator().manual_seed(seed)
        self.augment = torch.Generator(device).manual_seed(seed)
        self.mix = np.random.default_rng(seed)


def _epoch(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    order: Tensor,
    epoch: int,
    config: TrainConfig,
    chance: _Chance,
) -> float:
    """One pass in the given order; returns the mean loss. `epoch` counts from 0 within the cycle."""
    network.train()
    batches = order.split(config.batch_size)
    total_steps = config.epochs * len(batches)
    losses = torch.zeros(len(batches), device=images.device)
    for index, batch in enumerate(batches):
        rate = learning_rate(epoch * len(batches) + index + 1, total_steps, config.cycles, config.max_lr)
        for group in optimizer.param_groups:
            group["lr"] = rate
        inputs = augment(images[batch], config.augmentation, chance.augment)
        targets = F.one_hot(labels[batch], len(LABELS)).float()
        if config.mixup:
            inputs, targets = _mix(inputs, targets, config.mixup, chance)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=images.device.type == "cuda"):
            logits = network(inputs.contiguous(memory_format=torch.channels_last))
        loss = F.cross_entropy(logits.float(), targets, label_smoothing=config.label_smoothing)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses[index] = loss.detach()
    return float(losses.mean())


def _mix(inputs: Tensor, targets: Tensor, alpha: float, chance: _Chance) -> tuple[Tensor, Tensor]:
    """Mixup (Zhang et al. 2018): a convex combination of the batch and its reverse, one weight a batch."""
    weight = float(chance.mix.beta(alpha, alpha))
    return inputs.lerp(inputs.flip(0), weight), targets.lerp(targets.flip(0), weight)


@torch.inference_mode()
def predict(network: nn.Module, images: Tensor, batch_size: int = 512) -> NDArray[np.float32]:
    """Logits [N, 3] in float32 of [N, 1, S, S] uint8 images on the network's device, in evaluation mode."""
    network.eval()
    logits = torch.cat([network(batch) for batch in images.split(batch_size)])
    return logits.float().cpu().numpy()


def _to_device(data: Dataset, device: torch.device) -> tuple[Tensor, Tensor]:
    images = torch.from_numpy(np.array(data.images)).unsqueeze(1).to(device)
    return images, torch.from_numpy(data.labels).to(device)


def _progress(config: TrainConfig) -> Progress:
    return Progress(
        TextColumn(f"{config.architecture} epoch"),
        MofNCompleteColumn(),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
