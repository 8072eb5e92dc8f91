"""The cost of an explanation, relative to one forward pass of the same network in the same run.

    python -m scripts.bench_attribution [--batch 32] [--device cuda] [--architectures resnet18 densenet161 …]

Jobs alternate and figures are medians, so that other load on the machine has little effect. Weights are random, because
the cost does not depend on them.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from attribution.canonize import canonize
from attribution.gradcam import both, gradcam_plus_plus
from attribution.lrp import lrp
from cxr.model.architecture import ARCHITECTURES, Architecture
from networks.architectures import build

BOUNDS = {"both CAMs": 1.15, "LRP": 5.0, "LRP of a DenseNet": 8.0}
"""The largest cost that issue 4 allows, in forward passes."""


def seconds(job: Callable[[], object], device: torch.device) -> float:
    """The time of one run: on a GPU until its queue is empty, on a CPU the CPU time."""
    if device.type == "cpu":
        start = time.process_time()
        job()
        return time.process_time() - start
    torch.cuda.synchronize(device)
    start = time.perf_counter()
    job()
    torch.cuda.synchronize(device)
    return time.perf_counter() - start


def ratios(architecture: Architecture, batch: int, device: torch.device, rounds: int) -> dict[str, float]:
    """For each job the ratio of its median time to a forward pass; for the forward pass itself ms per image."""
    network = build(architecture).eval().to(device)
    canonical = canonize(network)
    images = torch.randint(0, 256, (batch, 1, 224, 224), dtype=torch.uint8, device=device)
    targets = torch.ones(batch, dtype=torch.int64, device=device)
    jobs: dict[str, Callable[[], object]] = {
        "forward": torch.no_grad()(lambda: network(images)),
        "both CAMs": lambda: both(network, images, targets),
        "Grad-CAM++": lambda: gradcam_plus_plus(network, images, targets),
        "LRP": lambda: lrp(canonical, images, targets),
    }
    for job in jobs.values():  # the first pass chooses kernels and allocates memory
        seconds(job, device)
    times = [{name: seconds(job, device) for name, job in jobs.items()} for _ in range(rounds)]
    medians = {name: statistics.median(row[name] for row in times) for name in jobs}
    forward = medians.pop("forward")
    return {"forward, ms an image": 1e3 * forward / batch} | {name: t / forward for name, t in medians.items()}


def main() -> None:
    """Print a Markdown table with the bounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architectures", nargs="+", choices=ARCHITECTURES, default=ARCHITECTURES)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    device = torch.device(options.device)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} CPU threads"
    print(f"{where}, torch {torch.__version__}, batch {options.batch}, {options.rounds} rounds, 224 px, float32")
    print(f"Bounds: {BOUNDS}; Grad-CAM++ at batch 32 on a GPU ≤ 1.25 (0.8 of the forward throughput)\n")
    print("| network | forward, ms an image | both CAMs | Grad-CAM++ | LRP |\n| --- | --- | --- | --- | --- |")
    for architecture in options.architectures:
        row = ratios(architecture, options.batch, device, options.rounds)
        print(f"| {architecture} | " + " | ".join(f"{value:.2f}" for value in row.values()) + " |", flush=True)


if __name__ == "__main__":
    main()
