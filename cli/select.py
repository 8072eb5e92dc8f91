"""`cxr select` and `cxr confirm`: choose on the validation split, then measure once on the test split."""

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import DataPath, err, failing_cleanly
from cxr.errors import DataError

if TYPE_CHECKING:
    from study.tables import Snapshot

Runs = Annotated[list[Path], typer.Argument(help="Runs, or folders of runs.")]


def select(
    runs: Runs,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the results.")] = Path("study"),
    only_kept: Annotated[
        bool, typer.Option("--only-kept", help="Choose only among snapshots whose weights are present.")
    ] = False,
    members: Annotated[
        list[str] | None,
        typer.Option(
            "--member", metavar="RUN@CYCLE", help="Do not select: use this member in the candidate; may be repeated."
        ),
    ] = None,
    explainer: Annotated[
        str | None,
        typer.Option(metavar="RUN@CYCLE", help="The explaining member, instead of the one with the smallest log loss."),
    ] = None,
    data: DataPath = None,
) -> None:
    """Choose snapshots and ensembles on half of the validation split, and document the choice.

    Writes study.json, selection.md and candidate.json. The other half is for calibration. The test split is not read.
    """
    from reporting.selection_page import selection_page
    from study.selection import select as choose
    from study.study import load_study
    from study.tables import StudyResult
    from training.data import DEFAULT_DATA

    with failing_cleanly():
        file = output / "study.json"
        if file.exists() and StudyResult.read(file).test is not None:
            raise DataError(
                f"{file} has figures of the test split already: a choice now could depend on them. Name a new folder"
            )
        study = load_study(runs, data or DEFAULT_DATA)
        named = [_snapshot(member) for member in members or ()]
        found = choose(study, only_kept, named=named, explainer=_snapshot(explainer) if explainer else None)
        output.mkdir(parents=True, exist_ok=True)
        found.result.write(file)
        found.candidate.write(output / "candidate.json")
        (output / "selection.md").write_text(selection_page(found.result))
    chosen = found.candidate.chosen
    typer.echo(f"{chosen.name}, {chosen.rule}: {', '.join(map(str, chosen.members))}")
    typer.echo(f"Explains: {found.candidate.explainer.snapshot}, {found.candidate.explainer.reason}")
    typer.echo(f"Written: {output}. Next: commit {output / 'candidate.json'}, then cxr confirm.")


def _snapshot(text: str) -> "Snapshot":
    """RUN@CYCLE."""
    from study.tables import Snapshot

    run, _, cycle = text.rpartition("@")
    if not run or not cycle.isdecimal():
        raise typer.BadParameter("a member is given as RUN@CYCLE, such as resnet18@20")
    return Snapshot(run, int(cycle))


def confirm(
    runs: Runs,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder that `cxr select` wrote.")] = Path("study"),
    data: DataPath = None,
) -> None:
    """Measure a committed candidate, and every row of its tables, on the test split.

    Runs that were added since get rows too. The choice does not change. Adds to study.json, and writes tables.md.
    """
    from reporting.markdown import markdown
    from reporting.study import study_page
    from study.candidate import Candidate
    from study.candidate import confirm as measure
    from study.study import load_study
    from study.tables import StudyResult
    from training.data import DEFAULT_DATA

    with failing_cleanly():
        chosen = StudyResult.read(output / "study.json")
        commit = _commit_of(output / "candidate.json")
        candidate = Candidate.read(output / "candidate.json")
        with err.status("resampling patients"):
            measured = measure(load_study(runs, data or DEFAULT_DATA), candidate, commit, chosen)
        measured.write(output / "study.json")
        (output / "tables.md").write_text(markdown(study_page(measured)))
    if (tables := measured.test) is not None:
        best, covid = tables.best, tables.best.by_label["covid19"]
        typer.echo(f"{best.name} on {tables.images} test images of {tables.patients} patients:")
        typer.echo(f"macro-F1 {best.macro.f1}, COVID-19 precision {covid.precision}, recall {covid.recall}")


def _commit_of(file: Path) -> str:
    """The last commit of a file. Raises DataError if the file differs from that commit."""
    folder = file.resolve().parent
    changed = _git(folder, "status", "--porcelain", "--ignored", "--", file.name)
    commit = _git(folder, "log", "-1", "--format=%H", "--", file.name)
    if changed or not commit:
        raise DataError(f"{file} is not committed: commit the candidate before its test figures are measured")
    return commit


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip()
