"""Evidence by zone against scores: on figures that are known, and from a folder to a file."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from cxr.anatomy.lungs import Lungs, LungSegmenter, NoLungs
from cxr.errors import DataError
from cxr.model.bundle import Bundle
from cxr.model.frames import Placement
from cxr.report.explanation import METHODS
from evaluation.bootstrap import Resampling
from evaluation.maps import severity
from evaluation.maps.baselines import CONSTANT
from evaluation.maps.on_radiograph import HEAD, SLOW
from evaluation.maps.severity import by_zone, correlations, read_scores
from tests.bundles import first_member_only
from training.config import TrainConfig
from training.data import Dataset
from training.rundir import RunDir

ZONES = np.full((4, 6), 7)
ZONES[:3, :3] = np.array([0, 1, 2])[:, None]
ZONES[:3, 3:] = np.array([3, 4, 5])[:, None]


def test_evidence_is_counted_by_zone() -> None:
    heatmap = np.zeros((1, 4, 6), np.float32)
    heatmap[0, 1, 0], heatmap[0, 2, 5], heatmap[0, 3, 0] = 3, 1, 4
    np.testing.assert_allclose(by_zone(heatmap, [ZONES]), [[0, 3 / 8, 0, 0, 0, 1 / 8]])
    np.testing.assert_allclose(by_zone(heatmap, [ZONES], relative=False), [[0, 3, 0, 0, 0, 1]])
    assert not by_zone(np.zeros_like(heatmap), [ZONES]).any()


def test_a_map_that_follows_severity_and_one_that_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(severity, "Resampling", partial(Resampling, resamples=100))
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 4, (30, 6)).astype(np.float64)
    evidence = {"right": scores * 2 + 1, "wrong": -scores, "same": np.tile(np.arange(6.0), (30, 1))}
    found = correlations(evidence, scores, [f"p{i // 2}" for i in range(30)])
    assert found["right/pooled"].value == pytest.approx(1)
    assert found["right/within"].value == pytest.approx(1)
    assert found["wrong/pooled"].value == pytest.approx(-1)
    assert abs(found["same/within"].value or 0) < 0.3


def command(main: Callable[..., None]) -> typer.Typer:
    """A module's `main` as a command."""
    app = typer.Typer()
    app.command()(main)
    return app


LUNGS = Lungs(np.eye(64, dtype=bool), np.eye(64, dtype=bool)[:, ::-1])


def scored_folder(folder: Path) -> Path:
    """Images of cohen with scores, but for the third; the second's lungs are not found; others do not count."""
    rng, lines = np.random.default_rng(0), ["file,label,source,patient,split"]
    columns = [f"{who}-{zone}" for who in "SJ" for zone in "ABCDEF"]
    scores = [f"file,{','.join(columns)}"]
    for number, source, split in ((0, "cohen", "train"), (1, "cohen", "val"), (2, "cohen", "val"), (3, "rsna", "val")):
        bright = 250 if number == 1 else 120
        cv2.imwrite(str(folder / f"{number}.png"), rng.integers(0, bright, (80, 80)).astype(np.uint8))
        lines.append(f"{number}.png,covid19,{source},p{number},{split}")
        if number != 2:
            scores.append(f"{number}.png,{','.join(str((number + place) % 4) for place in range(12))}")
    lines.append("4.png,covid19,cohen,p4,test")
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")
    (folder / "brixia.csv").write_text("\n".join(scores) + "\n")
    return folder


def test_images_with_scores_and_lungs_are_measured_and_the_file_has_each_methods_figures(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(_: LungSegmenter, pixels: np.ndarray) -> Lungs | NoLungs:
        return NoLungs("too bright") if pixels.max() > 200 else LUNGS

    def maps_of(_network: object, method: str, images: Dataset, places: Sequence[Placement]) -> np.ndarray:
        asked.append(method)
        assert len(images.rows) == len(places) == 1
        return np.random.default_rng(0).random((1, 64, 64))

    asked: list[str] = []
    network = SimpleNamespace(opacities=None)
    monkeypatch.setattr(LungSegmenter, "find", find)
    monkeypatch.setattr(severity, "maps_of", maps_of)
    monkeypatch.setattr(severity, "load_weights", lambda *_: network)
    monkeypatch.setattr(severity, "mean_boxes", lambda *_: np.ones((64, 64)))
    monkeypatch.setattr(severity, "Resampling", partial(Resampling, resamples=5))
    data, run = scored_folder(tmp_path), RunDir(tmp_path / "run")
    run.begin(TrainConfig(size=32, leave_out="cohen"), "0" * 64)
    run.snapshot(1).write_bytes(b"weights")
    options = ["--run", str(run.path), "-o", str(tmp_path / "found.json")]
    options += ["--bundle", str(bundle.root), "--data", str(data)]
    done = CliRunner().invoke(command(severity.main), options)
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "found.json").read_text())
    assert (found["run"], found["images"], found["without_lungs"]) == ("run", 1, 1)
    fast = {method for method in METHODS if method not in SLOW | {HEAD}}
    assert set(asked) == fast
    assert {name.split("/")[0] for name in found["figures"]} == fast | {CONSTANT}
    network.opacities = object()
    assert CliRunner().invoke(command(severity.main), [*options, "--slow"]).exit_code == 0
    assert set(asked) == set(METHODS)


def test_a_run_that_has_learnt_from_the_scored_images_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.begin(TrainConfig(size=32), "0" * 64)
    done = CliRunner().invoke(command(severity.main), ["--run", str(run.path), "-o", str(tmp_path / "found.json")])
    assert done.exit_code == 2
    assert "was not trained without cohen" in done.output
    with pytest.raises(DataError, match="has no lung segmenter"):
        severity.scored(tmp_path, {}, first_member_only(bundle, tmp_path / "bare"), run.config)


def test_the_two_readers_are_averaged_in_the_order_of_the_zones(tmp_path: Path) -> None:
    names = [f"{who}-{zone}" for who in "SJ" for zone in "ABCDEF"]
    values = [0, 1, 2, 3, 0, 1, 2, 1, 2, 3, 0, 3]
    (tmp_path / "brixia.csv").write_text(f"file,{','.join(names)}\na.png,{','.join(map(str, values))}\n")
    np.testing.assert_array_equal(read_scores(tmp_path)["a.png"], [1, 1, 2, 3, 0, 2])
    with pytest.raises(DataError, match=r"brixia\.csv"):
        read_scores(tmp_path / "nowhere")
