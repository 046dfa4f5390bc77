"""LRP against zennit, against dense matrices, and on the cases that are known exactly."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import heatproof as hp
from heatproof.engine.model import counted_rows
from heatproof.engine.sharing import shared_passes
from heatproof.named import method_from_text
from nets import Net, fresh_input, targets
from reference import lrp as reference

composites = pytest.importorskip("zennit.composites", reason="needs heatproof[dev]")
from zennit import rules as zennit_rules  # noqa: E402
from zennit import types as zennit_types  # noqa: E402
from zennit.attribution import Gradient  # noqa: E402
from zennit.torchvision import VGGCanonizer  # noqa: E402

EPS = 1e-3
"""Large enough that a wrong place for it shows."""

RULES = ("epsilon", "zplus", "gamma", "alphabeta", "composite", "epsilon_plus", "epsilon_alphabeta")


def seeded(build: Callable[[], nn.Module]) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        net = build()
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                for values in (module.weight, module.bias, module.running_mean):
                    nn.init.normal_(values)  # scales of either sign
                module.running_var.uniform_(0.5, 2)
    return net.double().eval()


def plain() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 5, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(5, 4, 3, groups=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(4, 4, 2, groups=2),
        nn.ReLU(),
        nn.AvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 6),
        nn.ReLU(),
        nn.Linear(6, 5),
    )


def normalised() -> nn.Module:
    """Zennit leaves a batch norm of scale 1 / sqrt(1 + eps) behind when it merges one, so eps is next to nothing."""
    return nn.Sequential(
        nn.Conv2d(2, 5, 3, padding=1, bias=False),
        nn.BatchNorm2d(5, eps=1e-30),
        nn.ReLU(),
        nn.Conv2d(5, 6, 3),
        nn.BatchNorm2d(6, eps=1e-30),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(54, 5),
    )


def zennit_map(net: nn.Module, x: Tensor, target: Tensor, rule: str) -> Tensor:
    """Zennit on a copy, started at the logit as ours is; its ranges are those of our default, each image's own."""
    base = composites.layer_map_base(EPS)
    simple = {
        "epsilon": zennit_rules.Epsilon(EPS),
        "zplus": zennit_rules.ZPlus(EPS),
        "gamma": zennit_rules.Gamma(0.4, EPS),
        "alphabeta": zennit_rules.AlphaBeta(3.0, 2.0, EPS),
    }
    maps = []
    for image, t in zip(x.split(1), target, strict=True):
        canonizers = [VGGCanonizer()]
        options = {"epsilon": EPS, "stabilizer": EPS, "canonizers": canonizers}
        if rule in simple:
            layers = [(zennit_types.Linear, simple[rule]), *base]
            composite = composites.LayerMapComposite(layers, canonizers=canonizers)
        elif rule == "composite":
            composite = composites.EpsilonGammaBox(*image.reshape(-1, 1, 1, 1).aminmax(), gamma=0.4, **options)
        elif rule == "epsilon_plus":
            composite = composites.EpsilonPlus(**options)
        else:
            layers = [(zennit_types.Convolution, simple["alphabeta"]), (nn.Linear, simple["epsilon"]), *base]
            composite = composites.LayerMapComposite(layers, canonizers=canonizers)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # zennit's own about its hooks
            mine = copy.deepcopy(net)
            with Gradient(mine, composite) as attributor:
                start = torch.zeros(1, 5, dtype=x.dtype).index_fill(1, t, 1) * net(image).detach()
                maps.append(attributor(image.clone(), start)[1])
    return torch.cat(maps)


OPTIONS: dict[str, dict[str, Any]] = {
    "gamma": {"gamma": 0.4},
    "composite": {"gamma": 0.4},
    "alphabeta": {"alpha": 3.0, "beta": 2.0},
    "epsilon_alphabeta": {"alpha": 3.0, "beta": 2.0},
}


def ours(net: nn.Module, x: Tensor, target: Tensor, rule: str, **options: Any) -> Any:
    return hp.lrp(net, x, target, rule=rule, epsilon=EPS, **OPTIONS.get(rule, {}), **options)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("build", [plain, normalised])
def test_equal_to_zennit(rule: str, build: Callable[[], nn.Module]) -> None:
    net, x = seeded(build), fresh_input()
    want = zennit_map(net, x, targets(), rule)
    assert want.any()
    torch.testing.assert_close(ours(net, x, targets(), rule), want, rtol=0, atol=1e-11 * float(want.abs().max()))


