"""Integrated gradients and occlusion by captum: what an image's pixels add to a logit, relative to an empty image.

The empty image has the image's own mean grey. In a lung frame this is the grey of the background, which therefore gets
no evidence. Neither method hooks or changes the network: several threads may share it.
"""

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from networks.architectures import Network

STEPS: Final = 32  # Gauss-Legendre points on the path from grey to the image; each is a forward and a backward pass
AT_ONCE: Final = 8  # images of a path, or of a sweep, in one batch: limits the memory
WINDOW: Final = 7  # windows per side: a covered window is as large as a Grad-CAM cell of a ResNet
STRIDE: Final = 14  # steps per side: half a window


def integrated_gradients(network: Network, images: Tensor, targets: Tensor) -> Tensor:
    """Integrated gradients, Sundararajan et al. 2017, equation 1, by Gauss-Legendre quadrature in `STEPS` points.

    Args:
        network: in evaluation mode.
        images: [N, 1, H, W] uint8.
        targets: [N] int64, for each image the index of the label to explain.

    Returns:
        [N, H, W] in units of the logit. Their sum is the image's logit minus that of its mean grey, as far as the
        quadrature is exact.

    Raises:
        ValueError: the network is in training mode.
    """
    from captum.attr import IntegratedGradients  # imported late: it loads matplotlib

    grey = _checked(network, images)
    method = IntegratedGradients(network, multiply_by_inputs=True)
    with torch.enable_grad():
        maps: Tensor = method.attribute(
            images.float(), grey, target=targets, n_steps=STEPS, internal_batch_size=AT_ONCE * len(images)
        )
    return maps[:, 0].detach()


def occlusion(network: Network, images: Tensor, targets: Tensor) -> Tensor:
    """The decrease of the logit when a square of the image is covered (Zeiler & Fergus 2014, section 4.2).

    This is the only method that uses nothing but the network's outputs. A square is a `WINDOW`-th of the side and moves
    by a `STRIDE`-th; each position gets the mean over the squares that cover it.

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
    """The baseline images: each image's mean grey, [N, 1, H, W] float32."""
    if network.training:
        raise ValueError("an attribution needs the network in evaluation mode")
    values = images.float()
    return values.mean(dim=(1, 2, 3), keepdim=True).expand_as(values).contiguous()
