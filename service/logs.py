"""Where log lines go, and whose are kept out."""

import logging
import sys
import warnings
from typing import Final

FORMAT: Final = "%(asctime)s %(levelname)s %(name)s %(message)s"
TALKATIVE: Final = ("pydicom", "PIL", "httpx", "asyncio", "py.warnings")


def configure() -> None:
    """Send our lines to standard output; silence libraries whose messages quote the data they are given."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter(FORMAT))
    ours = logging.getLogger("cxr")
    ours.handlers = [handler]
    ours.setLevel(logging.INFO)
    ours.propagate = False
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    warnings.simplefilter("ignore")
