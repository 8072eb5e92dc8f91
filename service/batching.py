"""Combine single images into batches, for a device that is faster with batches.

On a CPU a batch of eight takes as long as eight single images, so there is no batcher.
"""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Condition, Lock, Thread
from typing import Final

from cxr.arrays import Logits, Views
from cxr.model.cuda import LANES
from cxr.model.views import batched

WINDOW_S: Final = 0.002

Waiting = tuple[Views, "Future[Logits]"]


class Batcher:
    """Collects images for a short time and runs them together.

    A batch starts when it is full, when no other image is coming, or when the time window ends. No batch starts while
    all lanes are busy, so that batches grow under load. The number of waiting images is limited by
    `service.admission.Admission`.
    """

    def __init__(self, run: Callable[[Views], Logits], max_batch: int, coming: Callable[[], int]) -> None:
        """
        Args:
            run: [N, S, S] uint8 in each frame → [M, N, 3], for N up to `max_batch`; called in threads, `LANES` at once.
            max_batch: the largest N.
            coming: the number of images in progress, including those that wait here.
        """
        self._run = run
        self._max_batch = max_batch
        self._coming = coming
        self._waiting: list[Waiting] = []
        self._came = Condition()
        self._gathering = Lock()  # a lane at a time, so that two do not share what would fill one
        for _ in range(LANES):
            Thread(target=self._lane, name="batch", daemon=True).start()

    def submit(self, image: Views) -> "Future[Logits]":
        """One image [S, S] uint8 in each frame → a future of its logits [M, 1, 3], or of the exception of `run`."""
        future: Future[Logits] = Future()
        with self._came:
            self._waiting.append((image, future))
            self._came.notify()
        return future

    def _lane(self) -> None:
        while True:
            with self._gathering:
                batch = self._gather()
            self._work(batch)

    def _gather(self) -> list[Waiting]:
        """Wait for the next batch."""
        with self._came:
            self._came.wait_for(lambda: self._waiting)
            self._came.wait_for(self._complete, WINDOW_S)
            batch, self._waiting = self._waiting[: self._max_batch], self._waiting[self._max_batch :]
        return batch

    def _complete(self) -> bool:
        return len(self._waiting) >= min(self._max_batch, self._coming())

    def _work(self, batch: list[Waiting]) -> None:
        """Run a batch and hand out its results."""
        try:
            logits = self._run(batched([image for image, _ in batch]))
        except Exception as error:
            for _, future in batch:
                future.set_exception(error)
        else:
            for index, (_, future) in enumerate(batch):
                future.set_result(logits[:, index : index + 1])
