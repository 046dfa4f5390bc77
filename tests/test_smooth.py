"""The smooth family and the products with the input (semantics.md, 3.S1-21 to 23, T-S1-2)."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import NoiseTunnel, Saliency
from torch import Tensor, nn

import heatproof as hp
from heatproof.combine import configure, effort_of
from heatproof.combine.noise import mean_of, variance_of
from heatproof.engine.chunks import normal_like, sample_generators
from heatproof.types import name_of, spec_of
from nets import Net, fresh_input, targets
from reference.integrated_gradients import integrated

SIGMA = 0.2


def noisy(x: Tensor, n: int, seed: int = 0, index: list[int] | None = None) -> list[Tensor]:
    """The noise of `smooth`, drawn sample by sample."""
    copies = []
    for i, image in enumerate(x):
        place = i if index is None else index[i]
        (draw,) = sample_generators(seed, torch.tensor([place]), 1, "smooth")
        spread = SIGMA * (image.max() - image.min())
        copies.append(torch.stack([image + spread * normal_like(image[None], [draw])[0] for _ in range(n)]))
    return list(torch.stack(copies, 1))


def of_linear(scale: float) -> tuple[nn.Linear, Tensor, Tensor]:
    net = nn.Linear(6, 3).double().eval()
    net.weight.data = scale * torch.randn(3, 6, generator=torch.Generator().manual_seed(1)).double()
    return net, torch.randn(2, 6, generator=torch.Generator().manual_seed(0)).double(), torch.tensor([1, 2])


class TestReference:
    """Against captum on copies of the image that we draw, since its own noise cannot be seeded."""

    def each(self, n: int) -> Tensor:
        draws = noisy(fresh_input(), n, seed=3, index=[7, 2, 40])
        return torch.stack([Saliency(Net()).attribute(x.requires_grad_(), targets(), abs=False) for x in draws])

    @pytest.mark.parametrize("kind", ["smooth", "smooth_squared", "vargrad"])
    @pytest.mark.parametrize("n", [1, 2, 9])
    def test_family(self, kind: str, n: int) -> None:
        each = self.each(n)
        want = {
            "smooth": each.mean(0),
            "smooth_squared": (each**2).mean(0),
            "vargrad": each.var(0, correction=0),
        }[kind]
        explain = getattr(hp, kind)(hp.gradient, n=n, sigma=SIGMA, seed=3)
        found = explain(Net(), fresh_input(), targets(), index=torch.tensor([7, 2, 40]))
        torch.testing.assert_close(found, want, rtol=0, atol=1e-10)

    def test_the_three_share_their_noise(self) -> None:
        mean, square, variance = [
            f(hp.gradient, n=7, sigma=SIGMA, seed=1)(Net(), fresh_input(), targets())
            for f in (hp.smooth, hp.smooth_squared, hp.vargrad)
        ]
        torch.testing.assert_close(square - mean**2, variance, rtol=0, atol=1e-12)
        assert variance.max() > 1e-4

    def test_ig_smoothgrad(self) -> None:
        """3.S1-23: the noise goes on the input, the baseline stays 0, the multiplier is the noisy input."""
        explain = configure(hp.ig_smoothgrad, n=3, sigma=SIGMA, seed=3)
        draws = noisy(fresh_input(), 3, seed=3)
        want = [integrated(Net(), x, torch.zeros_like(x), targets(), "midpoint", 10) for x in draws]
        found = explain(Net(), fresh_input(), targets())
        torch.testing.assert_close(found, torch.stack(want).mean(0), rtol=0, atol=1e-10)

    def test_ig_smoothgrad_lights_a_black_background(self) -> None:
        x = fresh_input()
        x[:, :, :, :4] = 0.0
        assert not hp.integrated_gradients(Net(), x, targets(), steps=4)[..., :4].any()
        assert hp.ig_smoothgrad(Net(), x, targets(), n=2)[..., :4].any()

    def test_captums_own_noise_agrees_within_its_error(self) -> None:
        x, n = fresh_input(1), 400
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            peer = NoiseTunnel(Saliency(Net())).attribute(
                x, nt_type="smoothgrad", nt_samples=n, stdevs=float(SIGMA * (x.max() - x.min())), target=2, abs=False
            )
        y = torch.tensor([2])
        found = hp.smooth(hp.gradient, n=n, sigma=SIGMA)(Net(), x, y)
        error = (2 * hp.vargrad(hp.gradient, n=n, sigma=SIGMA)(Net(), x, y) / n).sqrt()
        z = (found - peer) / error.clamp_min(1e-9)
        assert z.square().mean() < 2, "128 squared differences, each 1 in the mean"


class TestNested:
    """Noise on noise must be other noise: the same twice would only widen the first."""

    @pytest.mark.parametrize(
        "outer", [hp.smooth, hp.vargrad, lambda m, **o: hp.smooth(hp.compete(hp.times_input(m)), **o)]
    )
    def test_inner_noise_is_not_the_outer(self, outer: Any) -> None:
        seen: list[Tensor] = []

        def spy(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
            seen.append(inputs.detach().clone())
            return inputs

        x = fresh_input()
        outer(hp.smooth(spy, n=2), n=2)(Net(), x, targets(), seed=3, index=torch.tensor([7, 2, 40]))
        outer(spy, n=2)(Net(), x, targets(), seed=3, index=torch.tensor([7, 2, 40]))
        nested, flat = seen[: 2 * len(seen) // 3], seen[2 * len(seen) // 3 :]
        step = len(flat) // 2
        inner = [y - flat[i // (2 * step) * step] for i, y in enumerate(nested)]
        outside = [y - x for y in flat]
        for a in (inner[0], inner[-1]):
            for b in outside:
                both = torch.stack([a.flatten(), b.flatten()])
                assert abs(torch.corrcoef(both)[0, 1]) < 0.25, "384 values: one standard error is 0.05"
        both = torch.stack([inner[0].flatten(), inner[2 * step].flatten()])
        assert abs(torch.corrcoef(both)[0, 1]) < 0.25, "the draws outside must not share theirs inside"

    def test_still_independent_of_the_batch(self) -> None:
        explain, x, places = hp.smooth(hp.ig_smoothgrad, n=2), fresh_input(), torch.tensor([7, 2, 40])
        explain = configure(hp.smooth(hp.smooth(hp.gradient, n=2), n=2), seed=5)
        together = explain(Net(), x, targets(), index=places)
        alone = explain(Net(), x[1:2], targets()[1:2], index=places[1:2])
        torch.testing.assert_close(together[1:2], alone, rtol=0, atol=1e-12)
        assert torch.equal(explain(Net(), x, targets(), index=places), together)


NOISY = [hp.random_map, hp.smooth(hp.gradient, n=2), hp.times_input(hp.random_map), hp.compete(hp.smoothgrad)]


class TestSeedAndIndex:
    @pytest.mark.parametrize("explain", NOISY, ids=name_of)
    def test_same_noise_for_equal_values(self, explain: Any) -> None:
        want = explain(Net(), fresh_input(), targets(), seed=3, index=torch.tensor([7, 2, 40]))
        for seed in (3, np.int64(3), torch.tensor(3)):
            for index in (
                [7, 2, 40],
                np.array([7, 2, 40]),
                torch.tensor([7.0, 2.0, 40.0]),
                torch.tensor([7, 2, 40]).int(),
            ):
                assert torch.equal(explain(Net(), fresh_input(), targets(), seed=seed, index=index), want)

    @pytest.mark.parametrize("explain", NOISY, ids=name_of)
    @pytest.mark.parametrize(
        "index",
        [torch.arange(2), torch.arange(5), torch.zeros(3, 1).long(), torch.tensor(1), [0.5, 1, 2], [True, False, True],
         "abc", 3, torch.tensor([float("nan"), 1, 2]), [1, [2], 3]],
        ids=str,
    )  # fmt: skip
    def test_bad_index(self, explain: Any, index: Any) -> None:
        with pytest.raises(hp.InputError, match="index"):
            explain(Net(), fresh_input(), targets(), index=index)

    @pytest.mark.parametrize("explain", NOISY[:2], ids=name_of)
    @pytest.mark.parametrize("seed", ["x", None, 1.5, True, np.array([1, 2])], ids=str)
    def test_bad_seed(self, explain: Any, seed: Any) -> None:
        with pytest.raises(hp.InputError, match="seed"):
            explain(Net(), fresh_input(), targets(), seed=seed)


class TestMemory:
    def test_draws_of_a_users_callable_leave_no_graph(self) -> None:
        graphs: list[weakref.ref[Any]] = []
        alive: list[int] = []

        def mine(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
            gc.collect()
            alive.append(sum(ref() is not None for ref in graphs))
            out = model(inputs.requires_grad_())
            graphs.append(weakref.ref(out))
            return out.sum() * inputs

        maps = hp.smooth(mine, n=6)(Net(), fresh_input(), targets())
        assert max(alive) <= 1
        assert not maps.requires_grad


class TestLinear:
    @pytest.mark.parametrize("scale", [1e-12, 1e-3, 1.0, 1e6])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_exact_at_any_scale(self, scale: float, dtype: torch.dtype) -> None:
        """T-S1-2 and peers.md section 5: SmoothGrad = w, VarGrad = 0, to the bit; captum's goes negative."""
        net, x, y = of_linear(scale)
        net, x = net.to(dtype), x.to(dtype)
        weight = net.weight.detach()[y]
        assert torch.equal(hp.smoothgrad(net, x, y), weight)
        assert torch.equal(hp.smoothgrad_squared(net, x, y), weight.square())
        assert torch.equal(hp.vargrad(hp.gradient)(net, x, y), torch.zeros_like(x))

    @pytest.mark.parametrize("sigma", [1e-7, 1e-4, 0.15])
    def test_variance_is_never_negative(self, sigma: float) -> None:
        maps = hp.vargrad(hp.gradient_x_input, sigma=sigma)(Net(dtype=torch.float32), fresh_input(dtype=torch.float32))
        assert (maps >= 0).all()
        assert maps.any()

    def test_low_precision_is_summed_in_float32(self) -> None:
        maps = [torch.tensor([[float(i)]], dtype=torch.bfloat16) for i in (1, 2, 3, 4) for _ in range(500)]
        assert abs(mean_of(maps).item() - 2.5) < 0.01
        assert abs(variance_of(maps).item() - 1.25) < 0.005
        assert mean_of(maps).dtype == torch.bfloat16


