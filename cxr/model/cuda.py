"""Run networks on a CUDA device: for fixed batch sizes, each captured once as a CUDA graph and then replayed.

A network's hundreds of kernels then need one launch; for small batches launching takes most of the time. A graph uses
fixed addresses, so inputs and outputs are bound, and a batch is padded to the next captured size. Copies and networks
are sent to one stream, and the host waits once for all of them: on a device with several processes each wait is long.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Final, Literal

import numpy as np
import onnxruntime

from cxr.arrays import Images, Logits, Views
from cxr.model.bundle import Precision
from cxr.model.cuda_driver import Stream, Turns
from cxr.model.sessions import INPUT, OUTPUT, Graph, session_options
from cxr.model.views import count_of, parts_of

CUDA: Final = "CUDAExecutionProvider"

LANES: Final = 3
"""While the host writes or reads for one lane, the networks of the others run."""

AT_ONCE: Final = 2
"""Lanes whose networks run at once. The third's batch is ready when one of them ends.

If all ran at once, they would also end at once, and the device would idle while the host reads and writes. On H200s two
at once had 1.18 (ResNet-18), 1.02 (VGG-19-BN) and 1.02 (DenseNet-161) of the rate of three, and 1.07, 0.99 and 1.06 of
the rate of one, in batches of 128; 1.04 and 1.40 with single images of ResNet-18. Differences of 0.02 are noise."""

READ_DIRECTLY: Final = 8
"""The largest batch that networks read from the host's memory. On H200s, the rate of copied batches ÷ that of batches
read directly: 0.77 for single images of ResNet-18, 1.16 for batches of 128; and 0.86 over HTTP with 14 services on the
device, in batches of 2."""

RUNS_BEFORE_REPLAY: Final = 3  # onnxruntime captures in the second run and replays from the third on

Sessions = Sequence[tuple[str, onnxruntime.InferenceSession]]
"""The members' sessions, each with the frame that its member sees."""

Search = Literal["HEURISTIC", "EXHAUSTIVE"]


class FellBack(RuntimeError):
    """onnxruntime could not load its CUDA provider, and took the CPU's."""


def load(graphs: Sequence[Graph], side: int, sizes: Sequence[int], precision: Precision) -> "Cuda | None":
    """Load and capture the graphs on the first CUDA device, for these batch sizes in ascending order.

    Returns None if onnxruntime cannot use the device; onnxruntime then logs the reason.

    Raises:
        CudaError: the driver refuses a call, for example because memory is short.
    """
    onnxruntime.preload_dlls()  # CUDA's libraries are in packages of their own, where the dynamic loader does not look
    try:
        turns = Turns(AT_ONCE)
        return Cuda([Lane(graphs, side, sizes, precision, turns) for _ in range(LANES)])
    except FellBack:
        return None


