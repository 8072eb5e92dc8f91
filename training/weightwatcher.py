"""WeightWatcher's figures of a network, from the singular values of its layers.

Martin, Peng and Mahoney, "Predicting trends in the quality of state-of-the-art neural networks without access to
training or testing data" (Nature Communications 2021), as their tool computes them by default (weightwatcher 0.7.7).
The tool needs a whole model; here the singular values are enough. There are three differences: singular values are
float32; a layer without a fit is left out of the means, while the tool counts it with an alpha of -1; and repeated
eigenvalues at the top are not candidates for the start of the tail.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cxr.arrays import Floats

MIN_EIGENVALUES: Final = 8  # a layer with fewer eigenvalues is skipped: here the last one, which has three
MAX_EIGENVALUES: Final = 15_000
NEGLIGIBLE: Final = 1e-5  # smaller eigenvalues are not part of the tail's fit
SMALL: Final = 20  # with fewer eigenvalues the estimate is corrected for its bias, and a tail has at least eight


@dataclass(frozen=True, slots=True)
class SpectralFigures:
    """Means over a network's layers. According to the theory, lower is better for each.

    `log_norm` is log10 of the squared Frobenius norm, `alpha` the exponent of the power law in the tail of the
    eigenvalue density, `weighted_alpha` (alpha-hat) its product with log10 of the largest eigenvalue.
    """

    log_norm: float
    alpha: float
    weighted_alpha: float


def spectral_figures(spectra: Mapping[str, NDArray[np.floating]]) -> SpectralFigures | None:
    """The figures of a network of `networks.architectures`; None if no layer is large enough for a fit.

    Args:
        spectra: singular values by layer, in any order. A convolution's are pooled from all its k·k slices [out, in].
            Keys are the modules' names: all layers in `trunk` are convolutions, all in `head` linear.
    """
    layers = [_layer(name, values) for name, values in spectra.items() if _is_analysed(values)]
    fitted = [layer for layer in layers if layer is not None]
    if not fitted:
        return None
    return SpectralFigures(
        log_norm=fmean(layer.log_norm for layer in fitted),
        alpha=fmean(layer.alpha for layer in fitted),
        weighted_alpha=fmean(layer.weighted_alpha for layer in fitted),
    )


def _is_analysed(singular_values: NDArray[np.floating]) -> bool:
    return MIN_EIGENVALUES <= len(singular_values) <= MAX_EIGENVALUES


def _layer(name: str, singular_values: NDArray[np.floating]) -> SpectralFigures | None:
    """One layer; None if its tail cannot be fitted."""
    eigenvalues = np.square(singular_values, dtype=np.float64)
    if name.startswith("trunk."):
        eigenvalues = (
            eigenvalues / 2
        )  # like the tool's `conv2d_norm`, which scales the slices of a convolution by sqrt(1/2)
    alpha = power_law_exponent(eigenvalues[eigenvalues > NEGLIGIBLE])
    if np.isnan(alpha):
        return None
    return SpectralFigures(
        log_norm=float(np.log10(eigenvalues.sum())),
        alpha=alpha,
        weighted_alpha=alpha * float(np.log10(eigenvalues.max())),
    )


def power_law_exponent(values: Floats) -> float:
    """The exponent of the tail p(x) ~ x^-alpha, x ≥ xmin (Clauset, Shalizi and Newman 2009).

    Maximum likelihood for each candidate xmin; the xmin with the smallest Kolmogorov-Smirnov distance is chosen.

    Args:
        values: [N] positive, in any order.

    Returns:
        An exponent above 1; NaN if no tail can be fitted.
    """
    logs = np.sort(np.log(values))
    n = len(logs)
    is_small = n < SMALL
    best, least = float("nan"), np.inf
    for first in range(max(1, n - MIN_EIGENVALUES + 1) if is_small else n - 1):
        excess = logs[first:] - logs[first]
        total = excess.sum()
        if not total > 0:
            continue
        slope = (len(excess) - is_small) / total  # alpha - 1
        distance = np.abs(1.0 - np.exp(-slope * excess) - np.arange(len(excess)) / len(excess)).max()
        if distance < least:
            best, least = 1.0 + float(slope), distance
    return best
