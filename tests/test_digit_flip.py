"""Digit flipping: a linear model of three classes in closed form, a loop in numpy, and the bench beside the function."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import heatproof as hp
from heatproof.checks.subject import Subject
from heatproof.engine.model import own
from heatproof.errors import InputError
from heatproof.faithfulness.digit_flip import digit_flip
from heatproof.faithfulness.digit_flip_bench import KIND
from heatproof.faithfulness.kind import Bench
from nets import Net, fresh_input


def linear(seed: int = 0, side: int = 6) -> nn.Sequential:
    model = nn.Sequential(nn.Flatten(), nn.Linear(side * side, 3, dtype=torch.float64)).eval()
    draw = torch.Generator().manual_seed(seed)
    model[1].weight.data = torch.randn(3, side * side, generator=draw, dtype=torch.float64)
    return model


def images(count: int = 5, side: int = 6) -> Tensor:
    return torch.rand(count, 1, side, side, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def raises(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    raise ValueError("a method of the user's")


def broken(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    maps = inputs.clone()
    maps[inputs.flatten(1).sum(1) > 18] = float("nan")
    return maps * (target + 1)[:, None, None, None]


@pytest.mark.parametrize("fill", [0.0, -0.7])
def test_a_linear_model_loses_its_largest_differences(fill: float) -> None:
    model, x, count = linear(), images(), round(0.2 * 36)
    w = model[1].weight.detach()
    evidence = ((w[0] - w[2]) * (x.flatten(1) - fill)).numpy()  # what a pixel gives to z_a - z_b over the fill
    top = np.sort(evidence, 1)[:, ::-1]
    found = digit_flip(model, x, lambda m, i, t: hp.gradient_x_input(m, i - fill, t), 0, 2, fill=fill, steps=1)
    np.testing.assert_allclose(found.change[:, 0], top[:, :count].sum(1), rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.removed, count / 36, rtol=0, atol=1e-15)
    whole = digit_flip(model, x, hp.gradient_x_input, 0, 2, fraction=1.0, steps=1)  # only what speaks for a goes
    positive = ((w[0] - w[2]) * x.flatten(1)).clamp(min=0)
    torch.testing.assert_close(whole.change[:, 0], positive.sum(1), rtol=0, atol=1e-12)
    torch.testing.assert_close(whole.removed, (positive > 0).double().mean(1), rtol=0, atol=1e-15)


def test_no_order_beats_the_exact_one_on_a_linear_model() -> None:
    model, x = linear(), images()
    best = digit_flip(model, x, hp.gradient_x_input, 0, 1).change
    for other in (hp.gradient, hp.random_map, hp.edge_map):
        assert (digit_flip(model, x, other, 0, 1).change <= best + 1e-12).all()


def test_the_curve_of_a_network_by_a_loop() -> None:
    model, x = Net(), fresh_input(3)
    found = digit_flip(model, x, hp.gradient_x_input, 4, 1, fraction=0.3, steps=3, fill=0.25, chunk=2)
    a, b = (hp.gradient_x_input(model, x, torch.full((3,), c)).detach().numpy() for c in (4, 1))
    assert found.levels == pytest.approx((0.1, 0.2, 0.3))
    for i in range(3):
        difference = (a[i] - b[i]).sum(0).ravel()
        order = [p for p in np.argsort(-difference) if difference[p] > 0]
        for k, level in enumerate((0.1, 0.2, 0.3)):
            changed = x[i].clone().reshape(2, -1)
            changed[:, order[: round(level * 64)]] = 0.25
            p, q = (model(v.reshape(1, 2, 8, 8)).log_softmax(1)[0].detach() for v in (x[i], changed))
            expected = (p[4] - p[1]) - (q[4] - q[1])
            assert float(found.change[i, k]) == pytest.approx(float(expected), abs=1e-10)
        assert float(found.removed[i]) == pytest.approx(min(len(order), round(0.3 * 64)) / 64)


def test_digits_of_28_pixels_lose_157() -> None:
    model, x = linear(side=28), images(2, side=28)
    assert (digit_flip(model, x, hp.gradient, 0, 1).removed * 784).tolist() == [157, 157]


def test_maps_blind_to_the_class_erase_nothing_and_random_maps_as_much_as_asked() -> None:
    model, x = linear(), images()
    blind = digit_flip(model, x, hp.edge_map, 0, 1)
    assert (blind.removed == 0).all()
    assert (blind.change == 0).all()
    random = digit_flip(model, x, hp.random_map, 0, 1)
    np.testing.assert_allclose(random.removed * 36, 7, rtol=0, atol=1e-12)
    assert not torch.equal(random.change, digit_flip(model, x, hp.random_map, 0, 1, seed=1).change)


def test_neither_chunk_nor_batch_mates_change_a_result() -> None:
    model, x = Net(), fresh_input(5)
    whole = digit_flip(model, x, hp.random_map, 0, 1, chunk=5).change
    for i in range(5):
        one = digit_flip(model, x[i : i + 1], hp.random_map, 0, 1, chunk=2, index=torch.tensor([i])).change
        torch.testing.assert_close(one, whole[i : i + 1], rtol=0, atol=1e-10)


def test_ties_are_the_image_s_own() -> None:
    def flat(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
        return torch.ones_like(inputs) * (2 - target)[:, None, None, None]

    x = images(1).expand(4, -1, -1, -1)
    found = digit_flip(linear(), x, flat, 0, 1, index=torch.tensor([3, 4, 5, 3])).change[:, -1]
    assert len(set(found.tolist())) == 3
    assert found[0] == found[3]


def test_maps_that_are_not_finite_have_no_value() -> None:
    x = images()
    bad = x.flatten(1).sum(1) > 18
    found = digit_flip(linear(), x, broken, 0, 1)
    assert 0 < int(bad.sum()) < 5
    assert torch.equal(found.change.isnan().all(1), bad)
    assert torch.equal(found.removed.isnan(), bad)


def test_the_bench_has_rows_of_the_class_it_starts_from_only() -> None:
    model, x = linear(), images(6)
    target = torch.tensor([0, 1, 0, 2, 1, 0])
    methods = {"gradient": hp.gradient, "random_map": hp.random_map, "raises": raises}
    subject = Subject(own(model), x, target, methods, (), hp.logit, (), x, chunk=4, black=torch.tensor([-0.5]))
    options = KIND.options(pairs=("0-1", "0-2", "1-2"), steps=2)
    bench = KIND.prepare(Bench(subject, KIND.name, options))
    assert bench.kept == (0, 1, 2, 4, 5)
    record = KIND.work(bench, [0, 1, 2, 4])
    rows = {(r[0], r[3], r[2], r[4]): r[6] for r in record.rows}
    places = [0, 1, 2, 4]  # of the prepared bench: targets 0, 1, 0, 0
    kept_x = bench.subject.images
    for pair, chosen in (("0-1", [0, 2, 4]), ("0-2", [0, 2, 4]), ("1-2", [1])):
        a, b = (int(c) for c in pair.split("-"))
        for name in ("gradient", "random_map"):
            index = torch.tensor(bench.kept)  # places in the data set, not among the images that are left
            found = digit_flip(model, kept_x, methods[name], a, b, steps=2, fill=-0.5, chunk=4, index=index)
            for i in places:
                assert ((name, f"logodds:{pair}", 0, i) in rows) == (i in chosen)
            for i in chosen:
                assert rows[name, f"logodds:{pair}", 0, i] == pytest.approx(float(found.change[i, -1]), abs=1e-12)
                assert rows[name, f"curve:{pair}", 1, i] == pytest.approx(float(found.change[i, 0]), abs=1e-12)
                assert rows[name, f"removed:{pair}", 0, i] == pytest.approx(float(found.removed[i]), abs=1e-15)
    assert {r[3] for r in record.rows if r[0] == "gradient"} == set(KIND.measures(options))
    assert KIND.levels(options) == pytest.approx((0.1, 0.2))
    assert {r[4] for r in record.rows if r[0] == "raises" and r[7] == "failed"} == {0, 1, 2, 4}


def test_a_bench_without_images_of_the_class_raises() -> None:
    x = images()
    subject = Subject(own(linear()), x, torch.zeros(5, dtype=torch.int64), {}, (), hp.logit, (), x)
    for pair in ("1-2", "0-7"):
        with pytest.raises(InputError, match=f"pair {pair}"):
            KIND.prepare(Bench(subject, KIND.name, KIND.options(pairs=(pair,))))


@pytest.mark.parametrize(
    "options",
    [{"pairs": ("8",)}, {"pairs": ("3-3",)}, {"pairs": ()}, {"pairs": ("8-3", "8-3")}, {"fraction": 0.0}, {"steps": 0}],
)
def test_bad_options_raise(options: dict[str, object]) -> None:
    with pytest.raises(InputError, match="expected"):
        KIND.options(**options)


def test_a_class_that_the_model_lacks_raises() -> None:
    with pytest.raises(InputError, match="out of range"):
        digit_flip(linear(), images(), hp.gradient, 0, 5)
