"""The ten cases of peers.md, section 5: what no other toolkit gets right, one test each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import heatproof as hp
from heatproof.named import method_from_text
from heatproof.types import spec_of
from nets import Net, PerLayer, fresh_input, targets
from test_contract import same, snapshot

METHODS = pytest.mark.parametrize("explain", hp.METHODS.values(), ids=hp.METHODS)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def weights(net: nn.Module, seed: int = 0) -> nn.Module:
    """The network in float64 and evaluation mode, with its own random weights."""
    net = net.double().eval()
    for i, p in enumerate(net.parameters()):
        p.data = drawn(*p.shape, seed=seed + i) / max(1, p[0].numel()) ** 0.5
    return net


@METHODS
@pytest.mark.parametrize("other", ["shared", "in place", "function", "clamp_min", "per layer"])
def test_1_one_network_three_ways(explain: Any, other: str) -> None:
    """A ReLU for every layer, one for all, a function: the same map."""
    want = explain(Net(F.relu), fresh_input(), targets())
    spelled = {"shared": nn.ReLU(), "in place": nn.ReLU(inplace=True), "function": torch.relu}
    model = PerLayer() if other == "per layer" else Net(spelled.get(other, lambda x: x.clamp_min(0)))
    assert (explain(model, fresh_input(), targets()) - want).abs().max() <= 1e-6 * want.abs().max()


class Pooled(nn.Module):
    """Convolution, ReLU, overlapping max pooling, softmax head; the ReLU is one module used twice."""

    def __init__(self, kernel: int, stride: int, padding: int) -> None:
        super().__init__()
        self.conv, self.fc, self.relu = nn.Conv2d(2, 4, 3), nn.LazyLinear(5), nn.ReLU()
        self.pool = nn.MaxPool2d(kernel, stride, padding)
        self(fresh_input(dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.relu(self.pool(self.relu(self.conv(x)))).flatten(1)).softmax(1)


@pytest.mark.parametrize("pool", [(2, 2, 0), (3, 2, 1)])
def test_2_deeplift_is_complete_and_alone(pool: tuple[int, int, int]) -> None:
    with torch.random.fork_rng(devices=[]):
        net = weights(Pooled(*pool))
    x, baseline = fresh_input(), fresh_input(seed=5)
    maps = hp.deeplift(net, x, targets(), baseline=baseline)
    change = (net(x) - net(baseline)).gather(1, targets()[:, None])[:, 0]
    assert ((maps.flatten(1).sum(1) - change).abs() <= 1e-10 * change.abs()).all()
    for i in range(3):
        alone = hp.deeplift(net, x[i : i + 1], targets()[i : i + 1], baseline=baseline[i : i + 1])
        torch.testing.assert_close(alone, maps[i : i + 1], rtol=1e-10, atol=1e-14)


class Residual(nn.Module):
    """A bias-free residual network with functional additions."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c, self.head = (nn.Linear(i, o, bias=False) for i, o in ((6, 8), (8, 8), (8, 8), (8, 3)))

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.a(x))
        x = F.relu(self.b(x) + x)
        y = self.c(x)
        y += x
        return self.head(y.relu_())


