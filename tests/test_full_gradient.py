"""Full gradients: exact on every kind of network, each share the one that an independent way finds."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import heatproof as hp
from heatproof.engine import residual as residual_module
from heatproof.engine.interpose import Call
from heatproof.psi import Psi
from nets import Net, fresh_input, targets
from reference import fullgrad as reference

TIGHT = {"rtol": 1e-10, "atol": 1e-12}


def total(d: Any) -> Tensor:
    """The decomposition summed up again."""
    lead = d.output.shape
    return sum((t.value.reshape(*lead, -1).sum(-1) for t in d.terms), d.input_term.reshape(*lead, -1).sum(-1))


def made(*parts: nn.Module, seed: int = 0) -> nn.Module:
    """A network with weights, biases and statistics that are all different from their neutral values."""
    net = nn.Sequential(*parts).double().eval()
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in [*net.named_parameters(), *net.named_buffers()]:
            if tensor.is_floating_point():
                drawn = torch.randn(tensor.shape, generator=noise, dtype=tensor.dtype)
                tensor.copy_(drawn.abs() + 0.5 if "var" in name else drawn * 0.5)
    return net


class Apply(nn.Module):
    """A function as a module."""

    def __init__(self, function: Any, **parts: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


def head() -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 5)]


def conv(c: int = 2) -> nn.Conv2d:
    return nn.Conv2d(c, 4, 3, padding=1)


def written(m: Any, x: Tensor) -> Tensor:
    x = m.a(x)
    y = x.new_zeros(x.shape)
    y[:, :2] = x[:, 2:].sigmoid()
    y[:, 2:] = 0.3
    return y + x


def over_a_view(m: Any, x: Tensor) -> Tensor:
    x = m.a(x)
    x[:, 1:3].add_(0.7)
    x.view(-1).sigmoid_()
    return x


def attention(m: Any, x: Tensor) -> Tensor:
    tokens = m.a(x).flatten(2).transpose(1, 2)
    q, k, v = (tokens @ w for w in m.b.weight.unflatten(0, (3, 4)))
    allowed = torch.ones(tokens.shape[1], tokens.shape[1], dtype=torch.bool).tril()
    out = F.scaled_dot_product_attention(q[:, None], k[:, None], v[:, None], attn_mask=allowed)
    return out[:, 0].transpose(1, 2).reshape_as(m.a(x))


def gated(m: Any, x: Tensor) -> Tensor:
    y = m.a(x)
    return y * m.b(y.mean((2, 3), keepdim=True)).sigmoid()


def sequence_first(m: Any, x: Tensor) -> Tensor:
    tokens = m.a(x).flatten(2).permute(2, 0, 1)
    return F.gelu(m.b(tokens) + m.b.bias).permute(1, 2, 0).reshape_as(m.a(x))


def windows(m: Any, x: Tensor) -> Tensor:
    y = m.a(x)
    cut = y.reshape(len(y), 4, 2, 4, 2, 4).permute(0, 2, 4, 1, 3, 5).reshape(-1, 4, 16)
    return F.softplus(cut).reshape(len(y), 2, 2, 4, 4, 4).permute(0, 3, 1, 4, 2, 5).reshape_as(y)


def recurrent(m: Any, x: Tensor) -> Tensor:
    states, (h, c) = m.b(m.a(x).flatten(2).transpose(1, 2))
    return (states[:, -16:] + h[-1][:, None] * c[-1][:, None]).transpose(1, 2).reshape(len(x), 4, 4, 4)


def two_cells(m: Any, x: Tensor) -> Tensor:
    y = m.a(x).mean(3)
    h, c = m.b(y[:, :, 0])
    h, c = m.b(y[:, :, 1], (h, c))
    return (h * c)[:, :, None, None] + m.a(x)


def several(m: Any, x: Tensor) -> Tensor:
    y = m.a(x)
    u, v = torch._foreach_add([y, y * 2.0], [0.3, 0.7])
    return u.relu() + v.tanh()


def gated_halves(m: Any, x: Tensor) -> Tensor:
    a, b = m.a(x).chunk(2, 1)
    return torch.cat([a * b.sigmoid(), a.tanh()], 1)


NETWORKS: dict[str, list[nn.Module]] = {
    "lstm": [Apply(recurrent, a=conv(), b=nn.LSTM(4, 4, batch_first=True)), *head()],
    "lstm cell, twice": [Apply(two_cells, a=conv(), b=nn.LSTMCell(4, 4)), *head()],
    "several outputs": [Apply(several, a=conv()), *head()],
    "halves": [Apply(gated_halves, a=conv()), *head()],
    "normalized": [conv(), Apply(lambda m, x: F.normalize(x, dim=1) + 0.2), *head()],
    "spectrum": [
        conv(), Apply(lambda m, x: torch.fft.irfft2(torch.fft.rfft2(x) * (1 + 2j) + (0.3 + 1j), s=(8, 8))), *head()],
    **{
        f.__name__: [conv(), f(), conv(4), f(), *head()]
        for f in (nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.Softplus, nn.ELU, nn.Hardswish, nn.LeakyReLU, nn.PReLU,
                  nn.ReLU6, nn.Mish, nn.SELU, nn.Softsign, nn.Hardtanh)
    },
    "silu in place": [conv(), nn.SiLU(inplace=True), conv(4), nn.ReLU(inplace=True), *head()],
    "elu in place, by position": [conv(), Apply(lambda m, x: F.elu(x, 1.0, True)), *head()],
    "group norm": [conv(), nn.GroupNorm(2, 4), nn.ReLU(), *head()],
    "instance norm": [conv(), nn.InstanceNorm2d(4, affine=True), nn.ReLU(), *head()],
    "local response norm": [conv(), nn.LocalResponseNorm(2), nn.ReLU(), *head()],
    "layer norm": [conv(), nn.LayerNorm([4, 8, 8]), nn.ReLU(), *head()],
    "batch norm without affine": [conv(), nn.BatchNorm2d(4, affine=False), nn.ReLU(), *head()],
    "batch norm": [conv(), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(3, 2, 1), *head()],
    "constant padding": [nn.ConstantPad2d(1, 0.7), conv(), nn.ReLU(), *head()],
    **{f"{mode} padding": [nn.Conv2d(2, 4, 3, padding=1, padding_mode=mode), nn.ReLU(), *head()]
       for mode in ("reflect", "circular", "replicate")},
    "transposed": [conv(), nn.Tanh(), nn.ConvTranspose2d(4, 4, 2, 2), nn.ReLU(), *head()],
    "pools": [conv(), nn.Softplus(), nn.AvgPool2d(2), nn.AdaptiveMaxPool2d(3), nn.LPPool2d(2, 2, 1), *head()],
    "used twice": [conv(), Apply(lambda m, x: m.a(m.a(x).relu()), a=conv(4)), nn.ReLU(), *head()],
    "additions in place": [conv(), Apply(lambda m, x: m.a(x).add_(x).sub_(0.1).add_(0.3).relu_(), a=conv(4)), *head()],
    "written": [Apply(written, a=conv()), *head()],
    "written through a view": [Apply(over_a_view, a=conv()), *head()],
    "gated": [Apply(gated, a=conv(), b=conv(4)), *head()],
    "powers": [conv(), Apply(lambda m, x: x**2 / (1 + x.abs()) + torch.exp(-x) - 1 / (2 + x.square())), *head()],
    "joined with constants": [conv(), Apply(lambda m, x: torch.cat([x, torch.ones_like(x)], 1)[:, 2:6]), *head()],
    "softmax head": [conv(), nn.ReLU(), *head(), nn.Softmax(1)],
    "log softmax head": [conv(), nn.ReLU(), *head(), nn.LogSoftmax(1)],
    "masked attention": [Apply(attention, a=conv(), b=nn.Linear(4, 12, bias=False)), *head()],
    "multi head attention": [
        Apply(lambda m, x: m.b(*[m.a(x).flatten(2).transpose(1, 2)] * 3)[0].transpose(1, 2).reshape_as(m.a(x)),
              a=conv(), b=nn.MultiheadAttention(4, 2, batch_first=True)), *head()],
    "sequence first": [Apply(sequence_first, a=conv(), b=nn.Linear(4, 4)), *head()],
    "windows": [Apply(windows, a=conv()), *head()],
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_complete_on(name: str) -> None:
    net, x = made(*NETWORKS[name]), fresh_input()
    d = hp.full_gradient(net, x, targets())
    torch.testing.assert_close(d.output, net(x).gather(1, targets()[:, None])[:, 0], **TIGHT)
    torch.testing.assert_close(total(d), d.output, **TIGHT)
    torch.testing.assert_close(d.input_term, hp.gradient_x_input(net, x, targets()), **TIGHT)
    assert all(t.value.shape[0] == 3 for t in d.terms)
    rows = torch.stack([targets(), (targets() + 2) % 5])
    both = hp.full_gradient(net, x, rows)
    torch.testing.assert_close(total(both), both.output, **TIGHT)
    torch.testing.assert_close(both.input_term[0], d.input_term, **TIGHT)
    for i in range(3):  # a sample stands alone
        alone = hp.full_gradient(net, x[i : i + 1], targets()[i : i + 1])
        values = {(t.index, t.output): t.value[0] for t in alone.terms}
        for term in d.terms:  # without a term alone, the residual is zero for this sample
            value = values.pop((term.index, term.output), torch.zeros_like(term.value[i]))
            torch.testing.assert_close(value, term.value[i], rtol=1e-9, atol=1e-12)
        assert not values


@pytest.mark.parametrize("name", ["batch norm", "used twice", "additions in place", "batch norm without affine"])
def test_shares_of_layers_by_probes(name: str) -> None:
    net, x = made(*NETWORKS[name]), fresh_input()
    logits, input_term, shares = reference.probed(net, x, targets())
    d = hp.full_gradient(net, x, targets())
    torch.testing.assert_close(d.output, logits, **TIGHT)
    torch.testing.assert_close(d.input_term, input_term, **TIGHT)
    ours = [t for t in d.terms if t.op in ("conv2d", "linear", "batch_norm")]
    assert [t.name for t in ours] == [name for name, _ in shares], "one term for each call, in call order"
    for term, (_, value) in zip(ours, shares, strict=True):
        torch.testing.assert_close(term.value, value, **TIGHT)
    others = {t.op for t in d.terms} - {"conv2d", "linear", "batch_norm"}
    assert others == ({"add", "sub"} if name == "additions in place" else set())


def test_shares_of_nonlinearities_by_hand() -> None:
    """semantics.md 3.S2-6: the implicit bias is f(z) - f'(z) z, and pools have none."""
    net, x = made(*NETWORKS["pools"]), fresh_input()
    x_leaf = x.clone().requires_grad_()
    z = net[0](x_leaf)
    y = net[1](z)
    out = net[2:](y).gather(1, targets()[:, None]).sum()
    grad = torch.autograd.grad(out, y)[0]
    want = grad * (F.softplus(z) - z.sigmoid() * z).detach()
    terms = {t.op: t.value for t in hp.full_gradient(net, x, targets()).terms}
    torch.testing.assert_close(terms["softplus"], want, **TIGHT)
    assert set(terms) <= {"conv2d", "softplus", "linear", "pow", "relu", "lp_pool2d", "mul", "sign"}
    assert "avg_pool2d" not in terms


