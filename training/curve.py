"""The learning curve of a run: losses and macro-F1 over epochs, with the cycles and α(t)."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from training.rundir import RunDir
from training.schedule import learning_rate


def plot_learning_curve(run: RunDir) -> None:
    """Write learning-curve.png beside the run's log."""
    log = run.read_log()
    config = run.config
    epochs = [row["epoch"] for row in log]
    figure, (top, middle, bottom) = plt.subplots(
        3, 1, sharex=True, figsize=(9, 7), height_ratios=[3, 3, 1], layout="constrained"
    )
    top.plot(epochs, [row["train_loss"] for row in log], label="training", color="tab:blue")
    top.plot(epochs, [row["val_loss"] for row in log], label="validation", color="tab:orange")
    top.set(
        ylabel="loss (nats)", yscale="log", title=f"{config.architecture}, recipe {config.recipe}, seed {config.seed}"
    )
    top.legend(frameon=False)
    middle.plot(epochs, [row["val_macro_f1"] for row in log], color="tab:green")
    bottoms = [
        row for row, later in zip(log, [*log[1:], None], strict=True) if not later or later["cycle"] > row["cycle"]
    ]
    middle.plot(
        [row["epoch"] for row in bottoms],
        [row["val_macro_f1"] for row in bottoms],
        "o",
        color="tab:green",
        label="snapshot",
    )
    middle.set(ylabel="validation macro-F1")
    middle.legend(frameon=False, loc="lower right")
    per_cycle = config.epochs_per_cycle
    fine = [epoch / 20 for epoch in range(20 * int(max(epochs)))]
    bottom.plot(fine, [_rate(config.max_lr, x % per_cycle / per_cycle) for x in fine], color="0.3")
    bottom.set(ylabel="α(t)", xlabel="epoch")
    for axis in (top, middle, bottom):
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.2)
    figure.savefig(run.path / "learning-curve.png", dpi=120)
    plt.close(figure)


def _rate(max_lr: float, phase: float) -> float:
    return learning_rate(int(phase * 1000) + 1, 1000, 1, max_lr)
