"""The training loop: cyclic cosine annealing with a snapshot at the bottom of each cycle.

All randomness of a cycle comes from (seed, cycle), and momentum starts at zero in each cycle. So a snapshot is a full
checkpoint, and a run that is stopped and resumed gives the same result as an uninterrupted one.
"""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sklearn.metrics import f1_score
from torch import Tensor, nn
from torchvision.models.densenet import _DenseBlock as DenseBlock

from cxr.arrays import Logits
from cxr.labels import LABELS
from cxr.model.frames import Mask
from networks.architectures import build
from training.augmentation.augment import augment, augment_with_masks
from training.augmentation.mixing import cutmix, mixup
from training.config import TrainConfig
from training.data import Dataset, Split
from training.fusion import fuse_norm_relu
from training.objective import Objective
from training.opacities import Boxes
from training.parallel import Team, team
from training.rundir import LEFT_OUT, Judged, Keep, RunDir
from training.sampling import epoch_order
from training.schedule import learning_rate
from training.sources import loss_weights, of_source, shuffled_within_sources, source_numbers


def train(
    config: TrainConfig,
    train_set: Dataset,
    held_out: Mapping[Split, Dataset],
    table_sha256: str,
    folder: Path,
    keep: Keep = "all",
    seconds: float = float("inf"),
    boxes: Boxes | None = None,
    lungs: Mapping[str, Mask] | None = None,
) -> RunDir:
    """Train one network, or resume its training, and write its snapshots to `folder`.

    On a CUDA device training is compiled and in bfloat16, on a CPU in float32. Under torchrun several devices are used.

    Args:
        config: all hyperparameters.
        train_set: the training images; the source that `config` leaves out is removed from them.
        held_out: `val`, which is monitored, and any other splits. Each snapshot's logits on them are stored, and those
            on the training and validation images of the source left out.
        table_sha256: of the table that lists the images.
        folder: of the run.
        keep: keep the weights of all snapshots, or only of the last.
        seconds: do not start a cycle that would end later than this, counted from the call.
        boxes: around opacities, within the frame, for the second head if `config` has one.
        lungs: masks [S, S] over whole images, by file, for a run with `evidence_weight`.

    Raises:
        DataError: the folder holds a run with other hyperparameters, a source to leave out or to weigh does not exist,
            or there are no boxes or lungs for a term of the loss.
    """
    judged = dict[Judged, Dataset](held_out.items())
    if config.leave_out:
        judged[LEFT_OUT] = of_source(config.leave_out, train_set, held_out["val"])
    train_set = train_set.leaving_out(config.leave_out)
    end = time.monotonic() + seconds
    with (
        team() as here,
        ThreadPoolExecutor(1) as writer,
    ):  # a snapshot is written in the background while the next one is trained
        run = RunDir(folder)
        done = here.agree(run.begin(config, table_sha256) if here.leads else 0)
        objective = Objective(config, train_set.rows, boxes or {}, lungs or {}, here.device)
        trainer = _Trainer(config, here, train_set, judged, objective)
        if done:
            run.restore(done, trainer.network)
        with _progress(config, hidden=not here.leads) as progress:
            task = progress.add_task("", total=config.epochs, completed=done * config.epochs_per_cycle, note="")
            longest, written = 0.0, None
            for cycle in range(done + 1, config.cycles + 1):
                started = time.monotonic()
                if not here.agree(started + longest < end):
                    break
                for record in trainer.cycle(cycle):
                    run.log({"cycle": cycle, **record})
                    progress.update(task, advance=1, note=f"validation macro-F1 {record['val_macro_f1']:.3f}")
                if here.leads:
                    if written:
                        written.result()
                    snapshot = deepcopy(trainer.network).cpu()
                    written = writer.submit(run.save_cycle, cycle, snapshot, trainer.logits(), keep)
                longest = max(longest, time.monotonic() - started)
        if written:
            written.result()
        return run