CALLS: dict[str, tuple[Any, tuple[Any, ...], dict[str, Any]]] = {
    "relu": (F.relu, (), {}),
    "leaky_relu": (F.leaky_relu, (0.2,), {}),
    "clamp": (torch.clamp, (0,), {}),
    "max_pool2d": (F.max_pool2d, (3, 2, 1), {}),
    "avg_pool2d": (F.avg_pool2d, (2,), {}),
    "adaptive": (F.adaptive_avg_pool2d, (3,), {}),
    "mean": (torch.mean, ((2, 3),), {}),
    "slice": (Tensor.__getitem__, ((slice(None), 1),), {}),
    "interpolate": (F.interpolate, (), {"scale_factor": 2, "mode": "bilinear"}),
    "abs": (torch.abs, (), {}),
    "prelu": (F.prelu, (torch.tensor([0.3], dtype=torch.float64),), {}),
    "times a constant": (torch.mul, (3.0,), {}),
    "over a constant": (torch.div, (3.0,), {}),
    "times a matrix": (torch.matmul, (torch.arange(64.0, dtype=torch.float64).view(8, 8),), {}),
    "einsum": (torch.einsum, (), {}),
    "dropout": (F.dropout, (0.5, False), {}),
}


@pytest.mark.parametrize("name", CALLS)
def test_operations_called_homogeneous_are(name: str) -> None:
    """Those that are skipped, against the general way: the forward-mode product."""
    function, args, kwargs = CALLS[name]
    x = fresh_input().requires_grad_()
    given = ("bchw->bwc", x) if name == "einsum" else (x, *args)
    call = Call(function, given, kwargs, 0, "")
    assert residual_module.is_homogeneous(call)
    ((_, tangent),) = residual_module._forward_mode(call)
    torch.testing.assert_close(tangent, call.run().detach(), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize(
    ("function", "args", "kwargs"),
    [
        (torch.add, (1.0,), {}), (Tensor.add, (), {"other": 1.0}), (torch.rsub, (1.0,), {}),
        (F.pad, ((1, 1),), {"value": 2.0}), (torch.clamp, (0, 6), {}), (torch.clamp, (0.5,), {}),
        (F.relu6, (), {}), (F.threshold, (0.1, 0.0), {}),
        (torch.add, (torch.ones(8, dtype=torch.float64),), {}), (torch.where, (), {}), (Tensor.__rtruediv__, (1.0,), {}),
        (Tensor.masked_fill, (torch.ones(8, dtype=torch.bool), 3.0), {}),
    ],
)  # fmt: skip
def test_operations_with_a_residual_are_not_skipped(function: Any, args: Any, kwargs: Any) -> None:
    x = fresh_input().requires_grad_()
    given = (x.detach() > 0, x, torch.ones_like(x).detach()) if function is torch.where else (x, *args)
    assert not residual_module.is_homogeneous(Call(function, given, kwargs, 0, ""))


@pytest.mark.parametrize("layer", [nn.Conv2d(2, 4, 3), nn.ConvTranspose2d(2, 4, 3), nn.Linear(8, 3), nn.BatchNorm2d(2),
                                   nn.BatchNorm2d(2, affine=False), nn.Conv2d(2, 4, 3, bias=False)])  # fmt: skip
def test_closed_forms_equal_the_general_way(layer: nn.Module) -> None:
    from heatproof.engine.interpose import Interpose

    seen: list[Call] = []

    class Watch:
        def before(self, call: Call) -> None:
            seen.append(call)

        def after(self, call: Call, out: Any) -> None: ...

    net, x = made(layer), fresh_input().requires_grad_()
    for p in net.parameters():
        p.requires_grad_(False)
    with Interpose([], [Watch()]):
        out = net(x)
    call = next(c for c in seen if c.op in ("conv2d", "conv_transpose2d", "linear", "batch_norm"))
    known = residual_module.closed_form(call)
    ((_, tangent),) = residual_module._forward_mode(call)
    torch.testing.assert_close(known.expand_as(out), out.detach() - tangent, rtol=1e-12, atol=1e-13)
    assert bool(known.any()) == (not isinstance(layer, nn.Conv2d) or layer.bias is not None)


@pytest.mark.parametrize(
    "name", ["GELU", "gated", "masked attention", "group norm", "written", "silu in place", "powers"]
)
def test_double_backward_stands_in_for_forward_mode(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net, x = made(*NETWORKS[name]), fresh_input()
    want = hp.full_gradient(net, x, targets())

    def none(call: Call) -> Any:
        raise NotImplementedError("Trying to use forward AD with x that does not support it")

    monkeypatch.setattr(residual_module, "_forward_mode", none)
    found = hp.full_gradient(net, x, targets())
    assert [t.name for t in found.terms] == [t.name for t in want.terms]
    for a, b in zip(found.terms, want.terms, strict=True):
        torch.testing.assert_close(a.value, b.value, **TIGHT)


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad * 2 * ctx.saved_tensors[0]


def out_argument(m: Any, x: Tensor) -> Tensor:
    y = m.a(x)
    return torch.add(y, 1.0, out=torch.empty_like(y.detach()))


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (Apply(lambda m, x: Square.apply(x)), "SquareBackward.*custom autograd Function"),
        (torch.jit.script(nn.Sequential(nn.Conv2d(2, 2, 1), nn.Sigmoid()).double().eval()), "TorchScript"),
    ],
)
@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_an_operation_out_of_sight_is_named(part: nn.Module, message: str) -> None:
    net = nn.Sequential(part, nn.Flatten(), nn.Linear(128, 3)).double().eval()
    for run in (hp.full_gradient, hp.fullgrad, hp.simple_fullgrad):
        with pytest.raises(hp.EscapedOp, match=message):
            run(net, fresh_input(), targets() % 3)


