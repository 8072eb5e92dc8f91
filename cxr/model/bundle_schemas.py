"""Convert bundle.json of earlier schemas to the present one.

Schema 1 (bundles up to version 2) has one frame for all members in the manifest itself; without it the frame is the
full one. Schema 2 has a frame in each member.
"""

import json
from typing import Any

from cxr.model.frames import FULL


def as_schema_2(data: bytes) -> bytes:
    """Convert a manifest of schema 1 to schema 2. Any other JSON is returned unchanged and validated later.

    Raises:
        ValueError: the schema is 1, but a member has its own frame.
    """
    values = json.loads(data)
    if not isinstance(values, dict) or repr(values.get("schema_version")) != "1":  # not True and not 1.0
        return data
    values["schema_version"] = 2
    frame = values.pop("frame", FULL)
    members = values.get("members")
    for member in members if isinstance(members, list) else ():
        _give(member, frame)
    return json.dumps(values).encode()


def _give(member: Any, frame: Any) -> None:
    if isinstance(member, dict):
        if "frame" in member:
            raise ValueError("in schema 1 a member has no frame of its own")
        member["frame"] = frame