@pytest.mark.parametrize("epsilon", [1e-7, 1e-2])
def test_equal_to_dense_matrices_on_a_functional_residual_net(epsilon: float) -> None:
    net, x = reference.Residual(), fresh_input()[:, :, :4, :4]
    for i, t in enumerate(targets().tolist()):
        want = reference.residual_net(net, x[i : i + 1], t, epsilon).detach()
        found = hp.lrp(net, x[i : i + 1], torch.tensor([t]), epsilon=epsilon)
        torch.testing.assert_close(found, want, rtol=0, atol=1e-12 * float(want.abs().max()))


@pytest.mark.parametrize("epsilon", [1e-7, 1e-2])
def test_attention_block_equal_to_attnlrp_by_hand(epsilon: float) -> None:
    net, x = reference.Block(), torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(3)).double()
    found = hp.lrp(net, x, targets() % 3, epsilon=epsilon)
    for i, t in enumerate((targets() % 3).tolist()):
        want = reference.block(net, x[i], t, epsilon).detach()
        torch.testing.assert_close(found[i], want, rtol=0, atol=1e-12 * float(want.abs().max()))


def test_conserves_on_a_bias_free_residual_net() -> None:
    net, x = reference.Residual(bias=False), fresh_input()[:, :, :4, :4]
    maps, residual = hp.lrp(net, x, targets() % 4, epsilon=1e-14, return_residual=True)
    logits = hp.logit(net(x), targets() % 4)
    torch.testing.assert_close(maps.flatten(1).sum(1), logits, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(residual, torch.zeros_like(residual), rtol=0, atol=1e-12)
    torch.testing.assert_close(maps, hp.gradient_x_input(net, x, targets() % 4), rtol=1e-9, atol=1e-12)


def test_reused_layer_equals_an_unshared_copy() -> None:
    class Unshared(reference.Residual):
        def __init__(self) -> None:
            super().__init__()
            self.again = copy.deepcopy(self.mix)

        def forward(self, x: Tensor) -> Tensor:
            x = torch.relu(self.conv1(x))
            x = F.avg_pool2d(torch.relu(self.conv2(x) + x), 2).flatten(1)
            x = torch.relu(self.mix(x))
            return self.head(torch.relu(self.again(x)) + x)

    x = fresh_input()[:, :, :4, :4]
    for rule in ("epsilon", "gamma"):
        assert torch.equal(
            hp.lrp(reference.Residual(), x, targets() % 4, rule=rule), hp.lrp(Unshared(), x, targets() % 4, rule=rule)
        )


def test_known_numbers() -> None:
    """T-S0-4: relevance starts at the logit; logits (8, 6), maps (9, -1) and (3, 3)."""
    net = nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU(), nn.Linear(3, 2, bias=False)).double().eval()
    net[0].weight.data = torch.tensor([[1.0, 1], [1, -1], [-1, 2]], dtype=torch.float64)
    net[2].weight.data = torch.tensor([[1.0, 2, -1], [2, -1, 1]], dtype=torch.float64)
    x = torch.tensor([[3.0, 1.0]], dtype=torch.float64)
    rows = torch.tensor([[0], [1]])
    want = torch.tensor([[[9.0, -1.0]], [[3.0, 3.0]]], dtype=torch.float64)
    torch.testing.assert_close(hp.lrp(net, x, rows, epsilon=1e-13), want, rtol=0, atol=1e-9)
    # zplus by hand, class 0: 8 shared 4 : 4 over the hidden 4 and 2; then 4 -> (3, 1), and 4 -> (4, 0)
    zplus = torch.tensor([[[7.0, 1.0]]], dtype=torch.float64)
    torch.testing.assert_close(hp.lrp(net, x, rows[:1], rule="zplus", epsilon=1e-13), zplus, rtol=0, atol=1e-9)


def test_residual_is_what_the_biases_absorb() -> None:
    net, x = nn.Linear(2, 2).double().eval(), torch.tensor([[3.0, 1.0]], dtype=torch.float64)
    net.bias.data = torch.tensor([0.5, -2.0], dtype=torch.float64)
    maps, residual = hp.lrp(net, x, torch.tensor([[0], [1]]), epsilon=1e-13, return_residual=True)
    assert residual.shape == (2, 1)
    torch.testing.assert_close(residual[:, 0], net.bias.data, rtol=0, atol=1e-10)
    torch.testing.assert_close(maps[:, 0], net.weight.data * x, rtol=0, atol=1e-10)


