"""Take radiographs from the spool, ask the service, and store the results or the refusal in the spool."""

import logging
from collections import Counter
from typing import Final

from hospital.backoff import Backoff
from hospital.client import NotNow, Refused, Service
from hospital.metrics import Metrics
from hospital.spool import Job, Spool

logger = logging.getLogger("cxr.pacs")

ATTEMPTS: Final = 5
"""How often the service may fail on one file before the file counts as refused. Otherwise a file that crashes the
explainer would do so forever."""
_IDLE_S: Final = 0.25


class Worker:
    """Answers one radiograph after another. Run each worker in one thread; several may share a spool."""

    def __init__(self, spool: Spool, service: Service, metrics: Metrics, backoff: Backoff | None = None) -> None:
        self._spool = spool
        self._service = service
        self._metrics = metrics
        self._backoff = backoff or Backoff()
        self._failures: Counter[str] = Counter()

    def step(self) -> float:
        """Answer a radiograph, if one waits. Returns the seconds to wait before the next call."""
        job = self._spool.claim()
        if job is None:
            return _IDLE_S
        try:
            objects = self._service.objects(job.path.read_bytes())
        except Refused as refused:
            self._refuse(job, refused.code)
        except NotNow as error:
            return self._postpone(job, error)
        else:
            self._spool.answer(job, objects)
            self._metrics.answered.inc()
        self._backoff.succeeded()
        self._failures.pop(job.name, None)
        return 0.0

    def _postpone(self, job: Job, error: NotNow) -> float:
        self._metrics.postponed.inc()
        self._failures[job.name] += error.of_the_file
        if self._failures[job.name] >= ATTEMPTS:
            self._refuse(job, error.code)
            del self._failures[job.name]
            return 0.0
        self._spool.release(job)
        wait_s = self._backoff.failed(error.after_s)
        logger.warning("the service cannot answer (%s): the next attempt is in %.0f s", error.code, wait_s)
        return wait_s

    def _refuse(self, job: Job, code: str) -> None:
        logger.warning("a radiograph was refused: %s", code)
        self._spool.refuse(job, code)
        self._metrics.refused.inc()
