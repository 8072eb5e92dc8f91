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


def train(config: TrainConfig, train_set: Dataset, val_set: Dataset, table_sha256: str, folder: Path) -> RunDir:
    """Train one network, or go on with it, and leave its snapshots in `folder`.

    Runs compiled and in bfloat16 on a CUDA device, in float32 on a CPU.

    Raises:
        DataError: the folder holds a run with other knobs.
    """
    run = RunDir(folder)
    done = run.begin(config, table_sha256)
    trainer = _Trainer(config, run, train_set, val_set)
    if done:
        run.restore(done, trainer.network)
    epochs = config.epochs_per_cycle
    with _progress(config) as progress:
        task = progress.add_task("", total=config.epochs, completed=done * epochs, note="")
        for cycle in range(done + 1, config.cycles + 1):
            trainer.begin_cycle(cycle)
            for epoch in range(epochs):
                record = trainer.epoch(epoch)
                run.log({"cycle": cycle, "epoch": (cycle - 1) * epochs + epoch + 1, **record})
                progress.update(task, advance=1, note=f"validation macro-F1 {record['val_macro_f1']:.3f}")
            run.save_cycle(cycle, trainer.network, trainer.validate())
    plot_learning_curve(run)
    return run


class _Trainer:
    """The state of a run between two snapshots."""

    def __init__(self, config: TrainConfig, run: RunDir, train_set: Dataset, val_set: Dataset) -> None:
        self.config = config
        self.run = run
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.backends.cudnn.benchmark = True
        torch.manual_seed(config.seed)
        network = build(config.architecture)
        self.network: nn.Module = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.forward = torch.compile(self.network) if self.device.type == "cuda" else self.network
        self.images = _images(train_set, self.device)
        self.labels = torch.from_numpy(train_set.labels)
        self.targets = F.one_hot(self.labels, len(LABELS)).float().to(self.device)
        self.val_images = _images(val_set, self.device)
        self.val_labels = val_set.labels

    def begin_cycle(self, cycle: int) -> None:
        """Reset momentum, and derive all chance of the cycle from the run's seed and the cycle's number alone."""
        seed = int(np.random.SeedSequence([self.config.seed, cycle]).generate_state(1)[0])
        torch.manual_seed(seed)  # dropout
        self.order_chance = torch.Generator().manual_seed(seed)
        self.augment_chance = torch.Generator(self.device).manual_seed(seed)
        self.mix_chance = np.random.default_rng(seed)
        self.optimizer = torch.optim.SGD(
            self.network.parameters(),
            lr=self.config.max_lr,
            momentum=self.config.momentum,
            nesterov=True,
            weight_decay=self.config.weight_decay,
            fused=True,
        )

    def epoch(self, epoch: int) -> dict[str, float]:
        """One pass over the training images, `epoch` counting from 0 within the cycle; what to log of it."""
        started = time.perf_counter()
        self.network.train()
        batches = self._batches()
        losses = torch.zeros(len(batches), device=self.device)
        for index, batch in enumerate(batches):
            rate = self._set_rate(epoch * len(batches) + index + 1, len(batches))
            losses[index] = self._step(batch)
        loss = float(losses.mean())  # waits for the device
        seconds = time.perf_counter() - started
        logits = self.validate()
        return {
            "lr": rate,
            "train_loss": loss,
            "val_loss": negative_log_likelihood(logits, self.val_labels),
            "val_macro_f1": macro_f1(logits, self.val_labels),
            "images_per_second": len(batches) * len(batches[0]) / seconds,
        }

    def validate(self) -> NDArray[np.float32]:
        """[N, 3] logits of the validation images."""
        return predict(self.network, self.val_images)

    def _batches(self) -> list[Tensor]:
        """Whole batches only: a rest would be compiled again, and normalised by fewer images."""
        order = epoch_order(self.labels, self.config.balanced, self.order_chance).to(self.device)
        size = min(self.config.batch_size, len(order))
        return list(order[: len(order) // size * size].split(size))

    def _set_rate(self, step: int, steps_per_epoch: int) -> float:
        total = self.config.epochs * steps_per_epoch
        rate = learning_rate(step, total, self.config.cycles, self.config.max_lr)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def _step(self, batch: Tensor) -> Tensor:
        """One update from the images at these indices; its loss, on the device."""
        inputs = augment(self.images[batch], self.config.augmentation, self.augment_chance)
        targets = self.targets[batch]
        if self.config.mixup:
            inputs, targets = self._mix(inputs, targets)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            logits = self.forward(inputs.contiguous(memory_format=torch.channels_last))
        loss = F.cross_entropy(logits.float(), targets, label_smoothing=self.config.label_smoothing)
        self.optimizer.zero_grad()
        loss.backward()
        if self.config.clip_norm:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip_norm)
        self.optimizer.step()
        return loss.detach()

    def _mix(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Mixup (Zhang et al. 2018): a convex combination of the batch and its reverse, one weight a batch."""
        weight = float(self.mix_chance.beta(self.config.mixup, self.config.mixup))
        return inputs.lerp(inputs.flip(0), weight), targets.lerp(targets.flip(0), weight)


@torch.inference_mode()
def predict(network: nn.Module, images: Tensor, batch_size: int = 512) -> NDArray[np.float32]:
    """Logits [N, 3] in float32 of [N, 1, S, S] uint8 images on the network's device, in evaluation mode."""
    network.eval()
    logits = torch.cat([network(batch) for batch in images.split(batch_size)])
    return np.asarray(logits.float().cpu().numpy())


def _images(data: Dataset, device: torch.device) -> Tensor:
    return torch.from_numpy(np.array(data.images)).unsqueeze(1).to(device)


def _progress(config: TrainConfig) -> Progress:
    return Progress(
        TextColumn(f"{config.architecture} epoch"),
        MofNCompleteColumn(),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
