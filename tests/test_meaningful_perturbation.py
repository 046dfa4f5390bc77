"""Meaningful perturbation: it deletes the planted evidence and no more, and its parts are what their equations say."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import heatproof as hp
from heatproof.combine import with_effort
from heatproof.engine.call import attribute
from heatproof.engine.chunks import sample_generators
from heatproof.engine.model import counted_rows
from heatproof.perturb import blurred, circle, moved, total_variation
from nets import Net, fresh_input, targets

FEW = {"steps": 12}
PERTURBATIONS = pytest.mark.parametrize("perturbation", ["blur", "constant", "noise"])


class Quadrant(nn.Module):
    """Class 0 is the texture of the upper right quadrant, class 1 that of the lower left."""

    def forward(self, x: Tensor) -> Tensor:
        texture = (x - F.avg_pool2d(x, 3, 1, 1)).square().mean(1)
        first, second = texture[:, 3:13, 19:29].mean((1, 2)), texture[:, 19:29, 3:13].mean((1, 2))
        return torch.stack([6 * first, 6 * second, 3 + 0 * first], 1)


def textured(batch: int = 2, side: int = 32, seed: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, 2, side, side, generator=generator, dtype=torch.float64)


def inside(maps: Tensor, rows: slice, columns: slice) -> Tensor:
    return maps[..., rows, columns].sum((-3, -2, -1)) / maps.sum((-3, -2, -1))


@pytest.mark.parametrize("perturbation", ["blur", "constant"])
@pytest.mark.parametrize("score", [hp.probability, hp.logit])
def test_the_planted_quadrant_is_what_it_deletes(perturbation: str, score: Any) -> None:
    classes = torch.tensor([[0, 0], [1, 1]])
    maps = hp.meaningful_perturbation(Quadrant().eval(), textured(), classes, score=score, perturbation=perturbation)
    assert (inside(maps[0], slice(0, 16), slice(16, 32)) > 0.8).all()
    assert (inside(maps[1], slice(16, 32), slice(0, 16)) > 0.8).all()
    assert maps.amax() > 0.5


def test_a_score_without_a_floor_falls_no_further_than_the_full_replacement() -> None:
    """Logit = left half minus half of the right: hiding the left alone would take it to -0.5, hiding everything to 0."""

    class Halves(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            logit = x[..., :16].mean((1, 2, 3)) - 0.5 * x[..., 16:].mean((1, 2, 3))
            return torch.stack([logit, -logit], 1)

    x = torch.ones(1, 1, 32, 32).double()
    deleted = hp.meaningful_perturbation(Halves().eval(), x, torch.tensor([0]), score=hp.logit, perturbation="constant")
    assert -0.1 < float(Halves()((1 - deleted) * x)[0, 0]) < 0.1
    assert inside(deleted, slice(0, 32), slice(0, 16)) > 0.9


def test_deleting_what_it_shows_destroys_the_score() -> None:
    model, x, target = Quadrant().eval(), textured(), torch.tensor([0, 0])
    deleted = hp.meaningful_perturbation(model, x, target, perturbation="constant")
    clean, left, gone = (hp.probability(model(image), target) for image in (x, (1 - deleted) * x, 0 * x))
    assert ((clean - left) / (clean - gone) > 0.8).all()
    assert (deleted.mean((1, 2, 3)) < 0.25).all()


def by_autograd(model: nn.Module, x: Tensor, target: Tensor, places: int, steps: int, jitter: int, tv: float) -> Tensor:
    """Equation 4 written for one image at a time, its gradient through everything at once, torch's Adam."""
    maps = []
    for n, image in enumerate(x):
        generator = sample_generators(0, torch.tensor([n]), 1, "meaningful_perturbation")[0]
        shifts = torch.randint(-jitter, jitter + 1, (steps, 2), generator=generator).tolist()
        hidden = torch.full_like(image, 0.25)

        def p(shown: Tensor, n: int = n) -> Tensor:
            return model(shown[None]).softmax(1)[0, target[n]]

        def grown(mask: Tensor) -> Tensor:
            return F.interpolate(mask[None, None], x.shape[2:], mode="bilinear", align_corners=False)[0]

        def shift(value: Tensor, down: int, across: int) -> Tensor:
            padded = F.pad(value[None], [jitter] * 4, mode="replicate")[0] if jitter else value
            top, left = jitter - down, jitter - across
            return padded[:, top : top + x.shape[2], left : left + x.shape[3]]

        drop = (p(image) - p(hidden)).detach()
        for tenth in range(11):
            corner = 2 * (torch.arange(places).double() + 0.5) / places - 1
            mask = (torch.hypot(corner[:, None], corner) > tenth / 10 * math.sqrt(2)).double()
            if p(image) - p(hidden + grown(mask) * (image - hidden)) >= 0.99 * drop:
                break
        mask = mask.requires_grad_()
        adam = torch.optim.Adam([mask], lr=0.1)
        for down, across in shifts:
            adam.zero_grad()
            a, b = shift(image, down, across), shift(hidden, down, across)
            m = grown(mask)
            rough = ((mask[1:] - mask[:-1]).abs() ** 3).sum() + ((mask[:, 1:] - mask[:, :-1]).abs() ** 3).sum()
            loss = p(m * a + (1 - m) * b) / drop.abs() + 0.01 * (1 - mask).mean()
            (loss + tv * (places / 28) ** 3 * rough / places**2).backward()
            adam.step()
            with torch.no_grad():
                mask.copy_((mask.clamp(0, 1) * 256).round() / 256)
        maps.append(1 - grown(mask).detach())
    return torch.stack(maps)