class TestProducts:
    def test_times_input(self) -> None:
        found = hp.times_input(hp.gradient)(Net(), fresh_input(), targets())
        assert torch.equal(found, hp.gradient_x_input(Net(), fresh_input(), targets()))

    def test_maps_without_channels_meet_every_channel(self) -> None:
        rows = torch.stack([targets(), (targets() + 1) % 5])
        found = hp.times_input(hp.gradcam)(Net(), fresh_input(), rows)
        assert torch.equal(found, hp.gradcam(Net(), fresh_input(), rows) * fresh_input())
        assert found.shape == (2, 3, 2, 8, 8)
        assert torch.equal(hp.input_x_edge(Net(), fresh_input()), hp.edge_map(Net(), fresh_input()) * fresh_input())

    def test_noise_times_input_follows_seed_and_index(self) -> None:
        x, index = fresh_input(), torch.tensor([5, 1, 8])
        for seed in (0, 4):
            want = hp.random_map(Net(), x, seed=seed, index=index) * x
            assert torch.equal(hp.input_x_random(Net(), x, seed=seed, index=index), want)
        assert torch.equal(hp.input_x_random(Net(), x), hp.random_map(Net(), x) * x)

    def test_a_callable_of_the_users_gets_copies(self) -> None:
        def mine(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
            inputs.zero_()
            return inputs + 1

        for explain in (hp.times_input(mine), hp.smooth(mine, n=2), hp.vargrad(mine, n=2)):
            x = fresh_input()
            explain(Net(), x)
            assert torch.equal(x, fresh_input())
        assert torch.equal(hp.times_input(mine)(Net(), fresh_input()), fresh_input())


class TestKnown:
    def test_controls_stay_controls(self) -> None:
        assert spec_of(hp.input_x_random).control_noise
        assert not spec_of(hp.input_x_random).uses_model
        assert not spec_of(hp.input_x_edge).uses_model
        assert spec_of(hp.input_x_edge).channels

    def test_squares_are_not_signed_and_not_linear(self) -> None:
        for explain in (hp.smoothgrad_squared, hp.vargrad(hp.gradient)):
            spec = spec_of(explain)
            assert (spec.signed, spec.linear_in_target, spec.complete, spec.noise) == (False, False, False, True)
        assert spec_of(hp.smoothgrad).linear_in_target

    def test_text_and_effort(self) -> None:
        assert repr(hp.vargrad(hp.gradient)) == "vargrad(gradient)"
        assert repr(hp.vargrad(hp.gradient, n=50)) == "vargrad(gradient, n=50)"
        assert repr(hp.smooth_squared(hp.gradient, n=50, sigma=0.1)) == "smooth_squared(gradient, sigma=0.1)"
        assert effort_of(hp.vargrad(hp.gradient)) == (25, False)
        assert effort_of(hp.smoothgrad_squared) == (50, False)
        assert effort_of(hp.smooth(hp.gradient, n=5)) == (5, True)

    @pytest.mark.parametrize(
        "options", [{"n": 0}, {"n": 2.5}, {"sigma": -1.0}, {"sigma": float("nan")}, {"sigma": "1"}]
    )
    @pytest.mark.parametrize("family", [hp.smooth, hp.smooth_squared, hp.vargrad])
    def test_bad_options(self, family: Any, options: Any) -> None:
        with pytest.raises(hp.InputError, match="n >= 1"):
            family(hp.gradient, **options)(Net(), fresh_input(), targets())
