"""Feature-map occlusion: a linear head in closed form, a network taken apart by hand, every spelling of the activation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import heatproof as hp
from heatproof.checks.subject import Subject
from heatproof.engine.model import own
from heatproof.errors import InputError, ModelError, NotApplicable
from heatproof.faithfulness.activations import Units
from heatproof.faithfulness.feature_occlusion import feature_occlusion, layers_of
from heatproof.faithfulness.feature_occlusion_bench import KIND
from heatproof.faithfulness.kind import Bench
from heatproof.models.nets.small_cnn import SmallCNN
from nets import RELU_SPELLINGS, Net, fresh_input


class Head(nn.Module):
    """A convolution that copies the image, its ReLU, and a linear head: the margin is linear in the units."""

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 1, bias=False, dtype=torch.float64)
        self.conv.weight.data = torch.tensor([1.0, 2.0], dtype=torch.float64).reshape(2, 1, 1, 1)
        self.fc = nn.Linear(2 * 36, classes, dtype=torch.float64)
        draw = torch.Generator().manual_seed(0)
        self.fc.weight.data = torch.randn(classes, 72, generator=draw, dtype=torch.float64)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(F.relu(self.conv(x)).flatten(1))


class Pooled(nn.Module):
    """Pooling between convolution and activation, one convolution used twice, one without an activation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3, padding=1)
        self.last = nn.Conv2d(2, 4, 3, padding=1)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(F.max_pool2d(self.conv(x), 2))
        x = F.gelu(self.conv(x))
        return self.last(x).mean((2, 3))


def images(count: int = 4) -> Tensor:
    return torch.rand(count, 1, 6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64) + 0.1


def masks(count: int = 4) -> Tensor:
    """A rectangle that grows with the image."""
    found = torch.zeros(count, 1, 6, 6, dtype=torch.bool)
    for i in range(count):
        found[i, :, 1 : 3 + i % 3, 1:4] = True
    return found


def shares(model: Head, x: Tensor, target: Tensor) -> Tensor:
    """What every unit gives to the margin of a two-class head, ``(B, 2, 6, 6)``."""
    w = model.fc.weight.detach()
    units = F.relu(model.conv(x)).detach()
    return units * (w[target] - w[1 - target]).reshape(units.shape)


@pytest.mark.parametrize("side", ["background", "object"])
def test_a_linear_head_loses_the_share_of_its_units(side: str) -> None:
    """Over random orders a share f of the units takes f of what they give; here to within sampling, exact at the ends."""
    model, x, mask = Head(), images(), masks()
    target = model(x).argmax(1)
    here = mask if side == "object" else ~mask
    gives = shares(model, x, target) * here
    found = feature_occlusion(model, x, mask, occlude=side, trials=400, steps=4, chunk=2)
    margin, total = found.margins["conv"], gives.flatten(1).sum(1)
    start = hp.margin(model(x), target).detach()
    assert torch.equal(found.units["conv"], 2 * here.flatten(1).sum(1))
    torch.testing.assert_close(margin[:, 0], start, rtol=0, atol=1e-12)
    torch.testing.assert_close(margin[:, -1], start - total, rtol=0, atol=1e-12)
    for k, share in enumerate(found.levels[1:-1], 1):
        for i in range(4):
            values = gives[i][here[i].expand(2, -1, -1)]
            n = len(values)
            count = round(share * n)
            spread = float(values.var()) * count * (1 - count / n) / 400  # mean of draws without replacement
            assert abs(float(margin[i, k] - start[i] + total[i] * count / n)) < 5 * spread**0.5 + 1e-12


def test_exactly_the_share_of_the_units_is_off() -> None:
    """Where every unit gives 1, every order loses their number."""
    model, x, mask = Head(), torch.ones(2, 1, 6, 6, dtype=torch.float64), masks(2)
    model.conv.weight.data.fill_(1.0)
    model.fc.weight.data = torch.stack([torch.ones(72), torch.zeros(72)]).double()
    found = feature_occlusion(model, x, mask, occlude="object", trials=3, steps=10)
    for i in range(2):
        n = int(found.units["conv"][i])
        expected = [found.margins["conv"][i, 0] - round(n * share) for share in found.levels]
        np.testing.assert_allclose(found.margins["conv"][i], expected, rtol=0, atol=1e-12)


