"""RectGrad's claims on noise and retraining: measures against slow versions, judges, and broken methods that they see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from heatproof.data.digits import digit_scenes
from heatproof.errors import InputError
from heatproof.experiment.retrain_results import load_retrain
from heatproof.faithfulness.patch import with_patch
from heatproof.faithfulness.retrain_presets import PRESETS, Preset
from heatproof.models.nets.rectgrad_cnn import RectGradCNN
from heatproof.models.nets.small_cnn import SmallCNN
from heatproof.papers.lab import Lab
from heatproof.papers.rectgrad import (
    noise,
    noise_claims,
    noise_features,
    noise_features_claims,
    noise_patch,
    noise_patch_claims,
    retraining,
    retraining_claims,
)
from heatproof.papers.types import Measured, Number

NAMES = "\n".join(noise.METHODS)


class Pooled(nn.Module):
    """A small network with max-pooling, for 3 x 16 x 16 and 48 x 48."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 8, 3, padding=1)
        self.head = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.max_pool2d(nn.functional.relu(self.conv1(x)), 2)
        out: Tensor = self.head(nn.functional.relu(self.conv2(x)).mean((2, 3)))
        return out


NETS: dict[str, Callable[[], nn.Module]] = {
    "scenes": SmallCNN, "cifar-clean": RectGradCNN, "cifar-patched": RectGradCNN, "pooled": Pooled,
}  # fmt: skip


@dataclass(frozen=True)
class SmallLab(Lab):
    """A lab without a data folder: a random network and random images."""

    def network(self, name: str) -> nn.Module:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return NETS[name]().eval()

    def labelled(self, name: str, split: Any = "test", limit: int | None = None) -> tuple[Tensor, Tensor]:
        g = torch.Generator().manual_seed(5)
        return torch.rand(6, 3, 32, 32, generator=g) * 2 - 1, torch.arange(6)


def lab(folder: Path, **swapped: Any) -> SmallLab:
    return SmallLab(folder, folder, folder / "runs", swapped=swapped)


def claims(module: Any) -> dict[str, Any]:
    return {claim.id: claim for claim in module.CLAIMS}


def loud(model: nn.Module, inputs: Tensor, target: Any = None, **options: Any) -> Tensor:
    """A broken RectGrad: large everywhere."""
    return 1e4 * torch.sin(torch.arange(inputs.numel(), dtype=inputs.dtype)).reshape(inputs.shape).abs()


def silent(model: nn.Module, inputs: Tensor, target: Any = None, **options: Any) -> Tensor:
    """A broken gradient: nothing in the upper left."""
    maps = torch.ones_like(inputs)
    maps[:, :, :8, :8] = 0
    return maps


# Measures against slow versions