@pytest.mark.parametrize("rule", RULES)
def test_spellings_and_forms_under_every_rule(rule: str) -> None:
    x = fresh_input()
    want = hp.lrp(Net(), x, targets(), rule=rule)
    program = torch.export.export(Net(), (x,))
    lowered = program.run_decompositions()
    forms = [Net(lambda t: t.relu_()), Net(lambda t: F.threshold(t, 0.0, 0.0)), program.module(), lowered.module()]
    for form in forms:
        torch.testing.assert_close(hp.lrp(form, x, targets(), rule=rule), want, rtol=1e-10, atol=1e-13)
    assert not torch.equal(want, hp.lrp(Net(), x, targets(), rule="epsilon" if rule != "epsilon" else "zplus"))
    for i in range(3):
        alone = hp.lrp(Net(), x[i : i + 1], targets()[i : i + 1], rule=rule)
        torch.testing.assert_close(alone, want[i : i + 1], rtol=1e-9, atol=1e-13)


def test_attention_program_equals_the_module() -> None:
    net, x = reference.Block(), torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(3)).double()
    want = hp.lrp(net, x, targets(2))
    program = torch.export.export(net, (x,)).module()
    torch.testing.assert_close(hp.lrp(program, x, targets(2)), want, rtol=1e-9, atol=1e-12)


class Wrap(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(2)
            self.conv, self.head = nn.Conv2d(2, 4, 3), nn.Linear(4, 5)
        self.double().eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.function(self.conv(x)).mean((2, 3)))


ACTIVATIONS = {
    "gelu": F.gelu,
    "silu in place": lambda x: F.silu(x, inplace=True),
    "tanh_": torch.Tensor.tanh_,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
    "hardswish": F.hardswish,
    "relu6": lambda x: F.relu6(x.relu() * 9),
    "elu": F.elu,
    "logsigmoid": F.logsigmoid,
    "prelu": lambda x: F.prelu(x, torch.tensor([0.1, 0.2, 0.3, -0.4], dtype=x.dtype)),
    "clamp to 0.2 .. 1": lambda x: x.clamp(0.2, 1),
}


@pytest.mark.parametrize("function", ACTIVATIONS.values(), ids=ACTIVATIONS)
def test_activations_pass_their_relevance_on(function: Callable[[Tensor], Tensor]) -> None:
    net, x = Wrap(function), fresh_input()
    a = net.conv(x).detach()
    b = function(a.clone()).detach()
    pooled = b.mean((2, 3))
    out = net.head(pooled)
    r = pooled * net.head.weight[targets()] * (out / reference.stable(out)).gather(1, targets()[:, None])
    r = b / 36 * (r / reference.stable(pooled))[:, :, None, None]
    if function(torch.zeros(1, 4, 1, 1, dtype=torch.float64)).any():
        r = r * a / reference.stable(a)
    want = torch.cat([reference.through(net.conv, x[i : i + 1], r[i : i + 1]) for i in range(3)]).detach()
    torch.testing.assert_close(hp.lrp(net, x, targets()), want, rtol=0, atol=1e-11 * float(want.abs().max()))


def gated(x: Tensor) -> Tensor:
    return x * x.mean((2, 3), keepdim=True).sigmoid()


def gated_in_place(x: Tensor) -> Tensor:
    x *= x.mean((2, 3), keepdim=True).sigmoid()
    return x


SMOOTH = {
    "gate": gated,
    "einsum": lambda x: torch.einsum("bchw,bdhw->bcd", x, x)[..., None],
    "attention": lambda x: torch.bmm(x.flatten(2), x.flatten(2).transpose(1, 2)).softmax(-1)[..., None],
    "group norm": lambda x: F.group_norm(x, 2),
    "instance norm": lambda x: F.instance_norm(x)[:, :, :4],
    "rms norm": lambda x: F.rms_norm(x, (6,)),
    "normalize": lambda x: F.normalize(x, dim=1),
    "log softmax": lambda x: x.log_softmax(1),
    "maximum over channels": lambda x: x.amax(1, keepdim=True) + x,
    "maximum": lambda x: x.max(2)[0][..., None] + 0 * x,
}


@pytest.mark.parametrize("function", SMOOTH.values(), ids=SMOOTH)
def test_rules_keep_the_sum_where_they_should(function: Callable[[Tensor], Tensor]) -> None:
    """Without biases a product, a norm and a maximum hand on what they get; softmax and log softmax are their tangents."""
    net, x = Wrap(function), fresh_input()
    net.conv.bias.data.zero_()
    net.head.bias.data.zero_()
    maps, residual = hp.lrp(net, x, targets(), epsilon=1e-12, return_residual=True)
    assert maps.any()
    if function in (SMOOTH["attention"], SMOOTH["log softmax"]):
        assert (residual.abs() > 1e-3).all()
    else:
        torch.testing.assert_close(residual, torch.zeros_like(residual), rtol=0, atol=1e-8)


