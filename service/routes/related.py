"""Several files in one answer: multipart/related (RFC 2387), as in DICOMweb (PS3.18, 8.6.1.2)."""

import hashlib
from collections.abc import Mapping

from starlette.responses import Response

from service.routes.negotiation import DICOM, RELATED


def related(files: Mapping[str, bytes]) -> Response:
    """DICOM files, each a part with its name as Content-ID. The boundary is a hash of the files; none contains it."""
    boundary = hashlib.sha256(b"".join(files.values())).hexdigest()
    body = b"".join(
        f"--{boundary}\r\nContent-Type: {DICOM}\r\nContent-ID: <{name}>\r\n\r\n".encode() + data + b"\r\n"
        for name, data in files.items()
    )
    content_type = f'{RELATED}; type="{DICOM}"; boundary={boundary}'
    return Response(body + f"--{boundary}--\r\n".encode(), headers={"Content-Type": content_type})