def test_samples_that_depend_on_each_other_are_refused() -> None:
    net = made(Apply(lambda m, x: x - x.mean(0) + 0.1), conv(), nn.Tanh(), *head())
    with pytest.raises(hp.ModelError, match="depend on each other"):
        hp.full_gradient(net, fresh_input(), targets())
    with pytest.raises(hp.ModelError, match="depend on each other"):
        hp.fullgrad(net, fresh_input(), targets())


@pytest.mark.parametrize("score", [hp.logit, hp.probability, hp.log_probability, hp.margin, hp.label_probability])
def test_the_scores_own_operations_are_terms(score: Any) -> None:
    net, x = Net(), fresh_input()
    rows = torch.stack([targets(), (targets() + 1) % 5])
    d = hp.full_gradient(net, x, rows, score=score)
    torch.testing.assert_close(d.output, torch.stack([score(net(x), t) for t in rows]), **TIGHT)
    torch.testing.assert_close(total(d), d.output, **TIGHT)
    assert (d.residual.abs() <= 1e-12).all()
    of_score = [t for t in d.terms if t.index >= 1_000_000]
    assert bool(of_score) == (score not in (hp.logit, hp.margin))
    for k, row in enumerate(rows):
        alone = hp.full_gradient(net, x, row, score=score)
        assert all(torch.equal(a.value, b.value[k]) for a, b in zip(alone.terms, d.terms, strict=True))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 0.1)])
