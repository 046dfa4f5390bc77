"""The engine: rules in every spelling, the guard's two halves, twins, shared passes, taps."""

from __future__ import annotations

import copy
import gc
import weakref
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import heatproof as hp
from heatproof.engine.model import counted_rows
from heatproof.engine.passes import SPATIAL, forward
from heatproof.engine.sharing import shared_passes
from heatproof.engine.twin import tensors, twin
from nets import RELU_SPELLINGS, Net, PerLayer, fresh_input, targets
from reference.guided import guided


@pytest.mark.parametrize("relu", RELU_SPELLINGS.values(), ids=RELU_SPELLINGS)
def test_guided_backprop_equals_node_hooks(relu: Any) -> None:
    want = guided(Net(), fresh_input(), targets())
    torch.testing.assert_close(hp.guided_backprop(Net(relu), fresh_input(), targets()), want, rtol=1e-12, atol=1e-14)


class Relu6Net(Net):
    """ReLU6 in several spellings, with inputs that reach past 6."""

    def __init__(self, relu: Any) -> None:
        super().__init__(relu)
        self.conv1.weight.data *= 20


@pytest.mark.parametrize(
    "relu",
    [
        F.relu6,
        lambda x: F.hardtanh(x, 0.0, 6.0),
        lambda x: x.clamp(0, 6),
        lambda x: x.clamp_(0, 6),
        nn.ReLU6(inplace=True),
    ],
)
def test_relu6_gates_at_both_ends(relu: Any) -> None:
    model, x = Relu6Net(F.relu6), fresh_input()
    assert (model.norm1(model.conv1(x)) > 6).any()
    want = guided(model, x, targets())
    torch.testing.assert_close(hp.guided_backprop(Relu6Net(relu), x, targets()), want, rtol=1e-12, atol=1e-14)
    assert not torch.equal(want, hp.gradient(Relu6Net(relu), x, targets()))


def test_guided_backprop_on_a_toy_net_by_hand() -> None:
    """semantics.md, T-S3-2."""
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2, bias=False)).double()
    net[0].weight.data = torch.tensor([[1, 0, 1], [0, 1, 1], [-1, 1, 1], [2, -1, -2]]).double()
    net[0].bias.data = torch.tensor([0, 0, -3, 0]).double()
    net[2].weight.data = torch.tensor([[1, -1, 0, 2], [2, 1, 1, -1], [-1, -1, 2, 1]]).double()
    net[2].bias.data = torch.tensor([0, -1, 0]).double()
    net[4].weight.data = torch.tensor([[1, -2, 3], [0, 0, 0]]).double()
    x, first = torch.tensor([[1.0, -2.0, 3.0]]).double(), torch.tensor([0])
    assert net.eval()(x)[0, 0] == -13
    assert hp.gradient(net, x, first).tolist() == [[-3, -3, -6]]
    assert hp.guided_backprop(net, x, first).tolist() == [[1, 0, 1]]


ESCAPES = {
    "x * (x > 0)": lambda x: x * (x > 0),
    "x * (x > 0).to": lambda x: x * (x > 0).to(x.dtype),
    "where": lambda x: torch.where(x > 0, x, torch.zeros_like(x)),
    "masked_fill": lambda x: x.masked_fill(x < 0, 0),
    "setitem": lambda x: _setitem(x),
    "index_put of a mask": lambda x: x * _mask(x),
    "maximum": lambda x: torch.maximum(x, torch.zeros_like(x)),
    "abs": lambda x: (x + x.abs()) / 2,
    "gelu": F.gelu,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.1),
    "square": lambda x: x * x,
    "detached factor": lambda x: x * x.detach(),
    "detached division": lambda x: x / (1 + x.detach().abs()),
    "clamp at 1": lambda x: x.clamp(min=1),
    "softmax": lambda x: x.softmax(1),
    "under no_grad": lambda x: x * _step(x),
    "clamped through .data": lambda x: _clamp_data(x),
    "clamped under no_grad": lambda x: _clamp_quietly(x),
    "maximum of a stack": lambda x: torch.stack([x, torch.zeros_like(x)]).amax(0),
    "maximum over branches": lambda x: torch.cat([x[..., None], torch.zeros_like(x)[..., None]], -1).max(-1)[0],
}


