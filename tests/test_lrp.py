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

import heatproof as hp
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


def ours(net: nn.Module, x: Tensor, target: Tensor, rule: str, **options: Any) -> Any:
    return hp.lrp(net, x, target, rule=rule, epsilon=EPS, gamma=0.4, alpha=3.0, beta=2.0, **options)


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
    "relu6": lambda x: F.relu6(x * 9),
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
    "glu": lambda x: torch.cat([F.glu(x, 1)] * 2, 1),
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
        {"alpha": 2.0, "beta": 2.0},
        {"alpha": 0.5, "beta": -0.5},
        {"low": 0.0},
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


def test_batch_norm_counts_as_part_of_its_layer_only_when_directly_behind_it() -> None:
    """The same as weights folded by hand; and not when the layer's output was written to in between."""

    class Normed(nn.Module):
        def __init__(self, between: Callable[[Tensor], Tensor]) -> None:
            super().__init__()
            self.net, self.between = seeded(normalised), between

        def forward(self, x: Tensor) -> Tensor:
            y = self.net[0](x)
            z = self.between(y)
            return self.net[2:](self.net[1](z if z.shape == y.shape else y))

    x = fresh_input()
    folded = copy.deepcopy(seeded(normalised))
    folded[0] = torch.nn.utils.fusion.fuse_conv_bn_eval(folded[0], folded[1])
    folded[1] = nn.Identity()
    for rule in RULES:
        direct = ours(Normed(lambda y: y).eval(), x, targets(), rule)
        torch.testing.assert_close(direct, ours(folded.eval(), x, targets(), rule), rtol=1e-9, atol=1e-12)
    apart = ours(Normed(lambda y: y.relu()).eval(), x, targets(), "zplus")
    for between in (lambda y: y.relu_(), lambda y: y.view(-1).relu_()):
        torch.testing.assert_close(ours(Normed(between).eval(), x, targets(), "zplus"), apart, rtol=1e-10, atol=1e-13)


def test_k_targets_under_composite() -> None:
    net, x = seeded(normalised), fresh_input()
    rows = torch.stack([targets(), (targets() + 1) % 5])
    maps, residual = hp.lrp(net, x, rows, rule="composite", return_residual=True)
    assert residual.shape == (2, 3)
    for found, rest, row in zip(maps, residual, rows, strict=True):
        alone, alone_rest = hp.lrp(net, x, row, rule="composite", return_residual=True)
        torch.testing.assert_close(found, alone, rtol=1e-10, atol=1e-13)
        torch.testing.assert_close(rest, alone_rest, rtol=1e-10, atol=1e-13)
