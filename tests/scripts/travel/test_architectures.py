"""docs/study/outside.md: its commands pack the runs and make the page, which names better and worse rows."""

from pathlib import Path

from typer.testing import CliRunner

from reporting.markdown import markdown
from scripts.gpu.plan import plan
from scripts.travel.architectures import app, outside_page
from study.architectures import MEMBERS, travelled
from study.travel_archive import recipe_of, unpack
from tests.study.test_architectures import ARCHIVES, paper
from tests.study.test_travel import ROWS, archive
from tests.study.test_travel_archive import CONFIG, TABLE, write


def test_every_member_is_a_training_of_the_plan() -> None:
    trainings = {recipe_of(run.name) or run.name.partition("-without-")[0] for run in plan()}
    assert {training for members in MEMBERS.values() for training in members} <= trainings


def test_the_page_names_rows_better_and_worse_than_the_shipped_recipes() -> None:
    weak = [archive("baseline", "siim", skill=-3.0), paper("vgg19bn-imbalanced", "siim", skill=9.0)]
    others = [one for one in ARCHIVES if one.name not in {other.name for other in weak}]
    page = markdown(outside_page(travelled(ROWS, [*others, *weak], resamples=50)))
    finding = next(line for line in page.splitlines() if line.startswith("- **`siim` left out**"))
    better, worse = finding.split("Worse by such an interval: ")
    assert "VGG-19, the paper's protocol" in better
    assert worse.startswith("baseline")


def test_the_last_snapshots_of_runs_that_are_not_packed_elsewhere_are_packed(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    write(runs / "vgg19bn-imbalanced", CONFIG, 7)
    write(runs / "vgg19bn-balanced", CONFIG, 2)
    write(runs / "convolution-all-s0", CONFIG, 2)
    done = CliRunner().invoke(app, ["pack", str(runs), str(tmp_path / "packed")])
    assert done.exit_code == 0
    (only,) = unpack(tmp_path / "packed", TABLE)
    assert only.name == "vgg19bn-imbalanced"
    assert [snapshot[0, 0] for snapshot in only.val] == [3, 4, 5, 6, 7]
