"""DeepLIFT against matrices, captum, hand-computed networks, and its own promise: every map sums to the change of score."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import heatproof as hp
from heatproof.score import value
from nets import Net, fresh_input, targets
from reference.deeplift import Block, block_maps


class Op(nn.Module):
    """A convolution, the operation under test, and a sum with random weights: one number an image."""

    def __init__(self, op: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.conv = nn.Conv2d(2, 4, 3, padding=1)
        self.op = op
        self.double().eval()

    def forward(self, x: Tensor) -> Tensor:
        y = self.op(self.conv(x)).flatten(1)
        return y @ torch.linspace(-1, 2, y.shape[1], dtype=y.dtype).cos()


def noise(like: Tensor, seed: int = 7) -> Tensor:
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(like)


def check_complete(model: nn.Module, x: Tensor, score: Any = value, baseline: Any = None) -> Tensor:
    """Maps sum to the change of score, computed here by two plain forwards; nothing of it is trivially zero."""
    target = torch.zeros(len(x), dtype=torch.int64)
    start = noise(x) if baseline is None else torch.as_tensor(baseline, dtype=x.dtype).expand_as(x)
    maps = hp.deeplift(model, x, target, score=score, baseline=start)
    change = score(model(x.clone()), target) - score(model(start.clone()), target)
    assert (change.abs() > 1e-6).all(), "a test that needs a change of score"
    assert ((maps.flatten(1).sum(1) - change).abs() <= 1e-10 * change.abs()).all()
    assert not torch.equal(maps, (x - start) * hp.gradient(model, x, target, score=score)), "no rule had any effect"
    return maps


def test_equal_to_matrices() -> None:
    net, x = Block(), torch.randn(3, 2, 6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    target = torch.tensor([0, 2, 3])
    for start in (noise(x), torch.full_like(x, 0.3)):
        want = block_maps(net, x, start, target)
        torch.testing.assert_close(hp.deeplift(net, x, target, baseline=start), want, rtol=0, atol=1e-13)
    assert want.abs().max() > 1e-3


UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "relu6": lambda x: F.relu6(4 * x),
    "leaky_relu": lambda x: F.leaky_relu(x, 0.1),
    "elu in place": lambda x: F.elu(x, 1.0, True),
    "silu": F.silu,
    "gelu": lambda x: F.gelu(x, approximate="tanh"),
    "mish": F.mish,
    "hardswish": F.hardswish,
    "softplus": F.softplus,
    "prelu": lambda x: F.prelu(x, torch.linspace(-0.5, 0.5, 4, dtype=x.dtype)),
    "sigmoid": torch.sigmoid,
    "tanh in place": lambda x: x.tanh_(),
    "on a view": lambda x: (x.view(-1).sigmoid_(), x)[1],
    "clamp": lambda x: x.clamp(-0.2, 0.2),
    "hardtanh": F.hardtanh,
    "logsigmoid": F.logsigmoid,
    "softsign": F.softsign,
    "threshold": lambda x: F.threshold(x, 0.1, 0.5),
    "maximum with a constant": lambda x: torch.maximum(x, torch.full((), 0.1, dtype=x.dtype)),
    "exp": torch.exp,
    "log": lambda x: (x.abs() + 0.1).log(),
    "sqrt": lambda x: (x.square() + 1).sqrt(),
    "rsqrt": lambda x: (x**2 + 1).rsqrt(),
    "reciprocal": lambda x: (x * x + 1).reciprocal(),
    "erf": torch.erf,
    "number to a power": lambda x: 2**x,
    "number over": lambda x: 2.0 / (x.pow(2) + 0.5),
    "tensor over": lambda x: torch.div(torch.ones(8, 8, dtype=x.dtype), x.exp()),
    "quotient": lambda x: x / (x.abs().sum(1, keepdim=True) + 1),
    "quotient in place": lambda x: x.clone().div_(x.exp() + 1),
}


@pytest.mark.parametrize("op", UNARY.values(), ids=UNARY)
def test_complete_elementwise(op: Callable[[Tensor], Tensor]) -> None:
    check_complete(Op(op), fresh_input())


def _gate(x: Tensor) -> Tensor:
    x = x.clone()
    x *= torch.sigmoid(x.mean((2, 3), keepdim=True))
    return x


PRODUCTS: dict[str, Callable[[Tensor], Tensor]] = {
    "gate (SE) in place": _gate,
    "square": lambda x: x * x,
    "matmul": lambda x: x @ x.transpose(-2, -1),
    "bmm": lambda x: torch.bmm(x.flatten(0, 1), x.flatten(0, 1)).view(x.shape),
    "einsum": lambda x: torch.einsum("bchw,bdhw->bcd", x, x.tanh()),
    "einsum of a list": lambda x: torch.einsum("bchw,bdhw->bcd", [x, x.tanh()]),
    "dynamic convolution": lambda x: torch.stack([F.conv2d(i[None], i[:, None, :3, :3], groups=4)[0] for i in x]),
    "dynamic linear": lambda x: torch.stack([F.linear(i[0], i[1], torch.ones(8, dtype=x.dtype)) for i in x]),
    "glu": lambda x: F.glu(x, 1),
    "softmax": lambda x: x.softmax(1),
    "softmax over space": lambda x: F.softmax(x.flatten(2) * 20, -1),
    "log_softmax": lambda x: F.log_softmax(x, 1)[:, :2],
    "logsumexp": lambda x: x.logsumexp((2, 3)),
    "logsumexp keepdim": lambda x: torch.logsumexp(x, 1, keepdim=True),
    "causal attention": lambda x: F.scaled_dot_product_attention(x, x.tanh(), x.exp(), is_causal=True),
    "layer_norm": lambda x: F.layer_norm(x, (8, 8), torch.linspace(0, 1, 64, dtype=x.dtype).view(8, 8)),
    "layer_norm aten": lambda x: torch.ops.aten.layer_norm.default(x, [8], torch.ones(8, dtype=x.dtype), None, 0.1),
    "group_norm": lambda x: F.group_norm(x, 2, torch.linspace(0, 1, 4, dtype=x.dtype), torch.ones(4, dtype=x.dtype)),
    "instance_norm": lambda x: F.instance_norm(x, weight=torch.linspace(0, 1, 4, dtype=x.dtype), eps=0.1),
    "instance_norm below": lambda x: torch.instance_norm(
        x, torch.linspace(0, 1, 4, dtype=x.dtype), None, None, None, True, 0.1, 0.1, False
    ),
    "rms_norm": lambda x: F.rms_norm(x, (8,), torch.linspace(0, 1, 8, dtype=x.dtype)),
    "normalize": lambda x: F.normalize(x, dim=1),
}


@pytest.mark.parametrize("op", PRODUCTS.values(), ids=PRODUCTS)
def test_complete_products_and_norms(op: Callable[[Tensor], Tensor]) -> None:
    check_complete(Op(op), fresh_input())


POOLS: dict[str, Callable[[Tensor], Tensor]] = {
    "2 2": lambda x: F.max_pool2d(x.relu(), 2, 2),
    "3 2 1": lambda x: F.max_pool2d(x.relu(), 3, 2, 1),
    "3 1": lambda x: F.max_pool2d(x, 3, stride=1),
    "ceil mode": lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True),
    "dilation": nn.MaxPool2d(2, 1, dilation=2),
    "with indices": lambda x: F.max_pool2d(x, 2, return_indices=True)[0],
    "before relu": lambda x: F.max_pool2d(x, 3, 2).relu(),
    "one image at a time": lambda x: torch.stack([F.max_pool2d(i, 3, 2) for i in x]),
    "1d": lambda x: F.max_pool1d(x.flatten(2), 5, 2),
    "3d": lambda x: F.max_pool3d(x[:, None], (2, 3, 3), 1),
    "adaptive": lambda x: F.adaptive_max_pool2d(x, (3, 5)),
    "adaptive 1d": lambda x: F.adaptive_max_pool1d(x.flatten(2), 7),
    "amax": lambda x: x.amax((2, 3)),
    "amax over channels": lambda x: x.amax(1, keepdim=True),
    "max": lambda x: x.flatten(2).max(2)[0],
    "maximum of all": lambda x: torch.stack([i.max() for i in x])[:, None],
}


@pytest.mark.parametrize("op", POOLS.values(), ids=POOLS)
def test_complete_maxima(op: Callable[[Tensor], Tensor]) -> None:
    check_complete(Op(op), fresh_input())


class Attention(nn.Module):
    """A transformer block on tokens; `first` says whether the batch comes first."""

    def __init__(self, first: bool) -> None:
        super().__init__()
        self.first = first
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.embed, self.mlp, self.head = nn.Linear(16, 8), nn.Linear(8, 8), nn.Linear(8, 3)
            self.norm, self.attention = nn.LayerNorm(8), nn.MultiheadAttention(8, 2, batch_first=first)
        self.double().eval()

    def forward(self, x: Tensor) -> Tensor:
        t = self.embed(x.reshape(len(x), -1, 16))
        t = t if self.first else t.transpose(0, 1)
        n = self.norm(t)
        t = t + self.attention(n, n, n, need_weights=False)[0]
        t = t + F.gelu(self.mlp(self.norm(t)))
        return self.head(t.mean(1 if self.first else 0))


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("score", [hp.logit, hp.probability, hp.log_probability, hp.margin, hp.label_probability])
def test_complete_attention_and_score(first: bool, score: Any) -> None:
    x = fresh_input()
    maps = check_complete(Attention(first), x, score)
    other = hp.deeplift(Attention(not first), x, torch.zeros(3, dtype=torch.int64), score=score, baseline=noise(x))
    torch.testing.assert_close(maps, other, rtol=1e-10, atol=1e-13)
    alone = hp.deeplift(Attention(first), x[1:2], torch.tensor([0]), score=score, baseline=noise(x)[1:2])
    torch.testing.assert_close(maps[1:2], alone, rtol=1e-10, atol=1e-13)


def test_complete_whatever_the_baseline() -> None:
    net, x = Net(), fresh_input()
    for baseline in (0.0, 1, -3.5, noise(x), noise(x)[:1], torch.tensor([0.5, -2.0]).view(2, 1, 1)):
        check_complete(net, x, hp.logit, baseline)
    assert not hp.deeplift(net, x, baseline=x).any()


def test_numbers_of_the_paper() -> None:
    def maps(f: Callable[[Tensor], Tensor], *x: float) -> list[float]:
        model = nn.Module()
        model.forward = lambda rows: f(rows[:, 0], *rows[:, 1:].unbind(1))  # type: ignore[method-assign]
        out: list[float] = hp.deeplift(model.eval(), torch.tensor([x], dtype=torch.float64), score=value)[0].tolist()
        return out

    assert maps(lambda a, b: 1 - (1 - a - b).relu(), 1, 1) == [0.5, 0.5], "figure 1: saturated, the gradient is 0"
    assert maps(lambda a, b: 1 - (1 - a - b).relu(), 3, 1) == [0.75, 0.25]
    assert maps(lambda a, _: (a - 10).relu(), 12, 0) == [2, 0], "figure 2: the bias takes no share"
    assert maps(lambda a, b: a - (a - b).relu(), 5, 2) == [0, 2], "section 3.4: the minimum goes to the smaller"
    assert maps(lambda a, b: a - (a - b).relu(), 2, 5) == [2, 0]
    assert maps(lambda a, b: (a + b).relu(), -1, 4) == [-1, 4]
    assert maps(lambda a, b: a * b, 2, 3) == [3, 3], "half of a product to each factor"
    assert maps(lambda a, b: torch.stack([a, b], 1).amax(1), 2, 3) == [0, 3]


def test_overlapping_windows_share_a_winner() -> None:
    """Input 0 5 0 in two windows that both hold the 5, from a baseline of 0: it gets 2 times 5."""
    model = nn.Sequential(nn.MaxPool1d(2, 1), nn.Flatten(), nn.Linear(2, 1, bias=False)).double().eval()
    model[2].weight.data.fill_(1)
    x = torch.tensor([[[0.0, 5.0, 0.0]]], dtype=torch.float64)
    assert hp.deeplift(model, x, score=value).tolist() == [[[0, 10, 0]]]


def test_winner_moves() -> None:
    """From (4, 1) to (0, 2) the maximum falls from 4 to 2: all of it at the winner of the baseline."""
    model = nn.Sequential(nn.MaxPool1d(2), nn.Flatten()).eval()
    x, start = torch.tensor([[[0.0, 2.0]]]), torch.tensor([[[4.0, 1.0]]])
    assert hp.deeplift(model, x, score=value, baseline=start).tolist() == [[[-2, 0]]]
    assert hp.deeplift(model, start, score=value, baseline=x).tolist() == [[[2, 0]]]


@pytest.mark.parametrize("x", [(0.1, 0.2, -0.3), (1.0, 2.0, -3.0)], ids=["rounding", "zero"])
def test_slope_where_the_change_is_rounding(x: tuple[float, ...]) -> None:
    """0.1 + 0.2 - 0.3 = 5.6e-17: a quotient of differences would be noise, 0 for the sigmoid. The slope is 1/4."""
    want = torch.tensor([x], dtype=torch.float64)

    def maps(f: Callable[[Tensor], Tensor]) -> Tensor:
        model = nn.Module()
        model.forward = lambda rows: f(rows.sum(1))  # type: ignore[method-assign]
        found: Tensor = hp.deeplift(model.eval(), want, score=value)
        return found

    torch.testing.assert_close(maps(torch.sigmoid), want / 4, rtol=1e-12, atol=0)
    torch.testing.assert_close(maps(lambda s: (s + 1).log() + 3), want, rtol=1e-12, atol=0)
    torch.testing.assert_close(maps(lambda s: torch.stack([s, s - 5], 1).amax(1)), want, rtol=1e-12, atol=0)
    torch.testing.assert_close(maps(lambda s: (s - 5).relu()), 0 * want, rtol=0, atol=0)
    assert maps(lambda s: s.abs().sqrt()).isfinite().all(), "an infinite slope"


def test_slope_where_nothing_changes() -> None:
    """Half of the pixels equal the baseline: their share is 0, and their slope, infinite for the root, spoils nothing."""

    class Roots(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.clamp(min=0).sqrt().flatten(1) @ torch.linspace(-1, 2, 128, dtype=x.dtype)

    x = fresh_input()
    start = noise(x)
    start[..., :4] = x[..., :4]
    maps = check_complete(Roots().eval(), x, value, start)
    assert not maps[..., :4].any()
    assert maps.isfinite().all()


@pytest.mark.parametrize("shift", [0.0, 800.0, -800.0])
def test_softmax_finite_where_an_exponential_underflows(shift: float) -> None:
    net = Op(lambda x: (x * torch.tensor([1.0, 400, 0, 900], dtype=x.dtype).view(4, 1, 1)).softmax(1))
    start = noise(fresh_input())
    maps = hp.deeplift(net, fresh_input(), score=value, baseline=start)
    assert maps.isfinite().all()
    head = Op(lambda x: (x[:, :2].mean((2, 3)) * torch.tensor([1.0, 1], dtype=x.dtype) + shift * x.mean()).softmax(1))
    maps, residual = hp.deeplift(head, fresh_input(1), score=value, baseline=start[:1], return_residual=True)
    assert maps.isfinite().all()
    assert residual.abs().max() <= 1e-10


def test_masked_attention() -> None:
    mask = torch.ones(8, 8, dtype=torch.bool).tril()
    boolean = Op(lambda x: F.scaled_dot_product_attention(x, x, x, attn_mask=mask))
    causal = Op(lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True))
    assert torch.equal(check_complete(boolean, fresh_input()), check_complete(causal, fresh_input()))


def test_residual_and_many_targets() -> None:
    net, x = Net(), fresh_input()
    rows = torch.stack([targets(), (targets() + 1) % 5])
    maps, residual = hp.deeplift(net, x, rows, score=hp.probability, baseline=0.5, return_residual=True)
    assert residual.shape == (2, 3)
    out, out0 = net(x).softmax(1), net(torch.full_like(x, 0.5)).softmax(1)
    change = torch.stack([(out - out0).gather(1, t[:, None])[:, 0] for t in rows])
    torch.testing.assert_close(maps.flatten(2).sum(2) + residual, change, rtol=0, atol=1e-15)
    assert residual.abs().max() < 1e-14
    assert maps[0].sum() != maps[1].sum()


def test_later_writes_do_not_reach_what_was_recorded() -> None:
    def op(x: Tensor) -> Tensor:
        y = x.sigmoid()
        x += 3  # what the rule has read, written over
        return (y + x).tanh_()

    def plain(x: Tensor) -> Tensor:
        return (x.sigmoid() + (x + 3)).tanh()

    torch.testing.assert_close(
        check_complete(Op(op), fresh_input()), check_complete(Op(plain), fresh_input()), rtol=0, atol=1e-13
    )


# captum: equal where it is right, and wrong where our maps are complete


def captum(model: nn.Module, x: Tensor, start: Tensor, target: int = 0) -> Tensor:
    attr = pytest.importorskip("captum.attr", reason="needs heatproof[dev]")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own about its hooks
        found: Tensor = attr.DeepLift(model, eps=1e-14).attribute(x.clone(), start, target=target).detach()
    return found


def stack(*layers: nn.Module, size: int = 8) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        front = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), *layers, nn.Flatten())
        width = front(torch.zeros(1, 2, size, size)).shape[1]
        return nn.Sequential(*front, nn.Linear(width, 4)).double().eval()


def test_equal_to_captum_where_captum_is_right() -> None:
    x = fresh_input()
    for layers in ((nn.ReLU(),), (nn.ReLU(), nn.AvgPool2d(2)), (nn.Sigmoid(),), (nn.Softplus(),)):
        for start in (torch.zeros_like(x), noise(x)):
            ours = hp.deeplift(stack(*layers), x, torch.zeros(3, dtype=torch.int64), baseline=start)
            theirs = captum(stack(*layers), x, start)
            assert theirs.any()
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)


@torch.no_grad()
def gap(model: nn.Module, maps: Tensor, x: Tensor, start: Tensor) -> float:
    change = (model(x) - model(start))[:, 0]
    return float(((maps.flatten(1).sum(1) - change).abs() / change.abs()).max())


@pytest.mark.parametrize("pool", [nn.MaxPool2d(2, 2), nn.MaxPool2d(3, 2, 1)], ids=["2 2", "3 2 1"])
def test_complete_where_captum_is_not_max_pool(pool: nn.Module) -> None:
    x = fresh_input()
    model, start, zero = stack(nn.ReLU(), pool), noise(x), torch.zeros(3, dtype=torch.int64)
    assert gap(model, hp.deeplift(model, x, zero, baseline=start), x, start) <= 1e-10
    assert gap(model, captum(stack(nn.ReLU(), pool), x, start), x, start) > 1e-2, "captum's map does not sum"


def test_complete_where_captum_is_not_softmax() -> None:
    x = fresh_input()
    model, start, zero = nn.Sequential(stack(nn.ReLU()), nn.Softmax(1)).eval(), noise(x), torch.zeros(3, dtype=int)
    ours = hp.deeplift(model, x, zero, baseline=start)
    assert gap(model, ours, x, start) <= 1e-10
    alone = hp.deeplift(model, x[:1], zero[:1], baseline=start[:1])
    torch.testing.assert_close(ours[:1], alone, rtol=1e-10, atol=1e-14)
    theirs = captum(model, x, start)
    assert (theirs[:1] - captum(model, x[:1], start[:1])).abs().max() > 1e-4, "captum's map depends on the batch"


def test_reused_and_functional_relu_where_captum_fails() -> None:
    x, start = fresh_input(), noise(fresh_input())
    zero = torch.zeros(3, dtype=torch.int64)
    reused, functional = Net(nn.ReLU()), Net()
    ours = hp.deeplift(reused, x, zero, baseline=start)
    assert torch.equal(ours, hp.deeplift(functional, x, zero, baseline=start))
    with pytest.raises(RuntimeError, match="more than once"):
        captum(reused, x, start)
    assert gap(functional, captum(functional, x, start), x, start) > 1e-2, "captum: gradient times difference, silently"


# what it refuses


@pytest.mark.parametrize(
    ("name", "op"),
    {
        "std": lambda x: x.std(1),
        "sort": lambda x: x.sort(1)[0],
        "cumprod": lambda x: x.cumprod(1),
        "maximum": lambda x: torch.maximum(x, x.tanh()),
        "autograd node Bmm": lambda x: torch.einsum("bchw,bchw,bchw->bc", x, x, x),
        "pow": lambda x: x.exp() ** x,
        "div": lambda x: torch.div(x, x.exp(), rounding_mode="trunc"),
    }.items(),
)
def test_operation_without_a_rule_is_named(name: str, op: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(hp.EscapedOp, match=rf"deeplift has no rule for {name}\b"):
        hp.deeplift(Op(op), fresh_input(), score=value)


def test_division_by_the_input_is_nothing_linear_for_any_method_with_rules() -> None:
    one = torch.ones(8, 8, dtype=torch.float64)
    for op in (lambda x: torch.div(one, x.relu() + 1), lambda x: torch.addcdiv(one, one, x.relu() + 1)):
        with pytest.raises(hp.EscapedOp, match=r"no rule for (div|addcdiv)"):
            hp.guided_backprop(Op(op), fresh_input(), score=value)


@pytest.mark.parametrize(
    ("op", "error", "words"),
    [
        (lambda x: x.relu() if x.sum() > 0 else x.sigmoid(), hp.NotApplicable, "other"),
        (lambda x: x.relu() if x.sum() > 0 else x, hp.NotApplicable, "other"),
        (lambda x: x if x.sum() > 0 else x.relu(), hp.NotApplicable, "other"),
        (lambda x: x if x.sum() > 0 else 2 * x, hp.ModelError, "misses the change of score"),
    ],
)
def test_model_that_runs_otherwise_on_the_baseline(op: Any, error: type[Exception], words: str) -> None:
    class Branch(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return op(x).mean((1, 2, 3))

    with pytest.raises(error, match=words):
        hp.deeplift(Branch().eval(), torch.ones(2, 2, 8, 8) + fresh_input(2) ** 2, score=value, baseline=-1.0)


def test_baseline_that_requires_grad() -> None:
    start = noise(fresh_input()).requires_grad_()
    maps, residual = hp.deeplift(Net(), fresh_input(), targets(), baseline=start, return_residual=True)
    assert not maps.requires_grad
    assert not residual.requires_grad


@pytest.mark.parametrize("bad", [torch.zeros(3), "black", float("nan"), torch.zeros(4, 2, 8, 8)])
def test_bad_baseline(bad: Any) -> None:
    with pytest.raises(hp.InputError, match="baseline"):
        hp.deeplift(Net(), fresh_input(), baseline=bad)


def test_program_of_a_fixed_batch() -> None:
    x, start = fresh_input(), noise(fresh_input())
    program = torch.export.export(Attention(True), (x,)).module()
    want = hp.deeplift(Attention(True), x, torch.tensor([0, 1, 2]), baseline=start)
    torch.testing.assert_close(
        hp.deeplift(program, x, torch.tensor([0, 1, 2]), baseline=start), want, rtol=1e-10, atol=1e-13
    )


DECOMPOSED: dict[str, nn.Module] = {
    "native_layer_norm": nn.LayerNorm([4, 8, 8]),
    "native_layer_norm without weights": nn.LayerNorm([8], elementwise_affine=False, eps=0.1),
    "native_group_norm": nn.GroupNorm(2, 4),
    "native_group_norm without weights": nn.GroupNorm(2, 4, affine=False, eps=0.1),
    "instance_norm": nn.InstanceNorm2d(4, affine=True),
    "instance_norm without weights": nn.InstanceNorm2d(4, eps=0.1),
    "instance_norm that runs as a batch norm": nn.InstanceNorm2d(4, affine=True, track_running_stats=True),
    "softmax": nn.Softmax(1),
    "gelu": nn.GELU(),
}


def decomposed(model: nn.Module, x: Tensor) -> nn.Module:
    program: nn.Module = torch.export.export(model, (x,)).run_decompositions().module()
    return program


@pytest.mark.parametrize("op", DECOMPOSED.values(), ids=DECOMPOSED)
def test_decomposed_programs(op: nn.Module) -> None:
    """The same map as the model's own, from the operators below it."""
    model, x = (
        nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), op, nn.ReLU(), nn.Flatten(), nn.Linear(256, 3)),
        fresh_input(),
    )
    with torch.no_grad():
        for n, parameter in enumerate(model.double().eval().parameters()):
            parameter.copy_(noise(parameter, n))
    want = hp.deeplift(model, x, targets(), baseline=noise(x))
    found = hp.deeplift(decomposed(model, x), x, targets(), baseline=noise(x))
    torch.testing.assert_close(found, want, rtol=1e-10, atol=1e-12)
    assert want.abs().max() > 1e-3


@pytest.mark.parametrize("op", [nn.PReLU(4), nn.Softplus()], ids=["prelu", "softplus"])
def test_decomposed_choices_are_named(op: nn.Module) -> None:
    """The condition of `where` is computed from the input: no rule sees what it chooses by."""
    model, x = Op(op), fresh_input()
    with pytest.raises(hp.EscapedOp, match="where "):
        hp.deeplift(decomposed(model, x), x, score=value)


def test_decomposed_batch_statistics_are_refused() -> None:
    model, x = Op(nn.BatchNorm2d(4, track_running_stats=False).eval()), fresh_input()
    with pytest.raises(hp.ModelError, match=r"without running statistics|native_batch_norm_legit"):
        hp.deeplift(decomposed(model, x), x, score=value)