def provider_options(precision: Precision, search: Search, stream: int) -> dict[str, str]:
    """The options of onnxruntime's CUDA provider. `stream`: the address of the stream to use."""
    return {
        "user_compute_stream": str(stream),
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
        self.provider = CUDA
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

    def __init__(
        self, graphs: Sequence[Graph], side: int, sizes: Sequence[int], precision: Precision, turns: Turns
    ) -> None:
        """Raises FellBack or CudaError if the device cannot be used."""
        self.max_batch = sizes[-1]
        self._thread = ThreadPoolExecutor(1, "cuda")
        self._captured = self._thread.submit(_captured, graphs, side, sizes, precision, turns).result()

    def logits(self, views: Views) -> Logits:
        """Prepared images [N ≤ max_batch, S, S] uint8 in each frame → logits [M, N, 3]."""
        captured = next(captured for captured in self._captured if captured.size >= count_of(views))
        return self._thread.submit(captured.logits, views).result()


def _captured(
    graphs: Sequence[Graph], side: int, sizes: Sequence[int], precision: Precision, turns: Turns
) -> list["Captured"]:
    stream = Stream()
    sessions = _sessions(graphs, sizes, precision, stream)
    return [Captured(sessions[size], side, size, stream, turns) for size in sizes]


def _sessions(
    graphs: Sequence[Graph], sizes: Sequence[int], precision: Precision, stream: Stream
) -> dict[int, Sessions]:
    """Sessions by batch size. For the largest, which a busy service runs, every algorithm is tried for each layer.

    Doing so at every size would delay the start. So the largest size has its own sessions and weights, and the others
    share theirs.
    """
    searches: dict[int, Search] = dict.fromkeys(sizes, "HEURISTIC")
    searches[sizes[-1]] = "EXHAUSTIVE"
    made: dict[Search, Sessions] = {}
    for search in dict.fromkeys(searches.values()):
        options = provider_options(precision, search, stream.address)
        made[search] = [(frame, _session(data, options)) for frame, data in graphs]
    return {size: made[search] for size, search in searches.items()}


def _session(graph: bytes, options: dict[str, str]) -> onnxruntime.InferenceSession:
    session = onnxruntime.InferenceSession(graph, session_options(1), providers=[(CUDA, options)])
    if session.get_providers()[0] != CUDA:
        raise FellBack
    return session


class Captured:
    """Every member at one batch size."""

    def __init__(self, sessions: Sessions, side: int, size: int, stream: Stream, turns: Turns) -> None:
        self.size = size
        self._stream, self._turns = stream, turns
        self._inputs = {frame: Input(side, size, stream) for frame, _ in sessions}
        self._runs = [Run(session, self._inputs[frame], stream) for frame, session in sessions]
        for _ in range(RUNS_BEFORE_REPLAY):
            self.logits({frame: np.zeros((size, side, side), np.uint8) for frame in self._inputs})

    def logits(self, views: Views) -> Logits:
        """Prepared images [N ≤ size, S, S] uint8 in each frame → logits [M, N, 3]."""
        for frame, its in self._inputs.items():
            its.begin(views[frame])
        with self._turns.turn(self._stream):
            for run in self._runs:
                run.begin()
        self._stream.wait()
        return np.stack([run.output[: count_of(views)] for run in self._runs])


class Input:
    """The images of one frame, in memory that the device can read. Large batches are copied from there to its own.

    The copy leaves the networks' time to other lanes. For a small batch it costs more than it saves: it is one more
    piece of work that waits for its turn.
    """

    def __init__(self, side: int, size: int, stream: Stream) -> None:
        self.shape = (size, 1, side, side)
        self._images, self._stream = stream.shared(self.shape, np.uint8), stream
        on_device = onnxruntime.OrtValue.ortvalue_from_shape_and_type
        self._copy = on_device(self.shape, np.uint8, "cuda", 0) if size > READ_DIRECTLY else None
        self.address: int = self._images.ctypes.data if self._copy is None else self._copy.data_ptr()

    def begin(self, images: Images) -> None:
        """Give it images [N ≤ size, S, S]. Rows of padding keep their earlier content."""
        its = self._images[: len(images)]
        its[:, 0] = images
        if self._copy is not None:
            self._stream.send(its, self.address)


class Run:
    """A member's session with its input bound and its output in shared memory."""

    def __init__(self, session: onnxruntime.InferenceSession, images: Input, stream: Stream) -> None:
        size = images.shape[0]
        labels = next(output.shape[1] for output in session.get_outputs() if output.name == OUTPUT)
        self.output: Logits = stream.shared((size, labels), np.float32)
        self._session = session
        self._binding = session.io_binding()
        self._binding.bind_input(INPUT, "cuda", 0, np.uint8, images.shape, images.address)
        self._binding.bind_output(OUTPUT, "cuda", 0, np.float32, self.output.shape, self.output.ctypes.data)
        self._options = onnxruntime.RunOptions()
        self._options.add_run_config_entry("gpu_graph_id", str(size))
        self._options.add_run_config_entry("disable_synchronize_execution_providers", "1")

    def begin(self) -> None:
        """Send the work to the device. The output [size, 3] is right when the stream has been waited for."""
        self._session.run_with_iobinding(self._binding, self._options)
