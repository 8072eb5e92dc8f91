"""docs/travel.md: it equals the output of its command, and its words match its figures."""

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reporting.markdown import markdown
from scripts.gpu.plan import plan
from scripts.travel.page import travel_page
from scripts.travel.table import app
from scripts.travel.words import RECIPES
from study.travel_archive import recipe_of
from study.travel_report import measure
from tests.study.test_travel import ROWS, archive

SEEDS = (0, 1, 2)
ARCHIVES = [
    *(
        archive(name, source, seed)
        for name in ("baseline", "full")
        for source in ("", "siim", "cohen")
        for seed in SEEDS
    ),
    *(archive("moderate", source, seed, skill=4.0) for source in ("", "siim", "cohen") for seed in SEEDS),
    archive("moderate", "radiography", cycles=1),
    replace(archive("evidence", "siim", cycles=0), diverged=3),
]


def test_every_recipe_of_the_plan_has_a_description() -> None:
    assert {recipe for run in plan() if (recipe := recipe_of(run.name))} == set(RECIPES)


def test_the_page_names_rows_that_meet_the_musts_and_runs_that_failed_or_were_cut_off() -> None:
    page = markdown(travel_page(measure(ROWS, ARCHIVES, {}, resamples=50)))
    verdicts = {
        line.split(" | ")[0].removeprefix("| "): line for line in page.splitlines() if ": yes" in line or ": no" in line
    }
    assert verdicts["moderate"] == (
        "| moderate | 1.0000: yes | yes | yes | 1.0000: yes | `siim` validation, macro-F1 inside, `siim`, `cohen` |"
    )
    assert verdicts["full"].count("no |") == 4  # the same as the baseline, so not better
    assert "**Most musts at once**: 4 of 4, by `moderate`; " in page
    assert "`moderate-without-radiography-s0`: cut off after epoch 4 of 4, 1 of 2 snapshots" in page
    assert "loss was not finite from epoch 3 on" in page
    failed = next(line for line in page.splitlines() if line.startswith("| evidence"))
    assert failed.split(" | ")[1] == "failed"
    assert "![" in page


def test_runs_without_a_plan_are_not_packed(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["pack", str(tmp_path), str(tmp_path / "packed")])
    assert done.exit_code == 1
    assert "no runs" in str(done.exception)


def test_the_page_has_what_a_new_hospital_may_expect_of_two_recipes_and_every_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("study.new_hospital.FEWEST", 20)
    pairs = [archive(name, source) for name in ("convolution", "baseline", "full") for source in ("", "siim", "cohen")]
    page = markdown(travel_page(measure(ROWS, pairs, {}, resamples=20)))
    section = page[page.index("## Temperature and prediction sets") : page.index("## Goals: met and missed")]
    assert section.count("| `cohen` |") == 2
    assert "with `baseline` instead of `full`" in section
    assert "| `convolution-all-s0` + `full-all-s0` |" in page
