"""Selection on half of the validation split, and confirmation on a test split that selection cannot read."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cxr.errors import DataError
from cxr.labels import LABELS
from cxr.model.posterior import softmax
from evaluation.calibration import fit_temperature
from evaluation.metrics import figures, log_loss
from study.candidate import Candidate, confirm, evaluate_candidate
from study.ensemble import Plan
from study.selection import Selection, choose_explainer, select
from study.study import Study, load_study
from study.tables import Snapshot, StudyResult
from tests.study.studies import CONFIG, RUNS, make_study

RESAMPLES = 60


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def selection(study: Study) -> Selection:
    return select(study, resamples=RESAMPLES)


def test_selection_cannot_read_the_test_split(tmp_path: Path, selection: Selection) -> None:
    """The choice is the same for runs whose test logits are unusable."""
    poisoned = make_study(tmp_path, poison=True)
    again = select(poisoned, resamples=RESAMPLES)
    assert again.result == selection.result
    assert again.candidate.chosen == selection.candidate.chosen
    with pytest.raises(DataError, match="does not fit the table's test split"):
        evaluate_candidate(poisoned, again.candidate, resamples=RESAMPLES)


def test_selection_does_not_read_the_calibration_half(study: Study, tmp_path: Path, selection: Selection) -> None:
    other = make_study(tmp_path)
    validation = [row for row in study.rows if row.split == "val"]
    chosen_by = set(study.part("select").rows)
    for run in other.runs.values():
        for cycle in range(1, 7):
            with np.load(run.archive(cycle)) as archive:
                arrays = {name: archive[name] for name in archive.files}
            arrays["val"][[row not in chosen_by for row in validation]] = np.nan
            np.savez(run.archive(cycle), **arrays)
    assert select(other, resamples=RESAMPLES).result == selection.result


def test_every_snapshot_has_its_spectrum_beside_its_losses(study: Study, selection: Selection) -> None:
    part = study.part("select")
    rows = selection.result.snapshots
    assert [row.snapshot for row in rows] == list(study.snapshots)
    for row in rows[::7]:
        logits = part.logits[row.snapshot]
        assert row.alpha is not None
        assert row.alpha > 1
        assert row.log_loss == pytest.approx(log_loss(softmax(logits), part.labels))
        assert row.temperature == pytest.approx(fit_temperature(logits[None], part.labels, "scpa"))
        assert row.calibrated_log_loss <= row.log_loss
    assert {one.scope for one in selection.result.correlations} == {"all", *RUNS}


def test_the_candidate_is_the_best_headline_among_contenders(study: Study, selection: Selection) -> None:
    part, chosen = study.part("select"), selection.candidate.chosen
    assert chosen.rule != "scpa_eq2"
    assert len(chosen.members) <= 6

    def headline(plan: Plan) -> float:
        found = figures(plan.posterior(part, plan.fit(part)), part.labels)
        return (found["macro_f1"] + found["covid19_ppv"] + found["covid19_recall"]) / 3

    assert 0.5 < headline(chosen) < 1
    plans = [plan for plan in selection.candidate.plans if len(plan.members) <= 6 and plan.rule != "scpa_eq2"]
    assert headline(chosen) == max(map(headline, plans))


def test_rows_are_what_a_direct_computation_gives(study: Study, selection: Selection) -> None:
    part, tables = study.part("select"), selection.result.select
    assert (tables.part, tables.images, tables.patients) == ("select", len(part.rows), len(set(part.patients)))
    assert len(tables.networks) == len(RUNS) * 5
    for row in (tables.networks[2], tables.ensembles[0], tables.best):
        plan = next(p for p in selection.candidate.plans if (p.members, p.rule) == (row.members, row.rule))
        found = figures(plan.posterior(part, plan.fit(part)), part.labels)
        assert row.macro.f1.value == pytest.approx(found["macro_f1"], abs=1e-4)
        assert row.log_loss.value == pytest.approx(found["log_loss"], abs=2e-4)
        assert row.by_label["covid19"].precision.value == pytest.approx(found["covid19_ppv"], abs=1e-4)
        assert sum(map(sum, row.confusion)) == len(part.rows)
    assert tables.best.paper is not None
    pair = next(row for row in tables.ensembles if set(row.networks) == {"vgg19", "densenet161"} and row.rule == "scpa")
    assert pair.paper_by_label["covid19"].precision == 0.9612
    assert pair.sampling is None  # one of the two was trained on the balanced set


def test_seeds_are_a_row_with_their_spread(selection: Selection) -> None:
    rows = [row for row in selection.result.select.seeds if row.name == "resnet18"]
    assert len(rows) == 1
    assert rows[0].seeds == (0, 1, 2)
    singles = [r for r in selection.result.select.networks if r.kind == "snapshot" and r.networks == ("resnet18",)]
    values = [row.macro.f1.value for row in singles]
    assert sorted(rows[0].macro.f1.values) == pytest.approx(sorted(value for value in values if value is not None))
    spread = rows[0].macro.f1
    assert spread.mean == pytest.approx(np.mean(spread.values), abs=1e-4)
    assert spread.sd == pytest.approx(np.std(spread.values, ddof=1), abs=1e-4)
    assert spread.high - spread.mean == pytest.approx(4.3027 * spread.sd / 3**0.5, rel=0.02, abs=2e-4)
    assert any(row.name == "6 x resnet18" for row in selection.result.select.seeds)


def test_only_snapshots_with_weights_are_chosen_if_asked(study: Study) -> None:
    found = select(study, only_kept=True, resamples=RESAMPLES)
    assert {member.cycle for member in found.candidate.chosen.members} <= {5, 6}
    assert any(row.kind == "snapshots" and len(row.members) == 6 for row in found.result.select.networks)


def test_the_explainer_has_the_smallest_loss_and_weightwatchers_choice_is_reported(selection: Selection) -> None:
    rows = selection.result.snapshots
    members = [row.snapshot for row in rows if row.snapshot.run == "vgg19"]
    explainer = choose_explainer(members, rows, selection.result.correlations)
    losses = {row.snapshot: row.calibrated_log_loss for row in rows}
    assert explainer.snapshot == min(members, key=losses.__getitem__)
    assert f"{losses[explainer.snapshot]:.4f} of 6 members" in explainer.reason
    by_alpha = min((row for row in rows if row.snapshot.run == "vgg19"), key=lambda row: row.alpha or 0)
    assert explainer.by_spectrum["alpha"] == by_alpha.snapshot
    opinion = "agrees" if by_alpha.snapshot == explainer.snapshot else f"prefers {by_alpha.snapshot}"
    overall = next(one for one in selection.result.correlations if (one.scope, one.metric) == ("all", "alpha"))
    assert f", alpha {opinion} ({overall})" in explainer.reason
    assert selection.result.explainer.snapshot in selection.candidate.chosen.members


def test_a_run_without_spectra_can_be_chosen(tmp_path: Path) -> None:
    study = make_study(tmp_path, {"bare": replace(CONFIG, cycles=2)})
    for cycle in (1, 2):
        with np.load(study.runs["bare"].archive(cycle)) as archive:
            arrays = {split: archive[split] for split in ("val", "test")}
        np.savez(study.runs["bare"].archive(cycle), **arrays)
    found = select(study, resamples=RESAMPLES)
    assert found.result.snapshots[0].alpha is None
    assert found.result.explainer.by_spectrum == {}
    assert "WeightWatcher" not in found.result.explainer.reason


def test_the_test_split_is_measured_as_the_candidate_says(study: Study, selection: Selection, tmp_path: Path) -> None:
    selection.candidate.write(tmp_path / "candidate.json")
    candidate = Candidate.read(tmp_path / "candidate.json")
    assert candidate == selection.candidate
    tables = evaluate_candidate(study, candidate, resamples=RESAMPLES)
    part, calibrate, plan = study.part("test"), study.part("calibrate"), candidate.chosen
    assert (tables.part, tables.images) == ("test", 60)
    assert tables.best.temperature == pytest.approx(plan.fit(calibrate), abs=1e-4)
    found = figures(plan.posterior(part, plan.fit(calibrate)), part.labels)
    for label in LABELS:
        assert tables.best.by_label[label].recall.value == pytest.approx(found[f"{label}_recall"], abs=1e-4)
    assert [row.name for row in tables.networks] == [row.name for row in selection.result.select.networks]
    replace(selection.result, test=tables, candidate_commit="0" * 40).write(tmp_path / "study.json")
    assert StudyResult.read(tmp_path / "study.json").test == tables


def test_a_later_run_gets_rows_and_changes_no_other_row(study: Study) -> None:
    later = "vgg19"
    earlier = replace(study, runs={name: run for name, run in study.runs.items() if name != later})
    chosen = select(earlier, resamples=RESAMPLES)
    before = confirm(earlier, chosen.candidate, "0" * 40, chosen.result, RESAMPLES)
    after = confirm(study, chosen.candidate, "0" * 40, before, RESAMPLES)
    assert (len(after.runs), len(before.runs)) == (len(RUNS), len(RUNS) - 1)
    assert before.test is not None
    assert after.test is not None
    for then, now in ((before.select, after.select), (before.test, after.test)):
        known = len(then.networks)
        assert now.networks[:known] == then.networks
        assert {member.run for row in now.networks[known:] for member in row.members} == {later}
        assert (now.best, now.ensembles) == (then.best, then.ensembles)
        assert now.seeds == then.seeds
    losses = select(study, resamples=RESAMPLES).result.snapshots
    best = min((row for row in losses if row.snapshot.run == later), key=lambda row: row.calibrated_log_loss)
    assert after.test.networks[len(before.test.networks)].members == (best.snapshot,)
    assert confirm(study, chosen.candidate, "0" * 40, after, RESAMPLES) == after


def test_other_snapshots_than_the_candidates_are_refused(selection: Selection, tmp_path: Path) -> None:
    study = make_study(tmp_path)
    changed = study.runs["vgg19"].archive(6)
    changed.write_bytes(changed.read_bytes() + b" ")
    with pytest.raises(DataError, match=r"not the snapshots that were chosen: vgg19-c06"):
        evaluate_candidate(study, selection.candidate, resamples=RESAMPLES)
    fewer = load_study([tmp_path / "runs" / "vgg19"], tmp_path / "data")
    with pytest.raises(DataError, match="no snapshot"):
        evaluate_candidate(fewer, selection.candidate, resamples=RESAMPLES)
    with pytest.raises(DataError, match="another table"):
        evaluate_candidate(study, replace(selection.candidate, table_sha256="1" * 64), resamples=RESAMPLES)


def test_a_damaged_candidate_is_a_named_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        Candidate.read(tmp_path / "candidate.json")
    (tmp_path / "candidate.json").write_text(json.dumps({"version": 1}))
    with pytest.raises(DataError, match="not a candidate"):
        Candidate.read(tmp_path / "candidate.json")


def test_a_snapshot_is_named_by_run_and_cycle(selection: Selection) -> None:
    assert set(selection.candidate.archives) >= {str(member) for member in selection.candidate.chosen.members}
    assert str(Snapshot("vgg19", 6)) in selection.candidate.archives
