"""The console command `cxr`, with one module for each command.

Commands import heavy packages inside their functions, so that `cxr --help` and `cxr classify` load no torch.
"""

from typing import Annotated

import typer

import hospital.app
from cli import (
    average,
    batch,
    bundle,
    classify,
    evaluate,
    explain,
    export,
    gate,
    lungs,
    marks,
    prepare,
    release,
    select,
    site,
    train,
)
from cli.ahead import leave
from cxr import __version__

app = typer.Typer(
    help="Classify and explain frontal chest radiographs: normal, pneumonia or COVID-19. Research use only.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cxr {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    pass


app.command()(export.export)
app.command()(classify.classify)
app.command()(batch.batch)
app.command()(explain.explain)
app.command()(prepare.prepare)
app.command()(train.train)
app.command()(average.average)
app.command()(select.select)
app.command()(select.confirm)
app.command()(lungs.lungs)
app.command()(gate.gate)
app.command()(gate.hashes)
app.command()(release.release)
app.command()(evaluate.evaluate)
app.command()(evaluate.report)
app.command()(marks.marks)
app.command()(site.site)
app.add_typer(bundle.app, name="bundle")
app.add_typer(hospital.app.app, name="pacs")


def main() -> None:
    """What the console command `cxr` calls."""
    try:
        app()
    except SystemExit as end:
        leave(end.code)
        raise
