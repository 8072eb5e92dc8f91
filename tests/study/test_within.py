"""One label against another within a source."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cxr.labels import LABELS, Label
from evaluation.bootstrap import Resampling
from study.within import within_sources
from training.data import Row

OF: dict[str, tuple[Label, ...]] = {"siim": ("covid19", "normal"), "rsna": ("normal",), "cohen": LABELS}


def test_each_source_with_both_labels_is_measured() -> None:
    rng = np.random.default_rng(0)
    rows = [Row(f"{i}.png", OF[s][i % len(OF[s])], s, f"p{i // 2}", "val") for i in range(30) for s in OF]
    posterior = rng.dirichlet((1, 1, 1), len(rows))
    found = within_sources(posterior, rows, Resampling([row.patient for row in rows], resamples=50))
    assert set(found) == {"siim", "cohen"}
    for source, negative in (("siim", "normal"), ("cohen", "pneumonia")):
        here = [i for i, row in enumerate(rows) if row.source == source and row.label in ("covid19", negative)]
        p, other = posterior[here, LABELS.index("covid19")], posterior[here, LABELS.index(negative)]
        expected = roc_auc_score([rows[i].label == "covid19" for i in here], p / (p + other))
        assert found[source].value == pytest.approx(expected, abs=1e-4)
