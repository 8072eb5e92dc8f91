"""The console command `cxr`, a module a command.

Commands import what they need inside themselves: `cxr --help` and `cxr classify` load no torch.
"""

import typer

import hospital.app
from cli import average, bundle, classify, evaluate, explain, export, lungs, prepare, release, select, train

app = typer.Typer(
    help="Classify and explain frontal chest radiographs: normal, pneumonia or COVID-19. Research use only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(export.export)
app.command()(classify.classify)
app.command()(explain.explain)
app.command()(prepare.prepare)
app.command()(train.train)
app.command()(average.average)
app.command()(select.select)
app.command()(select.confirm)
app.command()(lungs.lungs)
app.command()(release.release)
app.command()(evaluate.evaluate)
app.command()(evaluate.report)
app.add_typer(bundle.app, name="bundle")
app.add_typer(hospital.app.app, name="pacs")
