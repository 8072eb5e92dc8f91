"""A gate learns to separate two kinds in a few steps, with the same result from the same seed."""

import numpy as np
import pytest

from networks.gate import SIZE
from training.gate import learn
from training.gate.examples import KNOWN, VARIED, Examples
from training.gate.learn import logits_of, train_gate


def examples(each: int = 24) -> Examples:
    """Known and varied images are bright at the top; images to reject are bright at the bottom."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(200, 40, SIZE)[:, np.newaxis]
    above, below = (
        np.clip(of + rng.normal(0, 20, (2 * each, SIZE, SIZE)), 0, 255).astype(np.uint8) for of in (ramp, ramp[::-1])
    )
    kinds = [KNOWN] * each + [VARIED] * each + ["turned"] * each + ["negative"] * each
    return Examples(np.concatenate([above, below]), np.array(kinds), np.arange(4 * each))


def test_it_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learn, "BATCH", 16)
    some = examples()
    inside = np.isin(some.kinds, (KNOWN, VARIED))
    logits = logits_of(train_gate(some, seed=0, steps=30), some.images)
    assert logits[inside].min() > logits[~inside].max()
    assert np.array_equal(logits, logits_of(train_gate(some, seed=0, steps=30), some.images))
