"""Stand-ins for the peers of `cxr pacs`: a DICOM archive, the HTTP service, and a sending modality."""

import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import Comprehensive3DSRStorage, SecondaryCaptureImageStorage  # type: ignore[attr-defined]

from tests import files

Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def archive(
    received: list[Dataset],
    status: Callable[[], int] = lambda: 0x0000,
    classes: Sequence[str] = (),
    port: int = 0,
    tls: ssl.SSLContext | None = None,
) -> Iterator[int]:
    """An archive that accepts results. Yields its port. `classes`: accepted SOP classes, by default both."""
    entity = AE(ae_title="ARCHIVE")
    for sop_class in classes or (Comprehensive3DSRStorage, SecondaryCaptureImageStorage):
        entity.add_supported_context(sop_class)

    def store(event: Any) -> int:
        answer = status()
        if answer == 0x0000:
            received.append(event.dataset)
        return answer

    handlers: list[Any] = [(evt.EVT_C_STORE, store)]
    server = entity.start_server(("127.0.0.1", port), block=False, ssl_context=tls, evt_handlers=handlers)
    assert server is not None
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


@contextmanager
def service(answer: Callable[[dict[str, str], bytes], Answer]) -> Iterator[str]:
    """An HTTP server for POST. The function gets a request's header fields (names in lower case) and body, and returns
    status, header fields and body."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers, content = answer({name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(content))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def send(port: int, data: bytes, called: str = "CXR", calling: str = "MODALITY") -> int | None:
    """The status of a C-STORE of a file; None without an association or an accepted presentation context."""
    dataset = files.parse(data)
    entity = AE(ae_title=calling)
    entity.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
    association = entity.associate("127.0.0.1", port, ae_title=called)
    if not association.is_established:
        return None
    try:
        return int(association.send_c_store(dataset).Status)
    except ValueError:
        return None
    finally:
        association.release()


def echo(port: int, called: str = "CXR", tls: ssl.SSLContext | None = None) -> int | None:
    entity = AE(ae_title="MODALITY")
    entity.add_requested_context("1.2.840.10008.1.1")
    given: Any = (tls, "127.0.0.1") if tls else None
    association = entity.associate("127.0.0.1", port, ae_title=called, tls_args=given)
    if not association.is_established:
        return None
    status = int(association.send_c_echo().Status)
    association.release()
    return status
