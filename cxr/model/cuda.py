"""Run networks on a CUDA device: for fixed batch sizes, each captured once as a CUDA graph and then replayed.

A network's hundreds of kernels then need one launch; for small batches launching takes most of the time. A graph uses
fixed addresses, so inputs and outputs are bound on the device, and a batch is padded to the next captured size.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, Final, Literal

import numpy as np
import onnxruntime

from cxr.arrays import Images, Logits, Views
from cxr.model.bundle import Precision
from cxr.model.cuda_driver import Copies
from cxr.model.sessions import INPUT, OUTPUT, Graph, session_options
from cxr.model.views import count_of, parts_of

CUDA: Final = "CUDAExecutionProvider"

LANES: Final = 3
"""While one lane copies from or to the host, the networks of the others run. Three lanes gain 2 to 7 % over two."""

RUNS_BEFORE_REPLAY: Final = 3  # onnxruntime captures in the second run and replays from the third on

Sessions = Sequence[tuple[str, onnxruntime.InferenceSession]]
"""The members' sessions, each with the frame that its member sees."""

Search = Literal["HEURISTIC", "EXHAUSTIVE"]


def load(graphs: Sequence[Graph], side: int, sizes: Sequence[int], precision: Precision) -> "Cuda | None":
    """Load and capture the graphs on the first CUDA device, for these batch sizes in ascending order.

    Returns None if onnxruntime cannot use the device; onnxruntime then logs the reason.
    """
    onnxruntime.preload_dlls()  # CUDA's libraries are in packages of their own, where the dynamic loader does not look
    lanes = []
    for _ in range(LANES):
        sessions = _sessions(graphs, sizes, precision)
        if any(one.get_providers()[0] != CUDA for of_size in sessions.values() for _, one in of_size):
            return None
        lanes.append(Lane(sessions, side))
    return Cuda(lanes)


def _sessions(graphs: Sequence[Graph], sizes: Sequence[int], precision: Precision) -> dict[int, Sessions]:
    """Sessions by batch size. For the largest, which a busy service runs, every algorithm is tried for each layer.

    Doing so at every size would delay the start. So the largest size has its own sessions and weights, and the others
    share theirs.
    """
    searches: dict[int, Search] = dict.fromkeys(sizes, "HEURISTIC")
    searches[sizes[-1]] = "EXHAUSTIVE"
    made: dict[Search, Sessions] = {}
    for search in dict.fromkeys(searches.values()):
        chosen = [(CUDA, provider_options(precision, search))]
        made[search] = [
            (frame, onnxruntime.InferenceSession(data, session_options(1), providers=chosen)) for frame, data in graphs
        ]
    return {size: made[search] for size, search in searches.items()}


def provider_options(precision: Precision, search: Search) -> dict[str, str]:
    """The options of onnxruntime's CUDA provider."""
    return {
        "enable_cuda_graph": "1",
        "prefer_nhwc": "1",
        "use_tf32": str(int(precision == "float16")),  # 0 would exclude float16 from tensor cores too
        "cudnn_conv_algo_search": search,
    }


def batch_sizes(max_batch: int) -> list[int]:
    """The powers of two below the largest batch, and the largest batch itself: padding never doubles the work."""
    return [1 << power for power in range((max_batch - 1).bit_length())] + [max_batch]


class Cuda:
    """The first CUDA device."""

    def __init__(self, lanes: Sequence["Lane"]) -> None:
        self.provider = lanes[0].provider
        self.max_batch = lanes[0].max_batch
        self._free: SimpleQueue[Lane] = SimpleQueue()
        for lane in lanes:
            self._free.put(lane)

    def logits(self, views: Views) -> Logits:
        """Prepared images [N, S, S] uint8 in each frame → logits [M, N, 3]."""
        lane = self._free.get()
        try:
            return np.concatenate([lane.logits(batch) for batch in parts_of(views, self.max_batch)], axis=1)
        finally:
            self._free.put(lane)


class Lane:
    """Every member at every batch size, captured in one thread: a captured graph belongs to its thread."""

    def __init__(self, sessions: Mapping[int, Sessions], side: int) -> None:
        """`sessions`: by batch size, in ascending order."""
        self.max_batch = max(sessions)
        self.provider: str = sessions[self.max_batch][0][1].get_providers()[0]
        self._thread = ThreadPoolExecutor(1, "cuda")
        copies = self._thread.submit(Copies).result()
        self._captured = [
            self._thread.submit(Captured, of, side, size, copies).result() for size, of in sessions.items()
        ]

    def logits(self, views: Views) -> Logits:
        """Prepared images [N ≤ max_batch, S, S] uint8 in each frame → logits [M, N, 3]."""
        captured = next(captured for captured in self._captured if captured.size >= count_of(views))
        return self._thread.submit(captured.logits, views).result()


class Captured:
    """Every member at one batch size."""

    def __init__(self, sessions: Sessions, side: int, size: int, copies: Copies) -> None:
        self.size = size
        self._inputs = {frame: Input(side, size, copies) for frame, _ in sessions}
        self._runs = [Run(session, self._inputs[frame].image, size, copies) for frame, session in sessions]
        for _ in range(RUNS_BEFORE_REPLAY):
            self.logits({frame: np.zeros((size, side, side), np.uint8) for frame in self._inputs})

    def logits(self, views: Views) -> Logits:
        """Prepared images [N ≤ size, S, S] uint8 in each frame → logits [M, N, 3]."""
        for frame, its in self._inputs.items():
            its.take(views[frame])
        return np.stack([run.logits()[: count_of(views)] for run in self._runs])


class Input:
    """A buffer on the device for the images of one frame. Rows of padding keep their earlier content."""

    def __init__(self, side: int, size: int, copies: Copies) -> None:
        self._copies = copies
        self.image = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros((size, 1, side, side), np.uint8), "cuda", 0)

    def take(self, images: Images) -> None:
        """Copy images [N ≤ size, S, S] to the device."""
        self._copies.to_device(self.image.data_ptr(), np.ascontiguousarray(images))


class Run:
    """A member's session with its input and output bound on the device."""

    def __init__(self, session: onnxruntime.InferenceSession, image: Any, size: int, copies: Copies) -> None:
        labels = next(output.shape[1] for output in session.get_outputs() if output.name == OUTPUT)
        self._session, self._copies, self._shape = session, copies, (size, labels)
        self._logits = onnxruntime.OrtValue.ortvalue_from_shape_and_type(self._shape, np.float32, "cuda", 0)
        self._binding = session.io_binding()
        self._binding.bind_ortvalue_input(INPUT, image)
        self._binding.bind_ortvalue_output(OUTPUT, self._logits)
        self._options = onnxruntime.RunOptions()
        self._options.add_run_config_entry("gpu_graph_id", str(size))

    def logits(self) -> Logits:
        """The logits [size, 3] of the images in the input."""
        self._session.run_with_iobinding(self._binding, self._options)
        logits = np.empty(self._shape, np.float32)
        self._copies.from_device(logits, self._logits.data_ptr())
        return logits