@pytest.mark.parametrize(("places", "jitter", "tv"), [(4, 0, 0.2), (8, 0, 20.0), (5, 2, 0.2)])
def test_equals_autograd_and_torchs_adam(places: int, jitter: int, tv: float) -> None:
    """30 steps; nothing is shared with the source but the shifts' generators."""
    want = by_autograd(Net(), fresh_input(), targets(), places, 30, jitter, tv)
    got = hp.meaningful_perturbation(
        Net(),
        fresh_input(),
        targets(),
        steps=30,
        perturbation="constant",
        fill=0.25,
        resolution=places,
        jitter=jitter,
        tv=tv,
    )
    torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-10)
    assert 0.01 < got.mean() < 0.99


@PERTURBATIONS
def test_between_nothing_and_everything(perturbation: str) -> None:
    maps = hp.meaningful_perturbation(Net(), fresh_input(), targets(), perturbation=perturbation, jitter=1, **FEW)
    assert maps.shape == (3, 1, 8, 8)
    assert ((maps >= 0) & (maps <= 1)).all()
    assert maps.any()


@PERTURBATIONS
def test_a_sample_is_its_own_with_noise_and_jitter(perturbation: str) -> None:
    options = {"perturbation": perturbation, "jitter": 2, **FEW}
    places = torch.tensor([7, 2, 40])
    rows = torch.stack([targets(), (targets() + 1) % 5])
    together = hp.meaningful_perturbation(Net(), fresh_input(), rows, index=places, **options)
    for size in (1, 4):
        chunked = hp.meaningful_perturbation(Net(), fresh_input(), rows, index=places, batch_size=size, **options)
        torch.testing.assert_close(chunked, together, rtol=1e-10, atol=1e-13)
    for k, row in enumerate(rows):
        for i in range(3):
            alone = hp.meaningful_perturbation(
                Net(), fresh_input()[i : i + 1], row[i : i + 1], index=places[i : i + 1], **options
            )
            torch.testing.assert_close(together[k, i : i + 1], alone, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("options", [{"jitter": 2}, {"perturbation": "noise"}])
def test_seed_and_index_choose_the_noise(options: Any) -> None:
    def run(**given: Any) -> Tensor:
        return hp.meaningful_perturbation(Net(), fresh_input(), targets(), **options, **FEW, **given)

    assert torch.equal(run(), run(seed=0, index=torch.arange(3)))
    assert not torch.equal(run(), run(seed=1))
    assert not torch.equal(run(), run(index=torch.tensor([5, 6, 7])))


@pytest.mark.parametrize("network", range(1, 4))
def test_rounding_does_not_grow(network: int) -> None:
    """300 steps of Adam let a difference of 1e-16 grow to all of the map; on a mask of 256 levels it stays where it is."""
    x = fresh_input(seed=network)
    together = hp.meaningful_perturbation(Net(seed=network), x, targets())
    alone = hp.meaningful_perturbation(Net(seed=network), x[1:2], targets()[1:2], index=torch.tensor([1]))
    assert torch.equal(together[1:2], alone)
    single = hp.meaningful_perturbation(Net(F.relu, torch.float32, network), x.float(), targets())
    double = hp.meaningful_perturbation(Net(F.relu, torch.float32, network).double(), x.float().double(), targets())
    torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=1e-5)


def test_penalties_and_steps() -> None:
    def area(**options: Any) -> float:
        return float(hp.meaningful_perturbation(Net(), fresh_input(), targets(), **options).mean())

    assert area(l1=100.0) == 0, "nothing is worth deleting"
    assert area(l1=1.0, steps=60) < area(l1=0.0, steps=60)