def slow_cut(m: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    s = m.sum(0)
    a = np.percentile(s, 95)
    return np.where(s < a, 0.0 if a > 0 else a, s)


def slow_variation(m: np.ndarray[Any, Any]) -> float:
    total = 0.0
    for i in range(m.shape[0]):
        for j in range(m.shape[1]):
            total += abs(m[i + 1, j] - m[i, j]) if i + 1 < m.shape[0] else 0.0
            total += abs(m[i, j + 1] - m[i, j]) if j + 1 < m.shape[1] else 0.0
    return total


def maps_of(count: int = 3, side: int = 12) -> Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("name", [noise.RECTGRAD, "SmoothGrad"])
def test_readings_of_variation(name: str) -> None:
    maps = maps_of()
    found = noise.readings(name, maps, noise.variation, slice(0, 3)).numpy()
    for i, m in enumerate(maps.numpy()):
        cut = m.clip(min=0).sum(0) if name == noise.RECTGRAD else slow_cut(m)
        raw = slow_variation(cut)
        plain = sum(slow_variation(channel) for channel in m) / np.abs(m).sum()
        assert np.allclose(found[:, i], [raw, raw / np.abs(cut).sum(), plain])


def test_readings_outside() -> None:
    maps, masks = maps_of(), torch.zeros(5, 1, 12, 12, dtype=torch.bool)
    masks[2:, :, 3:9, 2:7] = True
    found = noise.readings("gradient", maps, noise.outside(masks), slice(2, 5)).numpy()
    for i, m in enumerate(maps.numpy()):
        out = ~masks[2 + i, 0].numpy()
        cut, plain = slow_cut(m), np.abs(m).sum(0)
        shares = [v[out].sum() / v.sum() / out.mean() for v in (np.abs(cut), plain)]
        assert np.allclose(found[:, i], [np.abs(cut)[out].sum(), *shares])


def test_readings_inside_the_patch() -> None:
    maps = maps_of(side=16)
    maps[2] -= 4  # its 95th percentile is negative, so that values under it stay negative
    found = noise.readings("gradient", maps, noise_patch.inside, slice(0, 3)).numpy()
    for i, m in enumerate(maps.numpy()):
        cut, plain = slow_cut(m), np.abs(m).sum(0)
        shares = [v[:8, :8].sum() / v.sum() / (64 / 256) for v in (np.abs(cut), plain)]
        assert np.allclose(found[:, i], [cut[:8, :8].sum(), *shares])  # signed, as the authors' code
    assert found[0, 2] < 0


def test_comparisons_are_by_image() -> None:
    values = {name: torch.tensor([1.0, 2.0, 6.0]) + place for place, name in enumerate(noise.METHODS)}
    found = noise.compared(values, "authors")
    assert found["RectGrad/authors"].value == 3
    assert found["median/RectGrad/authors"].value == 2
    assert list(found["DeepLIFT - RectGrad/authors"]) == [7, 7, 7]
    assert found["RectGrad - RectGrad with PRR/authors"].value == -1


def test_taken_keeps_the_order_of_images(tmp_path: Path) -> None:
    x = torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    model, methods = lab(tmp_path).network("pooled"), noise.methods(lab(tmp_path), 2)
    whole, parts = (noise.taken(model, x, methods, noise.variation, chunk) for chunk in (5, 2))
    assert whole.listed("methods") == list(noise.METHODS)
    for reading in noise.READINGS:
        assert torch.allclose(whole.arrays[reading], parts.arrays[reading], rtol=1e-4)
    target = model(x).argmax(1)
    gradient = lab(tmp_path).method("gradient")(model, x, target)
    plain = torch.stack([(m.diff(dim=1).abs().sum() + m.diff(dim=2).abs().sum()) / m.abs().sum() for m in gradient])
    assert torch.allclose(whole.arrays["plain"][2], plain, rtol=1e-4)


def test_methods_have_the_samples_asked_for(tmp_path: Path) -> None:
    small = lab(tmp_path)
    x, model, found = small.labelled("")[0], small.network("pooled"), noise.methods(small, 7)
    for name, text in (
        ("RectGrad with PRR", "rectgrad(prr=True)"),
        ("SmoothGrad", "smoothgrad(n=7, sigma=0.1)"),
        ("integrated gradients", "integrated_gradients(rule='right', steps=7)"),
    ):
        assert torch.equal(found[name](model, x, torch.arange(6)), small.method(text)(model, x, torch.arange(6)))


def test_a_method_that_refuses_stops_the_experiment(tmp_path: Path) -> None:
    def broken(model: nn.Module, inputs: Tensor, target: Any = None, **options: Any) -> Tensor:
        raise ValueError("no")

    model, methods = lab(tmp_path).network("pooled"), noise.methods(lab(tmp_path, deeplift=broken), 2)
    with pytest.raises(InputError, match=r"DeepLIFT: .*no"):
        noise.taken(model, torch.rand(2, 3, 16, 16), methods, noise.variation, 2)


def test_scenes_are_the_correct_ones(tmp_path: Path) -> None:
    small = lab(tmp_path)
    model = small.network("scenes")
    x, masks = noise.correct_scenes(small, model, 4)
    found = digit_scenes("test", 8, noise.SCENES)
    right = [i for i in range(8) if model(found.pixels[i : i + 1]).argmax() == found.targets[i]][:4]
    assert torch.equal(x, found.pixels[right])
    assert torch.equal(masks, found.masks[right])


def test_photos_are_known_by_their_table(tmp_path: Path) -> None:
    table = tmp_path / "images.csv"
    table.write_text("file,class_index\na.jpg,7\nb/c.jpg,3\n")
    assert noise.classes_of(table, ["b/c.jpg", "a.jpg"]).tolist() == [3, 7]
    assert noise.spread([1, 4, 6, 9], 2) == [1, 6]
    assert noise.spread([1, 4], 9) == [1, 4]


def test_gradient_on_the_patch() -> None:
    maps = torch.ones(2, 3, 16, 16)
    maps[0, :, :8, :4] = 0
    maps[1, :, :8, :8] = 0.4  # of the rest
    found = noise_patch.nonzero(maps)
    assert found["nonzero"].value == pytest.approx(0.75)
    assert found["seen"].value == 0  # half of the patch at 1 is not over half of 1, and 0.4 is not
    maps[0, :, :8, :5] = 1
    maps[1, :, :8, :8] = 0.55
    assert noise_patch.nonzero(maps)["seen"].value == 1


class Known(nn.Module):
    """Class 1 where one corner is what it was, else class 0."""

    def __init__(self, place: slice, known: Tensor) -> None:
        super().__init__()
        self.place, self.known = place, known

    def forward(self, x: Tensor) -> Tensor:
        same = (x[:, :, self.place, self.place] == self.known).flatten(1).all(1).float()
        return torch.stack([torch.full_like(same, 0.5), same], 1)


def test_what_another_patch_changes() -> None:
    x = with_patch(torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(3)), noise_patch.own_patch())
    x[:, :, 22:, 22:] = 0.25
    upper = noise_patch.changed(Known(slice(0, 10), noise_patch.own_patch()).eval(), x)
    assert (upper["patch"].value, upper["opposite"].value) == (1, 0)
    lower = noise_patch.changed(Known(slice(22, 32), torch.tensor(0.25)).eval(), x)
    assert (lower["patch"].value, lower["opposite"].value) == (0, 1)


