"""Other inputs of the spool: files, and the list of changes of an Orthanc."""

import logging
import os
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import httpx
from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from hospital.backoff import Backoff
from hospital.spool import Spool, SpoolFull

logger = logging.getLogger("cxr.pacs")

MODALITIES: Final = frozenset({"CR", "DX"})
"""Modalities to take. Our own results are SR and OT, and are in an archive's list of changes too."""
_POLL_S: Final = 2.0
_LIMIT: Final = 100
_CURSOR: Final = "orthanc-cursor"


class NotDicom(Exception):
    """A file is not a DICOM Part 10 file with an instance UID."""


def feed(spool: Spool, path: Path) -> None:
    """Put a file into a spool. Raises NotDicom, SpoolFull, OSError."""
    data = path.read_bytes()
    try:
        uid = str(dcmread(BytesIO(data), stop_before_pixels=True, specific_tags=["SOPInstanceUID"]).SOPInstanceUID)
    except (InvalidDicomError, AttributeError):
        raise NotDicom from None
    spool.add(data, uid)


class OrthancChanges:
    """Puts every new radiograph of an Orthanc into a spool.

    Its position in the list of changes is stored in a file of the spool, written after the radiographs. After a crash
    some radiographs are repeated, but none is missed.
    """

    def __init__(self, url: str, spool: Spool, auth: tuple[str, str] | None = None) -> None:
        """`auth`: a user's name and password."""
        self._spool = spool
        self._cursor = spool.root / _CURSOR
        self._client = httpx.Client(base_url=url, auth=auth, timeout=30.0)
        self._backoff = Backoff()

    def step(self) -> float:
        """Fetch new radiographs. Returns the seconds to wait before the next call."""
        try:
            changes = self._get("/changes", since=self._since(), limit=_LIMIT).json()
            self._take(changes["Changes"])
            self._advance(changes["Last"])
        except (httpx.HTTPError, ValueError, KeyError, TypeError, SpoolFull) as error:
            wait_s = self._backoff.failed()
            logger.warning("Orthanc's changes: %s; the next attempt is in %.0f s", type(error).__name__, wait_s)
            return wait_s
        self._backoff.succeeded()
        return _POLL_S if changes["Done"] else 0.0

    def _take(self, changes: Iterable[dict[str, Any]]) -> None:
        for change in changes:
            if change["ChangeType"] != "NewInstance":
                continue
            try:
                tags = self._get(f"/instances/{change['ID']}/simplified-tags").json()
                if tags.get("Modality") in MODALITIES:
                    self._spool.add(self._get(f"/instances/{change['ID']}/file").content, tags["SOPInstanceUID"])
            except httpx.HTTPStatusError as error:
                if error.response.status_code != httpx.codes.NOT_FOUND:  # deleted meanwhile
                    raise

    def _get(self, path: str, **query: int) -> httpx.Response:
        return self._client.get(path, params=query).raise_for_status()

    def _since(self) -> int:
        return int(self._cursor.read_text()) if self._cursor.exists() else 0

    def _advance(self, last: int) -> None:
        part = self._cursor.with_suffix(".part")
        with part.open("w") as file:
            file.write(str(last))
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._cursor)
