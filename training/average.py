"""The weight average of snapshots (Izmailov et al. 2018): one network from several."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cxr.nets import build
from training.rundir import RunDir


@torch.inference_mode()
def average_snapshots(
    run: RunDir, cycles: Sequence[int], train_images: Tensor, batch_size: int = 512
) -> nn.Module:
    """Average the weights of some snapshots and recompute BatchNorm's statistics on the training images.

    Args:
        run: where the snapshots are.
        cycles: which of them.
        train_images: [N, 1, S, S] uint8, on the device to use.
        batch_size: of the recomputation.

    Returns:
        The averaged network in evaluation mode, on the images' device.
    """
    network = build(run.config.architecture)
    total: dict[str, Tensor] = {}
    for cycle in cycles:
        run.restore(cycle, network)
        for name, tensor in network.state_dict().items():
            total[name] = total.get(name, torch.zeros_like(tensor, dtype=torch.float64)) + tensor
    network.load_state_dict({name: tensor / len(cycles) for name, tensor in total.items()})
    network = network.to(train_images.device)
    recompute_statistics(network, train_images, batch_size)
    return network.eval()


def recompute_statistics(network: nn.Module, images: Tensor, batch_size: int) -> None:
    """Replace the running statistics of every BatchNorm layer by their mean over some batches."""
    layers = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # torch's sign for a cumulative mean
    network.train()
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    for batch in order.split(batch_size):
        network(images[batch])
