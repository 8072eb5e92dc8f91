"""Training throughput, in images a second of the whole loop: sampling, augmentation, update.

    python -m scripts.bench_training resnet18 vgg19_bn densenet161
    torchrun --nproc-per-node 2 -m scripts.bench_training densenet161      # divide its rate by that of one GPU
    torchrun --nproc-per-node 2 -m scripts.bench_training densenet161 --batch 512    # one GPU's batch on each GPU

Images are synthetic, because content does not affect speed. The loop is `training.loop` itself. An epoch has `STEPS`
batches; the figure is that of the median epoch after the first, which compiles.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final, cast

import numpy as np
import torch

from cxr.labels import LABELS
from cxr.model.architecture import Architecture
from training.config import paper
from training.data import Dataset, Row, Split
from training.loop import train

STEPS: Final = 25
EPOCHS: Final = 6


def synthetic(split: Split, count: int, size: int) -> Dataset:
    """Noise images with alternating labels."""
    rows = tuple(Row(f"{index}", LABELS[index % 3], "synthetic", f"{split}{index}", split) for index in range(count))
    return Dataset(rows, np.random.default_rng(0).integers(0, 256, (count, size, size), dtype=np.uint8))


def images_per_second(architecture: Architecture, batch: int) -> float | None:
    """Throughput of the whole training loop with the paper's preset; None in a process that is not the leader."""
    config = replace(paper(), architecture=architecture, epochs=EPOCHS, cycles=1, batch_size=batch)
    images = synthetic("train", STEPS * config.batch_size, config.size)
    with TemporaryDirectory() as folder:
        run = train(config, images, {"val": synthetic("val", 32, config.size)}, "0" * 64, Path(folder))
        rates = [row["images_per_second"] for row in run.read_log()[1:]]
    return median(rates) if rates else None


def main() -> None:
    """Print a line for each architecture."""
    parser = argparse.ArgumentParser()
    parser.add_argument("architectures", nargs="+")
    parser.add_argument("--batch", type=int, default=paper().batch_size, help="Images per step, over all processes.")
    asked = parser.parse_args()
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    for architecture in asked.architectures:
        rate = images_per_second(cast(Architecture, architecture), asked.batch)
        if rate is not None:
            print(f"{architecture}: {rate:,.0f} images/s on {device}, batches of {asked.batch}", flush=True)


if __name__ == "__main__":
    main()
