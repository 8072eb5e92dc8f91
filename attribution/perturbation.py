"""Integrated gradients and occlusion by captum: what an image's pixels add to a logit, beside an image without content.

Both compare with the image's own mean grey: in a lung frame that is what fills the outside, which so has no evidence.
Neither hooks nor changes the network: several threads may share it.
"""

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from networks.architectures import Network

STEPS: Final = 32  # of the path from grey to the image: Gauss-Legendre's points, each a pass forth and back
AT_ONCE: Final = 8  # images of a path, or of a sweep, that a network is given together: bounds the memory
WINDOW: Final = 7  # windows to a side: what is covered at once, a Grad-CAM cell of a ResNet
STRIDE: Final = 14  # steps to a side: half a window


def integrated_gradients(network: Network, images: Tensor, targets: Tensor) -> Tensor:
    """Integrated gradients, Sundararajan et al. 2017, equation 1, by Gauss-Legendre quadrature in `STEPS` points.

    Args:
        network: in evaluation mode.
        images: [N, 1, H, W] uint8.
        targets: [N] int64, for each image the index of the label to explain.

    Returns:
        [N, H, W] in units of the logit; they sum to the image's logit less that of its mean grey, as far as the
        quadrature is exact.

    Raises:
        ValueError: the network is in training mode.
    """
    from captum.attr import IntegratedGradients  # late: it loads matplotlib, which other methods need not wait for

    grey = _checked(network, images)
    method = IntegratedGradients(network, multiply_by_inputs=True)
    with torch.enable_grad():
        maps: Tensor = method.attribute(
            images.float(), grey, target=targets, n_steps=STEPS, internal_batch_size=AT_ONCE * len(images)
        )
    return maps[:, 0].detach()


def occlusion(network: Network, images: Tensor, targets: Tensor) -> Tensor:
    """By how much the logit falls where a square of the image is covered (Zeiler & Fergus 2014, section 4.2).

    The one map that looks at nothing but the network's answers. A square is a `WINDOW`-th of the side and moves by a
    `STRIDE`-th; a place has the mean over the squares that cover it.

    Arguments and errors are those of `integrated_gradients`.

    Returns:
        [N, `STRIDE`, `STRIDE`] in units of the logit.
    """
    from captum.attr import Occlusion

    grey = _checked(network, images)
    side = images.shape[-1]
    window, stride = max(1, side // WINDOW), max(1, side // STRIDE)
    with torch.no_grad():
        maps: Tensor = Occlusion(network).attribute(
            images.float(),
            sliding_window_shapes=(1, window, window),
            strides=(1, stride, stride),
            baselines=grey,
            target=targets,
            perturbations_per_eval=AT_ONCE,
        )
    return functional.adaptive_avg_pool2d(maps[:, 0], STRIDE)


def _checked(network: Network, images: Tensor) -> Tensor:
    """The baseline of images: each one's mean grey, [N, 1, H, W] float32."""
    if network.training:
        raise ValueError("an attribution needs the network in evaluation mode")
    values = images.float()
    return values.mean(dim=(1, 2, 3), keepdim=True).expand_as(values).contiguous()
