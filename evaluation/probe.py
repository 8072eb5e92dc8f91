"""Predict the source from a network's features: a cross-validated linear probe (Alain & Bengio 2017)."""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cxr.arrays import Floats, Images
from networks.architectures import Network

FOLDS: Final = 5
BATCH: Final = 32


def penultimate(network: Network, images: Images) -> Floats:
    """[N, C] the inputs of a network's last linear layer for prepared images [N, S, S]."""
    before_last = network.head[:-1]  # type: ignore[index]
    with torch.inference_mode():
        batches = [
            before_last(network.activations(torch.from_numpy(np.array(images[start : start + BATCH, np.newaxis]))))
            for start in range(0, len(images), BATCH)
        ]
    return np.asarray(torch.cat(batches).double().numpy())


def guesses(features: Floats, sources: NDArray[np.str_], patients: list[str]) -> NDArray[np.str_]:
    """[N] the source that a logistic regression predicts for each image, trained without the image's patient.

    Args:
        features: [N, C].
        sources: [N], at least two different ones, each with `FOLDS` images or more.
        patients: [N]; a patient's images stay in one fold.
    """
    guessed = np.empty_like(sources)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    for learn, test in folds.split(features, sources, patients):
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
        guessed[test] = probe.fit(features[learn], sources[learn]).predict(features[test])
    return guessed
