"""`cxr release`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import DataPath, failing_cleanly
from cxr.errors import DataError

if TYPE_CHECKING:
    from study.candidate import Candidate
    from study.release import Source


def release(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Folders of runs, a member each: RUN for its last snapshot, RUN@7 for that of cycle 7."),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the bundle to write.")],
    candidate: Annotated[
        Path | None,
        typer.Option(help="What `cxr select` chose: members, rule and explainer. Then RUNS are where to find them."),
    ] = None,
    version: Annotated[str, typer.Option(help="Version of the bundle.")] = "1",
    data: DataPath = None,
) -> None:
    """Make a bundle of one or several snapshots: store, export and calibrate them, and choose which one explains."""
    from study.candidate import Candidate
    from study.release import Choice
    from study.release import release as make
    from training.data import DEFAULT_DATA, load

    with failing_cleanly():
        folder = data or DEFAULT_DATA
        chosen = None if candidate is None else Candidate.read(candidate)
        sources = [_source(run) for run in runs] if chosen is None else _members(chosen, runs, folder)
        config = sources[0].run.config
        validation = load(folder, "val", config.recipe, config.size)
        if chosen is None:
            make(sources, validation, output.name, version, output)
        else:
            index = chosen.chosen.members.index(chosen.explainer.snapshot)
            explainer = Choice(index, chosen.explainer.reason)
            make(sources, validation, output.name, version, output, chosen.chosen.rule, explainer)
    typer.echo(f"Written: {output}. Next: cxr evaluate --bundle {output}")


def _source(text: Path) -> "Source":
    """RUN or RUN@CYCLE."""
    from study.release import Source
    from training.rundir import RunDir

    name, _, cycle = text.name.rpartition("@")
    if not name or not cycle.isdecimal():
        run = RunDir(text)
        return Source(run, run.config.cycles)
    return Source(RunDir(text.with_name(name)), int(cycle))


def _members(candidate: "Candidate", runs: list[Path], data: Path) -> "list[Source]":
    """The candidate's members. Raises DataError unless they are the snapshots that it was chosen from."""
    from study.candidate import archive_hashes
    from study.release import Source
    from study.study import load_study

    study, members = load_study(runs, data), candidate.chosen.members
    for name, sha in archive_hashes(study, members).items():
        if candidate.archives[name] != sha:
            raise DataError(f"{name} is not the snapshot that was chosen")
    return [Source(study.runs[member.run], member.cycle) for member in members]
