"""Real photos and trained networks (HEATPROOF_DATA, default ../shared/data): the numbers in their README come out."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest
import torch

from heatproof.data.folder import read_images
from heatproof.data.labels import class_name, read_class_names
from heatproof.data.preprocess import override
from heatproof.models.spec import LoadedModel, load_model

DATA = Path(os.environ.get("HEATPROOF_DATA") or Path(__file__).parents[2] / "../shared/data")
PHOTOS = DATA / "imagenet-samples"
pytestmark = pytest.mark.skipif(not PHOTOS.is_dir(), reason=f"no photos in {DATA}; set HEATPROOF_DATA")

NETWORKS = {"mobilenet_v2": "mobilenet_v2_int8dq", "squeezenet1_0": "squeezenet1_0_dc"}


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def rows() -> dict[str, dict[str, str]]:
    with (PHOTOS / "images.csv").open(encoding="utf-8") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def trained(name: str) -> LoadedModel:
    pytest.importorskip("torchvision")
    return load_model(f"torchvision:{name}", DATA / "weights" / f"{NETWORKS[name]}.safetensors")


def probabilities(loaded: LoadedModel, pixels: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return torch.cat([loaded.model(part).softmax(1) for part in pixels.split(10)])


@pytest.mark.parametrize("name", NETWORKS)
def test_predictions_on_the_photos(name):
    """20 of the 100 photos: each predicted class and each probability of the true class as stored in images.csv."""
    loaded, table = trained(name), rows()
    images = read_images(PHOTOS, override(loaded.preprocess, size=224, resize=256), limit=20)
    assert (len(images), images.skipped) == (20, ())
    given = [table[file] for file in images.names]
    assert list(images.labels) == [row["wnid"] for row in given]
    out = probabilities(loaded, images.pixels)
    assert out.argmax(1).tolist() == [int(row[f"{name}_pred"]) for row in given]
    truth = torch.tensor([int(row["class_index"]) for row in given])
    stored = torch.tensor([float(row[f"{name}_prob_true"]) for row in given])
    assert (out[torch.arange(20), truth] - stored).abs().max() < 1e-4  # stored to 4 digits


def test_a_limit_is_a_spread_subset_with_the_same_pixels():
    loaded = trained("squeezenet1_0")
    some, all_names = read_images(PHOTOS, loaded.preprocess, limit=8), sorted(rows())
    assert list(some.names) == [all_names[i * 100 // 8] for i in range(8)]
    one = read_images(PHOTOS / some.names[5], loaded.preprocess)
    assert torch.equal(one.pixels[0], some.pixels[5])


def test_class_names_agree_with_the_photos():
    names = read_class_names(DATA / "imagenet_class_index.json")
    assert len(names) == 1000
    for row in rows().values():
        shown = class_name(names, int(row["class_index"])).replace("_", " ")
        assert shown.lower() == row["class_name"].replace("_", " ").lower()
