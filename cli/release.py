"""`cxr release`."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import DataPath, failing_cleanly
from cxr.errors import DataError

if TYPE_CHECKING:
    from study.candidate import Candidate
    from study.release import Contents, Source


def release(
    runs: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of runs, one for each member: RUN for its last snapshot, RUN@7 for that of cycle 7."
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the bundle to write.")],
    candidate: Annotated[
        Path | None,
        typer.Option(
            help="candidate.json of `cxr select`: members, rule and explainer. RUNS are then searched for the members."
        ),
    ] = None,
    segmenter: Annotated[
        Path | None,
        typer.Option(help="Weights of the lung segmenter, .safetensors; by default those of models/default."),
    ] = None,
    version: Annotated[str, typer.Option(help="Version of the bundle.")] = "1",
    data: DataPath = None,
) -> None:
    """Make a bundle of one or several snapshots: store, export and calibrate them, and choose the explaining member.

    Members with different frames, such as `lungs-1` and `full-1`, can be combined; each sees its own frame.
    """
    from study.candidate import Candidate
    from study.release import Contents
    from study.release import release as make
    from training.data import DEFAULT_DATA

    with failing_cleanly():
        folder = data or DEFAULT_DATA
        if candidate is None:
            contents = Contents([_source(run) for run in runs])
        else:
            contents = _chosen(Candidate.read(candidate), runs, folder)
        make(replace(contents, segmenter=segmenter), folder, output.name, version, output)
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


def _chosen(candidate: "Candidate", runs: list[Path], data: Path) -> "Contents":
    """The contents that a candidate names. Raises DataError unless the runs have exactly the chosen snapshots."""
    from study.candidate import archive_hashes
    from study.release import Choice, Contents, Source
    from study.study import load_study

    study, members = load_study(runs, data), candidate.chosen.members
    for name, sha in archive_hashes(study, members).items():
        if candidate.archives[name] != sha:
            raise DataError(f"{name} is not the snapshot that was chosen")
    for member in members:
        frame = study.configs[member.run].frame
        if candidate.frames.get(str(member), frame) != frame:
            raise DataError(f"{member} was trained on the frame {frame}, but the candidate states another")
    return Contents(
        sources=[Source(study.runs[member.run], member.cycle) for member in members],
        rule=candidate.chosen.rule,
        explainer=Choice(members.index(candidate.explainer.snapshot), candidate.explainer.reason),
        calibration=candidate.calibration,
    )
