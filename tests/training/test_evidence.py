"""Evidence: relevance is conserved on its way down, and training can reduce its share outside the lungs."""

import pytest
import torch
from torch import nn
from torchvision.models.resnet import Bottleneck

from cxr.model.architecture import Architecture
from networks.architectures import Network, build
from training.config import OF_BASIC_BLOCKS
from training.evidence import WithEvidence, outside_loss


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    return build("resnet18").eval()


IMAGES = torch.randint(0, 256, (4, 1, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
SHARES = torch.eye(3)[[0, 1, 2, 0]]


def test_the_logits_are_the_networks(network: Network) -> None:
    with torch.no_grad():
        logits, relevance = WithEvidence(network)(IMAGES, SHARES)
        torch.testing.assert_close(logits, network(IMAGES))
    assert relevance.shape == (4, 1, 16, 16)
    assert relevance.min() >= 0


def test_relevance_is_conserved(network: Network) -> None:
    """It is normalised before each block, so its sum is 1. Relevance without positive evidence below is lost."""
    with torch.no_grad():
        _, relevance = WithEvidence(network.double())(IMAGES, SHARES.double())
    torch.testing.assert_close(relevance.sum(dim=(1, 2, 3)), torch.ones(4).double(), rtol=0.02, atol=0)


def test_relevance_lies_where_the_evidence_is(network: Network) -> None:
    image = torch.full((1, 1, 128, 128), 127, dtype=torch.uint8)
    image[..., :32, :32] = IMAGES[0, :, :32, :32]
    with torch.no_grad():
        _, relevance = WithEvidence(network)(image, SHARES[:1])
    assert relevance[..., :12, :12].sum() > 0.5 * relevance.sum()


def test_training_moves_evidence_into_the_lungs(network: Network) -> None:
    masks = torch.zeros(4, 2, 64, 64)
    masks[:, 0, 16:48, 16:48] = 1
    masks[:, 1] = 1
    model = WithEvidence(network)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    losses = []
    for _ in range(8):
        loss = outside_loss(model(IMAGES, SHARES)[1], masks)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]


def test_images_without_known_lungs_do_not_count() -> None:
    relevance = torch.rand(2, 1, 4, 4)
    masks = torch.zeros(2, 2, 16, 16)
    assert float(outside_loss(relevance, masks)) == 0
    masks[0, :, :8] = 1
    inside = relevance[0, 0, :2].sum() / relevance[0].sum()
    torch.testing.assert_close(outside_loss(relevance, masks), -inside.log(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("architecture", OF_BASIC_BLOCKS)
def test_residual_networks_of_basic_blocks_have_it(architecture: Architecture) -> None:
    assert WithEvidence(build(architecture))(IMAGES, SHARES)[1].shape == (4, 1, 16, 16)


def test_no_other_network_has_it() -> None:
    deeper = Network(nn.Sequential(Bottleneck(64, 16)), nn.Sequential())
    for network in (build("densenet201"), deeper):
        with pytest.raises(ValueError, match="ResNet-18 or -34"):
            WithEvidence(network)
