"""Networks trained at once come out as each would alone, whatever they are stacked with."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from heatproof.errors import HeatproofError, InputError
from heatproof.models.nets.lenet import LeNet
from heatproof.models.nets.small_cnn import SmallCNN
from heatproof.models.nets.vgg9 import VGG9
from heatproof.train import seeded, train
from heatproof.training.stacked import train_stacked

SEEDS = (5, 0, 7)
NETS = {
    "lenet": (lambda: LeNet(1, 16, 3), (1, 16, 16)),
    "small_cnn": (lambda: SmallCNN(3, 1), (1, 8, 8)),
    "vgg9": (lambda: VGG9(3, width=0.03), (3, 32, 32)),
}


def networks(build, count: int = 3) -> list[nn.Module]:
    return [seeded(build, 10 + k).double() for k in range(count)]


def data(shape, count: int = 11, nets: int = 3, classes: int = 3) -> tuple[Tensor, Tensor]:
    """Images of their own for each network, ``(K, N, C, H, W)``, and the classes of all."""
    g = torch.Generator().manual_seed(3)
    y = torch.randint(classes, (count,), generator=g)
    return torch.randn(nets, count, *shape, generator=g, dtype=torch.float64) + y[:, None, None, None], y


def own(pixels: Tensor):
    return lambda rows: torch.stack([x[r] for x, r in zip(pixels, rows, strict=True)])


def state(model: nn.Module) -> Tensor:
    return torch.cat([v.flatten().double() for v in model.state_dict().values()])


def weights(model: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten().double() for p in model.parameters()])


def check_as_alone(build, shape, **options) -> None:
    pixels, y = data(shape)
    together, alone = networks(build), networks(build)
    passes = train_stacked(together, own(pixels), y, seeds=SEEDS, **options)
    for k, model in enumerate(alone):
        before = state(model)
        single = train(model, pixels[k], y, seed=SEEDS[k], **options)
        assert (state(model) - before).abs().max() > 1e-4
        torch.testing.assert_close(state(together[k]), state(model), rtol=1e-9, atol=1e-9)
        for got, expected in zip(passes[k], single.history, strict=True):
            assert got.loss == pytest.approx(expected.loss, abs=1e-6)  # summed in float32 there
            assert got.accuracy == pytest.approx(expected.accuracy, abs=1e-6)
            assert got.evaluated is None


@pytest.mark.parametrize("net", NETS)
def test_adam_in_a_cycle(net):
    """Eleven images in batches of 4: steps of 4, 4 and 3."""
    check_as_alone(*NETS[net], epochs=2, batch=4, lr=1e-3)


@pytest.mark.parametrize("net", NETS)
def test_sgd_at_a_constant_rate(net):
    check_as_alone(*NETS[net], epochs=2, batch=4, lr=1e-3, optimizer="sgd", schedule=None)


@pytest.mark.parametrize("decayed", [None, ("conv1.bias", "fc1.weight")])
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_weight_decay_of_what_it_is_asked_for(optimizer, decayed):
    check_as_alone(*NETS["lenet"], epochs=1, batch=6, lr=1e-3, optimizer=optimizer, weight_decay=0.3, decayed=decayed)


def test_a_network_is_the_same_in_any_company():
    build, shape = NETS["small_cnn"]
    pixels, y = data(shape)
    three, one = networks(build), networks(build)
    train_stacked(three, own(pixels), y, seeds=SEEDS, epochs=1, batch=4)
    train_stacked(one[2:], own(pixels[2:]), y, seeds=SEEDS[2:], epochs=1, batch=4)
    torch.testing.assert_close(state(three[2]), state(one[2]), rtol=1e-9, atol=1e-9)


def test_networks_are_left_in_evaluation_mode_with_tensors_of_their_own():
    build, shape = NETS["small_cnn"]
    pixels, y = data(shape)
    models = networks(build)
    kept = [p for m in models for p in m.parameters()]
    told: list[tuple[int, int, str]] = []
    train_stacked(models, own(pixels), y, seeds=SEEDS, epochs=2, batch=4, progress=lambda *line: told.append(line))
    assert not any(m.training for model in models for m in model.modules())
    assert all(a is b for a, b in zip(kept, (p for m in models for p in m.parameters()), strict=True))
    assert all(p.is_contiguous() and p.grad is None for p in kept)
    assert [line[:2] for line in told] == [(i, 6) for i in range(1, 7)]
    assert told[0][2] == "3 networks, epoch 1 of 2"
    assert told[5][2].startswith("3 networks, epoch 2 of 2, accuracy of the last 0.")


class Frozen(nn.Module):
    """A first layer that does not learn, and one used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.twice, self.head = nn.Linear(4, 5), nn.Linear(5, 5), nn.Linear(5, 3)
        self.again = self.twice
        self.first.requires_grad_(False)

    def forward(self, x):
        return self.head(self.again(self.twice(self.first(x.flatten(1)).relu()).relu()).relu())


