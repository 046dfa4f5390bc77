"""Claims about randomised weights and labels: judges on made-up numbers, small audits for real, sabotaged methods."""

from __future__ import annotations

from importlib import import_module
from math import nan

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import ndimage
from torch import nn

from heatproof.checks.labels import Pair
from heatproof.papers.lab import Lab
from heatproof.papers.sanity_checks import labels, labels_claims, published
from heatproof.papers.sanity_checks import randomisation_appendix_claims as appendix
from heatproof.papers.sanity_checks import randomisation_further_claims as further
from heatproof.papers.sanity_checks import randomisation_judges as judges
from heatproof.papers.sanity_checks import randomisation_networks_claims as networks
from heatproof.papers.sanity_checks import randomisation_photos as photos
from heatproof.papers.sanity_checks import randomisation_photos_claims as on_photos
from heatproof.papers.sanity_checks import randomisation_products as products
from heatproof.papers.sanity_checks import randomisation_tables as tables
from heatproof.papers.sanity_checks.randomisation import PRODUCTS, texts
from heatproof.papers.sanity_checks.randomisation_audit import (
    code_audit,
    gathered,
    named,
    outlines,
    roles,
    strips,
)
from heatproof.papers.types import Measured, Number

SMALL = {
    "gradient": "gradient",
    "guided_backprop": "guided_backprop",
    "gradcam": "gradcam",
    "integrated_gradients": "integrated_gradients(steps=4)",
    "gradient_x_input": "gradient_x_input",
    "vargrad": "vargrad(gradient, n=4)",
    "deeplift": "deeplift",
    "lrp": "lrp(rule='epsilon')",
}
CHECKS = ("cascading", "independent", "reverse")


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Flatten(),
        nn.Linear(8 * 196, 40), nn.ReLU(), nn.Linear(40, 4),
    ).eval()  # fmt: skip


def digits(count: int = 3) -> torch.Tensor:
    """Sparse images: a block of noise on black."""
    images = torch.zeros(count, 1, 14, 14)
    noise = torch.rand(count, 1, 6, 6, generator=torch.Generator().manual_seed(5)) + 0.1
    for i in range(count):
        images[i, :, 3 + i % 3 : 9 + i % 3, 4:10] = noise[i]
    return images


def lab_in(folder, **swapped) -> Lab:
    return Lab(folder, folder, folder / "runs", swapped=swapped)


def weights_of(folder, methods=SMALL, checks=CHECKS, **swapped):
    lab = lab_in(folder, **swapped)
    results = code_audit(lab, network(), digits(), named(lab, methods), checks, nulls=2, seeds=3)
    found = gathered(results)
    numbers = {**found.numbers, **outlines(results, tuple(m for m in PRODUCTS if m in methods))}
    return results, Measured(numbers, {"photo": digits()[0], **strips(results)}, found.words)


