"""Combine single images into batches, for a device that is faster with batches.

On a CPU a batch of eight takes as long as eight single images, so there is no batcher.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Condition, Lock, Thread
from typing import Final

from cxr.arrays import Logits, Views
from cxr.model.cuda import LANES
from cxr.model.views import batched

WINDOW_S: Final = 0.005
"""About as long as a run takes when several services share the device."""

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
            run: [N, S, S] uint8 in each frame → logits [M, N, 3], for N up to `max_batch`; called in `LANES` threads.
            max_batch: the largest N.
            coming: the number of images in progress, including those that wait here or run.
        """
        self._run = run
        self._max_batch = max_batch
        self._coming = coming
        self._waiting: list[Waiting] = []
        self._came = Condition()
        self._gathering = Lock()  # one lane gathers at a time, so that two lanes do not split one full batch
        self._running = 0  # lanes
        self._at_work = 0  # images in these lanes
        self._paused = self._closed = False
        for _ in range(LANES):
            Thread(target=self._lane, name="batch", daemon=True).start()

    def submit(self, image: Views) -> "Future[Logits]":
        """Submit one image, [S, S] uint8 in each frame. The future gets its logits [M, 1, 3] or an error of `run`."""
        future: Future[Logits] = Future()
        with self._came:
            self._waiting.append((image, future))
            self._came.notify_all()
        return future

    @contextmanager
    def paused(self) -> Iterator[None]:
        """A context in which no batch runs. Images that arrive meanwhile wait."""
        with self._came:
            self._paused = True
            self._came.wait_for(lambda: not self._running)
        try:
            yield
        finally:
            with self._came:
                self._paused = False
                self._came.notify_all()

    def close(self) -> None:
        """End the threads. Nothing may be submitted afterwards."""
        with self._came:
            self._closed = True
            self._came.notify_all()

    def _lane(self) -> None:
        while not self._closed:
            with self._gathering:
                batch = self._gather()
            self._work(batch)
            with self._came:
                self._running -= 1
                self._at_work -= len(batch)
                self._came.notify_all()

    def _gather(self) -> list[Waiting]:
        """Wait for the next batch."""
        with self._came:
            self._came.wait_for(lambda: self._closed or (self._waiting and not self._paused))
            self._running += 1
            self._came.wait_for(self._complete, WINDOW_S)
            batch, self._waiting = self._waiting[: self._max_batch], self._waiting[self._max_batch :]
            self._at_work += len(batch)
        return batch

    def _complete(self) -> bool:
        return len(self._waiting) >= min(self._max_batch, self._coming() - self._at_work)

    def _work(self, batch: list[Waiting]) -> None:
        """Run a batch and set the results of its images. An empty batch is skipped."""
        if not batch:
            return
        try:
            logits = self._run(batched([image for image, _ in batch]))
        except Exception as error:
            for _, future in batch:
                future.set_exception(error)
        else:
            for index, (_, future) in enumerate(batch):
                future.set_result(logits[:, index : index + 1])