def test_frozen_and_shared_parameters_stay_so():
    check_as_alone(Frozen, (1, 2, 2), epochs=2, batch=4, lr=1e-2)
    models = networks(Frozen)
    before = [m.first.weight.clone() for m in models]
    pixels, y = data((1, 2, 2))
    train_stacked(models, own(pixels), y, seeds=SEEDS, epochs=1)
    assert all(torch.equal(a, m.first.weight) for a, m in zip(before, models, strict=True))
    assert all(m.again is m.twice for m in models)


class Noisy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.drop, self.head = nn.Dropout(0.5), nn.Linear(16, 3)

    def forward(self, x):
        return self.head(self.drop(x.flatten(1)))


def test_dropout_is_seeded_and_each_networks_own():
    pixels, y = data((1, 4, 4))
    pixels[:] = pixels[0]

    def trained(seeds) -> list[Tensor]:
        models = [seeded(Noisy, 1).double() for _ in range(3)]
        torch.rand(5)  # the global state must not matter
        before = torch.get_rng_state()
        train_stacked(models, own(pixels), y, seeds=seeds, epochs=1, batch=11)
        assert torch.equal(torch.get_rng_state(), before)
        return [state(m) for m in models]

    same, again, other = trained((1, 1, 1)), trained((1, 1, 1)), trained((1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(same, again, strict=True))
    assert not torch.equal(same[0], same[1])  # one batch of all images: only the noise differs
    assert not torch.equal(same[0], other[0])


@pytest.mark.parametrize("net", NETS)
def test_bf16_is_that_of_autocast(net):
    build, shape = NETS[net]
    pixels, y = data(shape)
    pixels = pixels.to(torch.float32)
    together, alone, exact = ([m.to(torch.float32) for m in networks(build)] for _ in range(3))
    seen: list[torch.dtype] = []
    options = {"epochs": 1, "batch": 11, "lr": 1e-3, "optimizer": "sgd", "schedule": None}
    first = next(m for m in together[0].modules() if isinstance(m, nn.Conv2d))
    handle = first.register_forward_hook(lambda m, a, out: seen.append(out.dtype))
    train_stacked(together, own(pixels), y, seeds=SEEDS, bf16=True, **options)
    handle.remove()
    assert seen[-1] == torch.bfloat16
    for k in range(3):
        train(alone[k], pixels[k], y, seed=SEEDS[k], bf16=True, **options)
        train(exact[k], pixels[k], y, seed=SEEDS[k], **options)
        moved, half, own_half = ((weights(a) - weights(b)).norm() for a, b in (
            (exact[k], networks(build)[k]), (alone[k], exact[k]), (together[k], exact[k])
        ))  # fmt: skip
        assert (
            1e-3 * moved < own_half < 3 * half + 0.05 * moved
        )  # a max pool of few values picks another one now and then


def test_a_loss_that_is_not_finite_names_the_network():
    pixels, y = data((1, 16, 16))
    pixels[1, 4] = math.nan
    models = networks(NETS["lenet"][0])
    with pytest.raises(HeatproofError, match=r"stack of 3 LeNet: the loss of network 1 is not finite in epoch 1 of 2"):
        train_stacked(models, own(pixels), y, seeds=SEEDS, epochs=2, batch=4)
    assert not any(m.training for m in models)


class Cumulative(nn.Module):
    """torch computes the momentum of this batch norm from a Python number, which vmap cannot give."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2, momentum=None), nn.Linear(2, 3)

    def forward(self, x):
        return self.head(self.norm(self.conv(x)).mean((2, 3)))


def test_a_layer_that_cannot_be_stacked_is_named_and_nothing_changed():
    pixels, y = data((1, 8, 8))
    models = networks(Cumulative)
    before = [state(m) for m in models]
    with pytest.raises(InputError, match=r"Cumulative cannot be trained as a stack: at or after .* in module 'norm'"):
        train_stacked(models, own(pixels), y, seeds=SEEDS, epochs=1)
    assert all(torch.equal(a, state(m)) for a, m in zip(before, models, strict=True))
    assert all(m.training for m in models)


class Hidden(nn.Module):
    """A constant that is neither parameter nor buffer."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor, self.head = factor, nn.Linear(16, 3)

    def forward(self, x):
        return self.head(x.flatten(1) * self.factor)


def test_a_constant_that_differs_is_noticed():
    pixels, y = data((1, 4, 4))
    models = [Hidden(f).double() for f in (1.0, 1.0, 2.0)]
    with pytest.raises(InputError, match="network 2 gives other outputs in the stack than alone"):
        train_stacked(models, own(pixels), y, seeds=SEEDS, epochs=1)


def test_what_does_not_fit_is_an_error():
    build, shape = NETS["lenet"]
    pixels, y = data(shape)
    models = networks(build)
    options = {"epochs": 1, "seeds": SEEDS}
    shared = networks(build)
    shared[1].conv1 = shared[0].conv1
    with pytest.raises(InputError, match="3 models with 2 seeds"):
        train_stacked(models, own(pixels), y, epochs=1, seeds=(1, 2))
    with pytest.raises(InputError, match="0 models"):
        train_stacked([], own(pixels), y, epochs=1, seeds=())
    with pytest.raises(InputError, match="seed=1"):
        train_stacked(models, own(pixels), y, epochs=1, seeds=(1, 2, 1.5))
    with pytest.raises(InputError, match="network 2 is another architecture than network 0"):
        train_stacked([*models[:2], LeNet(1, 16, 4).double()], own(pixels), y, **options)
    with pytest.raises(InputError, match="network 1 is another architecture"):
        train_stacked([models[0], Noisy(), models[1]], own(pixels), y, **options)
    with pytest.raises(InputError, match="share a parameter"):
        train_stacked(shared, own(pixels), y, **options)
    with pytest.raises(InputError, match="expected int64"):
        train_stacked(models, own(pixels), y.int(), **options)
    with pytest.raises(InputError, match="3 outputs, and classes go from 0 to 3"):
        train_stacked(models, own(pixels), y + 1, **options)
    with pytest.raises(InputError, match=r"inputs gave torch.float64 \(2, 3, 1, 16, 16\)"):
        train_stacked(models, lambda rows: own(pixels)(rows).transpose(0, 1), y, **options)
    with pytest.raises(InputError, match=r"inputs gave torch.uint8"):
        train_stacked(models, lambda rows: own(pixels)(rows).byte(), y, **options)
    with pytest.raises(InputError, match="inputs gave NoneType"):
        train_stacked(models, lambda rows: None, y, **options)
    with pytest.raises(InputError, match="epochs=0"):
        train_stacked(models, own(pixels), y, epochs=0, seeds=SEEDS)