def _clamp_data(x: Tensor) -> Tensor:
    x = x + 0
    x.data.clamp_(min=0)
    return x


def _clamp_quietly(x: Tensor) -> Tensor:
    x = x + 0
    with torch.no_grad():
        x.clamp_(min=0)
    return x


def _setitem(x: Tensor) -> Tensor:
    y = x.clone()
    y[x < 0] = 0
    return y


def _mask(x: Tensor) -> Tensor:
    mask = torch.zeros_like(x)
    mask.view(-1)[(x > 0).view(-1)] = 1
    return mask


@torch.no_grad()
def _step(x: Tensor) -> Tensor:
    return (x > 0).double()


@pytest.mark.parametrize("activation", ESCAPES.values(), ids=ESCAPES)
def test_a_nonlinearity_without_a_rule_is_an_error(activation: Any) -> None:
    model = Net(lambda x: activation(F.relu(x)))
    with pytest.raises(hp.EscapedOp):
        hp.guided_backprop(model, fresh_input(), targets())
    hp.gradient(model, fresh_input(), targets())  # needs no rule


def test_global_max_pooling_and_instance_norm_are_accepted_where_they_may_be() -> None:
    pooled = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    ).double()
    hp.guided_backprop(pooled.eval(), fresh_input())
    hp.guided_backprop(
        Net(lambda x: F.relu(x) if x.dim() == 2 else F.relu(x) + 0 * x.amax((2, 3), keepdim=True)), fresh_input()
    )
    normed = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.InstanceNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)
    ).double()
    x = fresh_input()
    together = hp.gradient(normed.eval(), x)
    torch.testing.assert_close(together[1:2], hp.gradient(normed, x[1:2]))
    with pytest.raises(hp.EscapedOp):
        hp.guided_backprop(normed, x)


def test_exported_without_guards_is_known_as_exported() -> None:
    program = torch.export.export(Net(), (fresh_input(),))
    torch.testing.assert_close(
        hp.gradient(program.module(check_guards=False), fresh_input()), hp.gradient(Net(), fresh_input())
    )


def test_escape_names_operation_and_module() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Sequential(nn.Linear(4, 4), nn.GELU()), nn.Linear(4, 2)).double()
    with pytest.raises(hp.EscapedOp, match=r"gelu in module '2\.1'"):
        hp.guided_backprop(net.eval(), torch.randn(2, 3).double())


def test_relu_out_of_sight_is_an_error() -> None:
    scripted = torch.jit.trace(Net(), fresh_input())
    with pytest.raises(hp.EscapedOp, match="cannot see"):
        hp.guided_backprop(scripted, fresh_input(), targets())
    want = hp.gradient(Net(), fresh_input(), targets())
    torch.testing.assert_close(hp.gradient(scripted, fresh_input(), targets()), want)


def test_no_relu_is_an_error() -> None:
    with pytest.raises(hp.NotApplicable, match="none ran"):
        hp.guided_backprop(nn.Sequential(nn.Flatten(), nn.Linear(128, 3)).double().eval(), fresh_input())


HARMLESS = {
    "constant mask": lambda x: x * (torch.arange(x.shape[-1]) % 2 == 0),
    "additive mask of the input": lambda x: x + (x.detach() > 0).double(),
    "division by a constant": lambda x: x / 2.5,
    "created like the input": lambda x: x + torch.zeros_like(x) + x.new_ones(1),
    "multiplied by zeros like": lambda x: x * torch.ones_like(x),
    "slices and cat": lambda x: torch.cat([x[:, :1], x[:, 1:]], 1),
}


