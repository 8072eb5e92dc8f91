"""Decide from a view's name or code, as hospitals write it, whether the view is frontal."""

import re
from typing import Final

from cxr.decode.dicom.words import words

_SIDE: Final = "(?:LEFT|RIGHT|LT|RT|L|R)"
# Words that are written before LAT without a space, as in XTABLELAT.
_BEFORE: Final = f"(?:{_SIDE}|XTABLE|CROSSTABLE|TABLE|X|XT|CHEST|CXR|THORAX|TORAX|PORT|ERECT|UPRIGHT|MEDIO|LATERO)"
_LATERAL: Final = rf"{_BEFORE}*LAT(?:ERAL[A-Z]*)?{_SIDE}?|LATERO[A-Z]*|[LR]L|ML|LM|PERFIL|PROFIL[A-Z]*|SEITLICH[A-Z]*"
# LAO, RPO and the like; LLO and RLO are lateral obliques in CR (PS3.3 C.8.1.1), MLO in mammography.
_OBLIQUE: Final = rf"[LR][APL]O|MLO|LMO|{_SIDE}?OBL[A-Z]*|SCHRAE?G[A-Z]*"
_NOT_FRONTAL: Final = re.compile(f"{_LATERAL}|{_OBLIQUE}")
# LLD and RLD (PS3.3 C.8.1.1), also in full: the patient lies on that side, and the view is frontal.
_DECUBITUS: Final = re.compile(r"\b(?:[LR]LD|(?:LEFT|RIGHT|LT|RT|L|R) LAT(?:ERAL)? DEC(?:UB[A-Z]*)?)\b")

# CID 4010 of PS3.16 in SNOMED CT and its older SRT codes.
_CODES: Final = {
    "399067008", "R-102CD", "399173006", "R-10236", "399198007", "R-10232",  # lateral, left and right lateral
    "399260004", "R-10224", "399352003", "R-10228",  # medio-lateral, lateral-medial
    "399182000", "R-102C1", "399184004", "R-10238", "399236003", "R-10234",  # oblique, left and right oblique
    "399135007", "R-10220", "399356000", "R-40985", "399006002", "R-10212", "399038007", "R-10210",  # LAO RAO LPO RPO
    "399059000", "R-10216", "399312000", "399160007",  # postero-anterior, antero-posterior and frontal oblique
    "260427002", "R-40783", "260426006", "R-40782", "260421001", "260424009",  # lateral and medial oblique
}  # fmt: skip


def is_decubitus(stated: str) -> bool:
    """Whether the words name a lateral decubitus view of a stated side."""
    return _DECUBITUS.search(" ".join(words(stated))) is not None


def is_frontal(stated: str) -> bool:
    """False if the words or a code name a lateral or an oblique view. Other words are accepted."""
    others = _DECUBITUS.sub("", " ".join(words(stated))).split()
    return stated not in _CODES and not any(_NOT_FRONTAL.fullmatch(word) for word in others)
