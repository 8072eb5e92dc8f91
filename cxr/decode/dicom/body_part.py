"""Interpret Body Part Examined as hospitals write it: in several languages, with words added or letters lost."""

import re
from enum import Enum
from typing import Final

from cxr.decode.dicom.words import plain, words


class BodyPart(Enum):
    """The examined part, as far as the words say."""

    CHEST = "chest"
    ANOTHER = "another"
    UNKNOWN = "unknown"
    UNSTATED = "unstated"


# Matched anywhere, also within a longer word, as in PORTCHEST. T?RAX: an archive lost the accented letter.
_CHEST: Final = re.compile(
    r"CHEST|CHST|T.{0,3}RAX|TORACE|TORAKS|PECHO|PEITO|POITRINE|LUNG|PULM|POUMON|CXR|BRUSTKORB|LONGEN|KLATKA"
    r"|HRUDNIK|MELLKAS|KEUHKO|AKCIGER|GOGUS"
)
# Matched as whole words, also with a side before or a plural after, as in LHAND.
_WORDS: Final = (
    "ABD ANCA ANKLE ARM BACIA BACINO BASSIN BLADDER BOWEL BRACO BREAST BWS CADERA CALF CHEVILLE CODO COLON COLUNA "
    "COTOVELO COUDE CRANE DENTAL EAR ELBOW EYE FACE FEET FINGER FOOT FUSS GENOU GINOCCHIO GOMITO HANCHE HAND HEAD HEEL "
    "HIP HOMBRO HWS JAW JOELHO KIDNEY KNEE KNIE LEG LWS MAIN MANO MAO MUNECA NECK NOSE OMBRO PIE PIED PIEDE POIGNET "
    "POLSO PUNHO QUADRIL RIB RODILLA SACRUM SPALLA STERNUM STOMACH TEETH THIGH THUMB TOBILLO TOE TOOTH TORNOZELO "
    "UTERUS WRIST ZAHN"
)
# Matched at the beginning of a word, also with a side before.
_BEGINNINGS: Final = (
    "ABDOM BECKEN CALCAN CAVIGLIA CERVIC CLAVIC COCCY COLUMNA CRANE CRANI ELLENBOGEN EPAULE EXTREM FACIAL FEMUR FIBUL "
    "FOREARM HUEFT HUFT HUMER LUMBA LUMBO MAMMO MANDIB MAXILL NASAL ORBIT PATELL PELV RACHIS RENAL SACRAL SACRO SCAPUL "
    "SCHADEL SCHAEDEL SCHULTER SHOULDER SINUS SKULL STERNAL TIBIA WIRBEL"
)
_SPINE: Final = "[A-Z]{0,2}(?:SPINE|SPINAL)"  # LSPINE and LSSPINE are sections of the spine
_ANOTHER: Final = re.compile(
    rf"[LR]?(?:{'|'.join(_WORDS.split())})S?|[LR]?(?:{'|'.join(_BEGINNINGS.split())})[A-Z]*|{_SPINE}"
)


def body_part(stated: str) -> BodyPart:
    """Interpret an element's values, joined by spaces. A chest together with another part counts as a chest."""
    if _CHEST.search(plain(stated)):
        return BodyPart.CHEST
    if any(_ANOTHER.fullmatch(word) for word in words(stated)):
        return BodyPart.ANOTHER
    return BodyPart.UNKNOWN if stated.strip() else BodyPart.UNSTATED
