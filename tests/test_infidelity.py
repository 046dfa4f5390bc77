"""Infidelity and max-sensitivity: Captum under the same perturbations, linear models in closed form, benches by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum.metrics import infidelity as captum_infidelity
from captum.metrics import sensitivity_max
from torch import Tensor, nn

import heatproof as hp
from heatproof.checks.subject import Subject
from heatproof.engine.model import own
from heatproof.errors import InputError
from heatproof.faithfulness import infidelity_bench, sensitivity
from heatproof.faithfulness.infidelity import infidelity
from heatproof.faithfulness.kind import Batch, Bench
from heatproof.faithfulness.perturbations import Perturbing, perturbed
from heatproof.faithfulness.sensitivity import Ball, max_sensitivity, neighbours
from nets import Net, fresh_input


def linear(seed: int = 0) -> nn.Sequential:
    model = nn.Sequential(nn.Flatten(), nn.Linear(128, 3, dtype=torch.float64)).eval()
    model[1].weight.data = torch.randn(3, 128, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return model


def raises(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    raise ValueError("a method of the user's")


def square(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    return inputs**2


def one_in_four(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    """Zero, infinite and ordinary maps."""
    maps = inputs.clone()
    maps[0], maps[1] = 0, float("inf")
    return maps


def draws(x: Tensor, target: Tensor, options: Perturbing, fill: float = 0.0, seed: int = 0) -> Tensor:
    """Perturbed images, ``(samples, B, C, H, W)``."""
    batch = Batch(torch.arange(len(x)), x, target, None)
    return torch.stack([p for p, _ in perturbed(batch, options, torch.full_like(x, fill), seed)])


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("kind", ["gaussian", "square"])
def test_infidelity_is_captums_under_the_same_perturbations(kind: str, normalize: bool) -> None:
    model, x = Net(), fresh_input(3)
    target = torch.tensor([0, 3, 1])
    maps = hp.gradient(model, x, target)
    options = Perturbing(kind, samples=7)
    after = draws(x, target, options, fill=0.5).transpose(0, 1).flatten(0, 1)  # sample by sample, as Captum expands

    def same(inputs: Tensor) -> tuple[Tensor, Tensor]:
        return inputs - after, after

    expected = captum_infidelity(model, same, x, maps, target=target, n_perturb_samples=7, normalize=normalize)
    found = infidelity(model, x, maps, target, perturbation=kind, samples=7, fill=0.5, chunk=3)
    torch.testing.assert_close(found.scaled if normalize else found.raw, expected.detach(), rtol=1e-9, atol=1e-12)


def test_the_three_numbers_by_a_loop_over_perturbations() -> None:
    model, x = Net(), fresh_input(3)
    target = torch.tensor([0, 3, 1])
    maps = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    options = Perturbing("square", samples=6, reading="attribution", square=0.5)
    after = draws(x, target, options, fill=9.0, seed=2)
    found = infidelity(
        model, x, maps, target, perturbation="square", samples=6, size=0.5, reading="attribution", fill=9.0, seed=2
    )
    for i, t in enumerate(target.tolist()):
        s, d = np.zeros(6), np.zeros(6)
        for k in range(6):
            gone = (after[k, i] == 9.0).all(0)
            assert int(gone.sum()) == 16
            s[k] = float(maps[i, 0][gone].sum())
            d[k] = float((model(x[i : i + 1]) - model(after[k, i : i + 1])).detach()[0, t])
        beta = (s @ d) / (s @ s)
        assert float(found.raw[i]) == pytest.approx(((s - d) ** 2).mean(), rel=1e-9)
        assert float(found.scaled[i]) == pytest.approx(((beta * s - d) ** 2).mean(), rel=1e-9)
        assert float(found.agreement[i]) == pytest.approx((s @ d) / np.sqrt((s @ s) * (d @ d)), rel=1e-9)


@pytest.mark.parametrize("kind", ["gaussian", "square"])
def test_the_gradient_foretells_a_linear_model_and_its_scale_and_sign_count_as_said(kind: str) -> None:
    model, x = linear(), fresh_input(4)
    maps = hp.gradient(model, x)
    exact = infidelity(model, x, maps, perturbation=kind)
    torch.testing.assert_close(exact.raw, torch.zeros(4).double(), rtol=0, atol=1e-20)
    for factor in (3.0, -0.5):
        found = infidelity(model, x, factor * maps, perturbation=kind)
        torch.testing.assert_close(found.scaled, torch.zeros(4).double(), rtol=0, atol=1e-20)
        torch.testing.assert_close(found.agreement, torch.full((4,), float(np.sign(factor))).double())
        assert (found.raw > 0.01).all()


def test_gaussian_noise_on_a_linear_model_has_its_expectation() -> None:
    """s - d = <Phi - w, I> with I of standard deviation sigma times the range: E = sigma^2 range^2 |Phi - w|^2."""
    model, x = linear(), fresh_input(2)
    target = torch.tensor([0, 1])
    maps = torch.zeros_like(x)
    found = infidelity(model, x, maps, target, samples=4000, sigma=0.2, chunk=2)
    scale = 0.2 * (x.flatten(1).amax(1) - x.flatten(1).amin(1))
    expected = scale**2 * model[1].weight.detach()[target].square().sum(1)
    assert ((found.raw / expected - 1).abs() < 5 * (2 / 4000) ** 0.5).all()
    assert torch.equal(found.raw, found.scaled)  # a map of zeros foretells nothing at any scale
    assert found.agreement.isnan().all()


def test_squares_are_placed_everywhere_alike() -> None:
    x = torch.ones(1, 1, 4, 6)
    options = Perturbing("square", samples=3000, square=0.5)
    batch = Batch(torch.tensor([0]), x, torch.tensor([0]), None)
    corners = [tuple(gone[0, 0].nonzero()[0].tolist()) for _, gone in perturbed(batch, options, x * 0, 0)]
    counts = np.array([corners.count((top, left)) for top in range(3) for left in range(5)])
    assert counts.sum() == 3000
    assert (np.abs(counts - 200) < 5 * np.sqrt(200 * 14 / 15)).all()


def test_max_sensitivity_is_captums_under_the_same_perturbations() -> None:
    model, x = Net(), fresh_input(3)
    target = torch.tensor([0, 3, 1])
    batch = Batch(torch.arange(3), x, target, None)
    near = torch.stack([b.x for b in neighbours(batch, Ball(0.1, 5), 4)]).transpose(0, 1).flatten(0, 1)

    def explain(inputs: Tensor | tuple[Tensor], target: Tensor) -> tuple[Tensor]:
        with torch.enable_grad():
            leaf = (inputs[0] if isinstance(inputs, tuple) else inputs).detach().clone().requires_grad_()
            return torch.autograd.grad(model(leaf).gather(1, target[:, None]).sum(), leaf)

    expected = sensitivity_max(explain, x, lambda inputs: near, n_perturb_samples=5, target=target)
    found = max_sensitivity(model, x, hp.gradient, target, radius=0.1, samples=5, seed=4, chunk=3)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def test_the_ball_is_a_cube_filled_evenly() -> None:
    batch = Batch(torch.arange(4), torch.zeros(4, 2, 8, 8), torch.zeros(4).long(), None)
    step = torch.stack([b.x for b in neighbours(batch, Ball(0.5, 10), 0)])
    assert step.abs().max() <= 0.5
    assert step.min() < -0.49
    assert step.max() > 0.49
    assert abs(float(step.double().var()) - 0.25 / 3) < 0.004


def test_max_sensitivity_of_maps_with_known_change() -> None:
    model, x = linear(), fresh_input(4)
    for explain, expected in ((hp.gradient, 0.0), (hp.smooth(hp.gradient, n=2), 0.0)):  # linear: the map is w
        torch.testing.assert_close(max_sensitivity(model, x, explain), torch.full((4,), expected).double())
    batch = Batch(torch.arange(4), x, torch.zeros(4).long(), None)
    moves = [((b.x**2 - x**2).flatten(1).norm(dim=1)) for b in neighbours(batch, Ball(), 0)]
    expected = torch.stack(moves).amax(0) / (x**2).flatten(1).norm(dim=1)
    torch.testing.assert_close(max_sensitivity(model, x, square, chunk=4), expected, rtol=1e-12, atol=0)
    noise = hp.smooth(hp.gradient_x_input, n=2)  # the same noise around: the map moves as its image does
    assert (max_sensitivity(model, x, noise, radius=1e-6) < 1e-5).all()
    assert (max_sensitivity(model, x, hp.random_map) > 1).all()  # a control draws anew: sqrt(2) at least about


def test_maps_that_are_zero_or_not_finite_have_no_value() -> None:
    model, x = linear(), fresh_input(4)
    found = max_sensitivity(model, x, one_in_four, chunk=4)
    assert found.isnan().tolist() == [True, True, False, False]
    maps = one_in_four(model, x, torch.zeros(4))
    given = infidelity(model, x, maps, torch.zeros(4).long(), chunk=4)
    assert given.raw.isnan().tolist() == [False, True, False, False]


def test_neither_chunk_nor_batch_mates_change_a_result() -> None:
    model, x = Net(), fresh_input(5)
    maps, explain = hp.gradient(model, x), hp.smooth(hp.gradient, n=2)
    whole = infidelity(model, x, maps, perturbation="square", samples=4, chunk=5).raw
    worst = max_sensitivity(model, x, explain, samples=2, chunk=5)
    for i in range(5):
        one, place = slice(i, i + 1), torch.tensor([i])
        part = infidelity(model, x[one], maps[one], perturbation="square", samples=4, chunk=2, index=place).raw
        torch.testing.assert_close(part, whole[one], rtol=1e-9, atol=1e-12)
        near = max_sensitivity(model, x[one], explain, samples=2, chunk=2, index=place)
        torch.testing.assert_close(near, worst[one], rtol=1e-9, atol=1e-12)


def test_the_benches_say_what_the_functions_say() -> None:
    model, x = Net(), fresh_input(4)
    target = model(x).argmax(1)
    methods = {"gradient": hp.gradient, "gradcam": hp.gradcam, "raises": raises}
    black = torch.tensor([0.5, -0.5])
    subject = Subject(own(model), x, target, methods, (), hp.logit, (), x, chunk=4, seed=3, black=black)
    shard = [0, 2, 3]
    kind = infidelity_bench.KIND
    options = kind.options(perturbation="square", samples=3)
    record = kind.work(Bench(subject, kind.name, options), shard)
    rows = {(r[0], r[3], r[4]): r[6] for r in record.rows}
    ball = sensitivity.KIND
    near = ball.work(Bench(subject, ball.name, ball.options(samples=3)), shard)
    moves = {(r[0], r[3], r[4]): r[6] for r in near.rows}
    for name in ("gradient", "gradcam"):
        maps = methods[name](model, x, target)
        fill = black.reshape(2, 1, 1)
        found = infidelity(model, x, maps, target, perturbation="square", samples=3, fill=fill, seed=3)
        worst = max_sensitivity(model, x, methods[name], target, samples=3, seed=3, chunk=4)
        for i in shard:
            for metric, value in (("infidelity", found.raw), ("infidelity:scaled", found.scaled)):
                assert rows[name, metric, i] == pytest.approx(float(value[i]), rel=1e-9)
            assert rows[name, "agreement", i] == pytest.approx(float(found.agreement[i]), rel=1e-9)
            assert moves[name, "max_sensitivity", i] == pytest.approx(float(worst[i]), rel=1e-9)
    for made, rule, chosen in ((record, kind, options), (near, ball, ball.options())):
        assert {r[3] for r in made.rows if r[0] == "gradient"} == set(rule.measures(chosen))
        assert {(r[4], r[7]) for r in made.rows if r[0] == "raises"} == {(i, "failed") for i in shard}


def test_the_model_is_left_as_it_was() -> None:
    model, x = Net(), fresh_input(2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    infidelity(model, x, hp.gradient(model, x), samples=2)
    with pytest.raises(ValueError, match="user's"):
        max_sensitivity(model, x, raises)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


@pytest.mark.parametrize(
    "options",
    [
        {"perturbation": "blur"},
        {"reading": "sum"},
        {"reading": "attribution"},
        {"samples": 1},
        {"sigma": 0.0},
        {"size": 1.5},
    ],
)
def test_bad_options_raise(options: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"expected|give"):
        infidelity(linear(), fresh_input(2), fresh_input(2), **options)


def test_bad_balls_and_maps_raise() -> None:
    for options in ({"radius": 0.0}, {"samples": 0}, {"radius": float("inf")}):
        with pytest.raises(InputError, match="expected"):
            max_sensitivity(linear(), fresh_input(2), hp.gradient, **options)
    with pytest.raises(InputError, match="one an image"):
        infidelity(linear(), fresh_input(2), fresh_input(3))
