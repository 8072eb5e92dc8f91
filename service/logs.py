"""Logging: the output, the format, and which loggers are silenced."""

import json
import logging
import sys
import warnings
from datetime import UTC, datetime
from typing import Final

TALKATIVE: Final = ("highdicom", "pydicom", "PIL", "httpx", "asyncio", "py.warnings", "python_multipart")


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object per line: time, level, logger, message, and the record's `fields` if any.

    Tracebacks are left out: their last line is an exception's text, which may quote a client's data.
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
    """Send our log lines to standard output, and silence libraries whose messages quote their input."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    ours = logging.getLogger("cxr")
    ours.handlers = [handler]
    ours.setLevel(logging.INFO)
    ours.propagate = False
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    warnings.simplefilter("ignore")
