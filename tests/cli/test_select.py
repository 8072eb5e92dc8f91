"""`cxr select` and `cxr confirm`: from runs to a committed candidate and its test figures."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import app
from study.candidate import Candidate
from study.study import Study
from study.tables import Snapshot, StudyResult
from tests.study.studies import CONFIG, RUNS, make_study

FEW = {name: RUNS[name] for name in ("resnet18", "vgg19", "densenet161")}


def run(*arguments: object, status: int = 0) -> str:
    """A command's output. It must end with this status."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == status, result.output
    return result.output


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def test_a_candidate_is_chosen_committed_and_confirmed(tmp_path: Path) -> None:
    make_study(tmp_path, FEW)
    output = tmp_path / "study"
    of_this_study = (tmp_path / "runs", "-o", output, "--data", tmp_path / "data")
    shown = run("select", *of_this_study, "--only-kept")
    assert "Explains: " in shown
    assert StudyResult.read(output / "study.json").test is None
    assert "is not committed" in run("confirm", *of_this_study, status=2)
    git(tmp_path, "init", "--quiet")
    assert "is not committed" in run("confirm", *of_this_study, status=2)
    git(tmp_path, "add", "study/candidate.json")
    assert "is not committed" in run("confirm", *of_this_study, status=2)
    git(tmp_path, "commit", "--quiet", "-m", "candidate")
    assert "on 60 test images of 30 patients" in run("confirm", *of_this_study)
    result = StudyResult.read(output / "study.json")
    assert result.test is not None
    assert result.test.best.members == result.select.best.members
    assert result.candidate_commit is not None
    assert len(result.candidate_commit) == 40
    assert "a choice now could depend on them" in run("select", *of_this_study, status=2)
    with (output / "candidate.json").open("a") as candidate:
        candidate.write("\n")
    assert "is not committed" in run("confirm", *of_this_study, status=2)


def test_given_members_become_the_candidate(tmp_path: Path) -> None:
    make_study(tmp_path, {"lungs": replace(CONFIG, frame="lungs-1"), "full": CONFIG, "other": RUNS["vgg19"]})
    command = ("select", tmp_path / "runs", "-o", tmp_path / "study", "--data", tmp_path / "data")
    shown = run(*command, "--member", "lungs@6", "--member", "full@5", "--explainer", "lungs@6")
    assert "lungs-c06 + full-c05, scpa" in shown
    candidate = Candidate.read(tmp_path / "study" / "candidate.json")
    assert candidate.chosen.members == (Snapshot("lungs", 6), Snapshot("full", 5))
    assert candidate.frames == {"lungs-c06": "lungs-1", "full-c05": "full-1"}
    assert candidate.explainer.snapshot == Snapshot("lungs", 6)
    best = StudyResult.read(tmp_path / "study" / "study.json").select.best
    assert (best.kind, best.members) == ("named", candidate.chosen.members)
    assert "no snapshot lungs-c07" in run(*command, "--member", "lungs@7", status=2)
    assert "cannot explain" in run(*command, "--member", "lungs@6", "--explainer", "full@5", status=2)
    assert "RUN@CYCLE" in run(*command, "--member", "lungs", status=2)


def test_an_ignored_candidate_is_not_a_committed_one(tmp_path: Path) -> None:
    make_study(tmp_path, {"one": CONFIG})
    of_this_study = (tmp_path / "runs", "-o", tmp_path / "study", "--data", tmp_path / "data")
    run("select", *of_this_study)
    git(tmp_path, "init", "--quiet")
    (tmp_path / ".gitignore").write_text("study\n")
    assert "is not committed" in run("confirm", *of_this_study, status=2)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make_study(tmp_path_factory.mktemp("study"), FEW)


def test_the_page_shows_every_snapshot_and_what_was_chosen(study: Study, tmp_path: Path) -> None:
    root = study.runs["vgg19"].path.parents[1]
    run("select", root / "runs", "-o", tmp_path, "--data", root / "data")
    page = (tmp_path / "selection.md").read_text()
    result = StudyResult.read(tmp_path / "study.json")
    assert sum(line.startswith(("| resnet18-c", "| vgg19-c", "| densenet161-c")) for line in page.splitlines()) == 15
    assert sum(line.startswith("| **") for line in page.splitlines()) == 3  # the best of each run
    assert f"**Candidate**: {result.select.best.name}" in page
    assert f"{result.select.images} images of {result.select.patients} patients" in page
    assert "| all | 18 | " in page
    assert "| densenet161 | 6 | " in page
    assert "test" not in page


def test_folders_without_runs_are_a_named_error(tmp_path: Path, study: Study) -> None:
    data = study.runs["vgg19"].path.parents[1] / "data"
    assert "there are no runs" in run("select", tmp_path, "-o", tmp_path / "study", "--data", data, status=2)
    assert "cannot be read" in run("confirm", tmp_path, "-o", tmp_path / "study", "--data", data, status=2)