def test_every_layer_of_a_network_by_hand() -> None:
    model, x = Net(), fresh_input(3)
    mask = torch.zeros(3, 1, 8, 8, dtype=torch.bool)
    mask[:, :, 2:7, 1:5] = True
    target = torch.tensor([0, 3, 1])
    found = feature_occlusion(model, x, mask, target, trials=1, steps=1, chunk=3)
    assert list(found.margins) == ["conv1", "conv2"] == list(layers_of(model, x))
    with torch.no_grad():
        first = F.relu(model.norm1(model.conv1(x)))
        second = F.relu(model.conv2(first) + first)
        off = F.relu(model.conv2(first * mask) + first * mask)
        ends = [model.fc2(F.relu(model.fc1(F.max_pool2d(y, 2).flatten(1)))) for y in (off, second * mask)]
    for layer, out in zip(("conv1", "conv2"), ends, strict=True):
        torch.testing.assert_close(found.margins[layer][:, 1], hp.margin(out, target), rtol=0, atol=1e-12)


@pytest.mark.parametrize("spelling", RELU_SPELLINGS)
def test_every_spelling_of_the_activation(spelling: str) -> None:
    x = fresh_input(2)
    hidden = torch.rand(2, 4, 8, 8, generator=torch.Generator().manual_seed(3)) < 0.5
    plain, other = Units(Net()), Units(Net(RELU_SPELLINGS[spelling]))
    for layer in ("conv1", "conv2"):
        expected = plain.without(x, {layer: hidden})
        assert (expected - Net()(x)).abs().max() > 1e-3
        torch.testing.assert_close(other.without(x, {layer: hidden}), expected, rtol=0, atol=1e-12)


def test_layers_are_named_by_use_at_the_size_of_their_activation() -> None:
    model, x = Pooled(), fresh_input(2, dtype=torch.float32)
    assert Units(model).shapes(x) == {"conv": (2, 4, 4), "conv#2": (2, 4, 4)}
    assert layers_of(SmallCNN().eval(), torch.rand(1, 3, 48, 48)) == ("conv1", "conv2", "conv3", "conv4", "conv5")
    hidden = torch.ones(2, 2, 4, 4, dtype=torch.bool)
    out = Units(model).without(x, {"conv#2": hidden})
    torch.testing.assert_close(out, model.last(torch.zeros(2, 2, 4, 4)).mean((2, 3)).detach())


def test_an_exported_program_has_the_same_units() -> None:
    x = fresh_input(2)
    program = torch.export.export(Net(), (x,)).module()
    names, units = layers_of(program, x), Units(program)
    hidden = torch.rand(2, 4, 8, 8, generator=torch.Generator().manual_seed(3)) < 0.5
    assert len(names) == 2
    for name, layer in zip(names, ("conv1", "conv2"), strict=True):
        torch.testing.assert_close(units.without(x, {name: hidden}), Units(Net()).without(x, {layer: hidden}))


def test_a_mask_is_resized_by_area_and_a_side_without_units_has_no_value() -> None:
    model = SmallCNN().eval()
    x = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(2, 1, 16, 16, dtype=torch.bool)
    mask[0, :, :8, :8] = True
    mask[1, :, 0, 0] = True
    found = feature_occlusion(model, x, mask, occlude="object", trials=1, steps=2)
    assert found.units["conv1"].tolist() == [16 * 64, 16]
    assert found.units["conv3"].tolist() == [64 * 4, 0]  # 4 x 4 places of 16 pixels: one pixel is no half
    assert found.margins["conv3"].isnan().any(1).tolist() == [False, True]
    assert found.margins["conv1"].isfinite().all()


def test_the_margin_of_mean_logits_is_the_mean_of_margins_or_more() -> None:
    model, x, mask = Head(classes=4), images(), masks()
    options = {"trials": 20, "steps": 2}
    mean, code = (
        feature_occlusion(model, x, mask, average=a, **options).margins["conv"] for a in ("margins", "logits")
    )
    torch.testing.assert_close(mean[:, [0, 2]], code[:, [0, 2]], rtol=0, atol=1e-12)
    assert (code[:, 1] >= mean[:, 1] - 1e-12).all()
    assert (code[:, 1] > mean[:, 1] + 1e-6).any()


def test_neither_chunk_nor_batch_mates_change_a_result() -> None:
    model, x, mask = Head(), images(5), masks(5)
    whole = feature_occlusion(model, x, mask, trials=3, steps=3, chunk=5).margins["conv"]
    assert not torch.equal(whole, feature_occlusion(model, x, mask, trials=3, steps=3, seed=1).margins["conv"])
    for i in range(5):
        one = slice(i, i + 1)
        part = feature_occlusion(model, x[one], mask[one], trials=3, steps=3, chunk=2, index=torch.tensor([i]))
        torch.testing.assert_close(part.margins["conv"], whole[one], rtol=0, atol=1e-10)