def test_gate_in_place_and_softmax_by_hand() -> None:
    x = fresh_input()
    assert torch.equal(hp.lrp(Wrap(gated), x, targets()), hp.lrp(Wrap(gated_in_place), x, targets()))
    x = x.flatten(1)[:, :5]
    maps = hp.lrp(nn.Identity().eval(), x, targets(), score=hp.probability)
    s = x.softmax(1)
    own = s.gather(1, targets()[:, None])
    want = x * (torch.eye(5, dtype=x.dtype)[targets()] - s) * own  # x times the gradient of softmax
    torch.testing.assert_close(maps, want, rtol=1e-12, atol=1e-14)
    maps = hp.lrp(nn.Identity().eval(), x, targets(), score=hp.log_probability)
    torch.testing.assert_close(maps, want / own, rtol=1e-12, atol=1e-14)
    assert torch.equal(hp.lrp(Net(), fresh_input(), targets(), score=hp.margin).isfinite().all(), torch.tensor(True))


def test_masked_attention_is_finite() -> None:
    class Causal(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            mask = torch.zeros(5, 5, dtype=x.dtype).masked_fill(torch.ones(5, 5).triu(1).bool(), float("-inf"))
            return F.scaled_dot_product_attention(x, x, x, attn_mask=mask).mean(1)

    x = fresh_input().flatten(2)[:, :, :60].reshape(3, -1, 5)[:, :5]
    maps = hp.lrp(Causal().eval(), x, targets())
    assert maps.isfinite().all()
    assert maps.any()


REFUSED = {
    "exp": torch.exp,
    "pow": lambda x: x**2,
    "div": lambda x: x / x.mean(1, keepdim=True),
    "reciprocal": lambda x: 1 / x,
    "local_response_norm": lambda x: F.local_response_norm(x, 2),
    "mul": lambda x: x * (x > 0),
    "maximum": lambda x: torch.maximum(x, x.mean(1, keepdim=True)),
}


@pytest.mark.parametrize(("name", "function"), REFUSED.items())
def test_operation_without_a_rule_is_named(name: str, function: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(hp.EscapedOp, match=f"(?i){name}"):
        hp.lrp(Wrap(function), fresh_input(), targets())


def test_a_constant_over_the_input_is_no_linear_operation() -> None:
    constant = torch.ones(4, 1, 1, dtype=torch.float64)
    with pytest.raises(hp.EscapedOp, match="div"):
        hp.lrp(Wrap(lambda x: torch.div(constant, x)), fresh_input(), targets())


@pytest.mark.parametrize(
    "options",
    [
        {"rule": "zbox"},
        {"epsilon": 0.0},
        {"epsilon": float("nan")},
        {"gamma": -1.0},
        {"rule": "alphabeta", "alpha": 2.0, "beta": 2.0},
        {"rule": "alphabeta", "alpha": 0.5, "beta": -0.5},
        {"low": 0.0},
        {"gamma": 5.0},
        {"rule": "zplus", "alpha": 3.0, "beta": 2.0},
        {"rule": "gamma", "beta": 0.5, "alpha": 1.5},
        {"rule": "zplus", "high": torch.ones(2, 1, 1)},
        {"rule": ["epsilon"]},
        {"epsilon": "a"},
        {"rule": "alphabeta", "alpha": None},
        {"rule": "composite", "high": "a"},
        {"rule": "composite", "low": 0.0},
        {"rule": "composite", "high": torch.ones(3, 1, 1)},
    ],
)
def test_bad_options(options: dict[str, Any]) -> None:
    with pytest.raises(hp.InputError):
        hp.lrp(Net(), fresh_input(), targets(), **options)


def test_box_bounds_and_what_it_refuses() -> None:
    x, low, high = fresh_input(), torch.tensor([-4.0, -5.0])[:, None, None], 6.0
    net = seeded(plain)
    given = hp.lrp(net, x, targets(), rule="composite", low=low, high=high)
    assert not torch.allclose(given, hp.lrp(net, x, targets(), rule="composite"))
    shifted = nn.Sequential(Scale(2.0, 1.0), net).eval()
    maps, residual = hp.lrp(shifted, x / 2 - 1, targets(), rule="composite", return_residual=True)
    assert maps.isfinite().all()
    assert residual.isfinite().all()
    for before in (lambda t: t.flip(1), lambda t: F.pad(t, (1, 1)), lambda t: t - t.mean((2, 3), keepdim=True)):
        with pytest.raises(hp.NotApplicable, match="pixel by pixel"):
            hp.lrp(First(before, net), x, targets(), rule="composite")


class Scale(nn.Module):
    def __init__(self, factor: float, offset: float) -> None:
        super().__init__()
        self.factor, self.offset = factor, offset

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.offset) * self.factor


class First(nn.Module):
    def __init__(self, before: Callable[[Tensor], Tensor], net: nn.Module) -> None:
        super().__init__()
        self.before, self.net = before, net
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.net(self.before(x))


def linear_net() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(72, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 5))