def test_trainings_judge_both_networks_on_their_images(tmp_path: Path) -> None:
    small = lab(tmp_path)
    found = noise_patch.trainings(small)
    images, targets = small.labelled("CIFAR10")
    clean = (small.network("cifar-clean")(images).argmax(1) == targets).double().mean()
    assert found.value("clean") == pytest.approx(float(clean))
    assert found.value("lost") == pytest.approx(found.value("clean") - found.value("patched"))


def test_what_is_lost_is_positive_where_the_patch_costs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise_patch, "hits", lambda model, x, targets: (x[:, 0, 0, 0] != x[0, 0, 0, 0]).double())
    found = noise_patch.trainings(lab(tmp_path))
    assert found.value("patched") == 0  # the patch is the same everywhere
    assert found.value("lost") == pytest.approx(found.value("clean"))
    assert found.value("clean") > 0


def test_feature_occlusion_runs_and_compares_by_image(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(noise_features, "correct_scenes", _scenes)
    monkeypatch.setitem(NETS, "scenes", Pooled)
    found = noise_features.feature_maps(lab(tmp_path))
    assert found.listed("layers") == ["conv1", "conv2"]
    lost = [found.value(f"{side}/lost:conv1") for side in noise_features.SIDES]
    assert found.value("more/conv1") == pytest.approx(lost[0] - lost[1], abs=1e-9)
    start, end = (found.value(f"object/margin:conv1/{level}") for level in (0, 1))
    assert lost[0] == pytest.approx(start - end)
    noise_features_claims.PICTURES[0].draw(found)


# Retraining


@pytest.fixture(scope="module")
def retrained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Measured, Path]:
    folder = tmp_path_factory.mktemp("retrained")
    g = torch.Generator().manual_seed(0)
    methods = tuple(text.replace("50", "2") for text in PRESETS["paper"].methods)
    settings = {"rank": "parity", "controls": ("random",), "networks": 2, "fractions": (0.1, 0.9), "epochs": 1}
    data = tuple((torch.randn(n, 3, 16, 16, generator=g), torch.arange(n) % 10) for n in (20, 20))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retraining, "PRESETS", {"reduced": Preset(methods=methods, settings=settings)})
        patch.setattr(retraining, "RectGradCNN", Pooled)
        patch.setattr(retraining, "sets", lambda lab, preset: data)
        return retraining.retrained(lab(folder)), folder / "runs" / "roar"


def test_areas_are_those_of_the_command(retrained: tuple[Measured, Path]) -> None:
    found, folder = retrained
    results = load_retrain(folder)
    shown = dict(zip(results.config["entries"], found.listed("methods"), strict=True))
    for row in results.areas.to_dict("records"):
        name = f"{row['direction']}/{shown[row['method']]}"
        assert found.value(name) == pytest.approx(row["area"])
        if shown[row["method"]] == "RectGrad":
            chance = found[f"{row['direction']}/{retraining.RANDOM} - RectGrad"]
            assert chance == pytest.approx((row["gain"], row["gain_lower"], row["gain_upper"]))
    areas = [found.value(f"{way}/{retraining.RANDOM}") for way in retraining.DIRECTIONS]
    assert found.value("random sum") == pytest.approx(sum(areas))