def test_the_model_is_left_as_it_was_also_after_an_error() -> None:
    model, x, mask = Net(), fresh_input(2), torch.zeros(2, 1, 8, 8, dtype=torch.bool)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    feature_occlusion(model, x, mask, trials=1, steps=2)
    with pytest.raises(ModelError):
        feature_occlusion(model, x[:, :, :4], mask[:, :, :4], trials=1)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_the_bench_says_what_the_function_says_and_what_is_lost() -> None:
    model, x, mask = Head(), images(), masks()
    target = model(x).argmax(1)
    subject = Subject(own(model), x, target, {}, (), hp.logit, (), x, chunk=3, seed=2)
    bench = KIND.prepare(Bench(subject, KIND.name, KIND.options(trials=4, steps=4), mask))
    assert bench.options.layers == ("conv",)
    record = KIND.work(bench, [0, 2, 3])
    rows = {(r[0], r[3], r[2], r[4]): r[6] for r in record.rows}
    assert {r[3] for r in record.rows} == set(KIND.measures(bench.options))
    assert {r[0] for r in record.rows} == set(KIND.rows)
    assert len(KIND.levels(bench.options)) == 5
    for side in KIND.rows:
        found = feature_occlusion(model, x, mask, target, occlude=side, trials=4, steps=4, seed=2, chunk=3)
        for i in (0, 2, 3):
            curve, n = found.margins["conv"][i].numpy(), int(found.units["conv"][i])
            for k in range(5):
                assert rows[side, "margin:conv", k + 1, i] == pytest.approx(curve[k], abs=1e-12)
            lost = curve[0] - curve[-1]
            assert rows[side, "lost:conv", 0, i] == pytest.approx(lost, abs=1e-12)
            assert rows[side, "lost_per_1000:conv", 0, i] == pytest.approx(lost * 1000 / n, abs=1e-9)
            equal = curve[0] - np.interp(min(n, 72 - n) / n, found.levels, curve)
            assert rows[side, "lost_equal:conv", 0, i] == pytest.approx(equal, abs=1e-12)


def test_nothing_is_compared_with_a_side_that_has_no_unit() -> None:
    model, x, mask = Head(), images(2), masks(2)
    mask[0] = True
    subject = Subject(own(model), x, model(x).argmax(1), {}, (), hp.logit, (), x, chunk=2)
    record = KIND.work(KIND.prepare(Bench(subject, KIND.name, KIND.options(trials=2, steps=2), mask)), [0, 1])
    equal = {(r[0], r[4]): r[6] for r in record.rows if r[3] == "lost_equal:conv"}
    assert {key for key, value in equal.items() if np.isnan(value)} == {("background", 0), ("object", 0)}
    lost = {(r[0], r[4]): r[6] for r in record.rows if r[3] == "lost:conv"}
    assert np.isfinite(lost["object", 0]), "what all its units give is known"


def test_masks_are_tensors_or_arrays() -> None:
    model, x, mask = Head(), images(2), masks(2)
    found = feature_occlusion(model, x, mask.numpy(), trials=1, steps=1).margins["conv"]  # type: ignore[arg-type]
    assert torch.equal(found, feature_occlusion(model, x, mask, trials=1, steps=1).margins["conv"])
    with pytest.raises(InputError, match=r"masks are a list; expected a torch.bool tensor \(2, 1, 6, 6\)"):
        feature_occlusion(model, x, mask.tolist())


def test_what_cannot_be_measured_raises() -> None:
    model, x, mask = Head(), images(), masks()
    subject = Subject(own(model), x, torch.zeros(4).long(), {}, (), hp.logit, (), x, chunk=3)
    with pytest.raises(InputError, match="needs masks"):
        KIND.prepare(Bench(subject, KIND.name, KIND.options()))
    with pytest.raises(InputError, match="no layer 'conv9'"):
        KIND.prepare(Bench(subject, KIND.name, KIND.options(layers=("conv9",)), mask))
    with pytest.raises(InputError, match="True on the object"):
        feature_occlusion(model, x, mask.double())
    with pytest.raises(InputError, match="background or object"):
        feature_occlusion(model, x, mask, occlude="all")
    with pytest.raises(NotApplicable, match="no activation after a convolution"):
        layers_of(nn.Sequential(nn.Flatten(), nn.Linear(36, 2)).eval(), x.float())
    with pytest.raises(ModelError, match="did not run"):
        Units(model).without(x, {"conv9": torch.zeros(1).bool()})
    for options in ({"trials": 0}, {"steps": 0}, {"average": "median"}, {"layers": ("conv", "conv")}):
        with pytest.raises(InputError):
            feature_occlusion(model, x, mask, **options)
