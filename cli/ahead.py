"""Import a module beside a command's other work: PyTorch takes seconds, and the file may prove bad meanwhile."""

import os
import sys
from contextlib import suppress
from importlib import import_module
from threading import Thread

_imports: list[str] = []


def import_ahead(module: str) -> None:
    """Begin to import a module in a thread. A later import statement for it waits, and raises what is wrong with it."""

    def work() -> None:
        with suppress(Exception):
            import_module(module)

    _imports.append(module)
    Thread(target=work, name=f"import {module}", daemon=True).start()


def leave(status: str | int | None) -> None:
    """End the process at once if a module was imported ahead.

    An ordinary end would wait for an import that still runs, or crash its C++ code, and takes up to a second to take
    PyTorch apart.

    Args:
        status: exit status, as `SystemExit.code` has it.
    """
    if _imports:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status if isinstance(status, int) else int(status is not None))
