"""RectGrad and the deconvolution network: the papers' examples, both claims, listings 1 to 3, layers, refusals."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import heatproof as hp
from nets import RELU_SPELLINGS, Net, PerLayer, fresh_input, targets
from reference.deconv import deconv
from reference.rectgrad import nodes, rectgrad

ZERO = torch.tensor([0])


def layered(*parts: nn.Module, seed: int = 0) -> nn.Sequential:
    """The parts in float64 with weights of their own; pass the parts as factories' results, built under any state."""
    net = nn.Sequential(*parts).double().eval()
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=draw, dtype=torch.float64) * 0.4)
    return net


def toy() -> nn.Sequential:
    """T-S3-2."""
    net = layered(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    weights = [
        [[1, 0, 1], [0, 1, 1], [-1, 1, 1], [2, -1, -2]],
        [[1, -1, 0, 2], [2, 1, 1, -1], [-1, -1, 2, 1]],
        [[1, -2, 3], [0, 0, 0]],
    ]
    biases = [[0, 0, -3, 0], [0, -1, 0], [0, 0]]
    for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
        net[2 * i].weight.data = torch.tensor(w, dtype=torch.float64)
        net[2 * i].bias.data = torch.tensor(b, dtype=torch.float64)
    return net


X = torch.tensor([[1.0, -2.0, 3.0]], dtype=torch.float64)


def listed(maps: Tensor) -> list[Any]:
    return (maps + 0.0).tolist()


class TestPapersExamples:
    def test_toy_gradients(self) -> None:
        assert toy()(X)[0, 0] == -13
        assert listed(hp.gradient(toy(), X, ZERO)) == [[-3, -3, -6]]
        assert listed(hp.deconvnet(toy(), X, ZERO)) == [[4, 1, -4]]
        assert listed(hp.guided_backprop(toy(), X, ZERO)) == [[1, 0, 1]]
        assert listed(hp.rectgrad(toy(), X, ZERO, tau=0, final_threshold=False) / X) == [[1, 0, 1]]
        assert listed(rectgrad(toy(), X, ZERO, tau=0, rule="eps", final_threshold=False) / X) == [[4, 1, -4]]

    def test_toy_maps(self) -> None:
        assert listed((hp.gradient(toy(), X, ZERO) * X).relu()) == [[0, 6, 0]]
        assert listed((hp.deconvnet(toy(), X, ZERO) * X).relu()) == [[4, 0, 0]]
        assert listed(hp.rectgrad(toy(), X, ZERO, tau=0)) == [[1, 0, 3]]

    @pytest.mark.parametrize(
        ("q", "percentile", "want"),
        [
            (25, "linear", [4, -3, -8]),
            (25, "nearest", [4, 1, -4]),
            (50, "linear", [1, 0, 1]),
            (50, "nearest", [1, 0, 1]),
            (75, "linear", [1, 0, 1]),
            (75, "nearest", [0, 0, 0]),
            (90, "linear", [1, 0, 1]),
            (90, "nearest", [0, 0, 0]),
        ],
    )
    def test_toy_percentiles(self, q: float, percentile: str, want: list[float]) -> None:
        maps = hp.rectgrad(toy(), X, ZERO, q=q, percentile=percentile, final_threshold=False)
        assert listed(maps / X) == [want]

    def test_dead_units_pass_under_a_negative_tau(self) -> None:
        """q=25, linear: tau of the second layer is negative, and a3 = 0 lets its gradient of 3 through."""
        layers = hp.rectgrad_layers(toy(), X, ZERO, q=25)
        assert layers[1].tau < 0
        assert layers[1].passed == pytest.approx(2 / 3)
        assert listed(hp.rectgrad(toy(), X, ZERO, tau=-100, rule="pr4", final_threshold=False) / X) == [
            hp.gradient(linearised(toy()), X, ZERO)[0].tolist()
        ]

    @pytest.mark.parametrize(
        ("rule", "want", "nearest", "linear"),
        [
            ("pr1", [0, 10, 0, 0], 3, 6.74),
            ("pr2", [0, 0, -100, 0], 20, 37.6),
            ("pr3", [1, 0, 0, 0], 2, 2.22),
            ("pr4", [0, 0, 0, 1000], 10, 227.8),
        ],
    )
    @pytest.mark.parametrize("percentile", ["nearest", "linear"])
    def test_appendix_b2(self, rule: str, want: list[int], nearest: float, linear: float, percentile: str) -> None:
        net = layered(nn.ReLU(), nn.Linear(4, 2))
        net[1].weight.data[0] = torch.tensor([1.0, 10.0, -100.0, 1000.0])
        x = torch.tensor([[3.0, 2.0, 1.0, -1.0]], dtype=torch.float64)  # a = (3, 2, 1, 0), x * R shows R of unit 4
        maps = hp.rectgrad(net, x, ZERO, q=74, rule=rule, percentile=percentile, final_threshold=False)
        assert listed(maps / x) == [want]
        (layer,) = hp.rectgrad_layers(net, x, ZERO, q=74, rule=rule, percentile=percentile)
        assert layer.tau.item() == pytest.approx({"nearest": nearest, "linear": linear}[percentile], abs=1e-12)

    @pytest.mark.parametrize(
        ("units", "nearest", "linear"), [(100, 2, 2), (256, 5, 6), (500, 10, 10), (1024, 20, 21), (32768, 655, 656)]
    )
    def test_pass_counts(self, units: int, nearest: int, linear: int) -> None:
        net = layered(nn.ReLU(), nn.Linear(units, 2))
        net[1].weight.data[0] = 1.0
        x = 1 + torch.randperm(units, generator=torch.Generator().manual_seed(3)).double()[None]
        for percentile, want in (("nearest", nearest), ("linear", linear)):
            (layer,) = hp.rectgrad_layers(net, x, ZERO, percentile=percentile)
            assert round(layer.passed.item() * units) == want
            assert (hp.rectgrad(net, x, ZERO, percentile=percentile) > 0).sum() == want

    @pytest.mark.parametrize(("units", "dead"), [(25, True), (26, False)])
    def test_small_layers_die_under_nearest(self, units: int, dead: bool) -> None:
        """(d - 1) 2 % rounds to 0: the threshold is the maximum itself, and nothing is larger."""
        net = layered(nn.ReLU(), nn.Linear(units, 2))
        net[1].weight.data[0] = 1.0
        x = 1 + torch.arange(units).double()[None]
        (layer,) = hp.rectgrad_layers(net, x, ZERO, percentile="nearest")
        assert layer.dead.item() is dead
        assert not hp.rectgrad_layers(net, x, ZERO)[0].dead

    def test_final_threshold(self) -> None:
        net = layered(nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 2))
        net[0].weight.data = torch.tensor([[2.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
        net[0].weight.data[:, 1] = torch.tensor([3.0, 0.0])
        net[2].weight.data[0] = torch.tensor([1.0, 0.0])
        x = torch.tensor([[2.0, -1.0]], dtype=torch.float64)  # R = (2, 3)
        assert hp.rectgrad(net, x, ZERO, tau=0, final_threshold=False).tolist() == [[4, -3]]
        assert hp.rectgrad(net, x, ZERO, tau=0).tolist() == [[4, 0]]


def linearised(net: nn.Sequential) -> nn.Sequential:
    return nn.Sequential(*[m for m in net if not isinstance(m, nn.ReLU)]).eval()


def strided() -> nn.Sequential:
    """Strides, overlapping and partial pooling windows, an input that is not square."""
    return layered(
        nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1),
        nn.Conv2d(4, 4, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(4, 6, 1), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True),
        nn.Flatten(), nn.Linear(54, 5),
    )  # fmt: skip


def photos(batch: int = 3, size: tuple[int, int] = (20, 22), seed: int = 5) -> Tensor:
    return torch.randn(batch, 2, *size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


NETWORKS: dict[str, tuple[Callable[[], nn.Module], Callable[[], Tensor]]] = {
    "residual": (Net, fresh_input),
    "strided": (strided, photos),
    "batch of one": (strided, lambda: photos(1)),
}
BOTH = pytest.mark.parametrize(("build", "images"), NETWORKS.values(), ids=NETWORKS)


class TestClaims:
    @BOTH
    def test_claim_2_guided_backprop(self, build: Any, images: Any) -> None:
        x, t = images(), targets(len(images()))
        want = (hp.guided_backprop(build(), x, t) * x).relu()
        assert want.any()
        assert torch.equal(hp.rectgrad(build(), x, t, tau=0), want)
        for option in ({"padding_trick": True}, {"padding_trick": "code"}):
            assert not torch.equal(hp.rectgrad(build(), x, t, tau=0, **option), want)

    def test_claim_2_fails_with_prr(self) -> None:
        x, want = photos(), (hp.guided_backprop(strided(), photos(), targets()) * photos()).relu()
        assert not torch.equal(hp.rectgrad(strided(), x, targets(), tau=0, prr=True), want)

    @BOTH
    def test_claim_1_deconvnet(self, build: Any, images: Any) -> None:
        x, t = images(), targets(len(images()))
        want = (hp.deconvnet(build(), x, t) * x).relu()
        assert want.any()
        assert torch.equal(rectgrad(build(), x, t, tau=0, rule="eps"), want)

    @pytest.mark.parametrize("relu", RELU_SPELLINGS.values(), ids=RELU_SPELLINGS)
    def test_claim_2_in_every_spelling(self, relu: Any) -> None:
        x = fresh_input()
        want = (hp.guided_backprop(Net(relu), x, targets()) * x).relu()
        assert torch.equal(hp.rectgrad(Net(relu), x, targets(), tau=0), want)


class TestReference:
    @BOTH
    @pytest.mark.parametrize("rule", ["pr1", "pr2", "pr3", "pr4"])
    @pytest.mark.parametrize("percentile", ["linear", "nearest"])
    @pytest.mark.parametrize("q", [0, 30, 80, 98])
    def test_listing_1(self, build: Any, images: Any, rule: str, percentile: str, q: float) -> None:
        x, t = images(), targets(len(images()))
        options: dict[str, Any] = {"q": q, "rule": rule, "percentile": percentile, "final_threshold": False}
        want = rectgrad(build(), x, t, **options)
        torch.testing.assert_close(hp.rectgrad(build(), x, t, **options), want, rtol=0, atol=1e-10)
        assert want.any() or q == 98

    @BOTH
    @pytest.mark.parametrize("padding_trick", [False, True])
    @pytest.mark.parametrize("prr", [False, True])
    @pytest.mark.parametrize("options", [{"q": 80}, {"tau": 0.01}, {"tau": -0.05, "rule": "pr4"}], ids=str)
    def test_listings_2_and_3(self, build: Any, images: Any, padding_trick: bool, prr: bool, options: Any) -> None:
        x, t = images(), targets(len(images()))
        options = {**options, "padding_trick": padding_trick, "prr": prr}
        want = rectgrad(build(), x, t, **options)
        assert want.any()
        torch.testing.assert_close(hp.rectgrad(build(), x, t, **options), want, rtol=0, atol=1e-10)

    @pytest.mark.parametrize("q", [40, 80, 95])
    def test_mod(self, q: float) -> None:
        want = rectgrad(strided(), photos(), targets(), q=q, rule="mod")
        torch.testing.assert_close(
            hp.rectgrad(strided(), photos(), targets(), q=q, rule="mod"), want, rtol=0, atol=1e-10
        )
        assert want.any()
        assert not torch.equal(want, rectgrad(strided(), photos(), targets(), q=q, rule="pr2"))

    @BOTH
    def test_deconv(self, build: Any, images: Any) -> None:
        x, t = images(), targets(len(images()))
        torch.testing.assert_close(hp.deconvnet(build(), x, t), deconv(build(), x, t), rtol=0, atol=1e-10)

    def test_deconv_equals_captum(self) -> None:
        attr = pytest.importorskip("captum.attr", reason="needs heatproof[dev]")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # captum's own about its hooks
            theirs = attr.Deconvolution(PerLayer()).attribute(fresh_input(), target=targets())
        torch.testing.assert_close(hp.deconvnet(Net(), fresh_input(), targets()), theirs, rtol=0, atol=1e-10)

    @pytest.mark.parametrize("relu6", [nn.ReLU6(), nn.Hardtanh(0, 6), lambda x: x.clamp(0, 6)])
    def test_relu6_is_treated_as_relu(self, relu6: Any) -> None:
        """Saturated units: deconvnet and RectGrad pass them, guided backprop does not."""
        x = fresh_input() * 20
        net = Net(relu6)
        for option in ({"q": 90}, {"tau": 0}):
            want = rectgrad(Net(F.relu6), x, targets(), **option)
            torch.testing.assert_close(hp.rectgrad(net, x, targets(), **option), want, rtol=0, atol=1e-10)
        assert not torch.equal(want, (hp.guided_backprop(net, x, targets()) * x).relu())
        torch.testing.assert_close(
            hp.deconvnet(net, x, targets()), deconv(Net(F.relu6), x, targets()), rtol=0, atol=1e-10
        )


class TestManyTargets:
    @pytest.mark.parametrize(
        "options", [{"prr": True, "padding_trick": True, "q": 70}, {"rule": "mod", "q": 70}], ids=str
    )
    def test_20_targets_equal_a_loop(self, options: Any) -> None:
        """More than one chunk of the vmapped backward."""
        rows = torch.stack([(targets() + k) % 5 for k in range(20)])
        together = hp.rectgrad(strided(), photos(), rows, **options)
        alone = torch.stack([hp.rectgrad(strided(), photos(), t, **options) for t in rows])
        assert together.any()
        torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-14)

    @pytest.mark.parametrize("percentile", ["linear", "nearest"])
    def test_samples_have_thresholds_of_their_own(self, percentile: str) -> None:
        x = photos() * torch.tensor([1.0, 50.0, 0.02]).reshape(3, 1, 1, 1)
        layers = hp.rectgrad_layers(strided(), x, targets(), q=80, percentile=percentile)
        for i in range(3):
            alone = hp.rectgrad_layers(strided(), x[i : i + 1], targets()[i : i + 1], q=80, percentile=percentile)
            for a, b in zip(layers, alone, strict=True):
                torch.testing.assert_close(a.tau[i : i + 1], b.tau, rtol=1e-12, atol=1e-14)


class TestLayers:
    def test_against_numpy(self) -> None:
        """The last gate sees the plain gradient of the head, so that its record can be written down."""
        net, x = strided(), photos()
        layers = hp.rectgrad_layers(net, x, targets(), q=60)
        assert [layer.name for layer in layers] == ["1", "4", "6"]
        a = net[:7](x).detach().requires_grad_()
        grad = torch.autograd.grad(net[7:](a).gather(1, targets()[:, None]).sum(), a)[0]
        scores = (a * grad).detach()
        want = np.percentile(scores.flatten(1).numpy(), 60, axis=1)
        np.testing.assert_allclose(layers[2].tau.numpy(), want, rtol=0, atol=1e-12)
        share = (scores.flatten(1).numpy() > want[:, None]).mean(1)
        np.testing.assert_allclose(layers[2].passed.numpy(), share, rtol=0, atol=1e-12)
        torch.testing.assert_close(layers[2].map, scores.mean(1, keepdim=True), rtol=0, atol=1e-12)
        assert [tuple(layer.map.shape) for layer in layers] == [(3, 1, 20, 22), (3, 1, 5, 6), (3, 1, 5, 6)]

    def test_maps_equal_the_model_cut_at_the_layer(self) -> None:
        """a R at a layer = RectGrad of the rest of the network, explained at that layer."""
        net, x = strided(), photos()
        layers = hp.rectgrad_layers(net, x, targets(), q=60, prr=True)
        for place, layer in ((2, layers[0]), (5, layers[1])):
            rest = hp.rectgrad(
                net[place:].eval(), net[:place](x).detach(), targets(), q=60, prr=True, final_threshold=False
            )
            torch.testing.assert_close(layer.map, rest.mean(1, keepdim=True), rtol=0, atol=1e-12)
            assert layer.map.any()

    def test_k_targets(self) -> None:
        rows = torch.stack([targets(), (targets() + 1) % 5])
        both = hp.rectgrad_layers(Net(nn.ReLU(inplace=True)), fresh_input(), rows, q=60)
        for k, row in enumerate(rows):
            for a, b in zip(both, hp.rectgrad_layers(Net(), fresh_input(), row, q=60), strict=True):
                for field in ("tau", "dead", "passed", "map"):
                    if getattr(b, field) is not None:
                        torch.testing.assert_close(getattr(a, field)[k], getattr(b, field), rtol=1e-12, atol=1e-14)
        assert both[-1].map is None
        assert both[0].map.shape == (2, 3, 1, 8, 8)

    def test_a_dead_layer_is_told_and_gives_zeros(self) -> None:
        net = layered(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 36, 6), nn.ReLU(), nn.Linear(6, 2))
        net[4 + 1].weight.data[0] = -1.0
        x, t = fresh_input(), torch.zeros(3, dtype=torch.int64)
        layers = hp.rectgrad_layers(net, x, t, tau=0)
        assert layers[1].dead.all()
        assert (layers[1].passed == 0).all()
        assert not hp.rectgrad(net, x, t, tau=0).any()
        assert not hp.rectgrad_layers(net, x, t, q=0)[1].dead.any()

    def test_a_fixed_tau_is_recorded(self) -> None:
        for layer in hp.rectgrad_layers(Net(), fresh_input(), targets(), tau=0.25):
            assert layer.tau.tolist() == [0.25] * 3

    def test_names(self) -> None:
        assert [layer.name for layer in hp.rectgrad_layers(PerLayer(), fresh_input())] == [
            "relus.0",
            "relus.1",
            "relus.2",
        ]
        shared = [layer.name for layer in hp.rectgrad_layers(Net(nn.ReLU()), fresh_input())]
        assert len({*shared}) == 3
        assert all(name.startswith("relu op:") for name in shared)
        assert all(layer.name.startswith("op:") for layer in hp.rectgrad_layers(Net(), fresh_input()))

    def test_side_branches_are_left_out(self) -> None:
        class Aside(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                self.aside = F.relu(x).mean()
                return F.relu(x * 2).mean((2, 3))

        assert len(hp.rectgrad_layers(Aside().eval(), fresh_input(), targets() % 2)) == 1


class TestMod:
    """PR1 for gates with no other gate between them and the output, PR2 for the rest."""

    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = layered(*[nn.Linear(6, 6) for _ in range(4)], nn.Linear(12, 5))

        def forward(self, x: Tensor) -> Tensor:
            stem = torch.relu(self.parts[0](x.flatten(1)))
            left = torch.relu(self.parts[1](stem) + stem)  # the stem is behind a gate, and beside one
            right = torch.relu(self.parts[2](stem))
            return self.parts[4](torch.cat([left, right + stem], 1))

    def test_branches(self) -> None:
        x = torch.randn(4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        net = self.Branches().eval()
        by_rule = {r: hp.rectgrad_layers(net, x, targets(4), q=50, rule=r) for r in ("pr1", "mod")}
        for place in (1, 2):
            assert torch.equal(by_rule["mod"][place].tau, by_rule["pr1"][place].tau)
        assert not torch.equal(by_rule["mod"][0].tau, by_rule["pr1"][0].tau)
        assert (by_rule["mod"][0].tau >= 0).all()


class Pooled(nn.Module):
    def __init__(self, pool: Callable[[Tensor], Tensor], before: Callable[[Tensor], Tensor] = F.relu) -> None:
        super().__init__()
        self.conv = layered(nn.Conv2d(2, 3, 3, padding=1))
        self.pool, self.before = pool, before
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(self.before(self.conv(x))).flatten(2).mean(2)


POOLS: dict[str, Callable[[Tensor], Any]] = {
    "module": nn.MaxPool2d(2),
    "functional": lambda x: F.max_pool2d(x, 2),
    "keywords": lambda x: F.max_pool2d(input=x, kernel_size=(2, 2), stride=None),
    "torch": lambda x: torch.max_pool2d(x, [2, 2]),
    "with indices": lambda x: F.max_pool2d(x, 2, return_indices=True)[0],
    "module with indices": lambda x: nn.MaxPool2d(2, return_indices=True)(x)[0],
    "aten": lambda x: torch.ops.aten.max_pool2d.default(x, [2, 2]),
    "aten with indices": lambda x: torch.ops.aten.max_pool2d_with_indices.default(x, [2, 2])[0],
    "as 3d": lambda x: F.max_pool3d(x.unsqueeze(2), (1, 2, 2)).squeeze(2),
}


class TestProportionalRedistribution:
    def test_two_by_two(self) -> None:
        a = torch.tensor([[[[1.0, 3.0], [0.0, 4.0]]]], dtype=torch.float64)
        net = nn.Sequential(nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1, 2)).double().eval()
        net[3].weight.data[0] = 2.0
        maps = hp.rectgrad(net, a, ZERO, tau=0, prr=True)
        torch.testing.assert_close(maps, a * a * 2 / (8 + 4e-10), rtol=1e-15, atol=0)  # R = 2 a / (8 + 4e-10)
        assert hp.rectgrad(net, a, ZERO, tau=0).tolist() == [[[[0, 0], [0, 8]]]]

    @pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
    def test_small_activations_lose_mass(self, dtype: torch.dtype) -> None:
        """T-S3-7: one activation of 1e-10 keeps 1 / (1 + 4) of its gradient: 0.4 of 2.0. In bfloat16 too."""
        a = torch.tensor([[[[1e-10, 0.0], [0.0, 0.0]]]], dtype=dtype)
        net = nn.Sequential(nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1, 2)).to(dtype).eval()
        net[3].weight.data[0] = 2.0
        kept = hp.rectgrad(net, a, ZERO, tau=0, prr=True)[0, 0, 0, 0] / a[0, 0, 0, 0]
        assert kept.item() == pytest.approx(0.4, rel=1e-2 if dtype == torch.bfloat16 else 1e-5)

    @pytest.mark.parametrize("pool", POOLS.values(), ids=POOLS)
    def test_every_spelling(self, pool: Any) -> None:
        want = rectgrad(Pooled(POOLS["functional"]), fresh_input(), targets() % 3, q=60, prr=True)
        assert want.any()
        assert not torch.equal(want, rectgrad(Pooled(POOLS["functional"]), fresh_input(), targets() % 3, q=60))
        got = hp.rectgrad(Pooled(pool), fresh_input(), targets() % 3, q=60, prr=True)
        torch.testing.assert_close(got, want, rtol=0, atol=1e-10)

    def test_export(self) -> None:
        x = fresh_input()
        program = torch.export.export(strided(), (photos(),))
        want = rectgrad(strided(), photos(), targets(), q=60, prr=True, padding_trick=True)
        for model in (program.module(), program.run_decompositions().module()):
            got = hp.rectgrad(model, photos(), targets(), q=60, prr=True, padding_trick=True)
            torch.testing.assert_close(got, want, rtol=0, atol=1e-10)
        assert x.any()

    @pytest.mark.parametrize("kernel", [2, 3])
    @pytest.mark.parametrize("stride", [1, 2, 3])
    @pytest.mark.parametrize("padding", [0, 1])
    @pytest.mark.parametrize("ceil_mode", [False, True])
    def test_windows(self, kernel: int, stride: int, padding: int, ceil_mode: bool) -> None:
        def pool(x: Tensor) -> Tensor:
            return F.max_pool2d(x, kernel, stride, padding, ceil_mode=ceil_mode)

        want = rectgrad(Pooled(pool), fresh_input(), targets() % 3, tau=0, prr=True)
        got = hp.rectgrad(Pooled(pool), fresh_input(), targets() % 3, tau=0, prr=True)
        torch.testing.assert_close(got, want, rtol=0, atol=1e-10)

    def test_dilation_and_one_dimension(self) -> None:
        """Dilated pooling of a row = pooling of its even and its odd cells."""
        x = torch.rand(2, 1, 8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
        net = nn.Sequential(nn.ReLU(), nn.MaxPool1d(2, 1, dilation=2), nn.Flatten(), nn.Linear(6, 2)).double().eval()
        net[3].weight.data = torch.arange(12, dtype=torch.float64).reshape(2, 6) + 1
        got = hp.rectgrad(net, x, torch.zeros(2, dtype=torch.int64), tau=0, prr=True, final_threshold=False) / x
        want = torch.zeros(2, 8, dtype=torch.float64)
        for j in range(6):
            for cell in (j, j + 2):
                want[:, cell] += (j + 1) * x[:, 0, cell] / (x[:, 0, j] + x[:, 0, j + 2] + 2e-10)
        torch.testing.assert_close(got[:, 0], want, rtol=0, atol=1e-12)

    def test_negative_inputs_are_refused_by_name(self) -> None:
        net = (
            nn.Sequential(nn.Conv2d(2, 3, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(27, 2))
            .double()
            .eval()
        )
        assert hp.rectgrad(net, fresh_input(), targets() % 2).isfinite().all()
        with pytest.raises(hp.NotApplicable, match=r"max_pool2d.*'1'.*prr=False"):
            hp.rectgrad(net, fresh_input(), targets() % 2, prr=True)

    @pytest.mark.parametrize(
        ("pool", "name"),
        [
            (lambda x: F.adaptive_max_pool2d(x, 2), "adaptive_max_pool2d"),
            (lambda x: F.adaptive_max_pool2d(x, 2, return_indices=True)[0], "adaptive_max_pool2d"),
            (nn.AdaptiveMaxPool2d(2), "adaptive_max_pool2d.*'pool'"),
            (lambda x: x.amax((2, 3), keepdim=True), "amax"),
            (lambda x: x.max(3, keepdim=True).values, "max"),
            (torch.jit.script(nn.MaxPool2d(2)), "MaxPool2D"),
        ],
    )
    def test_other_maxima_are_errors(self, pool: Any, name: str) -> None:
        assert hp.rectgrad(Pooled(pool), fresh_input(), targets() % 3).isfinite().all()
        with pytest.raises(hp.EscapedOp, match=rf"{name}.*prr"):
            hp.rectgrad(Pooled(pool), fresh_input(), targets() % 3, prr=True)

    def test_half_precision_does_not_underflow(self) -> None:
        """In float16 the constant is 0, and a window of zeros would give 0 / 0."""
        net = nn.Sequential(nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2, 2)).half().eval()
        net[3].weight.data[0] = 2.0
        a = torch.tensor([[[[1.0, 3.0, 0.0, 0.0], [0.0, 4.0, 0.0, 0.0]]]], dtype=torch.float16)
        want = torch.tensor([[[[0.25, 2.25, 0.0, 0.0], [0.0, 4.0, 0.0, 0.0]]]], dtype=torch.float16)
        assert torch.equal(hp.rectgrad(net, a, ZERO, tau=-1, prr=True), want)


class Summed(nn.Module):
    """A convolution with ones, of a positive image, then a ReLU that passes everything at tau=0."""

    def __init__(self, conv: Callable[[Tensor, Tensor], Tensor], kernel: tuple[int, ...] = (3, 3)) -> None:
        super().__init__()
        self.conv = conv
        self.register_buffer("weight", torch.ones(1, 1, *kernel, dtype=torch.float64))
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv(x, self.weight)
        return F.relu_(out).flatten(1).sum(1, keepdim=True).expand(-1, 2)


def reach(conv: Any, size: tuple[int, ...] = (4, 4), kernel: tuple[int, ...] = (3, 3), **options: Any) -> Tensor:
    """How often each pixel is reached by the gradient of ones."""
    x = torch.ones(1, 1, *size, dtype=torch.float64)
    return hp.rectgrad(Summed(conv, kernel), x, ZERO, tau=0, **options)[0, 0]


def counted(inner: Tensor, kernel: int = 3, stride: int = 1, size: int = 4) -> Tensor:
    weight = torch.ones(1, 1, kernel, kernel, dtype=torch.float64)
    return torch.nn.grad.conv2d_input(
        (1, 1, size, size), weight, inner[None, None].double(), stride=stride, padding=kernel // 2
    )[0, 0]


def inner(size: int, width: int) -> Tensor:
    mask = torch.zeros(size, size)
    mask[width : size - width, width : size - width] = 1
    return mask


class TestPaddingTrick:
    @pytest.mark.parametrize(
        "conv",
        [
            lambda x, w: F.conv2d(x, w, padding=1),
            lambda x, w: F.conv2d(x, w, None, 1, 1),
            lambda x, w: torch.conv2d(input=x, weight=w, padding=(1, 1), stride=(1, 1)),
            lambda x, w: F.conv2d(x, w, padding="same"),
            lambda x, w: F.conv2d(x[0], w, padding=1)[None],
            lambda x, w: torch.ops.aten.conv2d.default(x, w, None, [1, 1], [1, 1]),
            lambda x, w: torch.convolution(x, w, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1),
            lambda x, w: torch.ops.aten.convolution.default(x, w, None, [1], [1], [1], False, [0, 0], 1),
        ],
    )
    def test_only_the_inner_two_by_two_propagates(self, conv: Any) -> None:
        """T-S3-8."""
        assert torch.equal(reach(conv, padding_trick=True), counted(inner(4, 1)))
        assert torch.equal(reach(conv), counted(inner(4, 0)))
        assert counted(inner(4, 1)).tolist() == [[1, 2, 2, 1], [2, 4, 4, 2], [2, 4, 4, 2], [1, 2, 2, 1]]

    def test_width(self) -> None:
        def same(x: Tensor, w: Tensor) -> Tensor:
            return F.conv2d(x, w, padding=1)

        assert torch.equal(reach(same, (6, 6), padding_trick=2), counted(inner(6, 2), size=6))
        assert torch.equal(reach(same, (6, 6), padding_trick=1), reach(same, (6, 6), padding_trick=True))
        assert torch.equal(reach(same, (6, 6), padding_trick=0), reach(same, (6, 6)))

    def test_stride(self) -> None:
        """ceil(7 / 2) = 4 pixels: SAME; 3 without padding: not."""
        got = reach(lambda x, w: F.conv2d(x, w, padding=1, stride=2), (7, 7), padding_trick=True)
        assert torch.equal(got, counted(inner(4, 1), stride=2, size=7))

    @pytest.mark.parametrize(
        ("conv", "kernel"),
        [
            (lambda x, w: F.conv2d(x, w), (3, 3)),
            (lambda x, w: F.conv2d(x, w, padding="valid"), (3, 3)),
            (lambda x, w: F.conv2d(x, w, padding=2), (3, 3)),
            (lambda x, w: F.conv2d(F.pad(x, (1, 1, 1, 1), "reflect"), w), (3, 3)),
            (lambda x, w: F.conv2d(x, w), (1, 1)),
            (lambda x, w: F.conv_transpose2d(x, w, padding=1), (3, 3)),
        ],
    )
    def test_others_are_left_alone(self, conv: Any, kernel: tuple[int, int]) -> None:
        assert torch.equal(reach(conv, (6, 6), kernel, padding_trick=True), reach(conv, (6, 6), kernel))

    def test_the_authors_code_takes_1x1(self) -> None:
        def pointwise(x: Tensor, w: Tensor) -> Tensor:
            return F.conv2d(x, w)

        assert torch.equal(reach(pointwise, kernel=(1, 1), padding_trick="code"), inner(4, 1).double())
        got = reach(lambda x, w: F.conv2d(x, w, padding="same"), kernel=(1, 1), padding_trick="code")
        assert torch.equal(got, inner(4, 1).double())
        assert torch.equal(reach(pointwise, padding_trick="code"), reach(pointwise))

    def test_one_dimension(self) -> None:
        got = reach(lambda x, w: F.conv1d(x, w, padding=1), (5,), (3,), padding_trick=True)
        assert got.tolist() == [1, 2, 3, 2, 1]

    def test_a_map_too_small_is_refused_by_name(self) -> None:
        with pytest.raises(hp.NotApplicable, match=r"conv2d.*\(2, 2\).*padding_trick=False"):
            reach(lambda x, w: F.conv2d(x, w, padding=1), (2, 2), padding_trick=True)

    def test_a_convolution_out_of_sight_is_an_error(self) -> None:
        net = nn.Sequential(
            torch.jit.freeze(torch.jit.script(nn.Conv2d(2, 3, 3, padding=1).double().eval())),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(192, 2),
        )
        net = net.double().eval()
        assert hp.rectgrad(net, fresh_input(), targets() % 2).isfinite().all()
        with pytest.raises(hp.EscapedOp, match="padding_trick"):
            hp.rectgrad(net, fresh_input(), targets() % 2, padding_trick=True)


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "match"),
        [
            ({"q": 101}, "q=101"),
            ({"q": -1}, "q=-1"),
            ({"q": float("nan")}, "q=nan"),
            ({"q": "98"}, "q='98'"),
            ({"q": True}, "q=True"),
            ({"tau": float("inf")}, "tau=inf"),
            ({"tau": "0"}, "tau='0'"),
            ({"rule": "pr5"}, "rule='pr5'"),
            ({"percentile": "lower"}, "percentile='lower'"),
            ({"padding_trick": "same"}, "padding_trick='same'"),
            ({"padding_trick": -1}, "padding_trick=-1"),
            ({"padding_trick": 1.0}, "padding_trick=1.0"),
        ],
        ids=str,
    )
    def test_options(self, options: Any, match: str) -> None:
        for explain in (hp.rectgrad, hp.rectgrad_layers):
            with pytest.raises(hp.InputError, match=match):
                explain(Net(), fresh_input(), targets(), **options)

    @pytest.mark.parametrize("explain", [hp.rectgrad, hp.deconvnet, hp.rectgrad_layers])
    @pytest.mark.parametrize("options", [{}, {"padding_trick": True, "prr": True}], ids=str)
    def test_without_relu(self, explain: Any, options: Any) -> None:
        net = layered(nn.Conv2d(2, 3, 3, padding=1), nn.Flatten(), nn.Linear(192, 2))
        if explain is hp.deconvnet:
            options = {}
        with pytest.raises(hp.NotApplicable, match="ReLU"):
            explain(net, fresh_input(), targets() % 2, **options)

    @pytest.mark.parametrize("explain", [hp.rectgrad, hp.deconvnet])
    @pytest.mark.parametrize("act", [nn.GELU(), nn.LeakyReLU(), nn.Sigmoid(), lambda x: x * (x > 0), lambda x: x.abs()])
    def test_other_activations(self, explain: Any, act: Any) -> None:
        class Mixed(Net):
            def forward(self, x: Tensor) -> Tensor:
                return super().forward(act(x))

        with pytest.raises(hp.EscapedOp):
            explain(Mixed(), fresh_input(), targets())

    def test_a_relu_without_the_samples_first(self) -> None:
        class Turned(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return F.relu(x.transpose(0, 1).contiguous()).transpose(0, 1).mean((2, 3))

        with pytest.raises(hp.NotApplicable, match="without the samples first"):
            hp.rectgrad(Turned().eval(), fresh_input(), targets() % 2)
        assert hp.rectgrad(Turned().eval(), fresh_input(1), ZERO).any()

    @pytest.mark.parametrize("bad", [torch.tensor(1.0), [[1.0]], None])
    def test_inputs_that_are_none(self, bad: Any) -> None:
        with pytest.raises(hp.InputError):
            hp.rectgrad(Net(), bad, targets())


@pytest.mark.parametrize(("explain", "options"), [(hp.rectgrad, {"tau": 0}), (hp.deconvnet, {})])
def test_an_overflow_in_the_backward_shows(explain: Any, options: Any) -> None:
    """inf - inf at a ReLU: no gate may turn it into a zero."""
    net = nn.Sequential(nn.ReLU(), nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 2)).eval()
    net[1].weight.data, net[1].bias.data = torch.tensor([[1e5], [-1e5]]), torch.tensor([0.1, 0.3])
    net[3].weight.data = torch.full((2, 2), 1e38)
    x = torch.tensor([[1e-6]])
    assert net(x).isfinite().all()
    assert not explain(net, x, ZERO, **options).isfinite().any()