def test_pictures_of_retraining(retrained: tuple[Measured, Path]) -> None:
    for picture in retraining_claims.PICTURES:
        picture.draw(retrained[0])


def test_the_plan_is_that_of_the_command() -> None:
    assert PRESETS["reduced"].methods[0] == "rectgrad"
    assert len(PRESETS["reduced"].methods) == len(retraining.NAMES)


def table(way: str, shift: float = 0.0, spread: float = 0.001) -> Measured:
    """The published areas, RectGrad's moved."""
    published = retraining.TABLE_1[way]
    areas = dict(published)
    areas["RectGrad"] += shift
    more = {n: v - areas["RectGrad"] for n, v in areas.items()}
    numbers = {f"{way}/{n}": Number(v) for n, v in areas.items()}
    numbers |= {f"{way}/{n} - RectGrad": Number(v, v - spread, v + spread) for n, v in more.items()}
    about = {
        "random sum": Number(1.0 + shift, 0.98 + shift, 1.02 + shift),
        "accuracy": Number(0.52),
        "tied/RectGrad": Number(0.57),
        f"rho/{way}": retraining.ordered({n: np.full((2, 5), v) for n, v in areas.items()}, list(published.values())),
    }
    return Measured(numbers | about)


@pytest.mark.parametrize("way", ["roar", "kar"])
def test_best_of_the_table(way: str) -> None:
    judge = claims(retraining_claims)[f"S3-Table1-{way}"].judge
    assert judge(table(way)).held is True
    assert f"SmoothGrad {retraining_claims.TABLE_1[way]['SmoothGrad']:.3f}" in judge(table(way)).measured
    assert judge(table(way, 0.2)).held is False
    assert judge(table(way, spread=0.1)).held is None


def test_random_is_no_attribution_method() -> None:
    judge = claims(retraining_claims)["S3-Table1-roar-methods"].judge
    found = table("roar")
    below = Measured({**found.numbers, f"roar/{retraining.RANDOM} - RectGrad": Number(-1.0, -1.1, -0.9)})
    assert judge(below).held is True
    assert claims(retraining_claims)["S3-Table1-roar"].judge(below).held is False


def test_order_and_sum() -> None:
    judges = claims(retraining_claims)
    same = judges["S3-Table1-order-kar"].judge(table("kar"))
    assert same.held is True
    assert same.number.value == pytest.approx(1)
    assert judges["S3-Table1-order-roar"].judge(table("roar", 1.0)).held is False
    assert judges["S3-Table1-random"].judge(table("roar")).held is True
    assert judges["S3-Table1-random"].judge(table("roar", 0.1)).held is False


def test_the_order_has_an_interval_over_networks_and_images() -> None:
    noise = np.random.default_rng(1)
    published = [0.1, 0.2, 0.3, 0.4]
    values = {str(v): v + noise.normal(size=(3, 200)) for v in published}
    found = retraining.ordered(values, published)
    assert found.value == pytest.approx(spearmanr([v.mean() for v in values.values()], published).statistic)
    assert found.lower < found.upper
    clear = retraining.ordered({str(v): v + noise.normal(size=(3, 200)) / 1000 for v in published}, published)
    assert clear == pytest.approx((1, 1, 1))


# Judges of noise


def made(reading: str, **moved: float) -> Measured:
    """Every method 10, RectGrad with PRR 1, RectGrad and DeepLIFT 2, or as said (spread: of the intervals)."""
    spread = moved.pop("spread", 0.5)
    values = dict.fromkeys(noise.METHODS, 10.0) | {noise.PRR: 1.0, noise.RECTGRAD: 2.0, noise.DEEPLIFT: 3.0}
    values |= {name.replace("_", " "): value for name, value in moved.items()}
    numbers: dict[str, Number] = {}
    for name, value in values.items():
        numbers |= {f"{name}/{reading}": Number(value), f"median/{name}/{reading}": Number(value)}
        for mine in (noise.RECTGRAD, noise.PRR, noise.DEEPLIFT):
            d = value - values[mine]
            numbers[f"{name} - {mine}/{reading}"] = Number(d, d - spread, d + spread)
    return Measured(numbers, words={"methods": NAMES})