def test_3_lrp_conserves_on_a_residual_network() -> None:
    """And equals the relevances of the matrix form, R_i = sum_j x_i w_ij / (z_j + eps sign z_j) R_j, addition included."""
    net: Any = weights(Residual())
    x, eps = drawn(4, 6, seed=7), 1e-3

    def back(x: Tensor, weight: Tensor, r: Tensor) -> Tensor:
        z = x @ weight.T
        return x * ((r / (z + eps * (2.0 * (z >= 0).double() - 1))) @ weight)

    def split(a: Tensor, b: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
        z = a + b
        share = r / (z + eps * (2.0 * (z >= 0).double() - 1))
        return a * share, b * share

    h1 = F.relu(x @ net.a.weight.T)
    b = h1 @ net.b.weight.T
    h2 = F.relu(b + h1)
    c = h2 @ net.c.weight.T
    h3 = F.relu(c + h2)
    logits = h3 @ net.head.weight.T
    want = []
    for k in range(3):
        r3 = back(h3, net.head.weight, torch.where(torch.arange(3) == k, logits, 0))
        rc, r2 = split(c, h2, r3)
        r2 = r2 + back(h2, net.c.weight, rc)
        rb, r1 = split(b, h1, r2)
        want.append(back(x, net.a.weight, r1 + back(h1, net.b.weight, rb)))
    rows = torch.arange(3)[:, None].expand(3, 4)
    torch.testing.assert_close(hp.lrp(net, x, rows, epsilon=eps), torch.stack(want), rtol=1e-10, atol=1e-12)
    exact = hp.lrp(net, x, rows, epsilon=1e-12).sum(-1)
    torch.testing.assert_close(exact, logits.T, rtol=1e-8, atol=1e-9)


class Reused(nn.Module):
    """The same convolution and the same linear layer, each used twice; or copies of them."""

    def __init__(self, shared: bool) -> None:
        super().__init__()
        self.stem, self.conv, self.fc, self.head = (
            nn.Conv2d(2, 4, 3),
            nn.Conv2d(4, 4, 3, padding=1),
            nn.Linear(16, 16),
            nn.Linear(16, 5),
        )
        weights(self)
        self.conv2, self.fc2 = (self.conv, self.fc) if shared else (nn.Conv2d(4, 4, 3, padding=1), nn.Linear(16, 16))
        if not shared:
            self.double()
            self.conv2.load_state_dict(self.conv.state_dict())
            self.fc2.load_state_dict(self.fc.state_dict())

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv2(F.relu(self.conv(F.relu(self.stem(x))))))
        x = F.adaptive_avg_pool2d(x, 2).flatten(1)
        return self.head(F.relu(self.fc2(F.relu(self.fc(x)))))


def test_4_reused_layers_are_their_copies() -> None:
    shared, copied = Reused(True).eval(), Reused(False).eval()
    torch.testing.assert_close(shared(fresh_input()), copied(fresh_input()), rtol=1e-12, atol=1e-12)
    for explain in (hp.lrp, method_from_text("lrp(rule='composite')"), hp.fullgrad, hp.deeplift, hp.rectgrad):
        torch.testing.assert_close(
            explain(shared, fresh_input(), targets()), explain(copied, fresh_input(), targets()), rtol=1e-10, atol=1e-12
        )
    a, b = (hp.full_gradient(net, fresh_input(), targets()) for net in (shared, copied))
    assert len(a.terms) == len(b.terms) == 6
    assert all(torch.allclose(s.value, t.value, rtol=1e-10) for s, t in zip(a.terms, b.terms, strict=True))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_5_vargrad_is_a_variance(scale: float) -> None:
    x = fresh_input()
    linear = nn.Sequential(nn.Flatten(), nn.Linear(128, 5)).double().eval()
    linear[1].weight.data.mul_(scale)
    assert not hp.vargrad(hp.gradient)(linear, x, targets()).any(), "the gradient of a linear model does not vary"
    net = Net(dtype=torch.float32)
    for parameter in net.fc2.parameters():
        parameter.data.mul_(scale)
    maps = hp.vargrad(hp.gradient, sigma=1e-4)(net, x.float(), targets())
    assert (maps >= 0).all()
    assert hp.vargrad(hp.gradient, sigma=0.3)(net, x.float(), targets()).any()


@METHODS
def test_6_a_call_leaves_nothing(explain: Any) -> None:
    """Weights, their places, hooks, attributes, .grad, .training, requires_grad, the random state: also after errors."""
    model, x = Net(nn.ReLU(inplace=True)), fresh_input()
    before = snapshot(model, x)
    explain(model, x, targets())
    for bad in (torch.tensor([0, 1]), targets().float()):
        with pytest.raises(hp.InputError):
            explain(model, x, bad)
    if spec_of(explain).uses_model:
        with pytest.raises(hp.HeatproofError):
            explain(model, x[:, :1], targets())
    assert same(before, snapshot(model, x))