def test_a_table_row_names_the_options() -> None:
    from heatproof.combine import configure

    named = configure(hp.rectgrad, q=90, prr=True)
    assert repr(named) == "rectgrad(prr=True, q=90)"
    assert torch.equal(
        named(Net(), fresh_input(), targets()), hp.rectgrad(Net(), fresh_input(), targets(), q=90, prr=True)
    )


def test_reference_meets_every_relu() -> None:
    """A reference that found no node to hook would agree with anything that does nothing."""
    out = strided()(photos().requires_grad_())
    assert sum(node.name() == "ReluBackward0" for node in nodes(out.sum())) == 3


class TestBatchElsewhere:
    """Four tokens with the batch second: with four images nothing in the shapes tells which is which."""

    def network(self) -> nn.Module:
        class Sequence(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.patches, self.mix, self.head = nn.Conv2d(2, 6, 4, 4), nn.Linear(6, 6), nn.Linear(6, 5)

            def forward(self, x: Tensor) -> Tensor:
                return self.head(F.relu(self.mix(self.patches(x).flatten(2).permute(2, 0, 1))).mean(0))

        torch.manual_seed(0)
        return Sequence().double().eval()

    @pytest.mark.parametrize("batch", [3, 4])
    def test_is_refused_whatever_the_batch(self, batch: int) -> None:
        with pytest.raises(hp.NotApplicable, match="one at a time"):
            hp.rectgrad(self.network(), fresh_input(batch), targets(batch))

    def test_alone_is_right(self) -> None:
        assert hp.rectgrad(self.network(), fresh_input(1), targets(1)).any()


def test_a_dict_of_outputs() -> None:
    class Named(Net):
        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"logits": super().forward(x)}

    def score(out: dict[str, Tensor], target: Tensor) -> Tensor:
        return hp.logit(out["logits"], target)

    for explain in (hp.rectgrad, hp.deconvnet, hp.guided_backprop):
        torch.testing.assert_close(
            explain(Named(), fresh_input(), targets(), score=score), explain(Net(), fresh_input(), targets()),
            rtol=1e-12, atol=1e-14,
        )  # fmt: skip
