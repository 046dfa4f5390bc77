"""Occlusion: linear models by hand, a plain loop, captum, and its options."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import heatproof as hp
from heatproof.engine.model import counted_rows
from nets import Net, fresh_input, targets
from reference.occlusion import occlusion as by_pixel

ROWS = torch.stack([targets(), (targets() + 1) % 5])


def linear(seed: int = 0) -> tuple[nn.Module, Tensor]:
    weight = torch.randn(3, 2, 6, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    model = nn.Sequential(nn.Flatten(), nn.Linear(96, 3)).double().eval()
    model[1].weight.data = weight.flatten(1).clone()
    return model, weight


def image(seed: int = 1) -> Tensor:
    return torch.randn(2, 2, 6, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_exact_on_a_linear_model() -> None:
    """Every pixel of a window holds the sum over the window of w (x - fill)."""
    model, weight = linear()
    x, target, fill = image(), torch.tensor([2, 0]), torch.tensor([0.5, -1.0]).double()[:, None, None]
    drops = (weight[target] * (x - fill)).sum(1)
    tiles = drops.reshape(2, 3, 2, 2, 4).sum((2, 4))  # windows of 2 x 4
    want = tiles.repeat_interleave(2, 1).repeat_interleave(4, 2)[:, None]
    got = hp.occlusion(model, x, target, window=(2, 4), stride=(2, 4), fill=fill)
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)


def test_by_hand_with_the_last_window_moved_back() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(5, 2, bias=False)).double().eval()
    model[1].weight.data = torch.tensor([[1.0, 2, 4, 8, 16], [0, 0, 0, 0, 0]]).double()
    got = hp.occlusion(model, torch.ones(1, 1, 1, 5).double(), torch.tensor([0]), window=(1, 2), stride=(1, 2))
    assert got.flatten().tolist() == [3.0, 3.0, 12.0, 18.0, 24.0]  # windows 0-1, 2-3 and 3-4, the fourth pixel in two


@pytest.mark.parametrize(
    ("window", "stride"), [((1, 1), (1, 1)), ((3, 3), (1, 1)), ((3, 2), (2, 1)), ((4, 4), (3, 3)), ((8, 8), (1, 1))]
)
def test_equals_a_plain_loop(window: Any, stride: Any) -> None:
    fill = torch.linspace(-1, 1, 128).double().reshape(2, 8, 8)
    got = hp.occlusion(Net(), fresh_input(), targets(), window=window, stride=stride, fill=fill)
    want = by_pixel(Net(), fresh_input(), targets(), window, stride, fill)
    torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-12)
    assert got.any()


def test_default_window_and_stride() -> None:
    """An eighth of the shorter side, half of it the stride, one at least."""
    x = torch.randn(1, 1, 24, 40, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).double().eval()
    assert torch.equal(hp.occlusion(model, x), hp.occlusion(model, x, window=3, stride=1))
    assert torch.equal(
        hp.occlusion(Net(), fresh_input(), window=4), hp.occlusion(Net(), fresh_input(), window=4, stride=2)
    )


@pytest.mark.parametrize(("window", "stride"), [(2, 2), (4, 2), (3, 1), (2, 1)])
def test_equals_captum(window: int, stride: int) -> None:
    """Where captum's windows end at the border too; it averages overlaps as we do."""
    attr = pytest.importorskip("captum.attr", reason="needs heatproof[dev]")
    want = attr.Occlusion(Net()).attribute(
        fresh_input(), (2, window, window), (2, stride, stride), baselines=0.5, target=targets()
    )
    got = hp.occlusion(Net(), fresh_input(), targets(), window=window, stride=stride, fill=0.5)
    torch.testing.assert_close(got.float(), want[:, :1], rtol=1e-5, atol=1e-6)  # captum gives float32


@pytest.mark.parametrize("batch_size", [1, 2, 5, 7, 1000])
def test_batch_size_changes_nothing(batch_size: int) -> None:
    want = hp.occlusion(Net(), fresh_input(), ROWS, window=3)
    torch.testing.assert_close(
        hp.occlusion(Net(), fresh_input(), ROWS, window=3, batch_size=batch_size), want, rtol=1e-10, atol=1e-13
    )


def test_one_set_of_passes_for_all_classes() -> None:
    with counted_rows() as one:
        hp.occlusion(Net(), fresh_input(), targets(), window=4, stride=4)
    with counted_rows() as two:
        hp.occlusion(Net(), fresh_input(), ROWS, window=4, stride=4)
    assert one == two == [3 + 4 * 3]


