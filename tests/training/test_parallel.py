"""Two processes train the same as one: on a CPU, with gloo."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.training.test_loop import HELD_OUT, TABLE, TINY, TRAIN
from training.augmentation.augment import Augmentation
from training.loop import train
from training.parallel import Team, is_leader, team
from training.rundir import RunDir

CONFIG = replace(TINY, epochs=4, cycles=2, mixup=0.0, augmentation=Augmentation())


def test_one_process_is_a_team_of_its_own() -> None:
    alone = Team(0, 1, torch.device("cpu"))
    batch = torch.arange(5)
    assert torch.equal(alone.share(batch), batch)
    assert alone.agree(7) == 7


@pytest.mark.parametrize("count", [8, 9])
def test_the_shares_of_a_batch_are_disjoint_and_of_one_size(count: int) -> None:
    shares = [Team(rank, 2, torch.device("cpu")).share(torch.arange(count)) for rank in range(2)]
    assert sorted(torch.cat(shares).tolist()) == list(range(8))
    assert [len(share) for share in shares] == [4, 4]


def test_of_several_the_leader_decides_and_values_are_averaged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other process says 4 where this one says 2, and the leader says 9."""
    monkeypatch.setattr("torch.distributed.all_reduce", lambda value: value.add_(4))
    monkeypatch.setattr("torch.distributed.broadcast", lambda value, src: value.fill_(9 + src))
    second = Team(1, 2, torch.device("cpu"))
    assert second.mean(torch.tensor(2.0)) == 3
    assert second.agree(7) == 9
    assert not second.leads


def test_a_process_of_torchruns_joins_and_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.distributed.init_process_group", done.append)
    monkeypatch.setattr("torch.distributed.destroy_process_group", lambda: done.append("left"))
    monkeypatch.setattr("torch.distributed.get_rank", lambda: 1)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert not is_leader()
    with team() as joined:
        assert joined == Team(1, 2, torch.device("cpu"))
        assert done == ["gloo"]
    assert done == ["gloo", "left"]


def of_two_processes(folder: Path) -> RunDir:
    """The result of `main`, run by torchrun."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0"]
    subprocess.run(
        [*command, "--standalone", "-m", "tests.training.test_parallel", str(folder)],
        check=True,
        capture_output=True,
        cwd=Path(__file__).parents[2],
        timeout=300,
    )
    return RunDir(folder)


@pytest.mark.slow
def test_two_processes_lose_what_one_loses(tmp_path: Path) -> None:
    """Equal within noise: BatchNorm sees half of the batch in each process. Other seeds give the noise's size."""
    both = of_two_processes(tmp_path / "two")
    alone = [train(replace(CONFIG, seed=seed), TRAIN, HELD_OUT, TABLE, tmp_path / str(seed)) for seed in range(3)]
    curves = torch.tensor([[row["train_loss"] for row in run.read_log()] for run in (both, *alone)])
    spread = (curves[1:] - curves[1]).abs().max()
    assert (curves[0] - curves[1]).abs().max() <= max(2 * float(spread), 0.05)
    assert both.complete_cycles() == 2
    assert [row["epoch"] for row in both.read_log()] == [1, 2, 3, 4]


def main(folder: Path) -> None:
    """The code that torchrun runs in each process."""
    torch.set_num_threads(1)
    train(CONFIG, TRAIN, HELD_OUT, TABLE, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
