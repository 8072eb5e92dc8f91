"""The client of `cxr pacs` for the service. It uses the HTTP API, with the same limits, metrics and restarts."""

import email.policy
import re
from email.parser import BytesParser
from typing import Final

import httpx

DICOM: Final = "application/dicom"

# Statuses that a retry cannot change. Other errors end by themselves or need the operator.
_FINAL: Final = frozenset({400, 406, 413, 415, 422})
# Statuses of a failure that the file may have caused: a few retries are useful.
_ATTEMPTS: Final = frozenset({500, 504})
_FATAL_TO_EXPLAINER: Final = "explainer_died"
_CODE: Final = re.compile(r"[a-z0-9_]{1,40}")
_TIMEOUT: Final = httpx.Timeout(240.0, connect=5.0)


class Refused(Exception):
    """The service refuses this file."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class NotNow(Exception):
    """The service cannot answer now.

    after_s:     seconds that it asks to wait, or None
    of_the_file: whether the file may be the cause
    code:        the service's error code
    """

    def __init__(self, code: str, after_s: float | None = None, of_the_file: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.after_s = after_s
        self.of_the_file = of_the_file


class Service:
    """A running service."""

    def __init__(self, url: str, key: str = "") -> None:
        headers = {"Content-Type": DICOM, "Accept": f'multipart/related; type="{DICOM}"'}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        self._client = httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT)

    def objects(self, data: bytes) -> dict[str, bytes]:
        """The DICOM objects made from a DICOM file, by kind.

        Raises:
            Refused: the service refuses the file.
            NotNow: the service may answer later.
        """
        try:
            response = self._client.post("/explain", content=data)
        except httpx.HTTPError:
            raise NotNow("unreachable") from None
        if response.status_code == 200:
            return _parts(response)
        code = _code(response)
        if response.status_code in _FINAL:
            raise Refused(code)
        of_the_file = response.status_code in _ATTEMPTS or code == _FATAL_TO_EXPLAINER
        raise NotNow(code, _retry_after(response), of_the_file)


def _parts(response: httpx.Response) -> dict[str, bytes]:
    """The parts of a multipart/related answer by Content-ID."""
    head = f"Content-Type: {response.headers.get('Content-Type', '')}\r\n\r\n".encode()
    message = BytesParser(policy=email.policy.HTTP).parsebytes(head + response.content)
    found = {}
    for part in message.iter_parts():
        name = str(part.get("Content-ID", "")).strip("<>")
        payload = part.get_payload(decode=True)
        if part.get_content_type() == DICOM and _CODE.fullmatch(name) and isinstance(payload, bytes):
            found[name] = payload
    if not found:
        raise NotNow("unexpected_answer")
    return found


def _code(response: httpx.Response) -> str:
    """The error code of the service's answer; the HTTP status if something else answered."""
    try:
        code = str(response.json()["error"]["code"])
    except (ValueError, KeyError, TypeError):
        code = ""
    return code if _CODE.fullmatch(code) else f"status_{response.status_code}"


def _retry_after(response: httpx.Response) -> float | None:
    stated = response.headers.get("Retry-After", "")
    return float(stated) if re.fullmatch(r"\d{1,4}", stated) else None
