"""The DICOM node that receives radiographs from an archive or a router: C-ECHO, and C-STORE into the spool.

It accepts only CR images and DX images for presentation. So results that a router sends back have no accepted
presentation context and cannot loop. It answers success once the radiograph is on the disk.
"""

import logging
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydicom.uid import ComputedRadiographyImageStorage, DigitalXRayImageStorageForPresentation
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, _config, evt
from pynetdicom.events import Event

from hospital.metrics import Metrics
from hospital.spool import Spool, SpoolFull

logger = logging.getLogger("cxr.pacs")

RADIOGRAPHS: Final = (ComputedRadiographyImageStorage, DigitalXRayImageStorageForPresentation)
VERIFICATION: Final = "1.2.840.10008.1.1"
TITLE: Final = "CXR"

# Statuses of C-STORE (PS3.4, B.2.3).
SUCCESS: Final = 0x0000
OUT_OF_RESOURCES: Final = 0xA700
CANNOT_UNDERSTAND: Final = 0xC000

_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Node:
    """The receiver's address and title.

    callers: AE titles that may call; if empty, all may
    tls:     context with the receiver's certificate; None: without TLS
    """

    host: str = "127.0.0.1"
    port: int = 11112
    title: str = TITLE
    callers: Sequence[str] = ()
    associations: int = 8
    tls: ssl.SSLContext | None = None


@contextmanager
def receiving(node: Node, spool: Spool, metrics: Metrics) -> Iterator[int]:
    """Receive into a spool while the context lasts. Yields the port. Raises OSError if the port is in use."""
    _be_quiet()
    _config.STORE_RECV_CHUNKED_DATASET = True  # write a radiograph to the disk while it arrives, and not to memory
    elsewhere, tempfile.tempdir = tempfile.tempdir, str(spool.root / "tmp")
    entity = AE(ae_title=node.title)
    for sop_class in RADIOGRAPHS:
        entity.add_supported_context(sop_class, ALL_TRANSFER_SYNTAXES)
    entity.add_supported_context(VERIFICATION)
    entity.maximum_associations = node.associations
    entity.network_timeout = entity.acse_timeout = entity.dimse_timeout = _TIMEOUT_S
    entity.require_called_aet = True
    entity.require_calling_aet = list(node.callers)
    handlers: list[Any] = [
        (evt.EVT_C_ECHO, lambda _event: SUCCESS),
        (evt.EVT_C_STORE, lambda event: _store(event, spool, metrics)),
        (evt.EVT_REJECTED, lambda _event: metrics.rejected.inc()),
    ]
    server = entity.start_server((node.host, node.port), block=False, ssl_context=node.tls, evt_handlers=handlers)
    assert server is not None
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        tempfile.tempdir = elsewhere


def _store(event: Event, spool: Spool, metrics: Metrics) -> int:
    """Answer one C-STORE."""
    uid = event.request.AffectedSOPInstanceUID  # type: ignore[union-attr]
    if not uid or event.request.AffectedSOPClassUID not in RADIOGRAPHS:
        return CANNOT_UNDERSTAND
    try:
        spool.accept(Path(event.dataset_path), uid)
    except SpoolFull:
        logger.error("a radiograph was rejected: the spool or its disk is full")
        metrics.turned_away.inc()
        return OUT_OF_RESOURCES
    except OSError as error:
        logger.error("a radiograph was rejected: the disk failed with errno %s", error.errno)
        metrics.turned_away.inc()
        return OUT_OF_RESOURCES
    metrics.received.inc()
    return SUCCESS


def _be_quiet() -> None:
    """Silence pynetdicom, which logs identifiers, titles and the text of exceptions."""
    _config.LOG_HANDLER_LEVEL = "none"
    _config.LOG_REQUEST_IDENTIFIERS = _config.LOG_RESPONSE_IDENTIFIERS = False
    for name in ("pynetdicom", "pydicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
