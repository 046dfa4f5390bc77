"""Digit scenes: what is said of them is true, and brightness does not give the digit away."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from heatproof.data import digits
from heatproof.data.digits import Scenes, digit_scenes
from heatproof.errors import HeatproofError, InputError

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def scenes() -> Scenes:
    return digit_scenes("test", 600, seed=3)


def luma(pixels: torch.Tensor) -> torch.Tensor:
    return torch.einsum("nchw,c->nhw", pixels, digits.LUMA)[:, None]


def surround(masks: torch.Tensor) -> torch.Tensor:
    """The pixels around a stroke, without its soft edge."""
    ring = torch.nn.functional.max_pool2d(masks.float(), 7, stride=1, padding=3).bool()
    return ring & ~torch.nn.functional.max_pool2d(masks.float(), 3, stride=1, padding=1).bool()


def test_shapes_types_and_ranges(scenes):
    assert scenes.pixels.shape == (600, 3, 48, 48)
    assert scenes.masks.shape == (600, 1, 48, 48)
    assert (scenes.pixels.dtype, scenes.targets.dtype, scenes.masks.dtype) == (torch.float32, torch.int64, torch.bool)
    assert 0 <= scenes.pixels.min() < 0.02
    assert 0.98 < scenes.pixels.max() <= 1
    assert scenes.targets.bincount(minlength=10).min() > 30


@pytest.mark.parametrize("size", [32, 48, 64])
def test_the_box_is_the_tight_box_of_the_mask_and_inside_the_scene(size):
    made = digit_scenes("train", 200, seed=1, size=size)
    assert made.pixels.shape == (200, 3, size, size)
    for mask, (top, left, bottom, right) in zip(made.masks[:, 0], made.boxes.tolist(), strict=True):
        points = mask.nonzero()
        assert points.min(0).values.tolist() == [top, left]
        assert (points.max(0).values + 1).tolist() == [bottom, right]
    assert made.boxes.min() >= 1  # the stroke and its soft edge never leave the scene
    assert made.boxes.max() <= size - 1
    height = (made.boxes[:, 2] - made.boxes[:, 0]).float()
    assert 0.45 * size < height.mean() < 0.6 * size


def test_digits_stand_everywhere(scenes):
    centre = (scenes.boxes[:, :2] + scenes.boxes[:, 2:]).float() / 2
    assert (centre.amax(0) - centre.amin(0)).min() > 16
    assert centre.std(0).min() > 4


def test_the_target_is_the_label_of_the_original(scenes):
    from sklearn.datasets import load_digits

    data = load_digits()
    assert scenes.targets.tolist() == data.target[scenes.origins].tolist()
    # and the mask is drawn from that original: turned a little, it is still nearest to it among 200 (chance: 0.5 %)
    cut = torch.stack([_cut(m, b) for m, b in zip(scenes.masks[:200], scenes.boxes[:200].tolist(), strict=True)])
    shape = torch.stack([_trimmed(data.images[i] / 16) for i in scenes.origins[:200].tolist()])
    match = torch.corrcoef(torch.cat([cut, shape]))[:200, 200:]
    assert (match.argmax(1) == torch.arange(200)).float().mean() > 0.5


def _cut(mask: torch.Tensor, box: list[int]) -> torch.Tensor:
    top, left, bottom, right = box
    return _flat(mask[:, top:bottom, left:right].float())


def _trimmed(image: np.ndarray) -> torch.Tensor:
    ink = torch.from_numpy(image).float()
    inked = ink > 0.4
    rows, columns = inked.any(1).nonzero()[:, 0], inked.any(0).nonzero()[:, 0]
    return _flat(ink[None, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1])


def _flat(patch: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.interpolate(patch[None], (8, 6), mode="bilinear", antialias=True).flatten()


def test_train_and_test_share_no_original():
    from sklearn.datasets import load_digits

    labels = load_digits().target
    train, test = digits._originals(labels, "train"), digits._originals(labels, "test")
    assert not set(train) & set(test)
    assert len(train) + len(test) == 1797
    assert (len(train), len(test)) == (1442, 355)
    assert np.bincount(labels[test]).min() >= 34
    drawn = {split: set(digit_scenes(split, 500, seed=0).origins.tolist()) for split in ("train", "test")}
    assert drawn["train"] <= set(train)
    assert drawn["test"] <= set(test)


def test_train_and_test_crops_share_no_pixel_of_a_photo():
    columns = np.broadcast_to(np.arange(640, dtype=np.float32)[None, :, None], (427, 640, 3))
    seen = {s: {float(c) for r in digits._regions([columns], s)[:2] for c in r[0, :, 0]} for s in ("train", "test")}
    halves = {s: digits._regions([columns], s)[len(digits._regions([columns], s)) // 2 :] for s in ("train", "test")}
    assert seen["test"] & seen["train"] == set()
    low, high = min(seen["test"]), max(seen["test"])
    assert all(low < r.min() and r.max() < high for r in halves["test"])
    assert all(r.max() < low or r.min() > high for r in halves["train"])


def test_the_stroke_stands_out_from_what_surrounds_it(scenes):
    ring = surround(scenes.masks)
    inside = (scenes.pixels * scenes.masks).sum((2, 3)) / scenes.masks.sum((2, 3))
    outside = (scenes.pixels * ring).sum((2, 3)) / ring.sum((2, 3))
    contrast = (inside - outside).abs().amax(1)
    assert contrast.median() > 0.3
    assert contrast.quantile(0.02) > 0.15


def test_brightness_alone_does_not_find_the_digit(scenes):
    """Lighter and darker inks both occur, and the best single threshold of brightness cuts out little of the stroke."""
    light = luma(scenes.pixels)
    ring = surround(scenes.masks)
    inside = (light * scenes.masks).sum((1, 2, 3)) / scenes.masks.sum((1, 2, 3))
    lighter = inside > (light * ring).sum((1, 2, 3)) / ring.sum((1, 2, 3))
    assert 0.15 < lighter.float().mean() < 0.85
    found = [f for t in torch.linspace(0.05, 0.95, 19) for f in (light > t, light < t)]
    overlap = [float((f & scenes.masks).sum() / (f | scenes.masks).sum()) for f in found]
    assert max(overlap) < 0.3


def test_pixels_alone_do_not_tell_the_class(scenes):
    """A linear classifier of the pixels stays near chance: the network must find the shape."""
    train = digit_scenes("train", 1500, seed=0)
    x, centre = train.pixels.flatten(1).double(), train.pixels.flatten(1).double().mean(0)
    one_hot = torch.nn.functional.one_hot(train.targets, 10).double()
    kernel = (x - centre) @ (x - centre).T
    weights = torch.linalg.solve(kernel + 30 * torch.eye(len(x)).double(), one_hot - 0.1)
    scores = (scenes.pixels.flatten(1).double() - centre) @ (x - centre).T @ weights
    assert (scores.argmax(1) == scenes.targets).double().mean() < 0.35


def test_seeded_and_a_longer_stack_begins_with_the_shorter():
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002  (it must not change)
    short, long = digit_scenes("train", 40, seed=5), digit_scenes("train", 300, seed=5)
    for name in ("pixels", "targets", "masks", "boxes", "origins"):
        assert torch.equal(getattr(short, name), getattr(long, name)[:40]), name
    assert not torch.equal(short.pixels, digit_scenes("train", 40, seed=6).pixels)
    tops = torch.stack([long.boxes[:, 0], digit_scenes("test", 300, seed=5).boxes[:, 0]]).double()
    assert torch.corrcoef(tops)[0, 1].abs() < 0.25  # the splits draw apart: what is alike is not where
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()  # noqa: NPY002


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("valid", 3, 0), "split='valid'"),
        (("train", 0, 0), "count=0"),
        (("train", 3, -1), "seed=-1"),
        (("train", 3, 0, 28), "size=28"),
        (("train", 3, 0, 65), "size=65"),
    ],
)
def test_bad_arguments_are_named(arguments, named):
    with pytest.raises(InputError, match=named):
        digit_scenes(*arguments)


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(HeatproofError, match=r"pip install 'heatproof\[demo\]'"):
        digit_scenes("train", 1, seed=0)
