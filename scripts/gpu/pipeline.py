"""Throughput in this process, on a GPU: the service's path through onnxruntime, and the upper limit.

The limit ("ceiling") is a loop over one batch that is already on the device, with logits that stay there: IO binding,
no copies, and the fastest known options. The pipeline is the service's, `cxr.model.cuda`: host arrays in and out, from
as many threads as it has lanes.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import numpy as np
import onnxruntime

from cxr.arrays import Images, Views
from cxr.cpu_count import usable_cores
from cxr.model import cuda, cuda_driver
from cxr.model.bundle import Bundle, Precision
from cxr.model.cpu import Processor
from cxr.model.inference import Device, graphs_of
from cxr.model.sessions import INPUT, OUTPUT, session_options
from export.verify import compare

CEILINGS: Final[dict[str, dict[str, str]]] = {
    "nhwc": {"prefer_nhwc": "1"},
    "nhwc, graph": {"prefer_nhwc": "1", "enable_cuda_graph": "1"},
    "nhwc, graph, heuristic": {
        "prefer_nhwc": "1",
        "enable_cuda_graph": "1",
        "cudnn_conv_algo_search": "HEURISTIC",
    },
}
PRECISIONS: Final[tuple[Precision, ...]] = ("float32", "float16")
WARM_UP_RUNS: Final = 4

Result = dict[str, Any]


def measure(bundle: Bundle, batches: list[int], seconds: float) -> Result:
    """Images per second by batch size of all ceilings and the pipeline. A failed part has the reason instead."""
    side = bundle.manifest.recipe.size
    images = np.random.default_rng(0).integers(0, 256, (max(batches), side, side), dtype=np.uint8)
    result: Result = {}
    for name, options in CEILINGS.items():
        with failing_alone(result, name):
            result[name] = _ceiling(bundle, images, batches, options, seconds)
    with failing_alone(result, "pipeline"):
        result["pipeline"] = _pipeline(bundle, images, batches, seconds)
    with failing_alone(result, "ratio"):
        result["ratio"] = _ratio(result)
    return result


def flips(bundle: Bundle, views: Views) -> Result:
    """Number of labels that float16 changes against float32 for the first member on the GPU, and the largest |Δp|."""
    exact, half = (_device(bundle, precision, 64).logits(views)[0] for precision in PRECISIONS)
    names = [str(index) for index in range(len(exact))]
    found = compare(bundle.manifest.members[0].name, "float16", exact, half, bundle.manifest.temperature, names)
    return {
        "images": found.images,
        "max_dp": found.max_probability,
        "max_dlogit": found.max_logit,
        "finite": bool(np.isfinite(half).all()),
        "flips": len(found.flips),
        "flips_outside_twice_max_dp": sum(flip.margin > 2 * found.max_probability for flip in found.flips),
    }


@contextmanager
def failing_alone(result: Result, part: str) -> Iterator[None]:
    """Record an exception under the part's name, and go on with the next part."""
    try:
        yield
    except Exception as error:
        result[part] = f"{type(error).__name__}: {str(error)[:300]}"


def _ceiling(bundle: Bundle, images: Images, batches: list[int], options: dict[str, str], seconds: float) -> Result:
    onnxruntime.preload_dlls()
    graph = bundle.read_onnx(bundle.manifest.members[0], "float16")
    session = onnxruntime.InferenceSession(graph, session_options(1), providers=[(cuda.CUDA, options)])
    if session.get_providers()[0] != cuda.CUDA:
        raise RuntimeError("no CUDA provider")
    return {str(batch): _per_second(_bound(session, images[:batch]), batch, 1, seconds) for batch in batches}


def _bound(session: Any, images: Images) -> Callable[[], None]:
    """One batch on the device. A call runs the network on it and waits until it is done."""
    binding = session.io_binding()
    image = onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(images[:, np.newaxis]), "cuda", 0)
    logits = onnxruntime.OrtValue.ortvalue_from_shape_and_type((len(images), 3), np.float32, "cuda", 0)
    binding.bind_ortvalue_input(INPUT, image)
    binding.bind_ortvalue_output(OUTPUT, logits)
    options = onnxruntime.RunOptions()
    options.add_run_config_entry("gpu_graph_id", str(len(images)))
    return lambda: session.run_with_iobinding(binding, options)


def _pipeline(bundle: Bundle, images: Images, batches: list[int], seconds: float) -> Result:
    result: Result = {}
    for batch in batches:
        begun = time.perf_counter()
        device = _device(bundle, "float16", batch)
        result |= {"provider": device.provider, f"start_s of {batch}": round(time.perf_counter() - begun, 1)}
        views = dict.fromkeys(bundle.manifest.frames, images[:batch])
        result[str(batch)] = _per_second(partial(device.logits, views), batch, cuda.LANES, seconds)
    return result


def _device(bundle: Bundle, precision: Precision, batch: int) -> Device:
    """A device with one captured batch size; the CPU if there is no GPU."""
    graphs = graphs_of(bundle, precision)
    on_gpu = cuda.load(graphs, bundle.manifest.recipe.size, [batch], precision) if cuda_driver.devices() else None
    return on_gpu or Processor(graphs, usable_cores())


def _per_second(run: Callable[[], object], batch: int, threads: int, seconds: float) -> float:
    """Images per second of a call that is repeated in `threads` threads."""

    def loop() -> int:
        calls = 0
        while time.perf_counter() < end:
            run()
            calls += 1
        return calls

    for _ in range(WARM_UP_RUNS):
        run()
    with ThreadPoolExecutor(threads) as pool:
        start = time.perf_counter()
        end = start + seconds
        calls = sum(future.result() for future in [pool.submit(loop) for _ in range(threads)])
    return round(calls * batch / (time.perf_counter() - start), 1)


def _ratio(result: Result) -> Result:
    """The pipeline over the best ceiling, at each batch size and at the best one."""
    ceilings = [result[name] for name in CEILINGS if isinstance(result[name], dict)]
    best = {batch: max(ceiling[batch] for ceiling in ceilings) for batch in ceilings[0]}
    ratios = {batch: round(result["pipeline"][batch] / best[batch], 3) for batch in best}
    fastest = max(best, key=lambda batch: best[batch])
    highest = max(result["pipeline"][batch] for batch in best)
    return {**ratios, "best_batch": fastest, "best_of_each": round(highest / best[fastest], 3)}
