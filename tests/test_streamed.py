"""Images that are not held in memory: read again where they are asked for, the same to the last bit."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import heatproof as hp
from heatproof.data.folder import read_images
from heatproof.data.images import ImageSet
from heatproof.data.preprocess import Preprocess
from heatproof.data.streamed import Streamed, taken
from nets import Net

COUNT = 12
CHECKS = ("cascading", "smooth", "random_logit", "efficient", "calibration", "classes")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    draw = np.random.default_rng(0)
    for i in range(COUNT):
        shape = (10, 10) if i == 5 else (10, 10, 3)  # a grey one among colours
        Image.fromarray(draw.integers(0, 255, shape, dtype=np.uint8)).save(folder / f"{i:02d}.png")
    (folder / "06b.png").write_bytes(b"no picture")
    return folder


def both(photos: Path, **options: Any) -> tuple[ImageSet, ImageSet]:
    how = Preprocess(size=8, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.2))
    return read_images(photos, how, **options), read_images(photos, how, most=1, **options)


def three_channels() -> Net:
    model = Net(dtype=torch.float32)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model.conv1 = torch.nn.Conv2d(3, 4, 3, padding=1).eval()
    return model


def test_indexing_gives_what_the_tensor_gives(photos: Path) -> None:
    held, streamed = both(photos)
    images = streamed.held
    assert isinstance(images, Streamed)
    assert (len(images), images.shape, images.dtype) == (COUNT, held.pixels.shape, held.pixels.dtype)
    for where in (0, -1, slice(3), slice(-2, None), slice(0, 0), [7, 2], torch.tensor([4, 4, 5, 11])):
        assert torch.equal(images[where], held.pixels[where])
    images[2:4].zero_()
    assert torch.equal(images[2:4], held.pixels[2:4]), "what was given away is not what is kept"
    assert torch.equal(images.take([5, 3])[:], held.pixels[[5, 3]])
    assert torch.equal(pickle.loads(pickle.dumps(images))[:], held.pixels)
    assert taken(images, range(COUNT)) is images
    assert streamed.names == held.names
    assert streamed.skipped == held.skipped != ()
    assert (streamed.picture(5) == held.picture(5)).all()
    assert torch.equal(streamed.take([1, 9]).held[:], held.take([1, 9]).pixels)
    with pytest.raises(IndexError):
        images[COUNT]


def test_few_images_are_held(photos: Path) -> None:
    assert isinstance(read_images(photos, Preprocess(size=8), most=2**30).held, torch.Tensor)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_audit_of_streamed_images_is_the_same_to_the_last_digit(photos: Path, tmp_path: Path, workers: int) -> None:
    held, streamed = both(photos)
    options: dict[str, Any] = {
        "methods": ("gradient", "gradcam", "smoothgrad(n=2)", "edge_map", "cgi"), "checks": CHECKS, "seeds": 2, "nulls": 2,
        "chunk": 5, "threads": 1, "faithfulness": workers == 1,
    }  # fmt: skip
    one = hp.audit(three_channels(), held.pixels, out=tmp_path / "held", **options)
    other = hp.audit(three_channels(), streamed.held, out=tmp_path / "streamed", workers=workers, **options)
    pd.testing.assert_frame_equal(one.table, other.table, check_exact=True)
    jobs = [{p.name: p.read_bytes() for p in (a.folder / "jobs").iterdir()} for a in (one, other)]
    assert jobs[0] == jobs[1]


def test_an_image_that_changes_under_a_run_is_found(photos: Path, tmp_path: Path) -> None:
    _, streamed = both(photos)
    first = sorted(photos.iterdir())[0]
    whole = first.read_bytes()
    Image.new("RGB", (10, 10)).save(first)
    with pytest.raises(hp.InputError, match="image 0 is not what it was when the run began"):
        streamed.held[:2]
    first.unlink()
    with pytest.raises(hp.InputError, match="image 0 was read before and cannot be now"):
        streamed.held[:2]
    first.write_bytes(whole)
    assert len(streamed.held[:2]) == 2


def test_what_needs_all_images_at_once_says_so(photos: Path) -> None:
    _, streamed = both(photos)
    with pytest.raises(hp.InputError, match=r"too large to be held at once.*--limit"):
        _ = streamed.pixels


def test_only_the_last_images_are_held(photos: Path) -> None:
    _, streamed = both(photos)
    for start in range(0, COUNT, 3):
        streamed.held[start : start + 3]
    assert isinstance(streamed.held, Streamed)
    assert [len(kept) for kept in streamed.held._last.values()] == [3]


def test_damaged_pixels_are_named_as_ever(photos: Path) -> None:
    how = Preprocess(size=8, function=lambda picture: torch.full((3, 8, 8), torch.nan))
    for most in (None, 1):
        with pytest.raises(hp.InputError, match=r"00\.png.*NaN"):
            read_images(photos, how, most=most)


def test_a_relative_path_is_read_from_anywhere(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may work in another folder."""
    monkeypatch.chdir(photos.parent)
    _, streamed = both(Path("photos"))
    monkeypatch.chdir("/")
    assert len(streamed.held[:3]) == 3


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_stack_is_mapped_and_read_in_parts(tmp_path: Path, dtype: Any) -> None:
    path = tmp_path / "stack.npy"
    stack = np.random.default_rng(1).integers(0, 255, (9, 10, 10, 3))
    np.save(path, stack.astype(np.uint8) if dtype is np.uint8 else (stack / 255).astype(dtype))
    how = Preprocess(size=8 if dtype is np.uint8 else 10, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.2))
    held, streamed = (read_images(path, how, limit=5, most=most) for most in (None, 1))
    assert isinstance(streamed.held, Streamed)
    assert torch.equal(streamed.held[:], held.pixels)
    assert (streamed.names, streamed.mean) == (held.names, held.mean)
    assert torch.equal(pickle.loads(pickle.dumps(streamed.held))[[3, 1]], held.pixels[[3, 1]])
    np.save(path, stack[::-1].astype(np.uint8) if dtype is np.uint8 else (stack[::-1] / 255).astype(dtype))
    with pytest.raises(hp.InputError, match="image 0 is not what it was"):
        streamed.held[:1]