def test_lower_precision(dtype: torch.dtype, tolerance: float) -> None:
    d = hp.full_gradient(Net(dtype=dtype), fresh_input(dtype=dtype), targets())
    assert d.output.dtype == d.input_term.dtype == dtype
    size = max(float(t.value.double().flatten(1).sum(1).abs().max()) for t in d.terms)
    assert (total(d).double() - d.output.double()).abs().max() <= tolerance * size


def test_target_none_and_leaving_nothing_behind() -> None:
    net, x = Net(nn.ReLU(inplace=True)), fresh_input()
    state = {k: v.clone() for k, v in net.state_dict().items()}
    d = hp.full_gradient(net, x)
    torch.testing.assert_close(d.output, net(x).amax(1), **TIGHT)
    assert all(torch.equal(v, net.state_dict()[k]) for k, v in state.items())
    assert all(p.requires_grad and p.grad is None for p in net.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    assert torch.equal(x, fresh_input())
    assert not x.requires_grad
    net.train()
    with pytest.raises(hp.ModelError, match="training mode"):
        hp.full_gradient(net, x)


# --- exact cases, semantics.md section 4 -----------------------------------------------------------------------------


def linear(weight: Any, bias: Any) -> nn.Linear:
    weight = torch.tensor(weight, dtype=torch.float64)
    layer = nn.Linear(weight.shape[1], weight.shape[0]).double()
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(torch.tensor(bias, dtype=torch.float64))
    return layer


def explained(net: nn.Module, x: Any) -> Any:
    return hp.full_gradient(net.eval(), torch.tensor(x, dtype=torch.float64), torch.tensor([0]))


@pytest.mark.parametrize(
    ("x", "want"), [(2.0, (0.0, 1.0, 0.0, 1.0)), (0.5, (0.5, 1.0, -1.0, 0.5)), (0.0, (0.0, 1.0, -1.0, 0.0))]
)
def test_saturation(x: float, want: tuple[float, ...]) -> None:
    """T-S2-2: f = a - relu(b - x), a = b = 1; input, share of a, share of b, f."""
    net = nn.Sequential(linear([[-1.0]], [1.0]), nn.ReLU(), linear([[-1.0], [0.0]], [1.0, 0.0]))
    d = explained(net, [[x]])
    shares = {t.name: t.value.sum().item() for t in d.terms}
    found = (d.input_term.item(), shares.get("2", 0.0), shares.get("0", 0.0), d.output.item())
    assert found == pytest.approx(want, abs=1e-15)


def test_example_2() -> None:
    """T-S2-3: gradient and bias-gradients are the same at x = 1 and x = 5 (weak dependence), f is not."""
    net = nn.Sequential(linear([[2.0]], [1.0]), nn.ReLU(), linear([[3.0], [0.0]], [-1.0, 0.0]))
    for x, f in ((1.0, 8.0), (5.0, 32.0)):
        d = explained(net, [[x]])
        assert d.input_term.item() / x == 6.0
        assert [t.value.sum().item() for t in d.terms] == [3.0, -1.0]
        assert d.output.item() == f
    with torch.no_grad():
        net[2].bias[0] += 100
    moved = explained(net, [[1.0]])
    assert moved.input_term.item() == 6.0
    assert [t.value.sum().item() for t in moved.terms] == [3.0, 99.0]


def test_batch_norm_by_hand() -> None:
    """T-S2-4: w = 2, b = 1; mean .5, var + eps = 4, gamma 3, beta -1; x = 1: 2.75 = 3 + 1.5 - 1.75."""
    convolution, norm = nn.Conv2d(1, 1, 1).double(), nn.BatchNorm2d(1, eps=0.25).double()
    with torch.no_grad():
        for tensor, value in ((convolution.weight, 2), (convolution.bias, 1), (norm.running_mean, 0.5),
                              (norm.running_var, 3.75), (norm.weight, 3), (norm.bias, -1)):  # fmt: skip
            tensor.fill_(value)
    net = nn.Sequential(convolution, norm, nn.Flatten(), linear([[1.0], [0.0]], [0.0, 0.0]))
    d = explained(net, [[[[1.0]]]])
    assert d.output.item() == 2.75
    assert d.input_term.item() == 3.0
    assert [t.value.sum().item() for t in d.terms] == [1.5, -1.75]


def toy() -> nn.Module:
    convolution = nn.Conv2d(1, 2, (1, 3), padding=(0, 1)).double()
    with torch.no_grad():
        convolution.weight.copy_(torch.tensor([[0.0, 1, 1], [1, -1, 0]]).view(2, 1, 1, 3))
        convolution.bias.copy_(torch.tensor([1.0, -1]))
    return nn.Sequential(convolution, nn.ReLU(), nn.Flatten(), linear([[1.0, 2, -1, 1, -2, 1], [0.0] * 6], [0.5, 0.0]))


def test_full_toy() -> None:
    """T-S2-7."""
    x = [[[[1.0, -2.0, 4.0]]]]
    d = explained(toy(), x)
    assert d.output.item() == -2.5
    assert d.input_term.flatten().tolist() == [-2.0, -8.0, 4.0]
    assert [t.op for t in d.terms] == ["conv2d", "linear"]
    assert d.terms[0].value.flatten().tolist() == [0, 2, -1, 0, 2, 0]
    assert d.terms[1].value.flatten().tolist() == [0.5, 0.0]
    maps = hp.fullgrad(toy().eval(), torch.tensor(x, dtype=torch.float64), torch.tensor([0]))
    torch.testing.assert_close(maps.flatten(), torch.tensor([0, 3, 5 / 6], dtype=torch.float64), rtol=1e-12, atol=0)


def test_rescaling_by_layer_and_by_channel() -> None:
    """T-S2-6, and T-S2-10: a constant share vanishes, without NaN."""
    share = torch.tensor([[1.0, -3.0], [0.5, 0.25]], dtype=torch.float64).view(1, 2, 1, 2)
    by_layer, by_channel = Psi()(share, (1, 2)), Psi(rescale="channel")(share, (1, 2))
    torch.testing.assert_close(by_layer.flatten(), torch.tensor([4 / 11, 1.0], dtype=torch.float64), rtol=1e-12, atol=0)
    assert by_channel.flatten().tolist() == [1.0, 1.0]
    for constant in (0.0, 3.0, -3.0):
        for rescale in ("layer", "channel"):
            assert not Psi(rescale=rescale)(torch.full((1, 2, 3, 3), constant), (6, 6)).any()
    with pytest.raises(hp.InputError, match=r"rescale='image'.*layer, channel, none"):
        Psi(rescale="image")


def test_gradient_of_a_weight_may_change_the_map_where_the_output_stays() -> None:
    """T-S2-8: f = w1 relu(w0 x + b0) + b1 at x = 0: df/dw0 = 0 while d(df/dx)/dw0 = w1 = 3. And T-S2-11: Proposition 1's
    witness, equal gradients and unequal outputs."""
    outputs, grads = [], []
    for w0 in (2.0, 2.5):
        d = explained(nn.Sequential(linear([[w0]], [1.0]), nn.ReLU(), linear([[3.0], [0.0]], [-1.0, 0.0])), [[0.0]])
        net = nn.Sequential(linear([[w0]], [1.0]), nn.ReLU(), linear([[3.0], [0.0]], [-1.0, 0.0])).eval()
        outputs.append(d.output.item())
        grads.append(hp.gradient(net, torch.zeros(1, 1, dtype=torch.float64), torch.tensor([0])).item())
    assert outputs[0] == outputs[1]
    assert (grads[1] - grads[0]) / 0.5 == 3.0
    f, g = (explained(linear([[1.0, 2.0], [0.0, 0.0]], [b, 0.0]), [[3.0, 4.0]]) for b in (0.5, 7.0))
    assert torch.equal(f.input_term, g.input_term)
    assert f.output.item() != g.output.item()


# --- the maps ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["batch norm", "GELU"])
def test_maps_are_psi_of_the_terms(name: str) -> None:
    """Streamed through the backward or summed up from the decomposition: the same map."""
    net, x = made(*NETWORKS[name]), fresh_input()
    d = hp.full_gradient(net, x, targets())
    for options in ({}, {"rescale": "channel"}, {"rescale": "none", "values": "signed"}, {"values": "positive"}):
        psi = Psi(**options)
        want = psi(d.input_term, (8, 8)) + sum(psi(t.on_grid(), (8, 8)) for t in d.terms if t.on_grid() is not None)
        torch.testing.assert_close(hp.fullgrad(net, x, targets(), **options), want, **TIGHT)


def test_parity_with_the_official_code() -> None:
    net, x = made(conv(), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), conv(4), nn.ReLU(), *head()), fresh_input()
    torch.testing.assert_close(
        hp.fullgrad(net, x, targets(), official=True), reference.official(net, x, targets()), **TIGHT
    )
    torch.testing.assert_close(
        hp.simple_fullgrad(net, x, targets(), official=True),
        reference.official(net, x, targets(), biases=False),
        **TIGHT,
    )
    assert (hp.fullgrad(net, x, targets()) - hp.fullgrad(net, x, targets(), official=True)).abs().max() > 1e-3


