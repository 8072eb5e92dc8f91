"""Send results to the archive by C-STORE or STOW-RS, and retry until they have arrived."""

import logging
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final, Protocol

import httpx
from pydicom import dcmread
from pydicom.dataset import FileDataset
from pynetdicom import AE

from hospital.backoff import Backoff
from hospital.metrics import Metrics
from hospital.receiver import TITLE
from hospital.spool import Spool

logger = logging.getLogger("cxr.pacs")

# Statuses of C-STORE that mean that the archive has the object (PS3.4, B.2.3): success, coercion and other warnings,
# and that it had it before.
_ARRIVED: Final = frozenset({0x0000, 0xB000, 0xB006, 0xB007, 0x0111})
_TIMEOUT_S: Final = 30.0
_IDLE_S: Final = 0.25


class Unreachable(Exception):
    """The archive does not answer."""


class Archive(Protocol):
    """The destination of results."""

    def store(self, objects: Sequence[FileDataset]) -> bool:
        """Send objects. Returns whether the archive accepted all of them. Raises Unreachable."""


@dataclass(frozen=True, slots=True)
class Dimse:
    """An archive with C-STORE: its address and title, our title, and the TLS context if it uses TLS."""

    host: str
    port: int
    title: str
    own_title: str = TITLE
    tls: ssl.SSLContext | None = None

    def store(self, objects: Sequence[FileDataset]) -> bool:
        entity = AE(ae_title=self.own_title)
        entity.network_timeout = entity.acse_timeout = entity.dimse_timeout = _TIMEOUT_S
        entity.connection_timeout = 5.0
        for made in objects:
            entity.add_requested_context(made.SOPClassUID, made.file_meta.TransferSyntaxUID)
        tls: Any = (self.tls, self.host) if self.tls else None
        association = entity.associate(self.host, self.port, ae_title=self.title, tls_args=tls)
        if not association.is_established:
            raise Unreachable
        try:
            return all(_status(association.send_c_store(made)) in _ARRIVED for made in objects)
        except ValueError:  # it does not accept this class
            return False
        finally:
            association.release()


@dataclass(frozen=True, slots=True)
class Stow:
    """An archive with STOW-RS (PS3.18, 10.5): its URL up to /studies, and a user's name and password."""

    url: str
    auth: tuple[str, str] | None = None

    def store(self, objects: Sequence[FileDataset]) -> bool:
        boundary = "cxr-" + str(objects[0].SOPInstanceUID).replace(".", "-")
        body = b"".join(
            f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode() + _file(made) + b"\r\n"
            for made in objects
        )
        headers = {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
            "Accept": "application/dicom+json",
        }
        try:
            response = httpx.post(
                f"{self.url.rstrip('/')}/studies",
                content=body + f"--{boundary}--\r\n".encode(),
                headers=headers,
                auth=self.auth,
                timeout=_TIMEOUT_S,
            )
        except httpx.HTTPError:
            raise Unreachable from None
        try:
            return response.status_code == 200 and not _failed(response.json())
        except ValueError:
            return False


class Sender:
    """Sends one result after another. Run it in a single thread."""

    def __init__(
        self, spool: Spool, archive: Archive, metrics: Metrics, keep_s: float = 0.0, backoff: Backoff | None = None
    ) -> None:
        """`keep_s`: seconds to keep results after they have arrived."""
        self._spool = spool
        self._archive = archive
        self._metrics = metrics
        self._keep_s = keep_s
        self._backoff = (
            backoff or Backoff()
        )  # one backoff for the archive, and one for each result that it does not accept
        self._backoffs: dict[str, Backoff] = {}
        self._due: dict[str, float] = {}

    def step(self) -> float:
        """Send the results that are due. Returns the seconds to wait before the next call.

        A result that the archive does not accept does not block others. If the archive is unreachable, all wait.
        """
        for result in self._spool.results():
            try:
                if self._due.get(result.name, 0.0) <= time.monotonic():
                    self._send(result)
            except Unreachable:
                self._metrics.send_failures.inc()
                wait_s = self._backoff.failed()
                logger.warning("the archive cannot be reached: the next attempt is in %.0f s", wait_s)
                return wait_s
        self._backoff.succeeded()
        self._spool.expire(self._keep_s)
        return _IDLE_S

    def _send(self, result: Path) -> None:
        if self._archive.store(_read(result)):
            self._spool.sent(result)
            self._metrics.sent.inc()
            self._due.pop(result.name, None)
            self._backoffs.pop(result.name, None)
            return
        self._metrics.send_failures.inc()
        wait_s = self._backoffs.setdefault(result.name, Backoff()).failed()
        self._due[result.name] = time.monotonic() + wait_s
        logger.warning("the archive did not take a result: the next attempt is in %.0f s", wait_s)


def _read(result: Path) -> list[FileDataset]:
    return [dcmread(path) for path in sorted(result.iterdir())]


def _status(answer: Any) -> int:
    """The status of a C-STORE's answer; -1 without an answer."""
    return int(answer.Status) if "Status" in answer else -1


def _file(made: FileDataset) -> bytes:
    stream = BytesIO()
    made.save_as(stream)
    return stream.getvalue()


def _failed(answer: Any) -> bool:
    """Whether a STOW answer lists an instance that was not stored. The sequence is always there, but usually empty."""
    return bool(answer.get("00081198", {}).get("Value"))
