"""A marker in everything a client can send: it must not appear in any output."""

import os
from pathlib import Path

import httpx
import pytest
from pydicom.datadict import dictionary_VR

from scripts.server import Server
from tests import files

CANARY = "CANARYBIRD"
FORM = "multipart/form-data; boundary=x"
TEXT = {"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"}
MEANT = {"BodyPartExamined", "Modality", "PatientOrientation", "PhotometricInterpretation", "ViewPosition"}
NAMED = {"PatientName", "PatientID", "PatientComments", "InstitutionName", "ReferringPhysicianName", "StudyID"}


def canary_dicom() -> bytes:
    """The real radiograph with a canary in each text element that does not affect decoding, and invalid dates."""
    present = {element.keyword: element.VR for element in files.parse(files.radiograph_dicom())}
    keywords = {key for key, vr in present.items() if vr in TEXT and key not in MEANT} | NAMED
    texts = {key: CANARY for key in keywords if key and dictionary_VR(key) in TEXT}
    return files.radiograph_dicom(**texts, StudyDate="20200101", PatientAge="044Y")


def requests(server: Server) -> list[httpx.Response]:
    dicom, png = {"Content-Type": "application/dicom"}, {"Content-Type": "image/png"}
    named = {
        "User-Agent": CANARY,
        "Referer": f"http://ris/{CANARY}",
        "X-Request-ID": CANARY,
        "Content-Disposition": f'attachment; filename="{CANARY}.dcm"',
    }
    data = canary_dicom()
    client = server.client
    return [
        client.post("/classify", content=data, headers=dicom | named),
        client.post("/explain", content=data, headers=dicom | named),
        client.post("/explain", content=data, headers=dicom | {"Accept": "image/png"}),
        client.post("/explain", content=data, headers=dicom | {"Accept": "application/fhir+json"}),
        client.post("/preview", content=data, headers=dicom | named),
        client.post("/preview", content=data[: len(data) // 2], headers=dicom),
        client.get(f"/static/{CANARY}.js"),
        client.get("/", headers={"If-None-Match": CANARY}),
        client.post(f"/explain?object={CANARY}", content=data, headers=dicom),
        client.post(f"/explain?method={CANARY}", content=data, headers=dicom),
        client.post(f"/explain?target={CANARY}", content=data, headers=dicom),
        client.post(f"/classify?patient={CANARY}", content=data, headers=dicom),
        client.post(f"/explain?patient={CANARY}", content=data, headers=dicom | {"Accept": f"{CANARY}/{CANARY}"}),
        client.post("/explain", content=data, headers=dicom | {"Content-Encoding": CANARY}),
        client.post("/explain", content=data, headers=dicom | {"Host": f"{CANARY}/"}),
        client.post("/explain", content=data, headers=dicom | {CANARY: 65536 * CANARY}),
        client.post("/classify", content=data[: len(data) // 2], headers=dicom),
        client.post("/classify", content=data[:3000], headers=dicom),
        client.post("/classify", content=CANARY.encode(), headers=png),
        client.post("/classify", content=CANARY.encode(), headers={"Content-Type": f"text/{CANARY}"}),
        client.post("/classify", files={CANARY: (f"{CANARY}.png", CANARY.encode(), "image/png")}),
        client.post("/v1/classify", files={CANARY: (f"{CANARY}.png", data)}, data={CANARY: CANARY}),
        client.post("/v1/classify", content=f"--x\r\n{CANARY}", headers={"Content-Type": FORM}),
        client.post("/v1/classify", content=f"--x\r\n{CANARY} {CANARY}: \r\n", headers={"Content-Type": FORM}),
        client.post(f"/{CANARY}", content=data, headers=dicom),
        client.get(f"/classify/{CANARY}?{CANARY}={CANARY}"),
        client.get("/metrics"),
    ]


@pytest.mark.filterwarnings("ignore:Unknown encoding")  # pydicom warns when the test writes the file
def test_no_answer_log_metric_or_file_names_a_patient(server: Server) -> None:
    assert canary_dicom().count(CANARY.encode()) >= 6
    responses = requests(server)
    assert [response.status_code for response in responses[:5]] == [200] * 5
    named = server.client.post("/explain", content=canary_dicom(), headers={"Accept": "application/dicom"})
    assert CANARY.encode() in named.content, "an object of a patient's study names the patient"
    assert CANARY not in str(named.headers)
    for response in responses:
        assert CANARY.encode() not in response.content
        assert CANARY not in str(response.headers)
    log = server.log_line(responses[-1].headers["X-Request-ID"]) + server.log_text()
    assert CANARY not in log
    uids = files.parse(files.radiograph_dicom())
    for uid in (uids.SOPInstanceUID, uids.SeriesInstanceUID, uids.StudyInstanceUID):
        assert uid in responses[0].text
        assert uid not in log
    assert not written(server.scratch, CANARY.encode())


def written(folder: Path, marker: bytes) -> list[Path]:
    """Files under a folder whose name or content contains the marker."""
    found = [Path(root) / name for root, _, names in os.walk(folder) for name in names]
    plain = [path for path in found if path.is_file()]  # sockets are not regular files
    return [path for path in plain if marker in path.name.encode() or marker in path.read_bytes()]
