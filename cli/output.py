"""What all commands share: consoles, options, and one-line errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cxr.errors import BundleError, DataError, ParityError
from cxr.labels import DISCLAIMER

out, err = Console(markup=False), Console(stderr=True)  # a file name must not be read as markup

DataPath = Annotated[
    Path | None,
    typer.Option("--data", help="Folder with metadata.csv; by default ../shared/data/cxr.", show_default=False),
]
BundlePath = Annotated[Path, typer.Option("--bundle", help="Folder of the model.", show_default=False)]


@contextmanager
def failing_cleanly() -> Iterator[None]:
    """End the command with one line and exit status 2 on errors that the user can fix."""
    try:
        yield
    except (BundleError, DataError, ParityError, OSError) as error:
        complain(str(error))
        raise typer.Exit(2) from None


def complain(line: str) -> None:
    typer.echo(line, err=True)


def disclaim() -> None:
    typer.echo(DISCLAIMER, err=True)