@pytest.mark.parametrize(("suffix", "reading"), [("", "authors"), ("-share", "share"), ("-plain", "plain")])
def test_least_of_all(suffix: str, reading: str) -> None:
    top, patch = (
        claims(noise_claims)[f"S3-Fig8-top{suffix}"].judge,
        claims(noise_patch_claims)[f"S3-Fig7{suffix}"].judge,
    )
    for judge in (top, patch):
        assert judge(made(reading)).held is True
        assert judge(made(reading, SmoothGrad=0.0)).held is False
        assert judge(made(reading, DeepLIFT=2.1, spread=1.5)).held is None
    assert patch(made(reading, RectGrad=0.5)).held is False
    assert "DeepLIFT less RectGrad: 1.00" in top(made(reading)).measured


@pytest.mark.parametrize("reading", ["authors", "plain"])
def test_two_best(reading: str) -> None:
    judge = claims(noise_patch_claims)["S3-Fig7-two" + ("" if reading == "authors" else "-plain")].judge
    assert judge(made(reading)).held is True
    assert judge(made(reading, SmoothGrad=2.5, spread=0.1)).held is False  # between RectGrad and DeepLIFT
    assert judge(made(reading, DeepLIFT=9.9)).held is None


def test_judges_of_the_trainings() -> None:
    judges = claims(noise_patch_claims)
    found = Measured({"clean": Number(0.75, 0.74, 0.76), "patched": Number(0.768, 0.76, 0.776),
                      "lost": Number(0.01, 0.0, 0.021), "changed/patch": Number(0.04, 0.03, 0.045),
                      "changed/opposite": Number(0.2)})  # fmt: skip
    held = {id: judges[id].judge(found).held for id in ("S3-Train", "S3-Train-patch", "S3-Train-same", "S3-3.1-unused")}
    assert held == {"S3-Train": True, "S3-Train-patch": False, "S3-Train-same": None, "S3-3.1-unused": True}


def test_object_against_background() -> None:
    judges = claims(noise_features_claims)
    found = {f"more/{k}": Number(v, v - 1, v + 1) for k, v in (("a", 3.0), ("b", 2.0))} | {"object/area": Number(0.09)}
    assert judges["S3-Fig3"].judge(Measured(found, words={"layers": "a\nb"})).held is True
    assert "covers 9% of a scene" in judges["S3-Fig3"].judge(Measured(found, words={"layers": "a\nb"})).measured
    found["more/b"] = Number(-1.1, -2.0, -0.1)
    assert judges["S3-Fig3"].judge(Measured(found, words={"layers": "a\nb"})).held is False


# Broken methods


@pytest.fixture
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    original = noise.methods
    for module in (noise, noise_patch):
        monkeypatch.setattr(module, "methods", lambda lab, samples: original(lab, 2))


@pytest.mark.usefixtures("few_samples")
@pytest.mark.parametrize(("measure", "id"), [(noise.scenes, "S3-Fig8-top-scenes"), (noise.cifar, "S3-Fig8-bottom")])
def test_a_broken_rectgrad_is_seen(measure: Any, id: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(noise, "correct_scenes", _scenes)
    judge = claims(noise_claims)[id].judge
    assert judge(measure(lab(tmp_path))).held is not False
    assert judge(measure(lab(tmp_path, rectgrad=loud))).held is False


@pytest.mark.usefixtures("few_samples")
def test_a_loud_method_on_the_patch_is_seen(tmp_path: Path) -> None:
    found, broken = noise_patch.patched(lab(tmp_path)), noise_patch.patched(lab(tmp_path, rectgrad=loud))
    judge = noise_claims.least(noise.PRR, "authors", (noise.RECTGRAD,))
    assert judge(found).held is not False
    assert judge(broken).held is False
    assert claims(noise_patch_claims)["S3-Fig7"].judge(broken).held is False


@pytest.mark.usefixtures("few_samples")
def test_a_broken_gradient_is_seen(tmp_path: Path) -> None:
    judges = claims(noise_patch_claims)
    found, broken = noise_patch.patched(lab(tmp_path)), noise_patch.patched(lab(tmp_path, gradient=silent))
    for id in ("S3-Fig2", "S3-Fig2-seen"):
        assert judges[id].judge(found).held is True
        assert judges[id].judge(broken).held is False
    for picture in noise_patch_claims.PICTURES:
        picture.draw(found)


def _scenes(lab: Lab, model: nn.Module, count: int) -> tuple[Tensor, Tensor]:
    found = digit_scenes("test", 6, 0)
    return found.pixels, found.masks
