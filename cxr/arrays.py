"""The arrays that the project passes about: one name for each kind. Types say the dtype, the lines here the rest."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
"""[H, W], 0 black to 255 white."""

Colour = NDArray[np.uint8]
"""[H, W, 3], RGB, 0 to 255."""

Images = NDArray[np.uint8]
"""[N, S, S] prepared images, as networks take them: 0 to 255, not normalised."""

Views = Mapping[str, Images]
"""The same N images in each of some frames, by the frame's id; or one image [S, S] in each."""

Mask = NDArray[np.bool_]
"""[H, W] or [N, H, W], true inside; or [N], which of N images."""

Map = NDArray[np.float32]
"""[h, w] evidence for a label over the whole image, of either sign and in a unit of its method's own."""

Logits = NDArray[np.float32]
"""[N, K] of one network or [M, N, K] of M, K in the order of `cxr.labels.LABELS`, before any temperature."""

Ints = NDArray[np.int64]
"""[N] indices into `cxr.labels.LABELS`."""

Scores = NDArray[np.floating]
"""[N] of one label or [N, K] of all: the higher, the surer. Logits and posteriors are scores."""

Floats = NDArray[np.float64]
"""Posteriors [N, K] in 0 to 1, figures, weights: of the shape that is said where it is used."""

Floats32 = NDArray[np.float32]
"""Filtered images and other measurements in single precision, of the shape that is said where it is used."""
