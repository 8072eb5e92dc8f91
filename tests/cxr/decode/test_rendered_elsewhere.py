"""Real chest radiographs equal those rendered by DCMTK and Orthanc, within two grey levels at the 99th percentile.

Without these tools the tests are skipped: `apt-get install --no-install-recommends dcmtk orthanc orthanc-gdcm`.
"""

import json
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cxr.decode import decode
from tests import files

pytestmark = pytest.mark.slow

# Every file of pydicom-data that shows a chest: one radiograph, plain and as JPEG 2000, with and without loss.
CHESTS = ("RG1_UNCR.dcm", "RG1_UNCI.dcm", "RG1_J2KR.dcm", "RG1_J2KI.dcm")
PLAIN = ("RG1_UNCR.dcm", "RG1_UNCI.dcm")  # DCMTK has no JPEG 2000

# Orthanc listens on every address, so it runs in a separate network, together with its client.
CLIENT = """
import json, subprocess, sys, time, urllib.request
from pathlib import Path

folder, *names = sys.argv[1:]
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
orthanc = subprocess.Popen(["Orthanc", str(Path(folder, "orthanc.json"))])
try:
    url = "http://127.0.0.1:8042"
    for _ in range(150):
        try:
            urllib.request.urlopen(url + "/system").close()
            break
        except OSError:
            time.sleep(0.2)
    for name in names:
        stored = urllib.request.urlopen(url + "/instances", data=Path(folder, name).read_bytes())
        request = urllib.request.Request(f"{url}/instances/{json.load(stored)['ID']}/rendered")
        request.add_header("Accept", "image/png")
        Path(folder, name + ".png").write_bytes(urllib.request.urlopen(request).read())
finally:
    orthanc.terminate()
    orthanc.wait()
"""


def differences(name: str, rendered: bytes) -> NDArray[np.int64]:
    with Image.open(BytesIO(rendered)) as image:
        theirs = np.asarray(image.convert("L"), np.int64)
    return np.asarray(np.abs(decode(files.sample(name)).pixels - theirs))


@pytest.mark.skipif(shutil.which("dcm2pnm") is None, reason="dcm2pnm of DCMTK is not installed")
@pytest.mark.parametrize("name", PLAIN)
def test_dcmtk_renders_the_same(name: str, tmp_path: Path) -> None:
    source, target = tmp_path / name, tmp_path / "rendered.pgm"
    source.write_bytes(files.sample(name))
    subprocess.run(["dcm2pnm", "+op", "+Wi", "1", source, target], check=True)
    assert np.percentile(differences(name, target.read_bytes()), 99) <= 2


def in_a_network_of_its_own() -> list[str]:
    return ["unshare", "--map-root-user", "--net"]


def orthanc_can_run() -> bool:
    if shutil.which("Orthanc") is None or shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    return subprocess.run([*in_a_network_of_its_own(), "true"], check=False, capture_output=True).returncode == 0


@pytest.mark.skipif(not orthanc_can_run(), reason="Orthanc is not installed, or no network namespace can be made")
def test_orthanc_renders_the_same(tmp_path: Path) -> None:
    for name in CHESTS:
        (tmp_path / name).write_bytes(files.sample(name))
    plugins = [str(path) for path in Path("/usr/share/orthanc/plugins").glob("libOrthancGdcm.so")]
    settings = {
        "StorageDirectory": str(tmp_path / "storage"),
        "IndexDirectory": str(tmp_path / "storage"),
        "Plugins": plugins,
        "DicomServerEnabled": False,
        "AuthenticationEnabled": False,
    }
    (tmp_path / "orthanc.json").write_text(json.dumps(settings))
    command = [*in_a_network_of_its_own(), sys.executable, "-c", CLIENT, str(tmp_path), *CHESTS]
    subprocess.run(command, check=True, timeout=120)
    for name in CHESTS:
        assert np.percentile(differences(name, (tmp_path / f"{name}.png").read_bytes()), 99) <= 2, name