def test_merged_batch_norm_is_the_folded_network() -> None:
    """The paper-era code: one bias for convolution and batch norm, as if the norm had been folded into the weights."""
    parts = [conv(), nn.BatchNorm2d(4), nn.ReLU(), conv(4), nn.ReLU(), *head()]
    net, x = made(*parts), fresh_input()
    norm: Any = net[1]
    folded = copy.deepcopy(nn.Sequential(*parts[:1], *parts[2:])).eval()
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    with torch.no_grad():
        folded[0].weight.mul_(scale.view(-1, 1, 1, 1))
        folded[0].bias.copy_((folded[0].bias - norm.running_mean) * scale + norm.bias)
    torch.testing.assert_close(net(x), folded(x), **TIGHT)
    merged = hp.fullgrad(net, x, targets(), merge_bn=True)
    torch.testing.assert_close(merged, hp.fullgrad(folded, x, targets()), **TIGHT)
    assert (merged - hp.fullgrad(net, x, targets())).abs().max() > 1e-2


def test_sides_and_signs() -> None:
    net, x = made(*NETWORKS["batch norm"]), fresh_input()
    maps = {
        v: hp.fullgrad(net, x, targets(), values=v, rescale="none") for v in ("signed", "positive", "negative", "abs")
    }
    torch.testing.assert_close(maps["positive"] - maps["negative"], maps["signed"], **TIGHT)
    torch.testing.assert_close(maps["positive"] + maps["negative"], maps["abs"], **TIGHT)
    assert (maps["signed"] < 0).any()
    for bad in ({"values": "max"}, {"rescale": None}):
        with pytest.raises(hp.InputError, match="expected values of"):
            hp.fullgrad(net, x, **bad)