@pytest.mark.parametrize("activation", HARMLESS.values(), ids=HARMLESS)
def test_linear_operations_are_no_escape(activation: Any) -> None:
    hp.guided_backprop(Net(lambda x: F.relu(activation(x))), fresh_input(), targets())


def test_product_of_two_branches_is_an_escape() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(4, 4).double(), nn.Linear(4, 4).double()

        def forward(self, x: Tensor) -> Tensor:
            return F.relu(self.a(x)) * self.b(x)

    with pytest.raises(hp.EscapedOp, match="mul"):
        hp.guided_backprop(Gated().eval(), torch.randn(2, 4).double())


def test_batch_statistics_are_refused() -> None:
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4, track_running_stats=False), nn.Flatten(), nn.Linear(144, 3)
    )
    with pytest.raises(hp.ModelError, match="batch"):
        hp.gradient(net.double().eval(), fresh_input())


@pytest.mark.parametrize("kind", ["detached", "constant", "tuple", "dict", "nan", "two dims missing"])
def test_outputs_that_no_score_takes(kind: str) -> None:
    class Odd(Net):
        def forward(self, x: Tensor) -> Any:
            out = super().forward(x)
            if kind == "constant":
                return torch.ones(len(x), 3, dtype=x.dtype)
            return {
                "detached": out.detach(), "tuple": (out, out), "dict": {"logits": out}, "nan": out * float("nan"),
                "two dims missing": out.sum(),
            }[kind]  # fmt: skip

    with pytest.raises(hp.ModelError):
        hp.gradient(Odd(), fresh_input(), targets())


def test_own_score_takes_any_output() -> None:
    class Wrapped(Net):
        def forward(self, x: Tensor) -> Any:
            return {"logits": super().forward(x)}

    def score(out: Any, target: Tensor) -> Tensor:
        return hp.logit(out["logits"], target)

    maps = hp.gradient(Wrapped(), fresh_input(), targets(), score=score)
    torch.testing.assert_close(maps, hp.gradient(Net(), fresh_input(), targets()))
    rows = torch.stack([targets(), targets()])
    torch.testing.assert_close(hp.gradient(Wrapped(), fresh_input(), rows, score=score)[1], maps)


@pytest.mark.parametrize("score", [hp.probability, hp.log_probability, hp.margin, hp.label_probability])
def test_scores_equal_autograd(score: Any) -> None:
    x = fresh_input().requires_grad_()
    want = torch.autograd.grad(score(Net()(x), targets()).sum(), x)[0]
    torch.testing.assert_close(hp.gradient(Net(), x, targets(), score=score), want)


def test_scores_by_hand() -> None:
    out, target = torch.tensor([[1.0, 3.0, 2.0], [0.0, 0.0, 0.0]]), torch.tensor([1, 0])
    assert hp.logit(out, target).tolist() == [3, 0]
    assert hp.margin(out, target).tolist() == [1, 0]
    assert hp.margin(out, torch.tensor([0, 0])).tolist() == [-2, 0]
    torch.testing.assert_close(
        hp.probability(out, target), out.exp().gather(1, target[:, None])[:, 0] / out.exp().sum(1)
    )
    torch.testing.assert_close(hp.log_probability(out, target).exp(), hp.probability(out, target))
    torch.testing.assert_close(hp.label_probability(out, target), 1 / (1 + (-hp.logit(out, target)).exp()))


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_single_logit_and_regression(shape: tuple[int, ...]) -> None:
    class One(Net):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x)[:, 0].reshape(shape)

    x, zeros = fresh_input(), torch.zeros(3, dtype=torch.int64)
    plain = hp.gradient(One(), x, zeros, score=hp.value)
    torch.testing.assert_close(hp.gradient(One(), x, zeros + 1, score=hp.single_logit), plain)
    torch.testing.assert_close(hp.gradient(One(), x, zeros, score=hp.single_logit), -plain)
    with pytest.raises(hp.ModelError, match="single_logit"):
        hp.gradient(One(), x, zeros)


