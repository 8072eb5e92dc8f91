"""Every architecture: the requirements of class activation maps, and the stored weights."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
import torch
from safetensors.torch import load, save
from torch import nn
from torchvision import models

from cxr.model.architecture import Architecture
from networks.architectures import VGG_HEAD_WIDTH, Network, build, load_weights, storable
from tests.networks.every import EVERY

CELLS = {"vgg": (4, 4), "resnet": (2, 2), "densenet": (2, 2)}  # at 64 pixels: a 16th for VGG, else a 32nd
IMAGES = torch.randint(0, 256, (2, 1, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """One thread: with hundreds of small layers, threads on a busy machine would wait for each other at each layer."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=EVERY)
def network(request: pytest.FixtureRequest) -> tuple[Architecture, Network]:
    """A network of each architecture, in evaluation mode, with BatchNorm statistics as after training."""
    torch.manual_seed(0)
    built = build(request.param)
    for norm in (module for module in built.modules() if isinstance(module, nn.BatchNorm2d)):
        nn.init.uniform_(norm.weight, 0.5, 1.0)
        nn.init.normal_(norm.bias, std=0.3)
    with torch.no_grad():
        built(IMAGES)  # training mode: the running statistics move
    return request.param, built.eval()


def family(architecture: Architecture) -> str:
    return architecture.split("_")[0].rstrip("0123456789")


@torch.no_grad()
def test_uint8_in_three_logits_out(network: tuple[Architecture, Network]) -> None:
    logits = network[1](IMAGES)
    assert logits.shape == (2, 3)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()
    assert not torch.equal(logits[0], logits[1])


@torch.no_grad()
def test_logits_are_the_heads_view_of_non_negative_activations(network: tuple[Architecture, Network]) -> None:
    architecture, net = network
    activations = net.activations(IMAGES)
    assert tuple(activations.shape[-2:]) == CELLS[family(architecture)]
    assert activations.min() == 0, "the last ReLU is in the trunk, and some units are off"
    assert activations.max() > 0
    assert torch.equal(net.head(activations), net(IMAGES))


@torch.no_grad()
def test_the_head_leaves_the_activations_as_they_are(network: tuple[Architecture, Network]) -> None:
    activations = network[1].activations(IMAGES)
    before = activations.clone()
    network[1].head(activations)
    assert torch.equal(activations, before)


@torch.no_grad()
def test_stored_weights_come_back_rounded_to_float16(network: tuple[Architecture, Network]) -> None:
    architecture, net = network
    data = save(storable(net))
    loaded = load_weights(architecture, data)
    assert not loaded.training
    state = loaded.state_dict()
    for name, tensor in net.state_dict().items():
        expected = (tensor.half() if tensor.ndim > 1 else tensor).float()
        assert torch.equal(state[name].float(), expected), name
    assert save(storable(loaded)) == data, "storing again changes nothing"
    spread = net(IMAGES).abs().max()
    torch.testing.assert_close(loaded(IMAGES), net(IMAGES), rtol=0, atol=float(1e-2 * spread))


def test_vectors_are_stored_in_float32(network: tuple[Architecture, Network]) -> None:
    for name, tensor in load(save(storable(network[1]))).items():
        assert tensor.dtype == (torch.float16 if tensor.ndim > 1 else torch.float32), name


def test_size_is_torchvisions_but_for_stem_head_and_biases_that_a_norm_takes_off(
    network: tuple[Architecture, Network],
) -> None:
    architecture, net = network
    with torch.device("meta"):
        reference = models.get_model(architecture, weights=None)
    body = reference.features if family(architecture) != "resnet" else reference
    filters = [p for name, p in body.named_parameters() if not name.startswith("fc.")]
    stem = filters[0].shape[0] * filters[0].shape[2] * filters[0].shape[3] * 2  # two channels fewer
    pairs = pairwise(body.modules())
    idle = [conv.bias for conv, norm in pairs if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)]
    biases = sum(bias.numel() for bias in idle if bias is not None)
    assert sum(p.numel() for p in net.trunk.parameters()) == sum(p.numel() for p in filters) - stem - biases


def test_the_head_is_small(network: tuple[Architecture, Network]) -> None:
    architecture, net = network
    weights = sum(p.numel() for p in net.head.parameters())
    assert weights <= 2208 * 3 + 3 + (513 * VGG_HEAD_WIDTH if family(architecture) == "vgg" else 0)


def test_grey_is_normalised_to_two_on_either_side() -> None:
    net = build("resnet18")
    ends = net.normalise(torch.tensor([0, 255], dtype=torch.uint8))
    assert ends.tolist() == [-2, 2]
    assert net.double().normalise(torch.tensor([127.5])).item() == 0
    assert net.half().normalise(torch.tensor([255], dtype=torch.uint8)).item() == 2


def test_a_seed_makes_a_network() -> None:
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(save(build("resnet18").state_dict()))
    assert states[0] == states[1] != states[2]
