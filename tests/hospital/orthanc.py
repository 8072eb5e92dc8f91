"""A real Orthanc with the configuration and the router rule of deploy/, on free ports, without passwords."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from scripts.server import REPOSITORY
from scripts.waiting import wait_until_answering

PROGRAM: Final = shutil.which("Orthanc")
DICOMWEB: Final = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
HTTP_PORT, DICOM_PORT, NODE_PORT = 18042, 14242, 11112

_DEPLOY: Final = REPOSITORY / "deploy" / "orthanc"
_START_S: Final = 30


class Orthanc:
    """An Orthanc that stores everything in one folder. Its script is the router rule, for a node at `NODE_PORT`."""

    url: Final = f"http://127.0.0.1:{HTTP_PORT}"

    def __init__(self, folder: Path, script: Path = _DEPLOY / "router.lua") -> None:
        self._configuration, self._log = folder / "orthanc.json", folder / "log"
        settings = json.loads((_DEPLOY / "orthanc.json").read_text())
        settings |= {
            "StorageDirectory": str(folder / "db"),
            "IndexDirectory": str(folder / "db"),
            "Plugins": [str(DICOMWEB)],
            "LuaScripts": [str(script)],
            "HttpPort": HTTP_PORT,
            "AuthenticationEnabled": False,
            "DicomPort": DICOM_PORT,
            "DicomModalities": {"CXR": ["CXR", "127.0.0.1", NODE_PORT]},
        }
        self._configuration.write_text(json.dumps(settings))

    def start(self) -> None:
        assert PROGRAM is not None
        with self._log.open("ab") as out:
            self._process = subprocess.Popen([PROGRAM, str(self._configuration)], stdout=out, stderr=subprocess.STDOUT)
        wait_until_answering(f"{self.url}/system", self._process, _START_S, self._log)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    @contextmanager
    def away(self) -> Iterator[None]:
        self.stop()
        try:
            yield
        finally:
            self.start()

    def get(self, path: str, **query: Any) -> Any:
        return httpx.get(f"{self.url}{path}", params=query, timeout=30).raise_for_status().json()

    def instances(self, study: str) -> list[dict[str, Any]]:
        """The modality and UIDs of each stored instance of a study, by QIDO-RS."""
        found = self.get("/dicom-web/instances", StudyInstanceUID=study)
        return [{"modality": _value(one, "00080060"), "uid": _value(one, "00080018")} for one in found]

    def modalities(self, study: str) -> list[str]:
        return sorted(one["modality"] for one in self.instances(study))

    def file(self, sop_instance_uid: str) -> bytes:
        """The file of an instance."""
        (name,) = httpx.post(f"{self.url}/tools/lookup", content=sop_instance_uid, timeout=30).json()
        return httpx.get(f"{self.url}/instances/{name['ID']}/file", timeout=30).content


def _value(instance: dict[str, Any], tag: str) -> str:
    (value,) = instance[tag]["Value"]
    return str(value)
