"""The paper's remark that q of 20 to 80 changes nothing, on trained networks (T-S3-14): true where every tau is 0."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

import heatproof as hp
from heatproof.data.cifar import read_cifar
from heatproof.data.idx import read_idx
from heatproof.models.nets.cifar_resnet import CifarResNet
from heatproof.models.nets.lenet import LeNet

DATA = Path(os.environ.get("HEATPROOF_DATA") or Path(__file__).parents[2] / "../shared/data")
pytestmark = pytest.mark.skipif(not (DATA / "weights").is_dir(), reason=f"no weights in {DATA}; set HEATPROOF_DATA")
N = 32


def loaded(model: nn.Module, name: str) -> nn.Module:
    state = load_file(DATA / "weights" / f"{name}.safetensors")
    if name == "mnist_lenet":  # conv_1 -> conv1
        state = {key.replace("_", ""): value for key, value in state.items()}
    model.load_state_dict(state)
    return model.eval()


def network(name: str) -> tuple[nn.Module, Tensor]:
    if name == "mnist_lenet":
        return loaded(LeNet(), name), (read_idx(DATA / "MNIST/raw", "test", N)[0] - 0.1307) / 0.3081
    photos = read_cifar(DATA / "CIFAR10", "test", N)[0]
    if name == "cifar10_lenet":
        return loaded(LeNet(3, 32), name), (photos - 0.5) / 0.5
    mean, std = (torch.tensor(v).reshape(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    return loaded(CifarResNet(3), name), (photos - mean) / std


NONZERO = {  # the layers in which tau is not 0 for some image, as places in call order
    ("mnist_lenet", 20): {2, 3},
    ("mnist_lenet", 50): set(),
    ("mnist_lenet", 80): {2, 3},
    ("cifar10_lenet", 20): set(),
    ("cifar10_lenet", 50): set(),
    ("cifar10_lenet", 80): {2, 3},
    ("cifar10_resnet20", 50): set(),
}
"""ReLUs of the LeNets: two convolutions, then two linear layers, whose few units have too few zeros. In ResNet-20 most
layers have a tau of their own at 20 (under 0) and at 80 (over 0)."""


@pytest.mark.parametrize("name", ["mnist_lenet", "cifar10_lenet", "cifar10_resnet20"])
def test_q_changes_nothing_where_every_tau_is_zero(name: str) -> None:
    model, x = network(name)
    guided = (hp.guided_backprop(model, x) * x).relu()
    for q in (20, 50, 80):
        layers = hp.rectgrad_layers(model, x, q=q)
        nonzero = torch.stack([layer.tau != 0 for layer in layers])
        still = ~nonzero.any(0)
        maps = hp.rectgrad(model, x, q=q)
        assert torch.equal(maps[still], guided[still])
        found = set(nonzero.any(1).nonzero().flatten().tolist())
        if (name, q) in NONZERO:
            assert found == NONZERO[name, q], [layers[i].name for i in sorted(found)]
        else:
            assert len(found) > len(layers) / 2
            assert not still.any()
        signs = [layer.tau.sign() for layer in layers]
        assert all((s <= 0).all() if q == 20 else (s >= 0).all() for s in signs)
        assert not any(layer.dead.any() for layer in layers)


@pytest.mark.parametrize("name", ["mnist_lenet", "cifar10_lenet", "cifar10_resnet20"])
def test_the_default_is_sparse_and_alive(name: str) -> None:
    """At q=98 two of a hundred units pass in every layer, and no image loses its map."""
    model, x = network(name)
    maps = hp.rectgrad(model, x)
    assert maps.flatten(1).any(1).all()
    assert (maps > 0).float().mean() < (hp.rectgrad(model, x, q=50) > 0).float().mean()
    for layer in hp.rectgrad_layers(model, x):
        assert ((layer.passed > 0) & (layer.passed < 0.03)).all()


def test_padding_trick_takes_the_map_off_the_border() -> None:
    model, x = network("cifar10_resnet20")
    plain, trick = hp.rectgrad(model, x, q=90), hp.rectgrad(model, x, q=90, padding_trick=True)
    assert trick.flatten(1).any(1).all()
    assert trick[:, :, [0, -1]].sum() / trick.sum() < 0.5 * plain[:, :, [0, -1]].sum() / plain.sum()


@pytest.mark.parametrize("name", ["mnist_lenet", "cifar10_lenet"])
def test_redistribution_makes_smoother_maps(name: str) -> None:
    """Appendix C.2, measured as total variation over the sum of the map."""
    model, x = network(name)
    plain, shared = (hp.rectgrad(model, x, q=90, prr=prr).sum(1, keepdim=True) for prr in (False, True))
    assert (variation(shared) < variation(plain)).all()


def variation(maps: Tensor) -> Tensor:
    steps = maps.diff(dim=2).abs().flatten(1).sum(1) + maps.diff(dim=3).abs().flatten(1).sum(1)
    return steps / maps.abs().flatten(1).sum(1)
