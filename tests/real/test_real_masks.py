"""Masks on real data (HEATPROOF_DATA, default ../shared/data): the numbers of the README of the photos, MNIST, grids."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from heatproof.data.boxes import read_boxes
from heatproof.data.folder import read_images
from heatproof.data.grids import grids
from heatproof.data.images import ImageSet
from heatproof.data.masks import Masks, masks_for, smaller_than
from heatproof.data.preprocess import Preprocess
from heatproof.errors import InputError

DATA = Path(os.environ.get("HEATPROOF_DATA") or Path(__file__).parents[2] / "../shared/data")
PHOTOS = DATA / "imagenet-samples"
TABLE = PHOTOS / "images.csv"
pytestmark = pytest.mark.skipif(not PHOTOS.is_dir(), reason=f"no photos in {DATA}; set HEATPROOF_DATA")

HOW = Preprocess(224, 256, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@pytest.fixture(scope="module")
def photos() -> ImageSet:
    return read_images(PHOTOS, HOW)


@pytest.fixture(scope="module")
def boxes(photos) -> Masks:
    return masks_for(photos, TABLE, HOW)


def test_boxes_cover_what_the_readme_says(boxes):
    """54 % of the 224 crop on average, median 52 %; under 25 % in 17 images, over 80 % in 21; centre inside in 95."""
    cover = boxes.masks.flatten(1).double().mean(1)
    assert (boxes.source, len(boxes.kept), boxes.notes) == ("boxes", 100, ())
    assert round(100 * float(cover.mean())) == 54
    assert round(100 * float(np.median(cover.numpy()))) == 52
    assert len(smaller_than(boxes, 0.25)) == 17
    assert int((cover > 0.8).sum()) == 21
    assert int(boxes.masks[:, 0, 112, 112].sum()) == 95


def test_boxes_are_slices_of_the_crop(photos, boxes):
    """The short side is 256 already: the mask is the box moved by the crop, to the pixel."""
    with TABLE.open(encoding="utf-8") as file:
        sizes = {row["file"]: (int(row["height"]), int(row["width"])) for row in csv.DictReader(file)}
    listed = read_boxes(TABLE)
    for name, mask in zip(photos.names, boxes.masks[:, 0].numpy(), strict=True):
        whole = np.zeros(sizes[name], dtype=bool)
        for x0, y0, x1, y1 in listed[name].boxes:
            whole[int(y0) : int(y1), int(x0) : int(x1)] = True
        top, left = (round((side - 224) / 2) for side in sizes[name])
        np.testing.assert_array_equal(mask, whole[top : top + 224, left : left + 224])


def test_a_subset_and_a_folder_of_pngs_give_the_same_masks(photos, boxes, tmp_path):
    some = read_images(PHOTOS, HOW, limit=7)
    places = [photos.names.index(name) for name in some.names]
    assert torch.equal(masks_for(some, str(TABLE), HOW).masks, boxes.masks[places])
    assert some.files is not None
    for file, name in list(zip(some.files, some.names, strict=True))[:5]:
        whole = np.zeros(file.size, dtype=bool)
        for x0, y0, x1, y1 in read_boxes(TABLE)[name].boxes:
            whole[int(y0) : int(y1), int(x0) : int(x1)] = True
        path = (tmp_path / name).with_suffix(".png")
        path.parent.mkdir()
        Image.fromarray(whole).save(path)
    found = masks_for(some, tmp_path, HOW)
    assert found.kept == tuple(range(5))
    assert torch.equal(found.masks[:5], boxes.masks[places[:5]])
    assert found.notes[0].startswith("2 of 7 images left out")


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST"])
def test_pixels_that_are_not_black(name):
    """Normalised and not, the same masks as of the stored bytes."""
    plain = read_images(DATA / name, limit=50)
    stored = plain.pixels.mul(255).round()
    images = read_images(DATA / name, Preprocess(mean=0.2860, std=0.3530), limit=50)
    for found in (masks_for(plain, "nonzero"), masks_for(images, "nonzero")):
        assert torch.equal(found.masks, stored > 0)
        assert found.kept == tuple(range(50))
    assert 0.1 < float(found.masks.float().mean()) < 0.6


def test_photos_and_cifar_are_refused_for_nonzero(photos):
    for images in (photos, read_images(DATA / "CIFAR10", limit=3)):
        with pytest.raises(InputError, match="colour images"):
            masks_for(images, "nonzero")


def test_grids_of_photos(photos):
    with TABLE.open(encoding="utf-8") as file:
        number = {row["file"]: int(row["class_index"]) for row in csv.DictReader(file)}
    classes = torch.tensor([number[name] for name in photos.names])
    made, masks, targets = grids(photos, classes, 25, seed=0)
    assert made.pixels.shape == (25, 3, 224, 224)
    assert torch.equal(masks.masks.flatten(1).float().mean(1), torch.full((25,), 0.25))
    small = photos.pixels.reshape(100, 3, 112, 2, 112, 2).mean((3, 5))
    used = []
    for grid, mask, target in zip(made.pixels, masks.masks, targets, strict=True):
        quarters = grid.reshape(3, 2, 112, 2, 112).permute(1, 3, 0, 2, 4).reshape(4, 3, 112, 112)
        found = [int((small - quarter).abs().flatten(1).amax(1).argmin()) for quarter in quarters]
        used += found
        cell = int(mask.reshape(2, 112, 2, 112).permute(0, 2, 1, 3).reshape(4, -1).all(1).nonzero())
        assert classes[found[cell]] == target
    assert sorted(used) == list(range(100))  # 25 grids of 4: every photo once
