"""Integrated gradients and occlusion: their sums, and comparison with slow versions."""

import pytest
import torch
from torch import Tensor, nn

from attribution.opacity import opacities, opacity
from attribution.perturbation import STRIDE, integrated_gradients, occlusion
from networks.architectures import Network, build
from tests.attribution.networks import batch, randomised

BRIGHT = (slice(0, 16), slice(48, 64))


class Brightness(nn.Module):
    """A trunk that returns the image, [N, 1, H, W] ≥ 0."""

    def forward(self, image: Tensor) -> Tensor:
        return image + 2


def of_one_corner() -> Network:
    """Logits; the second is the mean of the image's upper right corner, a quarter of each side long."""

    class Corner(nn.Module):
        def forward(self, values: Tensor) -> Tensor:
            corner = values[:, 0, BRIGHT[0], BRIGHT[1]].mean(dim=(1, 2))
            return torch.stack([torch.zeros_like(corner), corner, -corner], dim=1)

    made = Network(Brightness(), Corner()).eval()
    made.normalise = lambda image: (image.float() - 127.5) / 63.75  # type: ignore[method-assign]
    return made


def images() -> Tensor:
    made = torch.full((2, 1, 64, 64), 100, dtype=torch.uint8)
    made[1, 0, BRIGHT[0], BRIGHT[1]] = 200
    return made


def test_integrated_gradients_sum_to_what_the_image_adds_to_grey() -> None:
    subject, some, targets = randomised("resnet18"), batch(2), torch.tensor([1, 2])
    maps = integrated_gradients(subject, some, targets)
    grey = some.float().mean(dim=(1, 2, 3), keepdim=True).expand(some.shape)
    with torch.no_grad():
        added = (subject(some) - subject(grey)).gather(1, targets[:, None])[:, 0]
    assert maps.shape == (2, *some.shape[2:])
    torch.testing.assert_close(maps.sum(dim=(1, 2)), added, rtol=0.1, atol=0.05)


@pytest.mark.parametrize("method", [integrated_gradients, occlusion])
def test_only_what_the_network_looks_at_is_evidence_and_its_sign_is_the_labels(method: object) -> None:
    assert callable(method)
    for target, sign in ((1, 1), (2, -1)):
        flat, bright = method(of_one_corner(), images(), torch.tensor([target, target]))
        assert flat.abs().max() < 1e-5, "an image without content has no evidence"
        side = len(bright)
        corner = bright[: side // 4, 3 * side // 4 :]
        assert (sign * corner).sum() > 0.5 * bright.abs().sum()
        assert bright[side // 2 :].abs().max() < 1e-5


def test_occlusion_is_the_logit_lost_under_a_square() -> None:
    maps = occlusion(of_one_corner(), images(), torch.tensor([1, 1]))
    assert maps.shape == (2, STRIDE, STRIDE)
    grey = images()[1].float().mean()
    # A square that covers only the upper right cell covers at most 9 of the corner's 16 rows and columns.
    assert 0 < maps[1, 0, -1] <= (200 - grey) / 63.75


@pytest.mark.parametrize("method", [integrated_gradients, occlusion])
def test_a_network_in_training_mode_is_refused(method: object) -> None:
    assert callable(method)
    with pytest.raises(ValueError, match="evaluation mode"):
        method(build("resnet18"), batch(1), torch.tensor([0]))


def test_the_network_is_left_as_it_was() -> None:
    subject, some, targets = randomised("resnet18"), batch(1), torch.tensor([0])
    before = {name: tensor.clone() for name, tensor in subject.state_dict().items()}
    for method in (integrated_gradients, occlusion):
        method(subject, some, targets)
    assert all(torch.equal(before[name], tensor) for name, tensor in subject.state_dict().items())
    assert all(parameter.grad is None for parameter in subject.parameters())
    assert not any(module._forward_hooks or module._backward_hooks for module in subject.modules())


def test_the_second_head_gives_a_share_for_each_cell_and_no_faint_map() -> None:
    subject = build("resnet18", opacity_head=True).eval()
    assert subject.opacities is not None
    assert subject.opacities.bias is not None
    with torch.no_grad():
        logits = subject.opacities(subject.activations(batch(2)))
        torch.testing.assert_close(opacities(subject, batch(2)), logits[:, 0].sigmoid())
        torch.testing.assert_close(opacity(subject, batch(2), torch.tensor([0, 2])), logits[:, 0].sigmoid())
        subject.opacities.bias -= logits.amax() + 3
    assert not opacity(subject, batch(2), torch.tensor([0, 2])).any()
    assert opacities(subject, batch(2)).all()
    with pytest.raises(ValueError, match="no opacity head"):
        opacity(build("resnet18").eval(), batch(1), torch.tensor([0]))
