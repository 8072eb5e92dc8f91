"""Training one run on several GPUs or in several CPU processes: what differs from a single process.

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
    """This process among those that train together. Only the leader writes, validates and shows progress."""

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this is the leader."""
        return self.rank == 0

    def share(self, batch: Tensor) -> Tensor:
        """This process's part of a batch [N, ...]. All parts have the same size; the rest, N mod size, is dropped."""
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
        """Send the leader's value to all processes, and return it."""
        if self.size == 1:
            return value
        shared = torch.tensor([value], device=self.device)
        dist.broadcast(shared, src=0)
        return int(shared)


def is_leader() -> bool:
    """Whether this process is the leader; for files that are written after the team has ended."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def team() -> Iterator[Team]:
    """The processes that torchrun started, or this single one."""
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