class TestTwin:
    def test_shares_storage_and_leaves_the_model(self) -> None:
        model = Net()
        copied = twin(model)
        for name, tensor in tensors(model).items():
            assert tensors(copied)[name].data_ptr() == tensor.data_ptr()
        assert not any(p.requires_grad for p in copied.parameters())
        assert all(p.requires_grad for p in model.parameters())

    def test_replaces_tied_tensors_everywhere(self) -> None:
        net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
        net[1].weight = net[0].weight
        copied = twin(net, {"0.weight": torch.eye(3)})
        assert copied[1].weight is copied[0].weight
        assert torch.equal(copied[0].weight, torch.eye(3))

    def test_parametrised_and_weight_normed(self) -> None:
        net = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)), nn.ReLU(), nn.Linear(4, 2)).eval()
        x = torch.randn(2, 4)
        torch.testing.assert_close(twin(net)(x), net(x))
        assert hp.guided_backprop(net, x).shape == x.shape

    def test_a_model_that_writes_to_a_buffer_is_left_alone(self) -> None:
        class Counting(Net):
            def __init__(self) -> None:
                super().__init__()
                self.register_buffer("calls", torch.zeros(1))

            def forward(self, x: Tensor) -> Tensor:
                self.calls += 1
                return super().forward(x)

        model = Counting()
        hp.gradient(model, fresh_input())
        assert model.calls.item() == 0

    def test_a_model_that_stores_activations_is_left_alone(self) -> None:
        class Storing(Net):
            def forward(self, x: Tensor) -> Tensor:
                self.last = self.conv1(x)
                return super().forward(x)

        model = Storing()
        hp.gradient(model, fresh_input())
        assert not hasattr(model, "last")
        model(fresh_input())
        assert hp.gradient(model, fresh_input()).any(), "an attribute that is part of a graph can still be copied"

    def test_what_cannot_be_copied_is_named(self) -> None:
        model = Net()
        model.handle = (i for i in range(3))  # type: ignore[assignment]
        with pytest.raises(hp.ModelError, match="handle"):
            hp.gradient(model, fresh_input())


class TestSharing:
    def test_methods_share_passes_and_agree_with_single_calls(self) -> None:
        model, x = Net(), fresh_input()
        single = {n: f(model, x, targets()) for n, f in hp.METHODS.items()}
        needs = {need for f in hp.METHODS.values() for need in f.__heatproof_spec__.needs}
        with shared_passes(needs, x):
            private = copy.copy(model)
            together = {n: f(private, x, targets()) for n, f in hp.METHODS.items()}
        for name, want in single.items():
            torch.testing.assert_close(together[name], want, rtol=1e-12, atol=1e-14)

    def test_each_pass_runs_once(self) -> None:
        model, x = Net(), fresh_input()
        methods = (hp.gradient, hp.gradient_x_input, hp.gradcam, hp.guided_backprop, hp.guided_gradcam)
        needs = {need for f in methods for need in f.__heatproof_spec__.needs}
        with counted_rows() as rows, shared_passes(needs, x):
            for f in methods:
                f(model, x, targets())
        assert rows[0] == len(x), "one forward for all of them"

    def test_passes_on_other_inputs_are_not_kept(self) -> None:
        """Noisy copies of a method pile up otherwise: 15 GB for three photos, measured."""
        graphs: list[weakref.ref[Any]] = []

        class Watched(Net):
            def forward(self, x: Tensor) -> Tensor:
                out = super().forward(x)
                graphs.append(weakref.ref(out))
                return out

        model, x = Watched(), fresh_input()
        with shared_passes(hp.gradient.__heatproof_spec__.needs, x):
            hp.smooth(hp.gradient, n=5)(model, x, targets())
            hp.integrated_gradients(model, x, targets(), steps=5, batch_size=3)
            gc.collect()
            assert len(graphs) == 3 + 5, "two draws of three images go together"
            assert not any(ref() is not None for ref in graphs)

    def test_a_changed_input_is_another_pass(self) -> None:
        model, x = Net(), fresh_input()
        with shared_passes(hp.gradient.__heatproof_spec__.needs, x):
            first = hp.gradient(model, x, targets())
            x += 1
            second = hp.gradient(model, x, targets())
        assert not torch.equal(first, second)