class _Trainer:
    """The state of a run between two snapshots, in one of the training processes."""

    def __init__(
        self,
        config: TrainConfig,
        here: Team,
        train_set: Dataset,
        judged: Mapping[Judged, Dataset],
        objective: Objective,
    ) -> None:
        self.config = config
        self.team = here
        self.device = here.device
        torch.backends.cudnn.benchmark = True
        torch.manual_seed(config.seed)
        network = build(config.architecture, opacity_head=config.opacity_weight > 0)
        self.network: nn.Module = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.objective = objective
        model = objective.over(network)
        self.forward = here.synchronised(_accelerated(model) if self.device.type == "cuda" else model)
        self.images = _images(train_set, self.device)
        self.labels, self.sources = torch.from_numpy(train_set.labels), source_numbers(train_set.rows)
        if config.shuffled_labels:
            self.labels = shuffled_within_sources(self.labels, self.sources, config.seed)
        weights = loss_weights(train_set.rows, config.source_weights, config.leave_out)
        self.targets = torch.cat([F.one_hot(self.labels, len(LABELS)), weights[:, None]], dim=1).to(self.device)
        self.judged = {name: _images(data, self.device) for name, data in judged.items() if here.leads}
        self.val_labels = judged["val"].labels

    def cycle(self, cycle: int) -> Iterator[dict[str, float]]:
        """Train from one snapshot to the next. Yields each epoch's log record, in the leading process only."""
        self._begin(cycle)
        for epoch in range(self.config.epochs_per_cycle):
            record = {"epoch": (cycle - 1) * self.config.epochs_per_cycle + epoch + 1, **self._epoch(epoch)}
            if self.team.leads:
                logits = predict(self.network, self.judged["val"], bfloat16=self.device.type == "cuda")
                yield record | _watched(logits, self.val_labels)

    def logits(self) -> dict[Judged, Logits]:
        """[N, 3] float32 logits of all images that are not trained on."""
        return {name: predict(self.network, images) for name, images in self.judged.items()}

    def _begin(self, cycle: int) -> None:
        """Reset momentum, and seed all random generators of the cycle from the run's seed and the cycle's number."""
        seed = _seed(self.config.seed, cycle)
        own = seed if self.team.leads else _seed(self.config.seed, cycle, self.team.rank)
        torch.manual_seed(own)  # dropout
        self.order_rng = torch.Generator().manual_seed(seed)
        self.augment_rng = torch.Generator(self.device).manual_seed(own)
        self.mix_rng = np.random.default_rng(seed)
        self.optimizer = torch.optim.SGD(
            self.network.parameters(),
            lr=self.config.max_lr,
            momentum=self.config.momentum,
            nesterov=True,
            weight_decay=self.config.weight_decay,
            fused=True,
        )

    def _epoch(self, epoch: int) -> dict[str, float]:
        """One pass over the training images, `epoch` counting from 0 within the cycle."""
        started = time.perf_counter()
        self.forward.train()
        batches = self._batches()
        losses = torch.zeros(len(batches), device=self.device)
        for index, batch in enumerate(batches):
            rate = self._set_rate(epoch * len(batches) + index + 1, len(batches))
            losses[index] = self._step(self.team.share(batch))
        loss = float(self.team.mean(losses).mean())  # waits for the device
        seconds = time.perf_counter() - started
        return {
            "lr": rate,
            "train_loss": loss,
            "images_per_second": len(batches) * len(batches[0]) / seconds,
        }

    def _batches(self) -> list[Tensor]:
        """Whole batches only: a smaller last batch would need another compilation and give BatchNorm fewer images."""
        order = epoch_order(self.labels, self.sources, self.config.sampling, self.order_rng).to(self.device)
        size = min(self.config.batch_size, len(order))
        return list(order[: len(order) // size * size].split(size))

    def _set_rate(self, step: int, steps_per_epoch: int) -> float:
        total = self.config.epochs * steps_per_epoch
        rate = learning_rate(step, total, self.config.cycles, self.config.max_lr)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        return rate

    def _step(self, batch: Tensor) -> Tensor:
        """One update from the images at these indices, this process's share of a batch. Returns the loss."""
        inputs, targets = self._mix(self._varied(batch), self.targets[batch])
        loss = self.objective.loss(self.forward, inputs, targets)
        self.optimizer.zero_grad()
        loss.backward()
        if self.config.clip_norm:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip_norm)
        self.optimizer.step()
        return loss.detach()

    def _varied(self, batch: Tensor) -> Tensor:
        """The augmented images at these indices: [N, 1, S, S] or, with the two masks of the loss, [N, 3, S, S]."""
        images, masks = self.images[batch], self.objective.masks
        if masks is None:
            return augment(images, self.config.augmentation, self.augment_rng)
        return torch.cat(augment_with_masks(images, masks[batch], self.config.augmentation, self.augment_rng), dim=1)

    def _mix(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Apply mixup or CutMix, whichever the run has. With both, one is drawn at random for the batch."""
        alphas = [(mix, alpha) for mix, alpha in ((mixup, self.config.mixup), (cutmix, self.config.cutmix)) if alpha]
        if not alphas:
            return inputs, targets
        mix, alpha = alphas[self.mix_rng.integers(2)] if len(alphas) > 1 else alphas[0]
        return mix(inputs, targets, alpha, self.mix_rng)


@torch.inference_mode()
def predict(network: nn.Module, images: Tensor, batch_size: int = 512, bfloat16: bool = False) -> Logits:
    """Logits [N, 3] of [N, 1, S, S] uint8 images on the network's device, in evaluation mode.

    In float32, or in bfloat16, which is faster on a GPU and precise enough to monitor a run.
    """
    network.eval()
    with torch.autocast(images.device.type, torch.bfloat16, enabled=bfloat16):
        logits = torch.cat([network(batch) for batch in images.split(batch_size)])
    return np.asarray(logits.float().cpu().numpy())


def _watched(logits: Logits, labels: NDArray[np.int64]) -> dict[str, float]:
    """The logged figures of the validation split: log loss in nats, and macro-F1, where an absent label counts 0."""
    predicted = logits.argmax(axis=1)
    return {
        "val_loss": float(F.cross_entropy(torch.from_numpy(logits).double(), torch.from_numpy(labels))),
        "val_macro_f1": float(
            f1_score(labels, predicted, labels=range(len(LABELS)), average="macro", zero_division=0.0)
        ),
    }


def _accelerated(network: nn.Module) -> nn.Module:
    """Fuse kernels: the whole network for a VGG or a ResNet, a part for a DenseNet, which takes too long to compile."""
    is_dense = any(isinstance(module, DenseBlock) for module in network.modules())
    return fuse_norm_relu(network) if is_dense else torch.compile(network)  # type: ignore[return-value]


def _images(data: Dataset, device: torch.device) -> Tensor:
    return torch.from_numpy(np.array(data.images)).unsqueeze(1).to(device)


def _seed(*entropy: int) -> int:
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])


def _progress(config: TrainConfig, hidden: bool) -> Progress:
    return Progress(
        TextColumn(f"{config.architecture} epoch"),
        MofNCompleteColumn(),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        disable=hidden,
    )
