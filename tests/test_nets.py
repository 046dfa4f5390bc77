"""The papers' networks: shapes, sizes and initialisers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from heatproof.models.nets.adebayo import CNN_DECAYED, AdebayoCNN, AdebayoMLP, truncated_normal_
from heatproof.models.nets.cifar_resnet import CifarResNet
from heatproof.models.nets.lenet import LeNet
from heatproof.models.nets.small_cnn import SmallCNN
from heatproof.train import seeded

NETS = {  # build, input, parameters worked out by hand from the papers' tables
    "small_cnn": (
        SmallCNN,
        (3, 48, 48),
        3 * 9 * 16 + 16 * 9 * 32 + 32 * 9 * 64 + 64 * 9 * 64 + 64 * 9 * 128 + 608 + 1290,
    ),
    "lenet": (LeNet, (1, 28, 28), 44_426),
    "lenet_cifar": (lambda: LeNet(3, 32), (3, 32, 32), 62_006),
    "resnet20": (CifarResNet, (3, 32, 32), 269_722),
    "resnet56": (lambda: CifarResNet(9), (3, 32, 32), 853_018),
    "adebayo_cnn": (AdebayoCNN, (1, 28, 28), 832 + 51_264 + 3_212_288 + 10_250),
    "adebayo_mlp": (AdebayoMLP, (1, 28, 28), 785 * 2500 + 2501 * 1500 + 1501 * 500 + 501 * 10),
}


@pytest.mark.parametrize("name", NETS)
def test_logits_and_number_of_parameters(name):
    build, shape, parameters = NETS[name]
    model = seeded(build, 0).eval()
    assert model(torch.rand(2, *shape)).shape == (2, 10)
    assert sum(p.numel() for p in model.parameters()) == parameters


@pytest.mark.parametrize("name", NETS)
def test_every_image_stands_alone(name):
    build, shape, _ = NETS[name]
    model, images = seeded(build, 0).eval(), torch.rand(3, *shape)
    torch.testing.assert_close(model(images)[1:2], model(images[1:2]), rtol=1e-4, atol=1e-5)


def test_shortcut_takes_every_second_pixel_between_zero_channels():
    block = CifarResNet(3).layer2[0].eval()
    nn.init.zeros_(block.bn2.weight)
    nn.init.zeros_(block.bn2.bias)  # leaves the shortcut alone
    x = torch.rand(1, 16, 8, 8)
    y = block(x)
    assert torch.equal(y[:, 8:24], x[:, :, ::2, ::2])
    assert not y[:, :8].any()
    assert not y[:, 24:].any()


def test_truncated_normal_is_tensorflows():
    """Never beyond two standard deviations, and 0.8796 of one is left (semantics.md, T-S1-11)."""
    w = truncated_normal_(torch.empty(400_000), 0.1)
    assert w.abs().max() <= 0.2
    assert w.std() == pytest.approx(0.08796, rel=0.01)
    assert abs(w.mean()) < 5e-4


@pytest.mark.parametrize("layer", ["conv1", "conv2", "fc1", "fc2"])
def test_cnn_layers_reset_to_the_authors_initialiser(layer):
    part = getattr(seeded(AdebayoCNN, 0), layer)
    for _ in range(2):  # as built, and reset after a change
        assert part.weight.abs().max() <= 0.2
        assert part.weight.detach().std() == pytest.approx(0.088, rel=0.1)
        assert torch.equal(part.bias, torch.full_like(part.bias, 0.1))
        before = part.weight.detach().clone()
        nn.init.constant_(part.weight, 7.0)
        nn.init.constant_(part.bias, 7.0)
        seeded(lambda: part.reset_parameters() or part, 1)
    assert not torch.equal(before, seeded(AdebayoCNN, 0).get_submodule(layer).weight)


@pytest.mark.parametrize("layer", ["fc1", "fc2", "fc3", "fc4"])
def test_mlp_layers_reset_to_the_authors_initialiser(layer):
    part = getattr(seeded(AdebayoMLP, 0), layer)
    for _ in range(2):
        std = 2 / math.sqrt(part.in_features)
        assert part.weight.abs().max() <= 2 * std
        assert part.weight.detach().std() == pytest.approx(0.8796 * std, rel=0.05)
        assert not part.bias.any()
        nn.init.constant_(part.weight, 7.0)
        nn.init.constant_(part.bias, 7.0)
        part.reset_parameters()


def test_decayed_weights_are_those_of_the_code():
    names = {name for name, p in AdebayoCNN().named_parameters() if p.dim() >= 2}
    assert names - set(CNN_DECAYED) == {"fc2.weight"}
    assert set(CNN_DECAYED) <= names
