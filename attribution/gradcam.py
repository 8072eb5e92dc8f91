"""Grad-CAM and Grad-CAM++ on the logit, at the cost of one forward pass.

Both need only the gradient of one logit with respect to the last activations A. So the trunk runs without gradients,
and the backward pass stops at A. There are no hooks and no state: several threads may share a network.

Shapes: N images, C channels, h x w positions of A. A is non-negative (`networks.architectures.Network`).
"""

import torch
from torch import Tensor, nn

from networks.architectures import Network


def gradcam(network: Network, images: Tensor, targets: Tensor) -> Tensor:
    """Grad-CAM, Selvaraju et al. 2017, equations 1 and 2.

    A channel's weight is the mean of its gradient over positions; the map is the positive part of the
    weighted sum of channels.

    Args:
        network: in evaluation mode.
        images: [N, 1, H, W] uint8.
        targets: [N] int64, for each image the index of the label to explain.

    Returns:
        [N, h, w] maps ≥ 0 in the units of the logit, not normalised. Each depends on its own image only.

    Raises:
        ValueError: the network is in training mode, where dropout and batch statistics would change the map.
    """
    return _gradcam(*_activations_and_gradients(network, images, targets))


def gradcam_plus_plus(network: Network, images: Tensor, targets: Tensor) -> Tensor:
    """Grad-CAM++, Chattopadhyay et al. 2018, equation 19 with Y = exp(logit).

    Equation 19 weighs each position by alpha = g² / (2g² + S·g³), where g is the logit's gradient there and S the sum
    of the channel's activations; exp(logit) cancels. This is 1 / (2 + S·g). Only g > 0 enters a channel's weight, and
    S ≥ 0, so the denominator is at least 2 and needs no epsilon. The weights' common factor exp(logit) is left out: it
    could overflow and does not change the map's shape.

    Arguments, shapes and errors are those of `gradcam`. The maps have no unit.
    """
    return _gradcam_plus_plus(*_activations_and_gradients(network, images, targets))


def both(network: Network, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """(`gradcam`, `gradcam_plus_plus`) at the cost of one of them: only the last sum differs."""
    activations, gradients = _activations_and_gradients(network, images, targets)
    return _gradcam(activations, gradients), _gradcam_plus_plus(activations, gradients)


def _gradcam(activations: Tensor, gradients: Tensor) -> Tensor:
    return _weighted_sum(activations, gradients.mean(dim=(2, 3)))


def _gradcam_plus_plus(activations: Tensor, gradients: Tensor) -> Tensor:
    positive = gradients.relu()
    alphas = 1 / (2 + activations.sum(dim=(2, 3), keepdim=True) * positive)
    return _weighted_sum(activations, (alphas * positive).sum(dim=(2, 3)))


def _activations_and_gradients(network: Network, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """A and ∂logit/∂A, both [N, C, h, w], without an autograd graph. No parameter's `.grad` is changed."""
    if network.training:
        raise ValueError("a class activation map needs the network in evaluation mode")
    with torch.no_grad():
        activations = network.activations(images)
    return activations, _gradients(network.head, activations, targets)


def _gradients(head: nn.Module, activations: Tensor, targets: Tensor) -> Tensor:
    """∂logit/∂A, [N, C, h, w]. After an average pool and one linear layer it is the weight, spread evenly."""
    match list(head.children()):
        case [nn.AdaptiveAvgPool2d(), nn.Flatten(), nn.Linear() as linear]:
            positions = activations.shape[2] * activations.shape[3]
            even = linear.weight.detach()[targets] / positions
            return even[:, :, None, None].expand_as(activations)
    with torch.enable_grad():
        leaf = activations.detach().requires_grad_()
        logits: Tensor = head(leaf)
        # The sum over images only batches the computation: no image's logit depends on another's activations.
        (gradients,) = torch.autograd.grad(logits.gather(1, targets[:, None]).sum(), leaf)
    return gradients


def _weighted_sum(activations: Tensor, weights: Tensor) -> Tensor:
    """ReLU(Σ_k w_k A_k): activations [N, C, h, w], weights [N, C] → [N, h, w]."""
    return torch.einsum("nchw,nc->nhw", activations, weights).relu()