class Tokens(nn.Module):
    """Patches, a class token in front, attention, a head on the class token; or the mean of tokens of one place only."""

    def __init__(self, place: int | None = None) -> None:
        super().__init__()
        self.patches = nn.Conv2d(2, 8, 2, 2)
        self.token = nn.Parameter(torch.zeros(1, 1, 8))
        self.norm = nn.LayerNorm(8)
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True)
        self.up, self.down, self.head = nn.Linear(8, 16), nn.Linear(16, 8), nn.Linear(8, 5)
        self.place = place

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), 1, 8), x], 1)
        if self.place is None:
            y = self.norm(x)
            x = x + self.attend(y, y, y, need_weights=False)[0]
        x = x + self.down(F.gelu(self.up(self.norm(x))))
        return self.head(x[:, 0 if self.place is None else self.place + 1])


def test_tokens_come_back_to_their_places() -> None:
    whole = made(Tokens())
    d = hp.full_gradient(whole, fresh_input(), targets())
    torch.testing.assert_close(total(d), d.output, **TIGHT)
    assert {t.op for t in d.terms} >= {"layer_norm", "softmax", "matmul", "gelu", "linear", "cat"}
    by_name = {t.name.removeprefix("0."): t for t in d.terms}
    assert by_name["norm"].on_grid().shape == (3, 8, 4, 4)
    assert by_name["head"].on_grid() is None
    maps = hp.fullgrad(whole, fresh_input(), targets())
    assert maps.shape == (3, 1, 8, 8)
    assert maps.isfinite().all()
    only = made(Tokens(place=6))  # row 1, column 2 of the 4 x 4 patches
    for maps in (hp.fullgrad(only, fresh_input(), targets()), hp.simple_fullgrad(only, fresh_input(), targets())):
        cells = F.avg_pool2d(maps, 2).flatten(1)
        assert (cells.argmax(1) == 6).all()
        far = torch.ones(4, 4, dtype=torch.bool)
        far[0:3, 1:4] = False  # bilinear upsampling spills into the neighbours
        assert not cells[:, far.flatten()].any()


