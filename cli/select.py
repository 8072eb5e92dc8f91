"""`cxr select` and `cxr confirm`: choose on validation, then run the test split once."""

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
        bool, typer.Option("--only-kept", help="Choose among snapshots whose weights are here.")
    ] = False,
    members: Annotated[
        list[str] | None,
        typer.Option(
            "--member", metavar="RUN@CYCLE", help="Choose nothing: the candidate has this member; may be given again."
        ),
    ] = None,
    explainer: Annotated[
        str | None, typer.Option(metavar="RUN@CYCLE", help="The member that explains, instead of the surest one.")
    ] = None,
    data: DataPath = None,
) -> None:
    """Choose snapshots and ensembles on half of the validation split, and say why.

    Writes study.json, selection.md and candidate.json. The other half calibrates; the test split is not read.
    """
    from reporting.selection_page import selection_page
    from study.selection import select as choose
    from study.study import load_study
    from study.tables import StudyResult
    from training.data import DEFAULT_DATA

    with failing_cleanly():
        file = output / "study.json"
        if file.exists() and StudyResult.read(file).test is not None:
            raise DataError(f"{file} has figures of the test split: choosing now would be choosing by them")
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
        raise typer.BadParameter("a member is RUN@CYCLE, as resnet18@20")
    return Snapshot(run, int(cycle))


def confirm(
    runs: Runs,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder that `cxr select` wrote.")] = Path("study"),
    data: DataPath = None,
) -> None:
    """Measure a committed candidate, and every row of its tables, on the test split.

    Runs that have come since then have lines too; nothing is chosen anew. Adds to study.json, and writes tables.md.
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
    """The commit that fixed a file. Raises DataError unless the file is as that commit has it."""
    folder = file.resolve().parent
    changed = _git(folder, "status", "--porcelain", "--ignored", "--", file.name)
    commit = _git(folder, "log", "-1", "--format=%H", "--", file.name)
    if changed or not commit:
        raise DataError(f"{file} is not committed: fix the candidate before its test figures are seen")
    return commit


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip()
