"""bundle.json of earlier schemas, read as the present one.

Schema 1 (bundles up to version 2) had one frame for all members, in the manifest itself, or none where that was the
full one. Schema 2 has it in each member.
"""

import json
from typing import Any

from cxr.model.frames import FULL


def as_schema_2(data: bytes) -> bytes:
    """A manifest of schema 1 as one of schema 2; any other JSON as it is, for the schema's own model to judge.

    Raises:
        ValueError: it calls itself schema 1, and a member has a frame of its own.
    """
    values = json.loads(data)
    if not isinstance(values, dict) or repr(values.get("schema_version")) != "1":  # neither True nor 1.0
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
