"""Where log lines go, what they look like, and whose are kept out."""

import json
import logging
import sys
import warnings
from datetime import UTC, datetime
from typing import Final

TALKATIVE: Final = ("highdicom", "pydicom", "PIL", "httpx", "asyncio", "py.warnings", "python_multipart")


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the record's `fields` where it has some.

    Tracebacks are left out: their last line is an exception's text, which may quote what a client sent.
    """

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        return json.dumps(line | getattr(record, "fields", {}))


def configure() -> None:
    """Send our lines to standard output; silence libraries whose messages quote the data they are given."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    ours = logging.getLogger("cxr")
    ours.handlers = [handler]
    ours.setLevel(logging.INFO)
    ours.propagate = False
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    warnings.simplefilter("ignore")
