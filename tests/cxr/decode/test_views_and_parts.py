"""DICOM: views and body parts as hospitals write them are understood."""

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from cxr.decode import decode
from cxr.decode.dicom.acceptance import BODY_PART, DECUBITUS
from cxr.errors import LateralView, NotAChest
from tests import files
from tests.cxr.decode.dicoms import view_code


def stated(**elements: str | Sequence) -> tuple[str, ...]:
    return decode(files.changed(files.small_radiograph_dicom(), **elements)).warnings


@pytest.mark.parametrize(
    "view",
    [
        "LL", "RL", "LAT", "LATERAL", "LLAT", "RLAT", "L LAT", "R LAT", "LAT L", "LAT_L", "LAT-R", "LATL",
        "LEFT LATERAL", "Left Lateral", "LEFTLATERAL", "LT LAT", "RTLAT", "LAT LEFT", "LATERAL RIGHT", "LAT1",
        "LATERALE", "LATERAL VIEW", "XTABLE LAT", "X TABLE LAT", "XTABLELAT", "CROSS TABLE LATERAL", "CHEST LAT",
        "CHESTLAT", "PA LAT", "L", "LATERO-LATERAL", "ML", "LM", "PERFIL", "PROFIL", "SEITLICH", "DECUB LAT",
        "DORSAL DECUBITUS LATERAL", "LAO", "RAO", "LPO", "RPO", "LLO", "RLO", "MLO", "OBL", "OBLIQUE", "L OBL",
        "LOBL", "RT OBLIQUE", "PA OBLIQUE", "OBLICUA", "SCHRÄG", "SCHRAEG",
    ],
)  # fmt: skip
def test_lateral_and_oblique_views_are_refused(view: str) -> None:
    with pytest.raises(LateralView):
        stated(ViewPosition=view)


@pytest.mark.parametrize(
    "view",
    [
        "PA", "AP", "AP SUPINE", "AP ERECT", "PA UPRIGHT", "PORTABLE", "FRONTAL", "BILATERAL", "AP FLAT",
        "POSTERO-ANTERIOR", "AP LORDOTIC", "LATITUDE", "UNILATERAL", "", "DILATED", "PLATE", "GLOBAL", "ALL",
    ],
)  # fmt: skip
def test_frontal_views_are_accepted(view: str) -> None:
    assert stated(ViewPosition=view) == ()


@pytest.mark.parametrize("view", ["LLD", "RLD", "LEFT LATERAL DECUBITUS", "R LAT DECUB", "AP LLD", "LT LAT DECUBITUS"])
def test_decubitus_views_are_frontal_with_a_warning(view: str) -> None:
    assert stated(ViewPosition=view) == (DECUBITUS,)


@pytest.mark.parametrize(
    "code",
    ["399067008", "399173006", "R-10236", "399135007", "R-10220", "399356000", "399182000", "260427002", "399260004"],
)
def test_coded_views_are_refused(code: str) -> None:
    with pytest.raises(LateralView):
        stated(ViewCodeSequence=view_code(code))


@pytest.mark.parametrize("meaning", ["left lateral", "Left anterior oblique", "LAO"])
def test_codes_of_other_schemes_are_refused_by_their_meanings(meaning: str) -> None:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "V1", "99HOSPITAL", meaning
    with pytest.raises(LateralView):
        stated(ViewCodeSequence=Sequence([item]))


@pytest.mark.parametrize("part", ["CHEST LAT", "THORAX LATERAL", "CHEST LLAT", "TORAX PERFIL", "CHEST OBL"])
def test_a_body_part_may_state_the_view(part: str) -> None:
    with pytest.raises(LateralView):
        stated(BodyPartExamined=part)


@pytest.mark.parametrize(
    "part",
    [
        "CHEST", "Chest", "THORAX", "LUNG", "LUNGS", "PORT CHEST", "PORTCHEST", "CHESTPA", "CHEST_PA", "PA CHEST",
        "CXR", "TORAX", "2- TORAX", "T?RAX", "TÓRAX", "TÒRAX", "T_RAX", "TORAX PA", "PECHO", "PEITO", "TORACE",
        "POUMONS", "POITRINE", "CHEST ABDOMEN", "CHEST AND RIBS", "CHESTABDPELVIS", "1 CHEST", "CHEST 2 VIEWS", "",
    ],
)  # fmt: skip
def test_chests_are_accepted_in_silence(part: str) -> None:
    assert stated(BodyPartExamined=part) == ()


@pytest.mark.parametrize(
    "part", ["UNKNOWN", "NONE", "OTHER", "X", "BODY", "WHOLE BODY", "SPECIAL", "TRUNK", "?", "12", "HEART"]
)
def test_unknown_words_are_accepted_with_a_warning(part: str) -> None:
    assert stated(BodyPartExamined=part) == (BODY_PART,)


@pytest.mark.parametrize(
    "part",
    [
        "SKULL", "HEAD", "HAND", "HANDS", "LHAND", "L HAND", "FOOT", "FEET", "KNEE", "KNEES", "HIP", "PELVIS",
        "ABDOMEN", "ABD", "ABDOMENPELVIS", "CSPINE", "LSPINE", "TSPINE", "LSSPINE", "T SPINE", "SPINE",
        "THORACIC SPINE", "SHOULDER", "CLAVICLE", "RIB", "RIBS", "STERNUM", "BREAST", "EXTREMITY", "LEG", "ANKLE",
        "WRIST", "ELBOW", "FOREARM", "FEMUR", "TIBIA FIBULA", "MANO", "PIE", "RODILLA", "CRÁNEO", "COLUMNA", "HUEFTE",
        "BECKEN", "SCHÄDEL", "GENOU", "JAW", "SINUS", "COLUMNA TORACICA",
    ],
)  # fmt: skip
def test_other_parts_are_refused(part: str) -> None:
    with pytest.raises(NotAChest):
        stated(BodyPartExamined=part)
