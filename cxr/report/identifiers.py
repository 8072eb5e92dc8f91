"""Stable identifiers: the same file and model give the same identifier, so that a rerun replaces earlier results."""

import uuid
from typing import Final

NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_OID, "DeepCOVIDExplainer")


def stable_uuid(*parts: str) -> uuid.UUID:
    """A UUID of version 5 (RFC 9562, 5.5) from names."""
    return uuid.uuid5(NAMESPACE, "|".join(parts))


def stable_oid(*parts: str) -> str:
    """The same as an object identifier under 2.25 (ITU-T X.667), which is a DICOM UID (PS3.5, B.2)."""
    return f"2.25.{stable_uuid(*parts).int}"
