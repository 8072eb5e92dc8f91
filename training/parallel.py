"""One training run on several GPUs, or on several processes of a CPU: what differs from one process.

`torchrun --nproc-per-node 2 .venv/bin/cxr train ...` starts the processes; each takes its share of every batch, and
DistributedDataParallel averages their gradients. BatchNorm normalises by a process's own share.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True, slots=True)
class Team:
    """This process among those that train together. The leader alone writes, validates and shows progress."""

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this is the one process that writes."""
        return self.rank == 0

    def share(self, batch: Tensor) -> Tensor:
        """This process's part of a batch [N, ...]; the parts of all are of one size, up to N mod size is left."""
        return batch[: len(batch) // self.size * self.size][self.rank :: self.size]

    def synchronised(self, network: nn.Module) -> nn.Module:
        """The network with gradients averaged over the team."""
        return network if self.size == 1 else DistributedDataParallel(network, gradient_as_bucket_view=True)

    def mean(self, value: Tensor) -> Tensor:
        """A tensor's mean over the team."""
        if self.size > 1:
            dist.all_reduce(value)
            value /= self.size
        return value

    def agree(self, value: int) -> int:
        """The leader's value, known to all once it returns."""
        if self.size == 1:
            return value
        shared = torch.tensor([value], device=self.device)
        dist.broadcast(shared, src=0)
        return int(shared)


def is_leader() -> bool:
    """Whether this process is the leader, for what is written once the team has parted."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def team() -> Iterator[Team]:
    """The processes that torchrun started, or this one alone."""
    size, on_gpu = int(os.environ.get("WORLD_SIZE", "1")), torch.cuda.is_available()
    if size == 1:
        yield Team(0, 1, torch.device("cuda" if on_gpu else "cpu"))
        return
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if on_gpu else torch.device("cpu")
    if on_gpu:
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield Team(dist.get_rank(), size, device)
    finally:
        dist.destroy_process_group()