class TestGradcam:
    def test_by_hand(self) -> None:
        """semantics.md, T-S1-4."""

        class Hand(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                weight = torch.tensor([[[1.0, 1], [0, 2]], [[-2, 0], [0, -2]]]).double()
                logit = (x.relu() * weight).flatten(1).sum(1)
                return torch.stack([logit, -logit], 1)

        x = torch.tensor([[[[1.0, 2], [3, 4]], [[4, 0], [1, 1]]]]).double()
        x[x == 0] = 1e-300  # a ReLU passes no gradient at zero
        torch.testing.assert_close(
            hp.gradcam(Hand().eval(), x, torch.tensor([0]))[0, 0], torch.tensor([[0.0, 2], [2, 3]]).double()
        )

    @pytest.mark.parametrize("inplace", [False, True])
    def test_default_layer_is_the_last_spatial_activation(self, inplace: bool) -> None:
        model = PerLayer(inplace=inplace)
        tap = forward(model, fresh_input(), hp.logit, None, SPATIAL).tap(SPATIAL)
        assert tap.name == "relus.1"
        assert tap.value.shape == (3, 4, 8, 8)
        torch.testing.assert_close(
            hp.gradcam(model, fresh_input(), targets()), hp.gradcam(model, fresh_input(), targets(), layer="relus.1")
        )

    def test_value_survives_later_in_place_calls(self) -> None:
        class Later(Net):
            def forward(self, x: Tensor) -> Tensor:
                y = F.gelu(self.conv2(F.relu(self.norm1(self.conv1(x)))))
                y *= 3  # GELU keeps its input for the backward, so its output may be overwritten
                return self.fc2(self.fc1(F.max_pool2d(y, 2).flatten(1)))

        tap = forward(Later(), fresh_input(), hp.logit, None, SPATIAL).tap(SPATIAL)
        model = Later()
        want = F.gelu(model.conv2(F.relu(model.norm1(model.conv1(fresh_input())))))
        torch.testing.assert_close(tap.value, want.detach())

    def test_concatenated_branches_are_taken_whole(self) -> None:
        class Branches(Net):
            def forward(self, x: Tensor) -> Tensor:
                y = self.conv1(x)
                y = torch.cat([F.relu(y), F.relu(self.conv2(y))], 1)
                return y.mean((2, 3))

        tap = forward(Branches(), fresh_input(), hp.logit, None, SPATIAL).tap(SPATIAL)
        assert tap.value.shape[1] == 8

    def test_channels_last_network(self) -> None:
        class Last(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.conv, self.mix, self.head = nn.Conv2d(2, 6, 2, 2), nn.Linear(6, 5), nn.Linear(5, 3)

            def forward(self, x: Tensor) -> Tensor:
                return self.head(F.gelu(self.mix(self.conv(x).permute(0, 2, 3, 1))).mean((1, 2)))

        model = Last().double().eval()
        tap = forward(model, fresh_input(), hp.logit, None, SPATIAL).tap(SPATIAL)
        assert (tap.channel, tuple(tap.value.shape)) == (3, (3, 4, 4, 5))
        assert hp.gradcam(model, fresh_input()).shape == (3, 1, 8, 8)

    def test_a_side_branch_is_refused_with_advice(self) -> None:
        class Side(Net):
            def forward(self, x: Tensor) -> Tensor:
                y = self.conv2(F.relu(self.norm1(self.conv1(x))))
                self.seen = F.relu(y)
                return y.mean((2, 3))

        with pytest.raises(hp.NotApplicable, match="layer="):
            hp.gradcam(Side(), fresh_input())
        assert hp.gradcam(Side(), fresh_input(), layer="conv2").any()

    def test_no_spatial_layer(self) -> None:
        with pytest.raises(hp.NotApplicable, match="layer="):
            hp.gradcam(
                nn.Sequential(nn.Flatten(), nn.Linear(128, 3), nn.ReLU(), nn.Linear(3, 2)).double().eval(),
                fresh_input(),
            )

    def test_unknown_layer_names_near_ones(self) -> None:
        with pytest.raises(hp.InputError, match="no such module"):
            hp.gradcam(Net(), fresh_input(), layer="conv9")


class TestIntegratedGradients:
    def test_example_1_of_the_fullgrad_paper(self) -> None:
        """semantics.md, T-S2-1 and T-S1-15: f = 2x1+2x2-... piecewise linear, rule by rule."""

        class Example(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                a, b = x[:, 0], x[:, 1]
                zero = torch.zeros_like(a)
                low = torch.where(torch.maximum(a, b) <= 1, a + 3 * b, zero)
                high = torch.where(torch.maximum(a, b) > 1, 3 * a + b, zero)
                return torch.stack([low + high, zero], 1)

        x = torch.tensor([[4.0, 4.0]]).double()
        maps = {
            rule: hp.integrated_gradients(Example().eval(), x, torch.tensor([0]), steps=steps, rule=rule)[0].tolist()
            for rule, steps in (("midpoint", 12), ("pair", 50), ("right", 50))
        }
        assert maps["midpoint"] == pytest.approx([10, 6])
        assert maps["pair"] == pytest.approx([9.92, 6.08])
        assert maps["right"] == pytest.approx([10.08, 5.92])

    @pytest.mark.parametrize("rule", ["midpoint", "trapezoid", "right"])
    def test_complete(self, rule: str) -> None:
        model, x = Net(torch.nn.functional.softplus), fresh_input()
        baseline = fresh_input(seed=5)
        maps = hp.integrated_gradients(model, x, targets(), steps=400, rule=rule, baseline=baseline)
        rise = hp.logit(model(x), targets()) - hp.logit(model(baseline), targets())
        torch.testing.assert_close(maps.flatten(1).sum(1), rise.detach(), rtol=2e-2, atol=2e-2)

    @pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
    def test_batch_size_changes_nothing(self, batch_size: int) -> None:
        want = hp.integrated_gradients(Net(), fresh_input(), targets(), steps=9)
        found = hp.integrated_gradients(Net(), fresh_input(), targets(), steps=9, batch_size=batch_size)
        torch.testing.assert_close(found, want, rtol=1e-12, atol=1e-14)

    def test_bad_options(self) -> None:
        for options in ({"rule": "simpson"}, {"steps": 0}, {"baseline": torch.zeros(5)}, {"rule": "pair", "steps": 1}):
            with pytest.raises(hp.InputError):
                hp.integrated_gradients(Net(), fresh_input(), targets(), **options)


class TestSmooth:
    def test_linear_model_gives_the_weights(self) -> None:
        """semantics.md, T-S1-2."""
        net = nn.Linear(6, 3).double().eval()
        x = torch.randn(2, 6, generator=torch.Generator().manual_seed(0)).double()
        torch.testing.assert_close(hp.smoothgrad(net, x, torch.tensor([1, 2])), net.weight.detach()[[1, 2]])

    def test_equals_a_loop_with_the_same_noise(self) -> None:
        from heatproof.engine.chunks import normal_like, sample_generators

        x, n, sigma = fresh_input(), 4, 0.2
        draws = sample_generators(3, None, len(x), "smooth")
        spread = (x.flatten(1).amax(1) - x.flatten(1).amin(1)).view(-1, 1, 1, 1) * sigma
        noisy = [x + spread * normal_like(x, draws) for _ in range(n)]
        want = torch.stack([hp.guided_backprop(Net(), y, targets()) for y in noisy]).mean(0)
        found = hp.smooth(hp.guided_backprop, n=n, sigma=sigma, seed=3)(Net(), x, targets())
        torch.testing.assert_close(found, want)

    def test_noise_follows_seed_and_index(self) -> None:
        same_image = fresh_input(1).expand(3, -1, -1, -1).clone()
        maps = hp.random_map(Net(), same_image, index=torch.tensor([4, 9, 4]))
        assert torch.equal(maps[0], maps[2])
        assert not torch.equal(maps[0], maps[1])
        assert not torch.equal(maps, hp.random_map(Net(), same_image, index=torch.tensor([4, 9, 4]), seed=1))

    def test_takes_any_callable(self) -> None:
        found = hp.smooth(lambda model, inputs, target: inputs * 2, n=2, sigma=0.0)(Net(), fresh_input())
        torch.testing.assert_close(found, fresh_input() * 2)

    def test_text_and_options(self) -> None:
        assert repr(hp.smooth(hp.gradient, n=5)) == "smooth(gradient, n=5)"
        assert repr(hp.smoothgrad) == "smoothgrad"
        assert hp.smooth(hp.gradient, 5) == hp.smooth(hp.gradient, n=5)
        with pytest.raises(TypeError, match="'m'"):
            hp.smooth(hp.gradient, m=5)  # type: ignore[call-arg]
        maps = hp.smoothgrad(model=Net(), inputs=fresh_input(), target=targets(), n=2)
        assert torch.equal(maps, hp.smoothgrad(Net(), fresh_input(), targets(), n=2))


def test_classes_at_once_equal_single_classes_to_the_bit() -> None:
    """One product for many classes rounds a row by its place in it: a quarter of such networks, measured."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        net = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 131), nn.ReLU(), nn.Linear(131, 17)).eval()
    for dtype in (torch.float32, torch.float64):
        x = torch.rand(3, 64, generator=torch.Generator().manual_seed(0)).to(dtype)
        rows = torch.arange(17)[:, None].expand(-1, 3)
        alone = torch.stack([hp.gradient(net.to(dtype), x, row) for row in rows])
        assert torch.equal(hp.gradient(net, x, rows), alone)


class TokensBeforeBatchNorm(nn.Module):
    """The strides of one sample here are what torch 2.13's batch norm differentiates wrongly on the CPU."""

    def __init__(self, act: Any) -> None:
        super().__init__()
        self.mix, self.norm, self.head = nn.Linear(2, 6), nn.BatchNorm2d(6), nn.Linear(6 * 64, 5)
        self.act = act
        self.double().eval()
        generator = torch.Generator().manual_seed(0)
        for tensor in (*self.parameters(), self.norm.running_mean):
            tensor.data = torch.randn(tensor.shape, generator=generator, dtype=torch.float64) / 3
        self.norm.running_var.uniform_(0.5, 2, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.mix(x.flatten(2).transpose(1, 2))
        return self.head(self.act(self.norm(tokens.transpose(1, 2).reshape(-1, 6, 8, 8))).flatten(1))


@pytest.mark.parametrize("act", [torch.relu, torch.nn.functional.gelu, lambda x: x], ids=["relu", "gelu", "none"])
@pytest.mark.parametrize("name", ["gradient", "lrp", "deeplift", "deconvnet", "rectgrad", "fullgrad"])
def test_one_sample_alone_behind_a_batch_norm_over_tokens(name: str, act: Any) -> None:
    if name in ("deconvnet", "rectgrad") and act is not torch.relu:
        pytest.skip("a method for networks of ReLUs")
    net, x, y = TokensBeforeBatchNorm(act), fresh_input(), targets()
    together = hp.METHODS[name](net, x, y)
    alone = torch.cat([hp.METHODS[name](net, x[i : i + 1], y[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(alone, together, rtol=1e-10, atol=1e-12)
    if name == "gradient":
        step = torch.zeros_like(x[:1])
        step[0, 1, 3, 4] = 1e-6
        rise = (net(x[:1] + step) - net(x[:1] - step))[0, y[0]] / 2e-6
        assert alone[0, 1, 3, 4].item() == pytest.approx(rise.item(), rel=1e-6)