def curve(batch: int, order: str = "cascading") -> Tensor:
    """Similarity at each stage, explained `batch` images at a time."""
    model, x = Net(), fresh_input(8)
    rows = []
    for stage in hp.randomize(model, order=order, calibration=x, seed=3):
        parts = [
            hp.spearman(*(hp.gradient(m, x[i : i + batch], targets(8)[i : i + batch]) for m in (model, stage.model)))
            for i in range(0, 8, batch)
        ]
        rows.append(torch.cat(parts))
    return torch.stack(rows)


def test_7_randomisation_is_complete_and_repeatable() -> None:
    model, x = Net(), fresh_input(8)
    model.conv3 = nn.Conv2d(4, 4, 3).double().eval()  # never runs; the same shape as conv2
    state = torch.get_rng_state()
    last = list(hp.randomize(model, calibration=x, seed=3))[-1].model
    found, original = last.state_dict(), model.state_dict()
    constant = {k for k, v in original.items() if not v.is_floating_point()}
    assert all(not torch.equal(found[k], original[k]) for k in original if k not in constant and "norm" not in k)
    assert not torch.equal(found["conv2.weight"], found["conv3.weight"]), "equal shapes, different draws"
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(curve(4), curve(4)), "run again: the same bits"
    for batch in (1, 8):
        torch.testing.assert_close(curve(batch), curve(4), rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "metric", [hp.spearman, lambda a, b: hp.spearman(a, b, absolute=True), hp.ssim, hp.hog_similarity],
    ids=["spearman", "spearman_abs", "ssim", "hog"],
)  # fmt: skip
def test_8_metrics_do_not_depend_on_the_batch(metric: Any) -> None:
    a, b = (drawn(8, 2, 48, 48, seed=s) for s in (1, 2))
    whole = metric(a, b)
    for batch in (1, 3):
        parts = torch.cat([metric(a[i : i + batch], b[i : i + batch]) for i in range(0, 8, batch)])
        torch.testing.assert_close(parts, whole, rtol=1e-12, atol=1e-14)


@METHODS
def test_9_a_compiled_model_gives_the_eager_map(explain: Any) -> None:
    want = explain(Net(), fresh_input(), targets())
    compiled = torch.compile(Net(), backend="eager")
    compiled(fresh_input())  # warm: captum then gives the plain gradient
    torch.testing.assert_close(explain(compiled, fresh_input(), targets()), want, rtol=1e-12, atol=1e-14)
    in_place = Net()
    in_place.compile(backend="eager")
    in_place(fresh_input())
    torch.testing.assert_close(explain(in_place, fresh_input(), targets()), want, rtol=1e-12, atol=1e-14)


def test_10_the_null_is_calibrated(tmp_path: Path) -> None:
    """Edges: exactly 1; noise: about 0; noise times the input: its absolute floor is far above 0, and is reported."""
    audit = hp.audit(
        Net(dtype=torch.float32), fresh_input(24, dtype=torch.float32).abs(), out=tmp_path, seeds=3, nulls=4,
        methods=("edge_map", "random_map", "input_x_random"), faithfulness=False, metrics=("spearman", "spearman_abs"),
    )  # fmt: skip
    table, floors = (
        audit.table.query("metric.isin(['spearman', 'spearman_abs'])"),
        audit.results.floors.set_index(["method", "metric"]).floor,
    )
    assert (table[table.method == "edge_map"]["value"] == 1).all()
    for metric in ("spearman", "spearman_abs"):
        rows = table[(table.method == "random_map") & (table.metric == metric)]
        assert abs(rows["value"].mean()) < 0.05
    assert abs(floors["input_x_random", "spearman"]) < 0.1
    assert floors["input_x_random", "spearman_abs"] > 0.2