class Behind(nn.Module):
    """A net with something done to the output of its first layer, before the batch norm."""

    def __init__(self, net: nn.Module, between: Callable[[Tensor], Tensor], first: int = 0) -> None:
        super().__init__()
        self.net, self.between, self.first = net, between, first
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.net[self.first + 1 :](self.between(self.net[: self.first + 1](x)))


def by_hand(norm: nn.BatchNorm2d) -> Callable[[Tensor], Tensor]:
    scale = (norm.weight / (norm.running_var + norm.eps).sqrt())[:, None, None].detach()
    shift = norm.bias[:, None, None].detach() - scale * norm.running_mean[:, None, None]
    return lambda y: scale * y + shift


NO_CHANGE: dict[str, Callable[[Tensor], Tensor]] = {
    "nothing": lambda y: y,
    "clone": torch.clone,
    "slice": lambda y: y[:],
    "channels last": lambda y: y.contiguous(memory_format=torch.channels_last),
    "view": lambda y: y.view(y.shape),
    "there and back": lambda y: y.flatten(2).transpose(1, 2).mT.unflatten(2, y.shape[2:]),
    "to and from float": lambda y: (y * 2).to(torch.float64) / 2,
    "split": lambda y: y.split(len(y))[0],
    "shape in place": lambda y: y.unsqueeze_(-1).squeeze_(-1),
    "into a buffer": lambda y: torch.empty(y.shape, dtype=y.dtype).copy_(y),
    "in-place scale": lambda y: y.mul_(-2.0).div_(-2.0),
    "shift and back": lambda y: (3.0 - (y + 1.0)).neg() + 2.0,
    "written by hand": by_hand(seeded(normalised)[1]),
}


@pytest.mark.parametrize("rule", RULES)
def test_batch_norm_counts_as_part_of_its_layer(rule: str) -> None:
    """The same as weights folded by hand, whatever copies, views and scales stand in between."""
    x = fresh_input()
    folded = copy.deepcopy(seeded(normalised))
    folded[0] = torch.nn.utils.fusion.fuse_conv_bn_eval(folded[0], folded[1])
    folded[1] = nn.Identity()
    want = ours(folded.eval(), x, targets(), rule)
    for name, between in NO_CHANGE.items():
        net = seeded(normalised)
        if name == "written by hand":
            net[1] = nn.Identity()
        found = ours(Behind(net, between), x, targets(), rule)
        torch.testing.assert_close(found, want, rtol=1e-9, atol=1e-12, msg=lambda m, name=name: f"{name}: {m}")


class Deep(nn.Module):
    """A batch norm of a linear layer's output, as a sequence of length 1."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.net[3:](self.net[2](self.net[:2](x).unsqueeze(-1)).squeeze(-1))


@pytest.mark.parametrize("rule", RULES)
def test_batch_norm_behind_a_linear_layer_and_an_extra_dimension(rule: str) -> None:
    x, net = fresh_input()[:, :, :6, :6], seeded(linear_net)
    net[2].weight.data[::2] *= -1
    found = ours(Deep(net), x, targets(), rule)
    torch.testing.assert_close(found, ours(net, x, targets(), rule), rtol=1e-9, atol=1e-12)


def test_an_activation_before_the_batch_norm_keeps_it_apart() -> None:
    """Also where it writes to the layer's output, or to a view of that."""
    x = fresh_input()

    def through_a_view(y: Tensor) -> Tensor:
        y.view(-1).relu_()
        return y

    apart = ours(Behind(seeded(normalised), torch.relu), x, targets(), "zplus")
    for between in (torch.relu_, through_a_view):
        found = ours(Behind(seeded(normalised), between), x, targets(), "zplus")
        torch.testing.assert_close(found, apart, rtol=1e-10, atol=1e-13)


