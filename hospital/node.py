"""`cxr pacs serve` in one process: receiver, workers, sender, feeder and metrics, until it is stopped."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hospital.backoff import Backoff
from hospital.client import Service
from hospital.feeders import OrthancChanges
from hospital.metrics import Metrics
from hospital.receiver import Node, receiving
from hospital.sender import Archive, Sender
from hospital.spool import Spool
from hospital.worker import Worker

logger = logging.getLogger("cxr.pacs")

_JOIN_S: Final = 10.0

Step = Callable[[], float]
"""Does the available work, and returns the seconds to wait before the next call."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The parts of a node.

    workers: number of radiographs sent to the service at once
    keep_s:  seconds to keep results after they have arrived
    changes: an Orthanc to fetch new radiographs from, in addition to the receiver
    metrics: address of /metrics, or None
    """

    node: Node
    service: Service
    archive: Archive
    workers: int = 1
    keep_s: float = 0.0
    changes: OrthancChanges | None = None
    metrics: tuple[str, int] | None = None


def run(plan: Plan, spool: Spool, ended: threading.Event) -> None:
    """Serve until `ended` is set. Raises SpoolInUse, and OSError where a port is taken."""
    metrics = Metrics()
    metrics.watch(spool)
    if plan.metrics is not None:
        metrics.serve(*plan.metrics)
    steps: list[Step] = [Worker(spool, plan.service, metrics).step for _ in range(plan.workers)]
    steps.append(Sender(spool, plan.archive, metrics, plan.keep_s).step)
    if plan.changes is not None:
        steps.append(plan.changes.step)
    with spool.served(), receiving(plan.node, spool, metrics) as port:
        logger.info("listening as %s at %s:%d", plan.node.title, plan.node.host, port)
        threads = [threading.Thread(target=repeat, args=(step, ended), daemon=True) for step in steps]
        for thread in threads:
            thread.start()
        ended.wait()
        for thread in threads:
            thread.join(_JOIN_S)
    logger.info("ended")


def repeat(step: Step, ended: threading.Event) -> None:
    """Repeat a step until `ended` is set. A step that fails is retried later, so that the thread survives any error."""
    backoff = Backoff()
    while not ended.is_set():
        try:
            wait_s = step()
            backoff.succeeded()
        except Exception as error:  # for example a full disk or a damaged file
            wait_s = backoff.failed()
            logger.error("unexpected %s: the next attempt is in %.0f s", type(error).__name__, wait_s)
        ended.wait(wait_s)
