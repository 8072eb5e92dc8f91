"""Names for the kinds of arrays that the project uses. The type gives the dtype; the text below it the rest."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
"""[H, W], 0 black to 255 white."""

Colour = NDArray[np.uint8]
"""[H, W, 3], RGB, 0 to 255."""

Images = NDArray[np.uint8]
"""[N, S, S] prepared images, the input of the networks: 0 to 255, not normalised."""

Views = Mapping[str, Images]
"""The same N images in several frames, by the frame's id; or one image [S, S] in each."""

Mask = NDArray[np.bool_]
"""[H, W] or [N, H, W], true inside; or [N], a selection of N images."""

Map = NDArray[np.float32]
"""[h, w] evidence for a label over the whole image, positive or negative, in a unit that depends on the method."""

Logits = NDArray[np.float32]
"""[N, K] of one network or [M, N, K] of M networks, K in the order of `cxr.labels.LABELS`, before any temperature."""

Ints = NDArray[np.int64]
"""[N] indices into `cxr.labels.LABELS`."""

Scores = NDArray[np.floating]
"""[N] of one label or [N, K] of all; a higher score means more certainty. Logits and posteriors are scores."""

Floats = NDArray[np.float64]
"""Posteriors [N, K] in 0 to 1, figures, weights. The shape is stated where it is used."""

Floats32 = NDArray[np.float32]
"""Filtered images and other measurements in single precision. The shape is stated where it is used."""
