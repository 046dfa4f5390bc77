"""The calibration of the similarities: maps against noise, noise against noise, products with the image, edges."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from math import asin, erf, exp, pi, sqrt
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import sobel
from scipy.stats import spearmanr
from torch import Tensor, nn

import heatproof as hp
from heatproof.checks.calibration import NOISE_LEVELS, PAIRS, calibrate, level_of, noise
from heatproof.checks.explained import needs_model
from heatproof.checks.subject import Row, Subject
from heatproof.errors import ModelError
from heatproof.similarity import hog_similarity, spearman, ssim

Key = tuple[str, str, int, str, int]
SIDE = 12
METRICS = ("spearman", "spearman_abs", "ssim", "hog")
METHODS = {"gradient": hp.gradient, "gradient_x_input": hp.gradient_x_input, "edge_map": hp.edge_map}
LABELS = {
    "uniform_uniform": ["(uniform)"],
    "gaussian_gaussian": ["(gaussian)"],
    "product_uniform": ["(input x uniform)"],
    "product_gaussian": ["(input x gaussian)"],
    "product_trunc_normal": ["(input x trunc_normal)"],
    "product_noise": ["(input x noisy gradient)"],
}
"""Rows of the pairs that no method takes part in."""


class Small(nn.Module):
    """Two layers, so that a gradient depends on the image."""

    def __init__(self, side: int = SIDE, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(5)
        first, second = (torch.randn(n, generator=generator) for n in (8 * 3 * side**2, 4 * 8))
        self.first = nn.Parameter(first.to(dtype).view(8, -1) / side)
        self.second = nn.Parameter(second.to(dtype).view(4, 8))
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x.flatten(1) @ self.first.T) @ self.second.T


class Linear(nn.Module):
    """Logits whose gradient is Gaussian noise, whatever the image."""

    def __init__(self, side: int) -> None:
        super().__init__()
        weights = torch.randn(2, side * side, generator=torch.Generator().manual_seed(8), dtype=torch.float64)
        self.weights = nn.Parameter(weights)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.weights.T


def pictures(count: int = 5, side: int = SIDE, seed: int = 0) -> Tensor:
    """Smooth images in which a third of the pixels is black."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, side // 3, side // 3, generator=generator, dtype=torch.float64)
    smooth = torch.nn.functional.interpolate(coarse, size=side, mode="bilinear")
    smooth[..., : side // 3] = 0.0
    return smooth


def rough(seed: int = 1) -> Tensor:
    """Images without a flat part, where two detectors of edges would differ by rounding alone."""
    noisy = torch.rand(5, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return pictures() + 0.2 * noisy


def subject(**other: Any) -> Subject:
    images = other.pop("images", pictures())
    model = other.pop("model", None) or Small()
    targets = other.pop("targets", torch.arange(len(images)) % 2)
    methods = other.pop("methods", METHODS)
    metrics = other.pop("metrics", METRICS)
    return Subject(model, images, targets, methods, metrics, hp.logit, (), images, **other)


def by_key(rows: list[Row]) -> dict[Key, Row]:
    found = {(r[0], r[1].removeprefix("calibration:"), r[2], r[3], r[4]): r for r in rows}
    assert len(found) == len(rows)
    return found


def values(rows: list[Row], method: str, pair: str, metric: str, level: int = 0) -> list[float]:
    return [r[6] for r in rows if r[:4] == (method, f"calibration:{pair}", level, metric)]


def by_scipy(a: Tensor, b: Tensor, absolute: bool = False) -> list[float]:
    rows = [(m.abs() if absolute else m).sum(1).flatten(1).double().numpy() for m in (a, b)]
    return [float(spearmanr(x, y).statistic) for x, y in zip(*rows, strict=True)]


def edges_of(images: Tensor) -> Tensor:
    """Sobel magnitude of the grey image, largest value 1, by scipy."""
    out = []
    for grey in images.mean(1).numpy():
        slopes = np.hypot(sobel(grey, 0, mode="nearest"), sobel(grey, 1, mode="nearest"))
        out.append(slopes / slopes.max())
    return torch.tensor(np.stack(out))[:, None]


def test_every_pair_has_its_rows() -> None:
    rows = calibrate(subject(), [3, 0, 4]).rows
    seen = defaultdict(set)
    for method, check, level, metric, image, seed, value, status, error in rows:
        assert (seed, status, error) == (0, "ok", "")
        assert np.isfinite(value)
        if metric in METRICS:  # shared zeros and support-only Spearman stand beside them
            seen[check.removeprefix("calibration:")].add((method, level, metric, image))
    assert list(seen.keys() - PAIRS.keys()) == []
    for pair in PAIRS:
        levels = range(6) if pair == "product_noise" else [0]
        wanted = {(n, k, m, i) for n in LABELS.get(pair, METHODS) for k in levels for m in METRICS for i in (0, 3, 4)}
        assert seen[pair] == wanted
    assert len(by_key(rows)) == len(rows)


def test_levels_are_standard_deviations() -> None:
    assert [level_of("product_noise", k) for k in range(6)] == list(NOISE_LEVELS) == [0, 0.1, 0.3, 1, 3, 10]
    assert level_of("edges", 0) == 0


def test_numbers_equal_a_reference_image_by_image() -> None:
    held, shard = subject(images=rough(), seed=4), [1, 3, 4]
    rows = calibrate(held, shard).rows
    x, y = held.images[shard], held.targets[shard]
    g = hp.gradient(held.model, x, y)
    u, v = (noise("uniform", x, 4, shard, k) for k in (0, 1))
    n1, n2 = (noise("gaussian", x, 4, shard, k) for k in (0, 1))
    spread = torch.tensor([float(np.std(m.numpy())) for m in g]).view(-1, 1, 1, 1).double()
    for metric, absolute in (("spearman", False), ("spearman_abs", True)):
        for method, pair, level, first, second in [
            ("gradient", "map_uniform", 0, g, u),
            ("gradient_x_input", "map_gaussian", 0, g * x, n1),
            ("edge_map", "map_gaussian", 0, edges_of(x), noise("gaussian", x[:, :1], 4, shard, 0)),
            ("(uniform)", "uniform_uniform", 0, u, v),
            ("(gaussian)", "gaussian_gaussian", 0, n1, n2),
            ("(input x uniform)", "product_uniform", 0, x * u, x * v),
            ("(input x gaussian)", "product_gaussian", 0, x * n1, x * n2),
            ("(input x noisy gradient)", "product_noise", 2, x * (g + 0.3 * spread * n1), x * (g + 0.3 * spread * n2)),
            ("gradient", "edges", 0, g, edges_of(x)),
        ]:
            expected = by_scipy(first, second, absolute)
            assert values(rows, method, pair, metric, level) == pytest.approx(expected, abs=1e-9), (pair, metric)
    assert values(rows, "(input x uniform)", "product_uniform", "ssim") == ssim(x * u, x * v).tolist()
    assert values(rows, "(uniform)", "uniform_uniform", "hog") == hog_similarity(u, v).tolist()


def test_metrics_are_texts() -> None:
    text = "ssim(preset='code', normalise='percentile')"
    held = subject(methods={}, metrics=(text,))
    rows = calibrate(held, [2, 0]).rows
    u, v = (noise("uniform", held.images, 0, [2, 0], part) for part in range(2))
    assert values(rows, "(uniform)", "uniform_uniform", text) == ssim(u, v, "code", "percentile").tolist()


def test_a_result_depends_on_neither_shard_nor_chunk_nor_order() -> None:
    methods = {"smooth": hp.smooth(hp.gradient, n=3), "random_map": hp.random_map}
    held = subject(methods=methods)
    whole = by_key(calibrate(held, [0, 1, 2, 3, 4]).rows)
    for shards in ([[4, 2], [0, 3, 1]], [[0], [1], [2], [3], [4]]):
        parts = by_key([row for shard in shards for row in calibrate(held, shard).rows])
        # which rows stand beside absolute Spearman is decided for a shard
        shared = {key: row for key, row in whole.items() if key[3] in METRICS}
        assert {key: parts[key] for key in shared} == shared
    other = by_key(calibrate(replace(held, chunk=2), [1, 4]).rows)
    for key in (k for k in whole if k in other):
        assert other[key][6] == pytest.approx(whole[key][6], abs=1e-9)
    assert calibrate(replace(held, seed=1), [0]).rows != calibrate(held, [0]).rows


def test_noise_of_every_kind() -> None:
    like = torch.empty(2, 3, 100, 100)
    uniform, gaussian, cut = (noise(kind, like, 0, [7, 9], 0) for kind in ("uniform", "gaussian", "trunc_normal"))
    for draw in (uniform, gaussian, cut):
        assert draw.shape == like.shape
        assert abs(draw.mean().item()) < 0.02
    assert uniform.abs().max() <= 1
    assert uniform.std().item() == pytest.approx(1 / sqrt(3), abs=0.01)
    assert gaussian.std().item() == pytest.approx(1, abs=0.01)
    assert cut.abs().max() <= 2
    spread = sqrt(1 - 4 * exp(-2) / sqrt(2 * pi) / erf(sqrt(2)))  # T-S1-11: .879626
    assert spread == pytest.approx(0.879626, abs=1e-6)
    assert cut.std().item() == pytest.approx(spread, abs=0.01)
    for kind in ("uniform", "gaussian", "trunc_normal"):
        first, second = (noise(kind, like, 0, [7, 9], part) for part in (0, 1))
        assert not torch.equal(first[0], first[1])
        assert spearman(first, second).abs().max().item() < 0.03
        assert torch.equal(noise(kind, like[:1], 0, [9], 0)[0], first[1])


def test_published_calibration() -> None:
    """semantics.md T-S1-10, 299 x 299: Spearman about 0, SSIM .00076 and HOG .078 for two uniform masks."""
    like = torch.empty(4, 1, 299, 299)
    found = {}
    for kind in ("uniform", "gaussian"):
        a, b = (noise(kind, like, 0, [0, 1, 2, 3], part) for part in (0, 1))
        assert spearman(a, b).abs().max().item() < 0.02
        assert spearman(a, b, absolute=True).abs().max().item() < 0.02
        # zero stays zero and the range is that of the pair: SSIM of masks in [-1, 1] with data range 2
        found[kind] = ssim(a, b, normalise="second_moment").mean().item(), hog_similarity(a, b).mean().item()
    assert found["uniform"] == pytest.approx((0.0005, 0.07), abs=0.02)
    assert abs(found["uniform"][0]) < 0.002
    assert found["gaussian"] == pytest.approx((0.0067, 0.02), abs=0.02)


def test_noise_grows_as_two_normal_variables_say() -> None:
    """On a flat image x (g + s n) and x (g + s n') are normal with correlation 1 / (1 + s^2)."""
    side = 100
    images = torch.full((2, 1, side, side), 0.7, dtype=torch.float64)
    rows = calibrate(subject(images=images, model=Linear(side), methods={}, metrics=("spearman",)), [0, 1]).rows
    name = "(input x noisy gradient)"
    assert values(rows, name, "product_noise", "spearman", 0) == [1.0, 1.0]
    for place, s in enumerate(NOISE_LEVELS):
        expected = 6 / pi * asin(1 / (1 + s * s) / 2)
        assert values(rows, name, "product_noise", "spearman", place) == pytest.approx([expected] * 2, abs=0.03)


def test_the_image_alone_makes_products_look_alike() -> None:
    """Absolute values agree through the image, signed ones do not (Sanity Checks, section 5.2)."""
    rows = calibrate(subject(images=pictures(4, 48), model=Small(48)), [0, 1, 2, 3]).rows
    for kind in ("uniform", "gaussian", "trunc_normal"):
        name, pair = f"(input x {kind})", f"product_{kind}"
        assert min(values(rows, name, pair, "spearman_abs")) > 0.5
        assert np.mean(values(rows, name, pair, "spearman")) == pytest.approx(0, abs=0.05)
    for pair in ("map_uniform", "map_gaussian"):
        assert np.mean(values(rows, "gradient", pair, "spearman")) == pytest.approx(0, abs=0.05)


def test_controls_bracket_the_edge_pairs() -> None:
    methods = {"edge_map": hp.edge_map, "random_map": hp.random_map, "input_map": hp.input_map}
    rows = calibrate(subject(images=pictures(3, 48), model=Small(48), methods=methods), [0, 1, 2]).rows
    for metric in METRICS:
        assert values(rows, "edge_map", "edges", metric) == [1.0] * 3
    for pair in ("edges", "edge_input"):  # its noise is drawn anew for the image of edges
        assert max(map(abs, values(rows, "random_map", pair, "spearman"))) < 0.1
    assert all(0 < v < 1 for v in values(rows, "input_map", "edge_input", "spearman"))


@pytest.mark.parametrize("black", [None, (-0.4, -0.5, -0.3)])
def test_the_map_of_edges(black: tuple[float, ...] | None) -> None:
    """Black where there is no edge, the image at the strongest; the class stays although the network changes its mind."""
    images = rough() * 3 - 0.4
    dark = torch.zeros(3) if black is None else torch.tensor(black)
    dark = dark.double().view(1, 3, 1, 1)
    edged = dark + (images - dark) * edges_of(images)
    model = Small()
    assert (model(images).argmax(1) != model(edged).argmax(1)).any()
    given = None if black is None else torch.tensor(black)
    held = subject(images=images, model=model, targets=model(images).argmax(1), classes="predicted", black=given)
    maps = [hp.gradient_x_input(model, x, held.targets) for x in (images, edged)]
    rows = calibrate(held, [4, 1]).rows
    for metric, absolute in (("spearman", False), ("spearman_abs", True)):
        expected = by_scipy(maps[0][[4, 1]], maps[1][[4, 1]], absolute)
        assert values(rows, "gradient_x_input", "edge_input", metric) == pytest.approx(expected, abs=1e-9)


def test_a_flat_image_or_map_has_no_similarity() -> None:
    def flat(model: nn.Module, inputs: Tensor, target: Any = None) -> Tensor:
        return torch.zeros_like(inputs)

    images = pictures()
    images[2] = 0.5
    rows = calibrate(subject(images=images, methods={"flat": flat, "gradient": hp.gradient}), [1, 2]).rows
    status = {key: row[7] for key, row in by_key(rows).items() if key[3] == "spearman"}
    for pair in ("map_uniform", "map_gaussian", "edges", "edge_input"):
        assert {status["flat", pair, 0, "spearman", i] for i in (1, 2)} == {"undefined"}
    assert status["gradient", "edges", 0, "spearman", 1] == "ok"
    assert status["gradient", "edges", 0, "spearman", 2] == "undefined"  # no edges, a flat map on the right
    assert status["gradient", "edge_input", 0, "spearman", 2] == "ok"  # a black image has a gradient
    assert {row[7] for row in rows} == {"ok", "undefined"}
    assert all(row[6] != row[6] for row in rows if row[7] == "undefined")


def test_a_method_that_raises_is_a_row() -> None:
    def broken(model: nn.Module, inputs: Tensor, target: Any = None) -> Tensor:
        raise ValueError("no luck")

    rows = calibrate(subject(methods={"broken": broken, "gradient": hp.gradient}), [0, 1]).rows
    failed = [row for row in rows if row[0] == "broken"]
    assert {(row[7], row[8]) for row in failed} == {("failed", "ValueError: no luck")}
    pairs = {f"calibration:{pair}" for pair in PAIRS if pair not in LABELS}
    assert {(row[1], row[3], row[4]) for row in failed} == {(p, m, i) for p in pairs for m in METRICS for i in (0, 1)}
    assert {row[7] for row in rows if row[0] != "broken"} == {"ok"}


def test_a_model_without_logits_leaves_noise_and_what_needs_no_model() -> None:
    class Broken(Small):
        def forward(self, x: Tensor) -> Tensor:
            raise ModelError("no logits")

    rows = calibrate(subject(model=Broken()), [0, 1]).rows
    free = {n for n in METHODS if not needs_model(METHODS[n])}
    fine = {row[1] for row in rows if row[7] == "ok" and row[0] not in free}
    assert fine == {f"calibration:{pair}" for pair in LABELS if pair != "product_noise"}
    failed = {(row[0], row[1]) for row in rows if row[7] == "failed"}
    assert ("(input x noisy gradient)", "calibration:product_noise") in failed
    methods = {(n, f"calibration:{pair}") for n in set(METHODS) - free for pair in PAIRS if pair not in LABELS}
    assert methods == failed - {("(input x noisy gradient)", "calibration:product_noise")}


def test_model_and_images_stay_as_they_are() -> None:
    held = subject()
    images, weights = held.images.clone(), [p.detach().clone() for p in held.model.parameters()]
    state = torch.random.get_rng_state()
    calibrate(held, [1, 2])
    assert torch.equal(held.images, images)
    assert all(torch.equal(p, w) for p, w in zip(held.model.parameters(), weights, strict=True))
    assert torch.equal(torch.random.get_rng_state(), state)
