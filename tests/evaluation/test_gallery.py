"""The gallery: each case is of its kind, chosen by a hash, and has a panel."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cxr.labels import LABELS
from cxr.model.bundle import Bundle
from cxr.model.posterior import prediction_set
from evaluation.gallery import EACH, WIDTH, choose, gallery
from tests import files
from training.data import Row


def rows(count: int) -> list[Row]:
    """Rows with alternating labels."""
    return [Row(f"{index}.png", LABELS[index % 3], "here", f"patient-{index}", "val") for index in range(count)]


def posteriors(count: int, seed: int = 0) -> NDArray[np.float64]:
    """Posteriors that are certain of the right label, of a wrong one, or uncertain."""
    certain = np.eye(3)[(np.arange(count) + np.random.default_rng(seed).integers(0, 2, count)) % 3] * 0.9 + 0.1 / 3
    certain[::4] = [0.34, 0.33, 0.33]
    return np.asarray(certain)


def test_cases_are_of_their_kind(bundle: Bundle) -> None:
    table, answers = rows(60), posteriors(60)
    chosen = choose(bundle, table, answers)
    assert [kind for kind, _ in chosen] == ["right"] * 3 + ["wrong"] * EACH + ["uncertain"] * EACH
    assert len({index for _, index in chosen}) == len(chosen)
    assert {table[index].label for kind, index in chosen if kind == "right"} == set(LABELS)
    for kind, index in chosen:
        predicted = LABELS[int(answers[index].argmax())]
        alone = prediction_set(answers[index], bundle.manifest.conformal.thresholds) == (predicted,)
        assert (predicted == table[index].label) == (kind != "wrong") or kind == "uncertain"
        assert alone == (kind != "uncertain") or kind == "wrong"


def test_the_order_of_the_table_chooses_nothing(bundle: Bundle) -> None:
    table, answers = rows(60), posteriors(60)
    straight = [(kind, table[index].file) for kind, index in choose(bundle, table, answers)]
    backwards = [(kind, table[::-1][index].file) for kind, index in choose(bundle, table[::-1], answers[::-1])]
    assert straight == backwards


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_rows_make_few_cases(bundle: Bundle, count: int) -> None:
    assert len(choose(bundle, rows(count), posteriors(count))) <= count


def test_every_case_has_a_panel_and_a_caption(bundle: Bundle, tmp_path: Path) -> None:
    table = rows(3)
    for index, row in enumerate(table):
        pixels = np.random.default_rng(index).integers(0, 256, (90, 80), dtype=np.uint8)
        (tmp_path / row.file).write_bytes(files.png(pixels))
    answers = np.array([[0.9, 0.05, 0.05], [0.9, 0.05, 0.05], [0.3, 0.3, 0.4]])
    cases = gallery(bundle, tmp_path, table, answers)
    assert [case.kind for case in cases] == ["right", "wrong", "uncertain"]
    assert cases[1].caption == "Wrong: pneumonia of here, called normal (0.90)."
    for case in cases:
        picture = cv2.imdecode(np.frombuffer(case.panel_png, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        assert picture.shape[1] == WIDTH