@pytest.fixture(scope="module", autouse=True)
def _no_reports():
    """Reports of audits are tested elsewhere, and take longer than these."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_module("heatproof.audit"), "render", lambda results: results.folder / "report.html")
        yield


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    return weights_of(tmp_path_factory.mktemp("honest"))


def flat(model, x, target=None, **options):
    """A map that no network has a say in."""
    return x.abs() + torch.arange(x[0].numel(), dtype=x.dtype).reshape(x.shape[1:]) * 1e-3


def noise(model, x, target=None, **options):
    """A map that differs from network to network, and knows nothing of the input."""
    seed = int(sum(float(p.detach().abs().sum()) for p in model.parameters()) * 1e4)
    return torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))


def claim(id: str):
    return next(
        c for group in (networks, appendix, on_photos, further, labels_claims) for c in group.CLAIMS if c.id == id
    )


def verdict(id: str, found: Measured) -> bool | None:
    return claim(id).judge(found).held


# made-up numbers


def made(numbers: dict[str, tuple[float, ...]], **words: str) -> Measured:
    return Measured({n: Number(*v) for n, v in numbers.items()}, words={"places/cascading": "1\n2\n3\n4", **words})


def stages(method: str, metric: str, values, spread: float = 0.01, check: str = "cascading"):
    names = ("1", "2", "3", "4", "top", "half", "last")
    values = [*values, values[0], values[1], values[3]]
    found = {f"{check}/{method}/{metric}/{s}": (v, v - spread, v + spread) for s, v in zip(names, values, strict=True)}
    over = {f"excess/{name}": ((v - 0.1) / 0.9, low - 0.1, high) for name, (v, low, high) in found.items()}
    return {**found, **over, f"floor/{method}/{metric}": (0.1, 0.0, 0.2)}


ABS, SIGNED = "spearman_abs", "spearman"


@pytest.mark.parametrize(
    ("values", "spread", "held"),
    [((0.6, 0.4, 0.1, 0.1), 0.05, True), ((0.6, 0.4, 0.75, 0.1), 0.01, False), ((0.6, 0.4, 0.1, 0.1), 0.2, None),
     ((nan, 0.4, 0.1, 0.1), 0.05, None)],
)  # fmt: skip
def test_sensitive(values, spread, held):
    assert judges.sensitive("gradient")(made(stages("gradient", ABS, values, spread))).held is held


@pytest.mark.parametrize(("top", "spread", "held"), [(0.9, 0.05, True), (0.6, 0.05, False), (0.75, 0.1, None)])
def test_similar(top, spread, held):
    found = made(stages("guided_backprop", ABS, (top, 0.5, 0.4, 0.1), spread))
    assert verdict("S1-3.1-guided-backprop", found) is held


def test_similar_in_every_metric():
    high, low = (stages("guided_backprop", m, (v, 0, 0, 0)) for m, v in ((ABS, 0.9), (SIGNED, 0.2)))
    assert verdict("S1-Fig2-guided-backprop", made({**high, **low})) is False
    assert (
        verdict("S1-Fig2-guided-backprop", made({**high, **stages("guided_backprop", SIGNED, (0.8, 0, 0, 0))})) is True
    )


def test_invariance_is_more_than_what_random_networks_share():
    found = made(stages("guided_backprop", ABS, (0.9, 0.5, 0.4, 0.1), 0.05))
    assert judges.invariant("guided_backprop")(found).held is True
    for over, held in (((0.3, 0.2, 0.4), False), ((0.5, 0.4, 0.6), None)):
        shared = {**found.numbers, f"excess/cascading/guided_backprop/{ABS}/top": Number(*over)}
        assert judges.similar("guided_backprop")(Measured(shared)).held is True
        assert judges.invariant("guided_backprop")(Measured(shared)).held is held


@pytest.mark.parametrize(
    ("both", "gradient", "held"), [((0.99, 0.99, 0.99, 0.99), 0.3, True), ((0.99, 0.85, 0.99, 0.99), 0.3, False),
                                       ((0.99, 0.99, 0.99, 0.99), 0.8, False)],
)  # fmt: skip
def test_products_high(both, gradient, held):
    numbers = {**stages("gradient", ABS, (0.9, gradient, 0.1, 0.1))}
    for m in PRODUCTS:
        numbers |= stages(m, ABS, both)
    assert products.products_high()(made(numbers)).held is held
    assert products.products_high(0.8)(made(numbers)).held is (gradient < 0.7)


@pytest.mark.parametrize(("half", "spread", "held"), [(0.1, 0.05, True), (-0.3, 0.05, False), (0.15, 0.1, None)])
def test_signs_lost(half, spread, held):
    numbers = {}
    for m in PRODUCTS:
        numbers |= stages(m, SIGNED, (0.5, half, 0, 0), spread)
    assert products.signs_lost()(made(numbers)).held is held
    many = {f"many/{name}": n for name, n in numbers.items()}
    assert verdict("S4-Fig12-mnist-cnn", made(many)) is held


def test_at_floor():
    same = {**stages("integrated_gradients", ABS, (0.1,) * 4), **stages("gradient_x_input", ABS, (0.11,) * 4)}
    assert products.at_floor(made(same)).held is True
    assert products.at_floor(made({**same, **stages("gradient_x_input", ABS, (0.3,) * 4)})).held is False
    assert products.at_floor(made({**same, **stages("gradient_x_input", ABS, (nan,) * 4)})).held is None


def test_alike_and_over():
    near = {f"cascading/{m} less gradient_x_input/{ABS}/{p}": (0.01,) for m in ("deeplift", "lrp") for p in "1234"}
    assert verdict("S4-Fig28-B", made(near)) is True
    assert verdict("S4-Fig28-B", made({**near, f"cascading/lrp less gradient_x_input/{ABS}/3": (0.2,)})) is False
    over = {f"cascading/guided_backprop less gradient/{ABS}/{p}": (0.3, 0.2, 0.4) for p in ("1", "2", "3", "4", "last")}
    over |= {f"floor/{m}/{ABS}": (0.1,) for m in ("guided_backprop", "gradient")}
    assert verdict("S1-Fig20-mnist", made(over)) is True
    last = {**over, f"cascading/guided_backprop less gradient/{ABS}/4": (-0.1, -0.2, -0.05)}
    assert verdict("S1-Fig20-mnist", made(last)) is True
    excess = f"excess/cascading/guided_backprop/{ABS}/last"
    for value, held in (((0.04, -0.01, 0.1), True), ((0.4, 0.3, 0.5), False)):
        assert verdict("S4-Fig9", made({**over, excess: value})) is held
    name = f"cascading/guided_backprop less gradient/{ABS}/2"
    assert verdict("S1-Fig20-mnist", made({**over, name: (0.1, -0.2, 0.4)})) is None
    assert verdict("S1-Fig20-mnist", made({**over, name: (-0.1, -0.2, -0.05)})) is False


@pytest.mark.parametrize(("id", "name"), [("S1-3.1-lower", "fall"), ("S4-Fig28-A", "ends")])
def test_positive(id, name):
    first = {f"reverse/guided_backprop/{ABS}/top": (0.5, 0.45, 0.55)}
    for value, held in (((0.2, 0.1, 0.3), True), ((-0.2, -0.3, -0.1), False), ((0.2, -0.1, 0.5), None)):
        assert verdict(id, made({**first, f"{name}/guided_backprop": value})) is held


def test_a_first_layer_that_changes_little_is_no_change():
    found = {"ends/guided_backprop": (0.005, 0.001, 0.01), f"reverse/guided_backprop/{ABS}/top": (0.845, 0.8, 0.89)}
    assert verdict("S4-Fig28-A", made(found)) is False


@pytest.mark.parametrize(
    ("floor", "held"), [((0.6, 0.55, 0.65), True), ((0.3, 0.2, 0.4), False), ((0.5, 0.4, 0.6), None)]
)
def test_input_dominated(floor, held):
    found = {f"floor/guided_backprop/{ABS}": floor, f"independent/guided_backprop/{ABS}/last": (0.6,)}
    assert verdict("S1-3.2-input", made(found)) is held


def test_lower_layers_only():
    single = stages("guided_backprop", ABS, (0.9, 0.8, 0.5, 0.4), check="independent")
    words = {"places/independent": "1\n2\n3\n4"}
    less = {"upper/guided_backprop": (0.3, 0.2, 0.4)}
    judge = networks.lower_layers_only("guided_backprop")
    assert judge(made({**single, **less}, **words)).held is True
    assert judge(made({**single, "upper/guided_backprop": (-0.1,)}, **words)).held is False
    single |= {f"independent/guided_backprop/{ABS}/2": (0.6, 0.5, 0.69)}
    assert judge(made({**single, **less}, **words)).held is False


def test_vargrad():
    words = {"places/independent": "1\n2\n3\n4"}
    single = stages("vargrad", ABS, (0.5,) * 4, check="independent")
    for value, held in (((0.5,), True), ((0.9,), False), ((nan,), None), ((0.65, 0.5, 0.8), None)):
        found = made({**single, f"independent/vargrad/{ABS}/3": value}, **words)
        assert verdict("S4-Fig22-23-single", found) is held
    for values, held in (((0.73, 0.4, 0.3, 0.3), True), ((0.9, 0.9, 0.3, 0.3), False), ((nan,) * 4, None)):
        assert verdict("S4-Fig22-23", made(stages("vargrad", ABS, values))) is held
    same = {**stages("vargrad", ABS, (0.73, 0.4, 0.3, 0.3)), f"floor/vargrad/{ABS}": (0.6, 0.55, 0.65)}
    assert verdict("S4-Fig22-23", made(same)) is False


def test_outline():
    good = {f"{w}/{m}": (v,) for m in PRODUCTS for w, v in (("outline", 1.0), ("sign", 0.55))}
    good |= {f"cascading/{m}/{SIGNED}/last": (0.05, 0.0, 0.1) for m in PRODUCTS}
    assert appendix.outline_stays(made(good)).held is True
    signs = f"cascading/gradient_x_input/{SIGNED}/last"
    assert appendix.outline_stays(made({**good, signs: (0.4, 0.3, 0.5)})).held is False
    assert appendix.outline_stays(made({**good, signs: (0.05, -0.4, 0.5)})).held is None
    assert appendix.outline_stays(made({**good, "outline/gradient_x_input": (0.5,)})).held is False
    assert appendix.outline_stays(made({**good, "outline/gradient_x_input": (nan,)})).held is None


@pytest.mark.parametrize("metric", [ABS, SIGNED])
def test_published_tables(metric):
    table = (published.CASCADE_ABS if metric == ABS else published.CASCADE_SIGNED)["cnn"]
    numbers = {f"cascading/{m}/{metric}/{i + 1}": (v + 0.05,) for m, row in table.items() for i, v in enumerate(row)}
    words = {"stages/cascading": "a\nb\nc\nd"}
    found = tables.published(table, metric)(made(numbers, **words))
    assert found.held is True
    assert found.measured.startswith(f"{4 * len(table)} within .1, 0 not told, 0 not")
    off = {**numbers, f"cascading/gradient/{metric}/2": (0.9, 0.85, 0.95)}
    found = tables.published(table, metric)(made(off, **words))
    assert found.held is False
    assert "gradient down to b, 0.90" in found.measured
    off = {**numbers, f"cascading/gradient/{metric}/2": (table["gradient"][1], -0.5, 1.8)}
    wide = tables.published(table, metric)(made(off, **words))
    assert wide.held is None
    assert ", 1 not told, 0 not" in wide.measured


def test_published_numbers_are_those_of_the_notebooks():
    assert published.CASCADE_ABS["cnn"]["guided_backprop"] == (0.888, 0.773, 0.628, 0.444)
    assert published.LABELS["MNIST", "CNN"][0][published.METHODS.index("guided_backprop")] == 0.57
    assert sum(map(len, published.CASCADE_ABS["mlp"].values())) == 24


def test_indistinguishable_and_falls():
    four = {f"cascading/guided_backprop/{m}/last": (0.95, 0.93, 0.97) for m in (ABS, SIGNED, "ssim", "hog")}
    assert on_photos.indistinguishable(made(four)).held is True
    assert on_photos.indistinguishable(made({**four, "cascading/guided_backprop/hog/last": (0.5,)})).held is False
    for value, held in (((0.5, 0.4, 0.6), True), ((0.8, 0.7, 0.9), False), ((0.5, 0.3, 0.8), None)):
        found = made({"cascading/gradcam/ssim/half": value, "floor/gradcam/ssim": (0.4,)})
        assert verdict("S1-Fig5-gradcam", found) is held


def test_identical():
    gaps = {f"difference/{m}/{k}/{i}": (0.01,) for m in further.METHODS for k in (ABS, SIGNED) for i in "1234"}
    found = Measured({n: Number(*v) for n, v in gaps.items()}, words={"stages": "a\nb\nc\nd"})
    assert further.identical(found).held is True
    off = Measured({**found.numbers, f"difference/gradcam/{ABS}/2": Number(0.3, 0.2, 0.4)}, words=found.words)
    assert further.identical(off).held is False
    assert "GradCAM down to b" in further.identical(off).measured
    around = Measured({**found.numbers, f"difference/gradcam/{ABS}/2": Number(0.0, -0.5, 0.5)}, words=found.words)
    assert further.identical(around).held is None


# small audits for real


def test_numbers_are_means_of_the_tables_cells(honest):
    results, found = honest
    table = results.table
    rows = table[(table["check"] == "cascading") & (table["metric"] == ABS)]

    def grid(method, stage):
        one = rows[(rows["method"] == method) & (rows["stage"] == stage)]
        return one.pivot_table(index="seed", columns="image", values="value").to_numpy()

    gbp, grad = (np.stack([grid(m, s) for s in (1, 2, 3, 4)]) for m in ("guided_backprop", "gradient"))
    assert found.value(f"cascading/guided_backprop/{ABS}/half") == pytest.approx(gbp[1].mean())
    assert found.value(f"cascading/guided_backprop/{ABS}/last") == pytest.approx(gbp[3].mean())
    for stage in range(4):
        name = f"cascading/guided_backprop less gradient/{ABS}/{stage + 1}"
        assert found.value(name) == pytest.approx((gbp[stage] - grad[stage]).mean())
    assert found.value("fall/guided_backprop") == pytest.approx((2 * gbp[1] - gbp[3] - 1).mean())


def test_orders(honest):
    _, found = honest
    assert 0 < found.value("closed/gradient_x_input") < 1
    single = [found.value(f"independent/guided_backprop/{ABS}/{p}") for p in (1, 2, 3, 4)]
    upper = (single[0] + single[1]) / 2 - (single[2] + single[3]) / 2
    assert found.value("upper/guided_backprop") == pytest.approx(upper)
    ends = found.value(f"cascading/gradient/{ABS}/top") - found.value(f"reverse/gradient/{ABS}/top")
    assert found.value("ends/gradient") == pytest.approx(ends)
    assert found.listed("stages/cascading") == list(reversed(found.listed("stages/reverse")))


def test_roles():
    assert roles([(1, "c", 0.25), (2, "b", 0.5), (3, "a", 0.75), (4, "", 1.0)]) == {"top": 1, "half": 2, "last": 4}
    assert roles([(1, "c", 0.25), (2, "b", 0.25), (3, "a", 0.25), (4, "", 0.25)])["half"] == 2
    assert roles([(1, "c", 0.05), (10, "b", 0.5), (14, "a", 0.7), (20, "", 1.0)]) == {"top": 1, "half": 10, "last": 20}


def test_outlines_beside_the_strips(honest):
    results, found = honest
    shares = []
    for strip in [s for s in results.strips if s.check == "cascading"]:
        old, new = (strip.maps["gradient_x_input"][i][0] for i in (0, -1))
        common = [(a > 0) == (b > 0) for a, b in zip(old.ravel(), new.ravel(), strict=True) if a != 0 and b != 0]
        shares.append(sum(common) / len(common))
    assert len(shares) == 3
    assert found.value("sign/gradient_x_input") == pytest.approx(np.mean(shares))
    assert found.value("outline/gradient_x_input") == pytest.approx(1.0)


def test_strips(honest):
    _, found = honest
    assert found.arrays["strip/cascading/gradient"].shape == (5, 1, 14, 14)
    assert {n.split("/")[1] for n in found.arrays if n.startswith("strip/")} == set(CHECKS)


def test_same_numbers_twice(tmp_path):
    few = {n: SMALL[n] for n in ("gradcam", "vargrad")}
    first, again = (weights_of(tmp_path / name, few, ("cascading",))[1] for name in "ab")
    one, two = (pd.Series({n: v.value for n, v in found.numbers.items()}) for found in (first, again))
    pd.testing.assert_series_equal(one, two, check_exact=True)
    assert all(torch.equal(first.arrays[n], again.arrays[n]) for n in first.arrays)


HELD = ("S1-3.1-gradient", "S4-Fig11-mnist-cnn", "S1-Fig4-zeros", "S4-Fig28-B", "S4-Fig22-23-single")


@pytest.mark.parametrize("id", HELD)
def test_claims_on_honest_methods(honest, id):
    assert verdict(id, honest[1]) is True


@pytest.mark.parametrize(
    ("name", "broken", "needed", "id"),
    [("gradient", flat, ("gradient",), "S1-3.1-gradient"), ("deeplift", noise, ("lrp", "gradient_x_input"), "S4-Fig28-B"),
     ("integrated_gradients", noise, ("gradient", "gradient_x_input"), "S4-Fig11-mnist-cnn"),
     ("integrated_gradients", flat, ("gradient_x_input",), "S1-Fig30-33"), ("vargrad", flat, (), "S4-Fig22-23")],
)  # fmt: skip
def test_sabotaged_methods_turn_claims(tmp_path, name, broken, needed, id):
    found = weights_of(tmp_path, {n: SMALL[n] for n in (name, *needed)}, CHECKS[:2], **{name: broken})[1]
    assert verdict(id, found) is False, claim(id).judge(found)


# labels


def pair_of(true: nn.Module, permuted: nn.Module) -> Pair:
    gates = [{"name": "a", "value": 0.97, "rule": "over", "limit": 0.95, "holds": True}]
    return Pair(true, (permuted,), {"gates": gates, "concluded": True, "why": "", "not_measured": []})


def labels_of(folder, **swapped) -> Measured:
    lab = lab_in(folder, **swapped)
    methods = {n: t for n, t in SMALL.items() if n in published.METHODS}
    methods = {**methods, "smoothgrad": "smoothgrad(n=4)"}
    return labels.beside(lab, pair_of(network(), network(1)), digits(5), named(lab, methods))


def test_labels_for_real(tmp_path):
    found = labels_of(tmp_path)
    assert verdict("S1-4-gradient", found) is True
    assert verdict("S1-Fig22-gate", found) is True
    fixed, own = (found.value(f"{kind}labels/guided_backprop/{SIGNED}/1") for kind in ("", "own/"))
    assert np.isfinite([fixed, own]).all()
    assert fixed != own
    assert f"own/floor/guided_backprop/{SIGNED}" in found.numbers
    assert found.arrays["map/gradient"].shape == (2, 1, 14, 14)
    assert found.value("patches/more") == pytest.approx(found.value("patches/permuted") - found.value("patches/true"))


def test_sabotage_turns_claims_about_labels(tmp_path):
    assert verdict("S1-4-gradient", labels_of(tmp_path, smoothgrad=flat)) is False
    assert verdict("S1-4-gradcam", labels_of(tmp_path / "b", gradcam=flat)) is False
    gone = labels_of(tmp_path / "c", guided_backprop=lambda m, x, t=None, **o: -flat(m, x))
    assert verdict("S1-Fig6", gone) is False


def test_patches_beside_scipy():
    maps = torch.rand(20, 1, 9, 11, generator=torch.Generator().manual_seed(0))
    maps[0] = 0
    expected = [ndimage.label(m > 0.5 * m.max(), np.ones((3, 3)))[1] for m in maps[1:, 0].numpy()]
    found = labels.patches(maps)
    assert torch.isnan(found[0])
    assert found[1:].tolist() == expected


def test_share_positive():
    images = torch.zeros(1, 1, 2, 3)
    images[0, 0, 0] = 1
    maps = torch.tensor([[[[1.0, -1, 2], [3, 3, 3]]]])
    assert labels.share_positive(maps, images).tolist() == pytest.approx([2 / 3])


def test_labels_judges():
    numbers = {f"labels/{m}/{k}/1": (v,) for m in PRODUCTS for k, v in ((ABS, 0.99), (SIGNED, 0.1))}
    numbers |= {f"floor/{m}/{ABS}": (0.99,) for m in PRODUCTS}
    assert verdict("S1-Fig22", made(numbers)) is True
    assert verdict("S1-Fig22", made({**numbers, f"labels/gradient_x_input/{SIGNED}/1": (0.4,)})) is False
    assert verdict("S1-Fig22", made({**numbers, f"labels/gradient_x_input/{ABS}/1": (0.85,)})) is False
    assert verdict("S1-Fig24", made({**numbers, f"labels/gradient_x_input/{ABS}/1": (0.85,)})) is True
    for value, held in (((0.5, 0.4, 0.6), True), ((0.8, 0.75, 0.9), False), ((0.65, 0.5, 0.8), None)):
        assert verdict("S1-4-gradcam", made({f"labels/gradcam/{ABS}/1": value})) is held
    parts = {"patches/true": (1.0,), "patches/permuted": (2.0,), "patches/more": (1.0, 0.5, 1.5)}
    assert verdict("S1-4-gradcam-patches", made(parts)) is True
    assert verdict("S1-4-gradcam-patches", made({**parts, "patches/more": (1.0, -0.5, 1.5)})) is None
    assert verdict("S1-4-gradcam-patches", made({**parts, "patches/more": (-1.0,)})) is False
    share = {"positive/true": (0.8,), "positive/permuted": (0.6, 0.55, 0.65)}
    assert verdict("S1-Fig6", made(share)) is True
    assert verdict("S1-Fig6", made({**share, "positive/permuted": (0.4,)})) is False


def test_label_tables_and_gates():
    for id, metric, column in (("S1-Fig23-table", ABS, 0), ("S1-Fig23-table-signed", SIGNED, 1)):
        row = dict(zip(published.METHODS, published.LABELS["MNIST", "MLP"][column], strict=True))
        fixed = {
            f"{kind}/{m}/{metric}{end}": (0.5,) for m in row for kind, end in (("labels", "/1"), ("own/floor", ""))
        }
        numbers = {**fixed, **{f"own/labels/{m}/{metric}/1": (v,) for m, v in row.items() if v == v}}
        assert verdict(id, made(numbers)) is True
        assert verdict(id, made({**numbers, f"own/labels/gradient/{metric}/1": (0.9, 0.88, 0.92)})) is False
        assert verdict(id, made({**numbers, f"own/labels/gradient/{metric}/1": (row["gradient"], -0.9, 0.9)})) is None
    gate = {"gate/a": (0.97,), "gate limit/a": (0.95,)}
    assert verdict("S1-Fig22-gate", made({**gate, "gate holds/a": (1.0,)})) is True
    assert verdict("S1-Fig22-gate", made({**gate, "gate holds/a": (0.0,)})) is False
    assert "0.970 (limit 0.950)" in claim("S1-Fig22-gate").judge(made({**gate, "gate holds/a": (1.0,)})).measured
    assert verdict("S1-Fig22-gate", made({})) is None


# what is listed


def test_methods_of_every_size(tmp_path):
    for budget in ("quick", "full", "unreduced"):
        lab = Lab(tmp_path, tmp_path, tmp_path, budget)
        for found in (texts(lab, True), labels.texts(lab, True), photos.texts(lab)):
            assert list(named(lab, found)) == list(found)
            assert set(found) <= set(judges.NAMES)
    assert not set(texts(lab, False)) & {"gradcam", "guided_gradcam"}


def test_every_claim_can_be_judged_or_says_why_not():
    for group in (networks, appendix, on_photos, further, labels_claims):
        names = {e.name for e in (group if group is not appendix else networks).EXPERIMENTS}
        for c in group.CLAIMS:
            assert (c.experiment in names) == (c.judge is not None) == (not c.missing), c.id
        for picture in group.PICTURES:
            assert picture.experiment in names
            assert all(claim(id) for id in picture.claims)


def test_pictures_of_small_runs(honest, tmp_path):
    found = honest[1]
    for picture in networks.PICTURES:
        if picture.experiment == networks.MLP and "Published" not in picture.title:
            assert picture.draw(found).axes
    labelled = labels_of(tmp_path)
    for picture in labels_claims.PICTURES:
        if picture.experiment == labels_claims.CNN:
            picture.draw(labelled)
