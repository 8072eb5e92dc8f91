"""Make docs/travel.md: pack the predictions of runs, and render the page from the packed predictions.

python -m scripts.travel.table pack RUNS docs/travel/runs       of the runs of scripts.gpu.plan that are in RUNS
python -m scripts.travel.table page docs/travel/runs -o docs/travel.md
python -m scripts.travel.table calibrate docs/travel/runs CANDIDATE      what a new hospital needs, into candidate.json
python -m scripts.travel.table elsewhere docs/travel/runs BUNDLE         figures of left-out sources, into its card
"""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cxr.model.bundle import Bundle
from evaluation.evaluation_file import BundleEvaluation
from reporting.card import write_card
from reporting.markdown import write_markdown
from scripts.gpu.plan import plan
from scripts.travel.page import travel_page
from study.candidate import Calibration, Candidate
from study.elsewhere import elsewhere as left_out_figures
from study.new_hospital import COVERAGE, fit, unseen
from study.travel_archive import pack as pack_runs
from study.travel_archive import recipe_of, unpack
from study.travel_report import measure
from training.data import DEFAULT_DATA, read_table, table_sha256
from training.rundir import RunDir

app = typer.Typer(help=__doc__, add_completion=False)


@app.command()
def pack(runs: Path, target: Path) -> None:
    """Logits of validation and left-out images, in the plan's order; no test logits, spectra or weights."""
    names = [run.name for run in plan() if recipe_of(run.name) and (runs / run.name / "config.json").exists()]
    pack_runs((RunDir(runs / name) for name in names), target)
    size = sum(path.stat().st_size for path in target.iterdir())
    typer.echo(f"{len(names)} runs, {size / 1e6:.1f} MB in {target}")


@app.command()
def page(folder: Path, output: Annotated[Path, typer.Option("-o", "--output")], data: Path = DEFAULT_DATA) -> None:
    """Write the page and, in the folder `figures` beside it, its figure."""
    with (data / "metadata.csv").open(newline="", encoding="utf-8-sig") as handle:
        readings = {record["file"]: record.get("finding") or "" for record in csv.DictReader(handle)}
    report = measure(read_table(data), unpack(folder, table_sha256(data)), readings)
    write_markdown(travel_page(report), output)


@app.command()
def calibrate(folder: Path, candidate: Path, data: Path = DEFAULT_DATA) -> None:
    """Fit temperature and thresholds on all sources that were left out, and write them into a candidate."""
    sources = unseen(read_table(data), unpack(folder, table_sha256(data)))
    fitted = fit(sources.values())
    words = f"{', '.join(sources)}: training and validation images, each source by networks trained without it"
    calibration = Calibration(fitted.temperature, COVERAGE, fitted.thresholds, words)
    replace(Candidate.read(candidate), calibration=calibration).write(candidate)
    typer.echo(f"{candidate}: temperature {fitted.temperature:.3f}, fitted on {words}")


@app.command()
def elsewhere(folder: Path, bundle: Path, data: Path = DEFAULT_DATA) -> None:
    """Write the figures of left-out sources into a bundle's evaluation.json and model card."""
    found = left_out_figures(read_table(data), unpack(folder, table_sha256(data)))
    evaluation = replace(BundleEvaluation.read(Bundle(bundle)), elsewhere=found)
    evaluation.write()
    write_card(evaluation)
    typer.echo(f"{len(found)} sources in {bundle}")


if __name__ == "__main__":
    app()
