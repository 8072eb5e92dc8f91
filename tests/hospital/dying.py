"""`python -m tests.hospital.dying FOLDER before|after MARK …`: the node, killed at its first rename into a folder.

It is killed only once: the file MARK is written before the kill, and the next process is not killed.
"""

import os
import signal
import sys
from pathlib import Path

from hospital.app import app
from hospital.spool import Spool


def main() -> None:
    folder, when, mark, *arguments = sys.argv[1:]
    move = Spool._move

    def die(self: Spool, path: Path, target: Path) -> None:
        chosen = target.parent.name == folder and not Path(mark).exists()
        if not chosen or when == "after":
            move(self, path, target)
        if chosen:
            Path(mark).touch()
            os.kill(os.getpid(), signal.SIGKILL)

    Spool._move = die  # type: ignore[method-assign]
    app(arguments)


if __name__ == "__main__":
    main()
