"""Integrated gradients: rules, baselines and the completeness residual (semantics.md, T-S1-15, T-S2-1, 3.S1-14)."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from captum.attr import IntegratedGradients
from torch import Tensor, nn
from torch.nn.functional import softplus

import heatproof as hp
from heatproof.combine import configure
from heatproof.methods.integrated_gradients import path
from heatproof.named import method_from_text
from nets import Net, fresh_input, targets
from reference import integrated_gradients as reference


class Example(nn.Module):
    """Example 1 of the FullGrad paper; discontinuous off the diagonal (semantics.md, 3.S2-14), so tested on it."""

    def forward(self, x: Tensor) -> Tensor:
        a, b = x[:, 0], x[:, 1]
        return torch.where(torch.maximum(a, b) <= 1, a + 3 * b, 3 * a + b)


def example(point: float, **options: Any) -> list[float]:
    x = torch.tensor([[point, point]]).double()
    return list(hp.integrated_gradients(Example().eval(), x, score=hp.value, **options)[0].tolist())


class TestExactValues:
    @pytest.mark.parametrize(("point", "want"), [(4.0, [10, 6]), (2.0, [4, 4]), (1.5, [2.5, 3.5])])
    def test_example_1(self, point: float, want: list[float]) -> None:
        """T-S2-1: the midpoint rule with 12 steps is exact; sums 16, 8, 6."""
        assert example(point, steps=12) == pytest.approx(want, abs=1e-9)

    @pytest.mark.parametrize(("rule", "want"), [("pair", [9.92, 6.08]), ("right", [10.08, 5.92])])
    def test_biased_rules(self, rule: str, want: list[float]) -> None:
        """T-S1-15."""
        assert example(4.0, steps=50, rule=rule) == pytest.approx(want, abs=1e-9)

    @pytest.mark.parametrize("rule", ["midpoint", "trapezoid", "right", "pair"])
    def test_linear(self, rule: str) -> None:
        """3.S1-14: (x - baseline) w, not half of it as Sanity Checks prints in section 5.3."""
        net = nn.Linear(4, 2).double().eval()
        x, start = torch.tensor([[1.0, -2, 3, 0.5]]).double(), torch.tensor([0.5, 1, -1, 0]).double()
        found = hp.integrated_gradients(net, x, torch.tensor([1]), baseline=start, rule=rule, steps=7)
        torch.testing.assert_close(found, (x - start) * net.weight.detach()[1], rtol=0, atol=1e-12)

    @pytest.mark.parametrize("steps", [5, 300])
    def test_bfloat16_is_rounded_once(self, steps: int) -> None:
        """Summed in bfloat16, 300 steps were 6 % off; one rounding is 1/512."""
        net = nn.Linear(40, 2).bfloat16().eval()
        x, start = fresh_input(1, dtype=torch.bfloat16).flatten(1)[:, :40], [0.5, torch.linspace(-1, 1, 40).bfloat16()]
        found, residual = hp.integrated_gradients(
            net, x, torch.tensor([1]), baseline=start, steps=steps, return_residual=True
        )
        weight = net.weight.detach()[1].double()
        want = (x.double() - (start[0] + start[1].double()) / 2) * weight
        assert found.dtype == residual.dtype == torch.bfloat16
        torch.testing.assert_close(found.double(), want, rtol=2**-8, atol=1e-6)
        scores = [
            hp.logit(net(point), torch.tensor([1])).double() for point in (x, torch.full_like(x, 0.5), start[1][None])
        ]
        gap = scores[0] - (scores[1] + scores[2]) / 2 - found.double().sum(1)
        torch.testing.assert_close(residual.double(), gap, rtol=2**-8, atol=1e-5)

    def test_weights_of_a_rule_sum_to_one(self) -> None:
        for rule in ("midpoint", "trapezoid", "right", "pair"):
            assert sum(path(rule, 9)[1]) == pytest.approx(1)
        assert path("trapezoid", 3) == ([0.0, 0.5, 1.0], [0.25, 0.5, 0.25])


class TestReference:
    @pytest.mark.parametrize("rule", ["midpoint", "right", "trapezoid", "pair"])
    def test_loop(self, rule: str) -> None:
        start = fresh_input(seed=8)
        found = hp.integrated_gradients(Net(), fresh_input(), targets(), steps=11, rule=rule, baseline=start)
        want = reference.integrated(Net(), fresh_input(), start, targets(), rule, 11)
        torch.testing.assert_close(found, want, rtol=0, atol=1e-10)

    @pytest.mark.parametrize(("rule", "name"), [("midpoint", "riemann_middle"), ("right", "riemann_right")])
    def test_captum(self, rule: str, name: str) -> None:
        """Eight steps: captum keeps its weights in float32, which is exact for powers of two alone."""
        start = fresh_input(seed=8)
        found = hp.integrated_gradients(Net(), fresh_input(), targets(), steps=8, rule=rule, baseline=start)
        want = IntegratedGradients(Net()).attribute(fresh_input(), start, targets(), n_steps=8, method=name)
        torch.testing.assert_close(found, want, rtol=0, atol=1e-10)


class TestBatchSize:
    @pytest.mark.parametrize("batch_size", [1, 2, 5, 1000])
    def test_changes_nothing(self, batch_size: int) -> None:
        rows = torch.stack([targets(), (targets() + 1) % 5])
        options: dict[str, Any] = {"steps": 7, "baseline": [0.5, fresh_input(seed=8)], "return_residual": True}
        want = hp.integrated_gradients(Net(), fresh_input(), rows, **options)
        found = hp.integrated_gradients(Net(), fresh_input(), rows, batch_size=batch_size, **options)
        torch.testing.assert_close(found, want, rtol=1e-10, atol=1e-13)
        predicted = hp.integrated_gradients(Net(), fresh_input(), steps=7)
        found = hp.integrated_gradients(Net(), fresh_input(), steps=7, batch_size=batch_size)
        torch.testing.assert_close(found, predicted, rtol=1e-10, atol=1e-13)

    def test_a_program_of_fixed_batch_size(self) -> None:
        program = torch.export.export(Net(), (fresh_input(),)).module()
        found = hp.integrated_gradients(program, fresh_input(), targets(), steps=7, batch_size=2)
        want = hp.integrated_gradients(Net(), fresh_input(), targets(), steps=7)
        torch.testing.assert_close(found, want, rtol=1e-10, atol=1e-13)


class TestBaselines:
    def test_that_requires_grad(self) -> None:
        start = fresh_input(seed=8).requires_grad_()
        found, residual = hp.integrated_gradients(
            Net(), fresh_input(), targets(), steps=3, baseline=start, return_residual=True
        )
        assert not found.requires_grad
        assert not residual.requires_grad

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"baseline": float("nan")}, "baseline has NaN or infinite values"),
            ({"baseline": [0.0, torch.full((8,), float("inf"))]}, "baseline has NaN or infinite values"),
            ({"steps": 2.0}, "steps=2.0; expected a whole number of 1 or more"),
            ({"steps": "5", "rule": "pair"}, "steps='5'; expected a whole number of 2 or more"),
        ],
    )
    def test_errors_say_what_is_wrong(self, options: Any, said: str) -> None:
        with pytest.raises(hp.InputError, match=said):
            hp.integrated_gradients(Net(), fresh_input(), targets(), **options)

    def test_several_are_averaged(self) -> None:
        starts = [0.5, fresh_input(seed=8), torch.tensor([[[0.1]], [[-0.2]]]).double()]
        alone = [hp.integrated_gradients(Net(), fresh_input(), targets(), steps=5, baseline=b) for b in starts]
        for given in (starts, tuple(starts)):
            found = hp.integrated_gradients(Net(), fresh_input(), targets(), steps=5, baseline=given)
            torch.testing.assert_close(found, torch.stack(alone).mean(0), rtol=0, atol=1e-13)

    def test_from_text(self) -> None:
        explain = method_from_text("integrated_gradients(baseline=(0.0, 1.0), steps=4)")
        assert repr(explain) == "integrated_gradients(baseline=(0.0, 1.0), steps=4)"
        alone = [hp.integrated_gradients(Net(), fresh_input(), targets(), steps=4, baseline=b) for b in (0.0, 1.0)]
        found = explain(Net(), fresh_input(), targets())
        torch.testing.assert_close(found, (alone[0] + alone[1]) / 2, rtol=0, atol=1e-13)

    @pytest.mark.parametrize(
        "options",
        [{"baseline": ()}, {"baseline": "black"}, {"baseline": (0.0, torch.zeros(5))}, {"batch_size": 0},
         {"baseline": torch.zeros(1, 3, 2, 8, 8)}, {"batch_size": 1.5}, {"steps": 2.0}, {"steps": -1}, {"rule": "simpson"},
         {"steps": 1, "rule": "trapezoid"}],
    )  # fmt: skip
    def test_bad_options(self, options: Any) -> None:
        with pytest.raises(hp.InputError, match=next(iter(options))):
            hp.integrated_gradients(Net(), fresh_input(), targets(), **options)


class TestResidual:
    def test_is_the_error_of_completeness(self) -> None:
        model, starts = Net(softplus), [fresh_input(seed=8), 0.25]
        options: dict[str, Any] = {"steps": 3, "baseline": starts, "return_residual": True}
        rows = torch.stack([targets(), (targets() + 1) % 5])
        maps, residual = hp.integrated_gradients(model, fresh_input(), rows, **options)
        scores = [
            model(x)[range(3), rows].detach()
            for x in (fresh_input(), starts[0], torch.full((3, 2, 8, 8), 0.25).double())
        ]
        want = scores[0] - (scores[1] + scores[2]) / 2 - maps.sum((-3, -2, -1))
        torch.testing.assert_close(residual, want, rtol=0, atol=1e-12)
        assert residual.shape == (2, 3)
        assert residual.abs().max() > 1e-4
        alone = hp.integrated_gradients(model, fresh_input(), rows[1], **options)
        torch.testing.assert_close(alone[0], maps[1], rtol=0, atol=1e-12)
        torch.testing.assert_close(alone[1], residual[1], rtol=0, atol=1e-12)

    def test_vanishes_with_the_steps(self) -> None:
        sizes = []
        for steps in (10, 100):
            _, residual = hp.integrated_gradients(
                Net(softplus, seed=1), fresh_input(), steps=steps, return_residual=True, score=hp.probability
            )
            sizes.append(residual.abs().max().item())
        assert sizes[1] < sizes[0] / 5
        assert sizes[1] < 5e-3

    def test_zero_on_example_1(self) -> None:
        x = torch.tensor([[4.0, 4.0], [2.0, 2.0]]).double()
        maps, residual = hp.integrated_gradients(Example().eval(), x, score=hp.value, steps=12, return_residual=True)
        torch.testing.assert_close(maps.sum(1), torch.tensor([16.0, 8.0]).double(), rtol=0, atol=1e-9)
        torch.testing.assert_close(residual, torch.zeros(2).double(), rtol=0, atol=1e-9)

    def test_not_where_a_map_is_wanted(self) -> None:
        with pytest.raises(hp.InputError, match="return_residual"):
            method_from_text("smooth(integrated_gradients(return_residual=True, steps=2), n=1)")


class TestWithoutTheFactor:
    def test_times_the_difference_is_the_map(self) -> None:
        net, x, start = Net(softplus), fresh_input(), fresh_input(seed=8)
        bare = hp.integrated_gradients(net, x, targets(), baseline=start, steps=7, multiply=False)
        whole = hp.integrated_gradients(net, x, targets(), baseline=start, steps=7)
        torch.testing.assert_close(bare * (x - start), whole, rtol=1e-12, atol=1e-14)
        assert (bare - whole).abs().max() > 1e-2

    def test_noise_may_stay_out_of_the_factor(self) -> None:
        """semantics.md 3.S1-23: IG-SG multiplies by x + noise; this is the variant that multiplies by x."""
        inner = configure(hp.integrated_gradients, multiply=False, steps=5)
        net, x = Net(softplus), fresh_input()
        variant = hp.times_input(hp.smooth(inner, n=4))(net, x, targets())
        torch.testing.assert_close(variant, x * hp.smooth(inner, n=4)(net, x, targets()), rtol=1e-12, atol=1e-14)
        with_noise = hp.smooth(configure(hp.integrated_gradients, steps=5), n=4)(net, x, targets())
        assert (variant - with_noise).abs().max() > 1e-3

    def test_has_no_residual(self) -> None:
        with pytest.raises(hp.InputError, match="leave out multiply"):
            hp.integrated_gradients(Net(), fresh_input(), multiply=False, return_residual=True)
