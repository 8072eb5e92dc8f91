"""The weight average of a run's snapshots (Izmailov et al. 2018): a single network at the cost of one.

It is written as a run of one cycle, so that selection treats it like any other network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cxr.arrays import Logits
from cxr.errors import DataError
from networks.architectures import Network, build
from training.data import Dataset, Split
from training.loop import predict
from training.rundir import Judged, RunDir

BATCH = 256


def write_average(
    run: RunDir, cycles: Sequence[int], train_set: Dataset, held_out: Mapping[Split, Dataset], folder: Path
) -> RunDir:
    """Average snapshots whose weights are present, and write the network and its logits to `folder`.

    Args:
        run: the run to average.
        cycles: the cycles whose snapshots to average, at least two.
        train_set: images to recompute BatchNorm's statistics on; averaged statistics would not fit.
        held_out: splits to store logits of, as in `training.loop.train`.
        folder: of the run to write; its hyperparameters are those of `run`, with one cycle.

    Raises:
        DataError: there are fewer than two snapshots, one has no weights, or the folder holds something else.
    """
    missing = [str(run.snapshot(cycle)) for cycle in cycles if not run.snapshot(cycle).exists()]
    if missing or len(cycles) < 2:
        raise DataError(f"no average without weights of two snapshots: {', '.join(missing) or run.path}")
    averaged = RunDir(folder)
    averaged.begin(replace(run.config, cycles=1), run.table_sha256)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = average(run, cycles).to(device)
    recompute_statistics(network, _images(train_set))
    logits: dict[Judged, Logits] = {
        split: predict(network, _images(data).to(device)) for split, data in held_out.items()
    }
    averaged.save_cycle(1, network.cpu(), logits)
    return averaged


def average(run: RunDir, cycles: Sequence[int]) -> Network:
    """The mean of all weights. BatchNorm's statistics are averaged too and must be recomputed."""
    network = build(run.config.architecture, opacity_head=run.config.opacity_weight > 0)
    total: dict[str, Tensor] = {}
    for cycle in cycles:
        run.restore(cycle, network)
        for name, tensor in network.state_dict().items():
            total[name] = total.get(name, torch.zeros_like(tensor, dtype=torch.float64)) + tensor
    network.load_state_dict({name: tensor / len(cycles) for name, tensor in total.items()})
    return network


@torch.no_grad()
def recompute_statistics(network: nn.Module, images: Tensor) -> None:
    """Set every BatchNorm layer's statistics to their mean over batches of [N, 1, S, S] uint8; dropout stays off."""
    network.eval()
    device = next(network.parameters()).device
    layers = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # in torch this means a cumulative mean
        layer.train()
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    for batch in order.split(BATCH) if layers else ():
        network(images[batch].to(device))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    network.eval()


def _images(data: Dataset) -> Tensor:
    return torch.from_numpy(np.array(data.images)).unsqueeze(1)
