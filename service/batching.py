"""Images that come one by one → batches for a device that is faster with several.

On a processor a batch of eight takes as long as eight images, and there is no batcher.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np

from cxr.arrays import Images, Logits
from cxr.model.cuda import LANES

WINDOW_S: Final = 0.002

Waiting = tuple[Images, "asyncio.Future[Logits]"]


class Batcher:
    """Gathers images for a moment and runs them together.

    A batch goes when it is full, when nobody else is on the way, or when its first image has waited for the window;
    and no batch goes while all lanes are taken, so that batches grow by themselves under load. The queue is bounded
    by who calls: no more images wait than `service.gate.Gate` lets in.
    """

    def __init__(self, run: Callable[[Images], Logits], max_batch: int, coming: Callable[[], int]) -> None:
        """
        Args:
            run: [N, S, S] uint8 → [M, N, 3], for N up to `max_batch`; called in threads, `LANES` at once.
            max_batch: the largest N.
            coming: how many images are being worked on, those that wait here among them.
        """
        self._run = run
        self._max_batch = max_batch
        self._coming = coming
        self._threads = ThreadPoolExecutor(LANES, "batch")
        self._free = LANES
        self._waiting: list[Waiting] = []
        self._timer: asyncio.TimerHandle | None = None

    async def logits(self, image: Images) -> Logits:
        """One image [S, S] uint8 → [M, 1, 3], as `run` gives it in a batch; what `run` raises."""
        future: asyncio.Future[Logits] = asyncio.get_running_loop().create_future()
        self._waiting.append((image, future))
        self._go()
        return await future

    def _go(self, window_is_over: bool = False) -> None:
        """Send off what should not wait any longer."""
        while self._free and self._waiting and (window_is_over or self._complete()):
            batch, self._waiting = self._waiting[: self._max_batch], self._waiting[self._max_batch :]
            self._free -= 1
            self._stop_timer()
            asyncio.get_running_loop().run_in_executor(self._threads, self._work, batch).add_done_callback(self._done)
            window_is_over = False
        if self._free and self._waiting and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WINDOW_S, self._window_over)

    def _complete(self) -> bool:
        return len(self._waiting) >= min(self._max_batch, self._coming())

    def _window_over(self) -> None:
        self._timer = None
        self._go(window_is_over=True)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _work(self, batch: list[Waiting]) -> None:
        """In a thread: run a batch and hand out its results."""
        loop = batch[0][1].get_loop()
        try:
            logits = self._run(np.stack([image for image, _ in batch]))
        except Exception as error:
            loop.call_soon_threadsafe(_fail, batch, error)
        else:
            loop.call_soon_threadsafe(_answer, batch, logits)

    def _done(self, _: "asyncio.Future[None]") -> None:
        self._free += 1
        self._go()


def _answer(batch: list[Waiting], logits: Logits) -> None:
    for index, (_, future) in enumerate(batch):
        if not future.done():  # its caller may have gone
            future.set_result(logits[:, index : index + 1])


def _fail(batch: list[Waiting], error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