def test_channels_last_layers_are_placed_as_their_convolutions() -> None:
    """A linear layer between two permutations, and the 1 x 1 convolution that it is."""
    stem, point, rest = conv(), nn.Linear(4, 4), [nn.GELU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 5)]
    last = made(stem, Apply(lambda m, x: F.gelu(m.a(x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2), a=point), *rest)
    same = nn.Conv2d(4, 4, 1).double()
    with torch.no_grad():
        same.weight.copy_(point.weight[:, :, None, None])
        same.bias.copy_(point.bias)
    first = nn.Sequential(stem, same, nn.GELU(), *rest).eval()
    for explain in (hp.fullgrad, hp.simple_fullgrad):
        torch.testing.assert_close(
            explain(last, fresh_input(), targets()), explain(first, fresh_input(), targets()), **TIGHT
        )


def test_rounding_is_not_blown_up_to_a_share() -> None:
    """A norm is homogeneous but not on our list: what is left of y - J x is rounding, and would be rescaled to [0, 1]."""
    normed = Apply(lambda m, x: x + torch.linalg.vector_norm(x, dim=1, keepdim=True))
    net = made(conv(), nn.ReLU(), normed, conv(4), nn.ReLU(), *head())
    assert {t.op for t in hp.full_gradient(net, fresh_input(), targets()).terms} == {"conv2d", "linear"}


class Sequence(nn.Module):
    """Four tokens with the batch second: with four images nothing in the shapes tells which is which."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.mix, self.head = nn.Conv2d(2, 6, 4, 4), nn.Linear(6, 6), nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).permute(2, 0, 1)
        return self.head(F.gelu(self.mix(tokens)).mean(0))


@pytest.mark.parametrize("batch", [3, 4])
def test_as_many_images_as_tokens(batch: int) -> None:
    net, x = made(Sequence()), fresh_input(batch)
    d = hp.full_gradient(net, x, targets(batch))
    alone = [hp.full_gradient(net, x[i : i + 1], targets(batch)[i : i + 1]) for i in range(batch)]
    for k, term in enumerate(d.terms):
        torch.testing.assert_close(term.value, torch.cat([a.terms[k].value for a in alone]), **TIGHT)
    torch.testing.assert_close(total(d), d.output, **TIGHT)


def test_batch_mates_change_no_layer() -> None:
    """A ReLU6 that is saturated for one image alone; a mate a million times as large."""
    net = made(conv(), nn.ReLU6(), conv(4), nn.ReLU6(), *head())
    shifted = made(Apply(lambda m, x: x + 0.1), conv(), nn.ReLU(), *head())
    x = fresh_input(2) * torch.tensor([0.1, 1e6]).double().reshape(2, 1, 1, 1)
    for model in (net, shifted):
        for explain in (hp.fullgrad, hp.simple_fullgrad):
            both, alone = explain(model, x, targets(2)), explain(model, x[:1], targets(1))
            torch.testing.assert_close(both[:1], alone, rtol=1e-9, atol=1e-12)
        values = {t.index: t.value[0] for t in hp.full_gradient(model, x, targets(2)).terms}
        for term in hp.full_gradient(model, x[:1], targets(1)).terms:
            torch.testing.assert_close(values[term.index], term.value[0], rtol=1e-9, atol=1e-12)


def test_small_shares_are_kept_in_half_precision() -> None:
    net = made(nn.Conv2d(2, 4, 3, bias=False), Apply(lambda m, x: x + 0.05), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))
    exact = {t.op: t.value for t in hp.full_gradient(net, fresh_input(), targets()).terms}
    half = hp.full_gradient(net.bfloat16(), fresh_input(dtype=torch.bfloat16), targets())
    found = {t.op: t.value.double() for t in half.terms}
    assert set(found) == set(exact) == {"add", "linear"}
    assert (found["add"].flatten(1).sum(1) - exact["add"].flatten(1).sum(1)).abs().max() < 0.05 * exact[
        "add"
    ].abs().sum()


def test_merging_stops_where_the_convolution_is_read_elsewhere() -> None:
    """A skip around the batch norm, and a ReLU in place between the two: nothing to merge: the separate map."""
    skip = Apply(lambda m, x: (lambda y: m.n(y).relu() + y)(m.c(x)), c=conv(), n=nn.BatchNorm2d(4))
    between = [conv(), nn.ReLU(inplace=True), nn.BatchNorm2d(4), nn.ReLU()]
    for parts in ([skip], between):
        net = made(*parts, *head())
        merged, separate = (hp.fullgrad(net, fresh_input(), targets(), merge_bn=m) for m in (True, False))
        torch.testing.assert_close(merged, separate, **TIGHT)


@pytest.mark.parametrize("options", [{}, {"merge_bn": True}, {"official": True}], ids=str)
def test_a_decomposed_program_gives_the_same_map(options: dict[str, bool]) -> None:
    net = made(conv(), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), conv(4), nn.GELU(), *head())
    program = torch.export.export(net, (fresh_input(),)).run_decompositions().module()
    want = hp.fullgrad(net, fresh_input(), targets(), **options)
    torch.testing.assert_close(hp.fullgrad(program, fresh_input(), targets(), **options), want, **TIGHT)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda m, y: y[:, :2] * y[:, 2:].sigmoid(), lambda m, y: (lambda a, b: a * b.sigmoid())(*y.chunk(2, 1))),
        (lambda m, y: F.gelu(F.max_pool2d(y, 2)), lambda m, y: F.gelu(F.max_pool2d(y, 2, return_indices=True)[0])),
        (lambda m, y: y.tanh(), lambda m, y: y.unsqueeze(1).squeeze(1).tanh()),
        (lambda m, y: y.tanh(), lambda m, y: torch.einsum("bchw->bhwc", y).tanh().permute(0, 3, 1, 2)),
    ],
    ids=["chunk", "indices", "unsqueeze", "einsum"],
)
def test_places_are_kept_in_every_spelling(one: Any, other: Any) -> None:
    width = 4 * one(None, torch.zeros(1, 4, 8, 8)).shape[1]
    for explain in (hp.fullgrad, hp.simple_fullgrad, hp.gradcam):
        maps = []
        for f in (one, other):
            net = made(conv(), Apply(f), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(width, 5))
            maps.append(explain(net, fresh_input(), targets()))
        torch.testing.assert_close(*maps, **TIGHT)


def test_what_has_no_place_is_left_out() -> None:
    """Channels that are as many as places, a flipped branch, and a convolution over a sequence written as 4-D."""
    channels = made(conv(), Apply(lambda m, x: F.gelu(x.flatten(2)).reshape(x.shape)), nn.ReLU(), *head())
    (gelu,) = [t for t in hp.full_gradient(channels, fresh_input(), targets()).terms if t.op == "gelu"]
    assert gelu.on_grid() is None
    flipped = made(conv(), Apply(lambda m, x: m.a(x.flip(3)), a=conv(4)), nn.ReLU(), *head())
    terms = hp.full_gradient(flipped, fresh_input(), targets()).terms
    assert [t.on_grid() is None for t in terms if t.op == "conv2d"] == [False, True]
    mixed = made(
        Apply(lambda m, x: F.gelu(m.a(x.flatten(2)).transpose(1, 2)), a=nn.Linear(64, 68)),
        nn.Flatten(),
        nn.Linear(136, 5),
    )
    assert all(t.on_grid() is None for t in hp.full_gradient(mixed, fresh_input(), targets()).terms), (
        "mixed over places"
    )
    column = made(Apply(lambda m, x: m.a(x.flatten(2)[..., None]), a=nn.Conv2d(2, 4, 1)), nn.ReLU(), *head())
    assert all(t.on_grid() is None for t in hp.full_gradient(column, fresh_input(), targets()).terms)


def test_errors_are_heatproofs_own() -> None:
    class Spoiled(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x.exp()
            z = y.sum((2, 3), keepdim=True)
            y += 1
            return (y * z).flatten(1)[:, :5]

    for explain in (hp.full_gradient, hp.fullgrad, hp.simple_fullgrad):
        with pytest.raises(hp.ModelError, match="cannot be differentiated"):
            explain(Spoiled().eval(), fresh_input(), targets())
    net = made(Sequence())
    with pytest.raises(hp.InputError, match=r"\(3,\)"):
        hp.full_gradient(net, fresh_input(), targets(2))


def test_fullgrad_needs_an_image() -> None:
    with pytest.raises(hp.NotApplicable, match="needs images"):
        hp.fullgrad(linear([[1.0], [2.0]], [0.0, 0.0]).eval(), torch.ones(1, 1, dtype=torch.float64))
