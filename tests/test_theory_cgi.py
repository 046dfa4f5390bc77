"""The model of correlated gradients beside rejection sampling and closed forms."""

from math import sqrt

import pytest
import torch

from heatproof.errors import InputError
from heatproof.theory.correlated import _beyond, correlated_draw


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_tail_is_that_of_rejection() -> None:
    noise = seeded()
    drawn = torch.tensor([_beyond(0.7, noise) for _ in range(20_000)])
    plain = torch.randn(200_000, generator=seeded(1))
    kept = plain[plain >= 0.7]
    assert drawn.min() >= 0.7
    for power in (1, 2, 3):
        assert float((drawn**power).mean()) == pytest.approx(float((kept**power).mean()), rel=0.03)


def test_input_is_that_of_rejection() -> None:
    n, delta, noise = 4, 0.3, seeded(2)
    draws = [correlated_draw(n, delta, 0.5, noise) for _ in range(5_000)]
    along = torch.stack([d.chosen @ d.x for d in draws])
    across = torch.stack([d.x - (d.chosen @ d.x) * d.chosen for d in draws])
    x = torch.randn(200_000, n, generator=seeded(3), dtype=torch.float64) / sqrt(n)
    kept = x[x[:, 0] >= delta]
    assert float(along.min()) >= delta
    assert float(along.mean()) == pytest.approx(float(kept[:, 0].mean()), rel=0.03)
    assert float(along.std()) == pytest.approx(float(kept[:, 0].std()), rel=0.06)
    assert float((across**2).sum(1).mean()) == pytest.approx(float((kept[:, 1:] ** 2).sum(1).mean()), rel=0.05)


def test_gradients_are_of_length_one_and_correlate_in_the_first_half_only() -> None:
    n, noise = 20_000, seeded(4)
    draw = correlated_draw(n, 0.1, 0.5, noise)
    first, second = slice(None, n // 2), slice(n // 2, None)
    assert float(draw.chosen.norm()) == pytest.approx(1)
    assert float(draw.other.norm()) == pytest.approx(1, abs=0.03)
    assert float(torch.corrcoef(torch.stack([draw.chosen[first], draw.other[first]]))[0, 1]) == pytest.approx(
        0.5, abs=0.03
    )
    assert float(torch.corrcoef(torch.stack([draw.chosen[second], draw.other[second]]))[0, 1]) == pytest.approx(
        0, abs=0.03
    )


def test_far_tail_is_close_to_its_bound() -> None:
    noise = seeded(5)
    drawn = [_beyond(30.0, noise) for _ in range(200)]
    assert min(drawn) >= 30
    assert sum(drawn) / len(drawn) == pytest.approx(30 + 1 / 30, abs=0.01)


@pytest.mark.parametrize("bad", [(3, 0.1, 0.5), (0, 0.1, 0.5), (4, 0.1, 1.5), (10_000, 0.4, 0.5)])
def test_arguments_out_of_range(bad: tuple[int, float, float]) -> None:
    with pytest.raises(InputError, match="correlated_draw"):
        correlated_draw(*bad, seeded())