def test_a_score_that_ignores_the_image_needs_nothing() -> None:
    class Constant(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.tensor([1.0, 2.0]).double() + 0 * x.sum((1, 2, 3))[:, None]

    assert not hp.meaningful_perturbation(Constant().eval(), fresh_input(), **FEW).any()


def test_cost_is_one_pass_a_step_and_a_disc() -> None:
    with counted_rows() as rows:
        hp.meaningful_perturbation(Net(), fresh_input(), targets(), steps=20)
    assert rows == [3 * (1 + 11 + 2 + 20)]


def test_not_square() -> None:
    x = torch.randn(1, 2, 8, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).double().eval()
    assert hp.meaningful_perturbation(model, x, **FEW).shape == (1, 1, 8, 12)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"steps": 0}, "steps=0"),
        ({"steps": 2.5}, "steps=2.5"),
        ({"resolution": 0}, "resolution=0"),
        ({"jitter": -1}, "jitter=-1"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"l1": -1.0}, "l1=-1.0"),
        ({"tv": float("inf")}, "tv=inf"),
        ({"beta": 0.5}, "beta=0.5"),
        ({"learning_rate": "fast"}, "learning_rate='fast'"),
        ({"sigma": 0.0}, "sigma=0.0"),
        ({"perturbation": "black"}, "expected blur, constant or noise"),
        ({"perturbation": "constant", "fill": torch.zeros(5)}, "broadcast"),
        ({"perturbation": "constant", "fill": "a"}, "fill 'a'"),
        ({"fill": "a"}, "fill='a'.*perturbation='constant'"),
        ({"fill": 3.0}, "fill=3.0.*perturbation='constant'"),
        ({"fill": torch.zeros(2, 1, 1), "perturbation": "noise"}, "perturbation='constant'"),
    ],
)
def test_bad_options(options: Any, said: str) -> None:
    with pytest.raises(hp.InputError, match=said):
        hp.meaningful_perturbation(Net(), fresh_input(), targets(), **options)


class TestParts:
    def test_blur_keeps_constants_and_is_a_gaussian(self) -> None:
        assert torch.allclose(blurred(torch.full((1, 1, 5, 9), 3.0), 2.0), torch.tensor(3.0))
        point = torch.zeros(1, 1, 41, 41, dtype=torch.float64)
        point[..., 20, 20] = 1
        spread = blurred(point, 2.0)[0, 0]
        assert float(spread[20, 20]) == pytest.approx(1 / (2 * math.pi * 4), rel=1e-6)
        assert float(spread[20, 22] / spread[20, 20]) == pytest.approx(math.exp(-0.5), rel=1e-12)

    def test_moved_repeats_the_border(self) -> None:
        x = torch.arange(6.0).reshape(1, 1, 2, 3).expand(2, 1, 2, 3)
        got = moved(x, torch.tensor([[0, 1], [-1, 0]]))
        assert got[0, 0].tolist() == [[0, 0, 1], [3, 3, 4]]
        assert got[1, 0].tolist() == [[3, 4, 5], [3, 4, 5]]

    def test_circle(self) -> None:
        like = torch.zeros(1, 1, 4, 4)
        assert circle(0.0, like).all()
        assert not circle(1.0, like).any()
        assert circle(0.5, like)[0, 0].tolist() == [[1, 1, 1, 1], [1, 0, 0, 1], [1, 0, 0, 1], [1, 1, 1, 1]]

    def test_total_variation(self) -> None:
        mask = torch.zeros(1, 1, 28, 28)
        mask[..., 14:] = 0.5
        assert float(total_variation(mask, 3.0)) == pytest.approx(28 * 0.5**3 / 28**2)
        ramp = [torch.linspace(0, 1, n + 1)[None, None, None].expand(1, 1, n + 1, n + 1) for n in (28, 280)]
        assert float(total_variation(ramp[0], 3.0)) == pytest.approx(float(total_variation(ramp[1], 3.0)), rel=0.1)


def test_audit_and_explain_use_the_papers_score_unless_another_is_chosen() -> None:
    net, x, y = Net(), fresh_input(), targets()
    explain = with_effort(hp.meaningful_perturbation, 5)
    call = {"seed": 0, "index": torch.arange(3)}
    by_default = attribute(explain, net, x, y, score=hp.logit, **call)
    assert torch.equal(by_default, explain(net, x, y, score=hp.probability))
    chosen = attribute(explain, net, x, y, score=hp.log_probability, **call)
    assert torch.equal(chosen, explain(net, x, y, score=hp.log_probability))
    assert not torch.equal(chosen, by_default)