def test_a_program_of_fixed_batch_size() -> None:
    program = torch.export.export(Net(), (fresh_input(),)).module()
    got = hp.occlusion(program, fresh_input(), ROWS, window=4, batch_size=2)
    torch.testing.assert_close(got, hp.occlusion(Net(), fresh_input(), ROWS, window=4), rtol=1e-10, atol=1e-13)


def test_score_and_dictionary_outputs() -> None:
    class Wrapped(Net):
        def forward(self, x: Tensor) -> Any:
            return {"logits": super().forward(x)}

    got = hp.occlusion(Wrapped(), fresh_input(), targets(), window=4, score=lambda out, t: hp.logit(out["logits"], t))
    assert torch.equal(got, hp.occlusion(Net(), fresh_input(), targets(), window=4))
    assert not torch.equal(got, hp.occlusion(Net(), fresh_input(), targets(), window=4, score=hp.probability))


def test_a_window_over_everything_gives_the_whole_drop() -> None:
    x = fresh_input()
    with torch.no_grad():
        drop = (Net()(x) - Net()(0 * x)).gather(1, targets()[:, None])[:, 0]
    got = hp.occlusion(Net(), x, targets(), window=8)
    torch.testing.assert_close(got, drop[:, None, None, None].expand(3, 1, 8, 8), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"fill": "a"}, "fill 'a'"),
        ({"fill": None}, "fill None"),
        ({"fill": float("nan")}, "fill has NaN or infinite values"),
        ({"window": 9}, "larger than the image"),
        ({"window": (4, 9)}, "larger than the image"),
        ({"window": 0}, "window=0"),
        ({"window": 2.5}, "window=2.5"),
        ({"window": (1, 2, 3)}, "window="),
        ({"window": 2, "stride": 3}, "left out"),
        ({"stride": 0}, "stride=0"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"fill": torch.zeros(3, 1, 1, 1, 1)}, "broadcast"),
        ({"fill": torch.zeros(5)}, "broadcast"),
        ({"score": lambda out, target: out}, "one number for each"),
    ],
)
def test_bad_options(options: Any, said: str) -> None:
    with pytest.raises(hp.InputError, match=said):
        hp.occlusion(Net(), fresh_input(), targets(), **options)


class Quiet(Net):
    """Its output has no gradient."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return super().forward(x)


def test_a_model_without_a_gradient_will_do() -> None:
    want = hp.occlusion(Net(), fresh_input(), ROWS, window=4)
    assert torch.equal(hp.occlusion(Quiet(), fresh_input(), ROWS, window=4), want)
    whole = hp.occlusion(Net(), fresh_input(), window=4)
    assert torch.equal(hp.occlusion(Quiet(), fresh_input(), window=4), whole)


class OwnStatistics(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, None, None, training=True).flatten(1)


class Within(nn.Module):
    """Any model without its gradient."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return self.model(x)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("functional", [False, True])
def test_batch_statistics_are_refused(batch: int, functional: bool) -> None:
    """Windows would be normalised by each other, also those of one image, and of a model without a gradient."""
    layers = [nn.BatchNorm2d(2, track_running_stats=False), nn.Flatten()]
    model = (OwnStatistics() if functional else nn.Sequential(*layers)).double().eval()
    for asked in (model, Within(model).eval()):
        with pytest.raises(hp.ModelError, match="without running statistics"):
            hp.occlusion(asked, fresh_input(batch))


def test_batch_statistics_are_refused_in_a_decomposed_program() -> None:
    model = nn.Sequential(nn.BatchNorm2d(2, track_running_stats=False), nn.Flatten()).double().eval()
    program = torch.export.export(model, (fresh_input(),)).run_decompositions().module()
    with pytest.raises(hp.ModelError, match="without running statistics"):
        hp.occlusion(program, fresh_input())


def test_statistics_of_the_image_itself_are_fine() -> None:
    model = nn.Sequential(nn.InstanceNorm2d(2), nn.Flatten()).double().eval()
    together = hp.occlusion(model, fresh_input(), targets(), window=4)
    alone = hp.occlusion(model, fresh_input()[1:2], targets()[1:2], window=4, batch_size=1)
    torch.testing.assert_close(together[1:2], alone, rtol=1e-10, atol=1e-13)


def test_no_image() -> None:
    with pytest.raises(hp.NotApplicable, match="images"):
        hp.occlusion(nn.Linear(4, 2).eval(), torch.randn(3, 4))