def test_overwritten_original_of_a_copy_is_refused() -> None:
    def copied(y: Tensor) -> Tensor:
        z = y.clone()
        y.relu_()
        return z

    x = fresh_input()
    with pytest.raises(hp.EscapedOp, match="in place"):
        ours(Behind(seeded(normalised), copied), x, targets(), "zplus")
    assert ours(Behind(seeded(normalised), copied), x, targets(), "epsilon").isfinite().all()


class Spelled(nn.Module):
    """Two linear layers, the first in some spelling: ``(x, W, b)`` to ``x W^T + b``."""

    def __init__(self, spelling: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.spelling = spelling
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            self.first, self.last = nn.Linear(6, 4), nn.Linear(4, 5)
        self.double().eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.spelling(x, self.first.weight, self.first.bias).relu())


def one_by_one(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    return torch.stack([w.mv(row) + b for row in x])


def in_place_product(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    y = x[:, None].repeat(1, 4, 1)
    y *= w
    return y.sum(dim=-1) + b


def whole_convolution(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    return F.conv2d(x[:, :, None, None], w[:, :, None, None], b)[..., 0, 0]


LINEAR: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "einsum": lambda x, w, b: torch.einsum("bi,oi->bo", x, w) + b,
    "einsum, implicit, transposed": lambda x, w, b: torch.einsum("zj, ij", x, w).T + b,
    "tensordot": lambda x, w, b: torch.tensordot(x, w, dims=([1], [1])) + b,
    "inner": lambda x, w, b: torch.inner(x, w) + b,
    "baddbmm": lambda x, w, b: torch.baddbmm(b[None, None], x[None], w.T[None])[0],
    "addbmm": lambda x, w, b: torch.addbmm(b / 2, x[None], w.T[None], beta=2),
    "addmm": lambda x, w, b: torch.addmm(b, x, w.T),
    "addmm, constant first": lambda x, w, b: torch.addmm(b[:, None], w, x.T).T,
    "addmv": lambda x, w, b: torch.stack([torch.addmv(b, w, row) for row in x]),
    "vecdot": lambda x, w, b: torch.linalg.vecdot(x[:, None], w) + b,
    "dot": lambda x, w, b: torch.stack([torch.stack([row.dot(v) + c for v, c in zip(w, b, strict=True)]) for row in x]),
    "product and sum": lambda x, w, b: (x[:, None] * w).sum(-1) + b,
    "product and mean": lambda x, w, b: (w * x[:, None]).mean(-1) * 6 + b,
    "product in place": in_place_product,
    "outer einsum and sum": lambda x, w, b: torch.einsum("bi,oi->boi", x, w).sum(2) + b,
    "quotient and sum": lambda x, w, b: (x[:, None] / (1 / w)).flatten(1).unflatten(1, w.shape).sum(-1) + b,
    "product with the transposed": lambda x, w, b: x @ w.T + b,
    "bmm": lambda x, w, b: torch.bmm(x[None], w.T[None])[0] + b,
    "mv": one_by_one,
    "constant first": lambda x, w, b: (w.mm(x.T) + b[:, None]).T,
    "convolution": lambda x, w, b: (F.conv2d(x[:, :, None, None], w[:, :, None, None]) + b[:, None, None])[..., 0, 0],
    "addcmul": lambda x, w, b: torch.addcmul(b, F.linear(x, -w), -torch.ones_like(b)),
    "subtracted": lambda x, w, b: b - F.linear(x, -w),
}


@pytest.mark.parametrize(
    ("name", "rule"), [(n, r) for n in LINEAR for r in RULES if (n, r) != ("convolution", "composite")]
)
def test_linear_layer_in_any_spelling(name: str, rule: str) -> None:
    x = fresh_input().flatten(1)[:, :6]
    want = ours(Spelled(whole_convolution if name == "convolution" else F.linear), x, targets(), rule)
    torch.testing.assert_close(ours(Spelled(LINEAR[name]), x, targets(), rule), want, rtol=1e-9, atol=1e-12)


UNREADABLE: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "multi_dot": lambda x, w, b: torch.linalg.multi_dot([x, w.T, torch.eye(4, dtype=x.dtype)]),
    "bilinear": lambda x, w, b: F.bilinear(x, torch.ones(len(x), 1, dtype=x.dtype), w[..., None]),
    "einsum": lambda x, w, b: torch.einsum("bi,oi,o->bo", x, w, b),
    "addmm": lambda x, w, b: torch.addmm(x[:, :4], x, w.T),
}


@pytest.mark.parametrize(("name", "spelling"), UNREADABLE.items())
def test_weights_that_no_layer_rule_meets(name: str, spelling: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    x = fresh_input().flatten(1)[:, :6]
    for rule in RULES[1:]:
        with pytest.raises(hp.EscapedOp, match=name):
            ours(Spelled(spelling), x, targets(), rule)
    maps, residual = hp.lrp(Spelled(spelling), x, targets(), return_residual=True)
    assert maps.any()
    assert residual.isfinite().all()


@pytest.mark.parametrize("rule", RULES)
def test_elementwise_scale_passes_relevance_on(rule: str) -> None:
    """A layer scale on what is no layer, and a mean of what has one scale."""
    scale = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64)

    class Scaled(nn.Module):
        def __init__(self, by: Tensor) -> None:
            super().__init__()
            self.by, self.conv, self.head = by, nn.Conv2d(2, 4, 3), nn.Linear(4, 5)

        def forward(self, x: Tensor) -> Tensor:
            y = self.conv(x).relu()
            y = torch.einsum("bchw,c->bchw", y, self.by) if rule == "zplus" else y * self.by[:, None, None]
            return self.head(y.mean((2, 3)) / self.by)

    nets = [seeded(lambda by=by: Scaled(by)) for by in (scale, torch.ones_like(scale))]
    first, second = (hp.lrp(net, fresh_input(), targets(), rule=rule, epsilon=1e-13) for net in nets)
    torch.testing.assert_close(first, second, rtol=1e-8, atol=1e-11)


def test_composite_with_normalisation_inside() -> None:
    """Inside or before the model, with the bounds in the units that the first convolution reads: the same map."""
    net, x = seeded(normalised), fresh_input().sigmoid()
    mean, std = torch.tensor([0.4, 0.6])[:, None, None].double(), torch.tensor([0.25, 0.2])[:, None, None].double()
    for bounds in ({}, {"low": -4.0, "high": 4.0}, {"low": -mean / std, "high": (1 - mean) / std}):
        inside = ours(First(lambda t: (t - mean) / std, net), x, targets(), "composite", return_residual=True, **bounds)
        outside = ours(net, (x - mean) / std, targets(), "composite", return_residual=True, **bounds)
        for found, want in zip(inside, outside, strict=True):
            torch.testing.assert_close(found, want, rtol=1e-9, atol=1e-12)


def test_composite_keeps_what_goes_around_the_first_convolution() -> None:
    class Skip(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(2, 2, 3, padding=1, bias=False), nn.Linear(2, 5, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.head((self.conv(x) + x).mean((2, 3)))

    _, residual = hp.lrp(seeded(Skip), fresh_input(), targets(), rule="composite", epsilon=1e-12, return_residual=True)
    torch.testing.assert_close(residual, torch.zeros_like(residual), rtol=0, atol=1e-8)


def test_bounds_without_a_first_convolution() -> None:
    with pytest.raises(hp.InputError, match="convolution"):
        hp.lrp(seeded(linear_net), fresh_input()[:, :, :6, :6], targets(), rule="composite", low=-9.0)


@pytest.mark.parametrize("options", [{}, {"rule": "composite"}, {"rule": "composite", "low": -9.0, "high": 9.0}])
def test_one_forward_for_all_classes(options: dict[str, Any]) -> None:
    net, x = seeded(normalised), fresh_input()
    text = "lrp" + f"({', '.join(f'{key}={value!r}' for key, value in options.items())})" * bool(options)
    with counted_rows() as rows:
        found = hp.compete(method_from_text(text), chunk=2)(net, x, targets())
    assert rows == [2 * len(x)]
    unshared = hp.compete(lambda *args: hp.lrp(*args, **options))(net, x, targets())
    torch.testing.assert_close(found, unshared, rtol=1e-12, atol=1e-14)


def test_calls_with_other_options_share_no_pass() -> None:
    net, x = seeded(normalised), fresh_input()
    low = torch.tensor([-9.0, -8.0])[:, None, None]
    choices = ({"low": -9.0}, {"low": -8.0}, {"low": low}, {"low": low + 1}, {"gamma": 1.0})
    want = [hp.lrp(net, x, targets(), rule="composite", **options) for options in choices]
    with shared_passes((), x, unplanned=True):
        found = [hp.lrp(net, x, targets(), rule="composite", **options) for options in choices]
    assert all(torch.equal(a, b) for a, b in zip(found, want, strict=True))


class Convolutions(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.forward = self.backward = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.forward += func is torch.ops.aten.convolution.default
        self.backward += func is torch.ops.aten.convolution_backward.default
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(("rule", "signed", "positive"), [("zplus", 3, 2), ("gamma", 5, 3), ("alphabeta", 5, 3)])
def test_no_needless_convolutions(rule: str, signed: int, positive: int) -> None:
    """The output, and the positive contributions of the positive and the negative inputs; the negative ones if read."""
    net = nn.Sequential(nn.Conv2d(2, 3, 3, bias=False), nn.Flatten(), nn.Linear(108, 5)).double().eval()
    for x, forward in ((fresh_input(), signed), (fresh_input().abs(), positive)):
        with Convolutions() as count:
            hp.lrp(net, x, targets(), rule=rule)
        assert count.forward == forward
        assert count.backward <= forward - 1


DECOMPOSED: dict[str, Callable[[Tensor], Tensor]] = {
    "glu": lambda x: F.glu(x, 1).repeat(1, 2, 1, 1),
    "maximum": lambda x: torch.maximum(x, torch.zeros((), dtype=x.dtype)) + torch.maximum(x.new_zeros(x.shape), x),
    "instance norm": lambda x: F.instance_norm(x, weight=torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=x.dtype)),
}


@pytest.mark.parametrize("function", DECOMPOSED.values(), ids=DECOMPOSED)
def test_decomposed_programs_equal_the_eager_model(function: Callable[[Tensor], Tensor]) -> None:
    net, x = Wrap(function), fresh_input()
    program = torch.export.export(net, (x,)).run_decompositions().module()
    for rule in ("epsilon", "zplus"):
        want = hp.lrp(net, x, targets(), rule=rule)
        torch.testing.assert_close(hp.lrp(program, x, targets(), rule=rule), want, rtol=1e-9, atol=1e-12)
    relu = hp.lrp(Wrap(lambda t: torch.relu(t) + torch.relu(t)), x, targets())
    assert torch.allclose(hp.lrp(net, x, targets()), relu) == (function is DECOMPOSED["maximum"])


def test_k_targets_under_composite() -> None:
    net, x = seeded(normalised), fresh_input()
    rows = torch.stack([targets(), (targets() + 1) % 5])
    maps, residual = hp.lrp(net, x, rows, rule="composite", return_residual=True)
    assert residual.shape == (2, 3)
    for found, rest, row in zip(maps, residual, rows, strict=True):
        alone, alone_rest = hp.lrp(net, x, row, rule="composite", return_residual=True)
        torch.testing.assert_close(found, alone, rtol=1e-10, atol=1e-13)
        torch.testing.assert_close(rest, alone_rest, rtol=1e-10, atol=1e-13)


class ConstantTwice(nn.Module):
    def __init__(self, first: Any) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.weight = torch.randn(5, 6, generator=generator, dtype=torch.float64)
        self.last = torch.randn(4, 5, generator=generator, dtype=torch.float64)
        self.first = first

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(self.first(x, self.weight).relu(), self.last)


@pytest.mark.parametrize(
    "first",
    [
        lambda x, w: (x[:, None] * w * 2).sum(-1) / 2,
        lambda x, w: (-(x[:, None] * -w)).sum(-1),
        lambda x, w: (x[:, None] * w + 0.1).sum(-1),
    ],
    ids=["scaled twice", "negated", "shifted"],
)
def test_products_with_another_constant_before_their_sum_are_refused(first: Any) -> None:
    x = torch.randn(3, 6, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    y = torch.tensor([0, 1, 3])
    for rule in ("zplus", "gamma", "alphabeta"):
        with pytest.raises(hp.EscapedOp, match="in between"):
            hp.lrp(ConstantTwice(first).eval(), x, y, rule=rule)
    want = hp.lrp(ConstantTwice(lambda x, w: F.linear(x, w, w[:, 0] * 0)).eval(), x, y)
    if "0.1" not in repr(first.__code__.co_consts):
        torch.testing.assert_close(hp.lrp(ConstantTwice(first).eval(), x, y), want, rtol=1e-5, atol=1e-8)


def test_a_mean_over_scaled_and_shifted_places_is_no_linear_layer() -> None:
    """One weight for all that is summed: a plain mean, whatever stands in between."""
    x = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    scale = torch.tensor([0.5, 2.0], dtype=torch.float64).view(2, 1, 1)

    class Pooled(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x * scale * 2 + 0.1).mean((2, 3))

    assert hp.lrp(Pooled().eval(), x, torch.tensor([0, 1, 0]), rule="zplus").isfinite().all()
