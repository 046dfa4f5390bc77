"""Class sensitivity: the attack against closed forms and autograd, similarities against scipy, the bench against both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

import heatproof as hp
from heatproof.checks.subject import Subject
from heatproof.engine.model import own
from heatproof.errors import InputError, ModelError
from heatproof.faithfulness.adversarial import attacked, fgsm
from heatproof.faithfulness.class_sensitivity import class_sensitivity
from heatproof.faithfulness.class_sensitivity_bench import KIND
from heatproof.faithfulness.kind import Batch, Bench
from heatproof.similarity.metrics import KINDS as METRICS
from heatproof.types import Explain
from nets import Net, fresh_input

EPS = 0.05


def linear(seed: int = 0, dtype: torch.dtype = torch.float64, classes: int = 3, side: int = 6) -> nn.Sequential:
    model = nn.Sequential(nn.Flatten(), nn.Linear(side * side, classes, dtype=dtype)).eval()
    draw = torch.Generator().manual_seed(seed)
    model[1].weight.data = torch.randn(classes, side * side, generator=draw, dtype=torch.float64).to(dtype)
    model[1].bias.data = torch.randn(classes, generator=draw, dtype=torch.float64).to(dtype)
    return model


def images(count: int = 12, seed: int = 1, side: int = 6) -> Tensor:
    return 0.3 * torch.randn(count, 1, side, side, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def raises(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    raise ValueError("a method of the user's")


def test_fgsm_of_a_linear_model_is_its_closed_form() -> None:  # T-S3-15
    model, x = linear(), images()
    target = torch.arange(12) % 3
    logits = model(x).detach().numpy()
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    w = model[1].weight.detach().numpy()
    slope = p @ w - w[target]  # gradient of -log p_target
    expected = x.numpy() + EPS * np.sign(slope).reshape(x.shape)
    np.testing.assert_allclose(fgsm(model, x, target, EPS).numpy(), expected, rtol=0, atol=1e-15)


def test_the_attack_keeps_its_direction_where_the_class_is_certain() -> None:
    model = linear(dtype=torch.float32)
    model[1].bias.data = torch.tensor([60.0, 1.0, 0.0])  # 1 - p rounds to 0: the cross-entropy loses w_target
    x = images().float()
    w = model[1].weight.detach().double().numpy()
    others = np.exp(model(x).detach().double().numpy()[:, 1:])
    slope = (others / others.sum(1, keepdims=True)) @ w[1:] - w[0]
    got = (fgsm(model, x, torch.zeros(12, dtype=torch.int64), EPS) - x).sign().numpy()
    np.testing.assert_array_equal(got, np.sign(slope).reshape(x.shape))


@pytest.mark.parametrize(("steps", "clip"), [(1, ()), (3, ()), (2, (-0.5, 0.4))])
def test_fgsm_of_a_network_follows_its_cross_entropy(steps: int, clip: tuple[float, ...]) -> None:
    model, x = Net(), fresh_input(4)
    target = model(x).argmax(1)
    at = x
    for _ in range(steps):
        leaf = at.detach().clone().requires_grad_()
        slope = torch.autograd.grad(nn.functional.cross_entropy(model(leaf), target, reduction="sum"), leaf)[0]
        at = at + EPS / steps * slope.sign()
        at = at.clamp(*clip) if clip else at
    torch.testing.assert_close(fgsm(model, x, target, EPS, steps, clip), at, rtol=0, atol=1e-15)


def test_a_linear_model_flips_where_its_margin_is_less_than_the_attack_takes() -> None:
    model, x = linear(classes=2), images(40)
    w, logits = model[1].weight.detach(), model(x).detach()
    target = logits.argmax(1)
    gap = logits.amax(1) - logits.amin(1)
    flips = gap < EPS * (w[0] - w[1]).abs().sum()
    found = class_sensitivity(model, x, hp.gradient, eps=EPS)
    assert 5 < int(flips.sum()) < 35
    assert torch.equal(found.flipped, flips)
    assert torch.equal(found.predicted, torch.where(flips, 1 - target, target))
    rho = spearmanr(w[0], w[1]).statistic
    flipped, drop = found.similarity_flipped["spearman"], found.drop["spearman"]
    np.testing.assert_allclose(flipped[flips], rho, rtol=0, atol=1e-12)
    assert flipped[~flips].isnan().all()
    assert torch.equal(found.similarity_steady["spearman"].isfinite(), ~flips)
    assert (found.similarity_steady["spearman"][~flips] == 1).all()
    control = found.similarity_control["spearman"]
    assert (control[control.isfinite()] == 1).all()  # a gradient of a linear model knows no image
    both = flips & control.isfinite()
    np.testing.assert_allclose(drop[both], 1 - rho, rtol=0, atol=1e-12)
    assert drop[~both].isnan().all()


def test_similarities_are_those_of_the_maps_by_hand() -> None:
    model, x = Net(), fresh_input(8)
    found = class_sensitivity(model, x, hp.gradient_x_input, eps=0.03, similarity=("spearman_abs", "ssim"), chunk=3)
    clean = hp.gradient_x_input(model, x)
    after = hp.gradient_x_input(model, found.adversarial, found.predicted)
    assert found.flipped.any()
    assert not found.flipped.all()
    for name, values in (("spearman_abs", hp.spearman(clean, after, absolute=True)), ("ssim", hp.ssim(clean, after))):
        f = found.flipped
        torch.testing.assert_close(found.similarity_flipped[name][f], values[f], rtol=0, atol=1e-12)
        torch.testing.assert_close(found.similarity_steady[name][~f], values[~f], rtol=0, atol=1e-12)


def test_the_control_changes_every_value_as_much_by_signs_of_its_own() -> None:
    model, x = Net(), fresh_input(6)
    batch = Batch(torch.arange(6), x, model(x).argmax(1), None)
    attack = attacked(own(model), batch, EPS, 1, (), seed=0)
    torch.testing.assert_close((attack.control - x).abs(), (attack.x - x).abs(), rtol=0, atol=1e-15)
    agree = ((attack.control - x).sign() == (attack.x - x).sign()).double().mean()
    assert abs(agree - 0.5) < 4 * 0.5 / (6 * 128) ** 0.5
    other = attacked(own(model), batch, EPS, 1, (), seed=1)
    assert not torch.equal(other.control, attack.control)
    assert torch.equal(other.x, attack.x)


def test_images_of_another_class_from_the_start_have_no_value() -> None:
    model, x = linear(), images()
    wrong = (model(x).argmax(1) + 1) % 3
    found = class_sensitivity(model, x, hp.gradient, wrong, eps=1.0)
    assert not found.flipped.any()
    similarities = (found.similarity_flipped, found.similarity_steady, found.similarity_control)
    for values in (*similarities, found.drop, found.class_change):
        assert values["spearman"].isnan().all()


def test_a_random_map_is_drawn_anew_and_an_edge_map_hardly_moves() -> None:
    model, x = linear(side=16), images(side=16)
    random = class_sensitivity(model, x, hp.random_map, eps=EPS)
    for values in (random.similarity_flipped, random.similarity_control):
        seen = values["spearman"][values["spearman"].isfinite()]
        assert len(seen) > 3
        assert seen.abs().max() < 5 / 255**0.5
    edges = class_sensitivity(model, x, hp.edge_map, eps=1e-4).similarity_control["spearman"]
    assert edges.nanmean() > 0.99


def test_neither_chunk_nor_batch_mates_change_a_result() -> None:
    model, x = Net(), fresh_input(5)
    explain = hp.smooth(hp.gradient, n=2)
    whole = class_sensitivity(model, x, explain, eps=0.3, chunk=5)
    for i in range(5):
        one = class_sensitivity(model, x[i : i + 1], explain, eps=0.3, chunk=2, index=torch.tensor([i]))
        for part in ("similarity_flipped", "similarity_steady", "similarity_control", "drop", "class_change"):
            for metric, value in getattr(one, part).items():
                expected = getattr(whole, part)[metric][i : i + 1]
                torch.testing.assert_close(value, expected, rtol=0, atol=1e-10, equal_nan=True)


def test_the_model_is_left_as_it_was() -> None:
    model, x = Net(), fresh_input(2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    given = x.clone()
    with pytest.raises(ValueError, match="user's"):
        class_sensitivity(model, x, raises)
    class_sensitivity(model, x, hp.gradient)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(x, given)
    assert all(p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


@pytest.mark.parametrize("method", [hp.edge_map, hp.random_map, hp.input_map])
def test_a_map_that_knows_no_class_has_no_class_change(method: Explain) -> None:
    found = class_sensitivity(
        linear(classes=2, side=16), images(40, side=16), method, eps=0.01, similarity=tuple(METRICS)
    )
    assert 5 < int(found.flipped.sum()) < 40
    assert set(found.class_change) == set(METRICS)
    for values in found.class_change.values():
        assert (values[found.flipped] == 0).all()
        assert values[~found.flipped].isnan().all()


def test_the_class_change_of_a_linear_model_is_that_of_its_weights() -> None:
    model, x = linear(), images(40)
    w, target = model[1].weight.detach().reshape(3, 1, 6, 6), model(x).argmax(1)
    found = class_sensitivity(model, x, hp.gradient, eps=EPS)
    for metric, similarity in (("spearman", hp.spearman), ("ssim", hp.ssim)):
        expected = (1 - similarity(w[found.predicted], w[target])).masked_fill(~found.flipped, torch.nan)
        np.testing.assert_array_equal(found.class_change[metric], expected)
    model[1].weight.data[0] = 0  # the map of class 0 is constant
    found = class_sensitivity(model, x, hp.gradient, eps=EPS)
    flat = (found.predicted == 0) | (model(x).argmax(1) == 0)
    assert (found.flipped & flat).any()
    assert torch.equal(found.class_change["spearman"].isfinite(), found.flipped & ~flat)


def test_the_class_change_is_under_one_noise() -> None:
    model, x = Net(), fresh_input(8)
    found = class_sensitivity(model, x, hp.smooth(hp.gradient, n=2), eps=0.03, similarity=("spearman",), chunk=8)
    new, old = (hp.smooth(hp.gradient, n=2)(model, found.adversarial, t) for t in (found.predicted, model(x).argmax(1)))
    f = found.flipped
    assert f.any()
    torch.testing.assert_close(found.class_change["spearman"][f], 1 - hp.spearman(new, old)[f], rtol=0, atol=1e-12)


def test_clipping_takes_no_more_of_the_control_than_of_the_attack() -> None:
    model = Net()
    x = fresh_input(6).clamp(-0.5, 0.4)
    batch = Batch(torch.arange(6), x, model(x).argmax(1), None)
    attack = attacked(own(model), batch, EPS, 1, (-0.5, 0.4), seed=0)
    torch.testing.assert_close((attack.control - x).abs(), (attack.x - x).abs(), rtol=0, atol=1e-15)
    assert attack.control.min() >= -0.5
    assert attack.control.max() <= 0.4
    free = (x.abs() < 0.4 - EPS).logical_and(attack.x != x)
    agree = ((attack.control - x).sign() == (attack.x - x).sign())[free].double().mean()
    assert abs(agree - 0.5) < 4 * 0.5 / int(free.sum()) ** 0.5


def test_a_bench_in_which_nothing_flips_says_so(tmp_path: Path) -> None:
    given: dict[str, Any] = {"methods": ("gradient",), "similarity": ("spearman",), "chunk": 4, "threads": 1}
    model, x = linear(dtype=torch.float32), images(5).float()
    calm = hp.bench("adversarial", model, x, eps=1e-6, out=tmp_path / "calm", **given)
    assert [w for w in calm.results.config["warnings"] if "0 of 5 images flipped: raise eps (--eps)" in w]
    flips = hp.bench("adversarial", model, x, eps=1.0, out=tmp_path / "flips", **given)
    assert not [w for w in flips.results.config["warnings"] if "flipped" in w]
    wrong = (model(x).argmax(1) + 1) % 3
    none = hp.bench("adversarial", model, x, wrong, eps=1.0, out=tmp_path / "none", **given)
    assert [w for w in none.results.config["warnings"] if "none of the 5 images" in w]


def test_the_headline_is_what_only_the_class_changes() -> None:
    measures = KIND.measures(KIND.options(similarity=("spearman", "ssim")))
    assert list(measures)[:3] == ["class_change:spearman", "class_change:ssim", "flips"]
    assert {name for name, m in measures.items() if m.better} == {"class_change:spearman", "class_change:ssim"}


def test_the_bench_says_what_the_function_says() -> None:
    model, x = linear(classes=2), images(5)
    target = model(x).argmax(1)
    methods = {"gradient": hp.gradient, "broken": raises, "random_map": hp.random_map}
    subject = Subject(own(model), x, target, methods, (), hp.logit, (), x, chunk=4, seed=3)
    options = KIND.options(eps=EPS, similarity=("spearman",))
    record = KIND.work(Bench(subject, KIND.name, options), [1, 2, 4])
    rows = {(r[0], r[3], r[4]): (r[6], r[7]) for r in record.rows}
    for name in ("gradient", "random_map"):
        found = class_sensitivity(model, x, methods[name], eps=EPS, similarity=("spearman",), seed=3, chunk=4)
        for i in (1, 2, 4):
            for kind in ("flipped", "steady", "control"):
                value = float(getattr(found, f"similarity_{kind}")["spearman"][i])
                np.testing.assert_equal(rows[name, f"{kind}:spearman", i][0], value)
            for kind in ("drop", "class_change"):
                np.testing.assert_equal(
                    rows[name, f"{kind}:spearman", i][0], float(getattr(found, kind)["spearman"][i])
                )
            assert rows[name, "flips", i] == (float(found.flipped[i]), "ok")
    assert {r[3] for r in record.rows if r[0] == "gradient"} == set(KIND.measures(options))
    assert {(r[4], r[7]) for r in record.rows if r[0] == "broken"} == {(i, "failed") for i in (1, 2, 4)}


@pytest.mark.parametrize(
    "options", [{"eps": 0.0}, {"eps": float("nan")}, {"steps": 0}, {"clip": (1.0, 0.0)}, {"similarity": ("nothing",)}]
)
def test_bad_options_raise(options: dict[str, object]) -> None:
    with pytest.raises(InputError):
        class_sensitivity(linear(), images(2), hp.gradient, **options)


def test_a_model_of_one_output_has_no_class_to_flip() -> None:
    with pytest.raises(ModelError, match="needs logits"):
        fgsm(linear(classes=1), images(2), torch.zeros(2, dtype=torch.int64))
    with pytest.raises(InputError, match="chunk"):
        class_sensitivity(linear(), images(2), hp.gradient, chunk=0)
    with pytest.raises(InputError, match="one class an image"):
        class_sensitivity(linear(), images(2), hp.gradient, torch.zeros(2, 2, dtype=torch.int64))
