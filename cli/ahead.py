"""Import a module beside a command's other work: PyTorch takes seconds, and the file may prove bad meanwhile."""

import os
import sys
from contextlib import suppress
from importlib import import_module
from threading import Thread

_imports: list[Thread] = []


def import_ahead(module: str) -> None:
    """Begin to import a module in a thread. A later import statement for it waits, and raises what is wrong with it."""

    def work() -> None:
        with suppress(Exception):
            import_module(module)

    thread = Thread(target=work, name=f"import {module}", daemon=True)
    _imports.append(thread)
    thread.start()


def leave(status: str | int | None) -> None:
    """End the process at once if an import still runs: an ordinary end would wait for it, or crash its C++ code.

    Args:
        status: exit status, as `SystemExit.code` has it.
    """
    if any(thread.is_alive() for thread in _imports):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status if isinstance(status, int) else int(status is not None))
