"""The learning curve of a run: losses and macro-F1 over epochs, with the cycles and α(t)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from reporting.style import ACCENT, INK, SECOND, SOFT, panels
from training.rundir import RunDir
from training.schedule import learning_rate


def plot_learning_curve(run: RunDir) -> None:
    """Write learning-curve.png beside the run's log."""
    with learning_curve(run) as figure:
        figure.savefig(run.path / "learning-curve.png", dpi=120)


@contextmanager
def learning_curve(run: RunDir) -> Iterator[Any]:
    """A figure of a run's log: losses, validation macro-F1 with the snapshots, and α(t)."""
    log, config = run.read_log(), run.config
    epochs = [row["epoch"] for row in log]
    with panels(2, rows=2, height=4.2, height_ratios=[4, 1], sharex=True) as (figure, axes):
        (losses, scores), rates = axes[0], axes[1]
        losses.plot(epochs, [row["train_loss"] for row in log], label="training", color=ACCENT, lw=1.2)
        losses.plot(epochs, [row["val_loss"] for row in log], label="validation", color=SECOND, lw=1.2, ls="--")
        losses.set(
            ylabel="loss (nats)", yscale="log", title=f"{config.architecture}, {config.recipe}, seed {config.seed}"
        )
        losses.legend()
        scores.plot(epochs, [row["val_macro_f1"] for row in log], color=ACCENT, lw=1.2)
        per_cycle = config.epochs_per_cycle
        ends = [row for row in log if row["epoch"] % per_cycle == 0]  # the last cycle may be incomplete
        ends_at = [row["epoch"] for row in ends]
        scores.plot(ends_at, [row["val_macro_f1"] for row in ends], "o", color=INK, ms=4, label="snapshot")
        scores.set(ylabel="macro-F1", title="Validation")
        scores.legend(loc="lower right")
        fine = [epoch / 20 for epoch in range(20 * int(max(epochs)))]
        for axis in rates:
            axis.plot(fine, [_rate(config.max_lr, x % per_cycle / per_cycle) for x in fine], color=SOFT, lw=1)
            axis.set(ylabel="α(t)", xlabel="epoch")
        yield figure


def _rate(max_lr: float, phase: float) -> float:
    return learning_rate(int(phase * 1000) + 1, 1000, 1, max_lr)
