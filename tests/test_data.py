"""Reading images: folders, single files, stacks, preprocessing and class names."""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from heatproof.data import decode
from heatproof.data.batch import prepare_batch
from heatproof.data.choice import Choice
from heatproof.data.folder import read_folder, read_images
from heatproof.data.images import image_set
from heatproof.data.labelled import labelled
from heatproof.data.labels import class_name, read_class_names
from heatproof.data.preprocess import Preprocess, override, prepare
from heatproof.data.stack import read_stack
from heatproof.errors import InputError

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def photo(width: int, height: int, seed: int = 0, channels: int = 3) -> np.ndarray:
    """Smooth noise, so that resizing matters but is no lottery. ``(H, W, C)`` uint8."""
    noise = np.random.default_rng(seed).integers(0, 256, (height // 4 + 2, width // 4 + 2, 3), dtype=np.uint8)
    pixels = np.asarray(Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC))
    return pixels if channels == 3 else pixels[:, :, 0]


def save(path: Path, pixels: np.ndarray, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


# preprocessing


@pytest.mark.parametrize(("width", "height"), [(97, 61), (61, 97), (64, 64), (333, 65), (40, 51)])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_equals_torchvision(width, height, interpolation):
    transforms = pytest.importorskip("torchvision.transforms")
    mode = transforms.InterpolationMode(interpolation)
    theirs = transforms.Compose(
        [
            transforms.Resize(50, mode),
            transforms.CenterCrop((43, 35)),
            transforms.ToTensor(),
            transforms.Normalize(**IMAGENET),
        ]
    )
    image = Image.fromarray(photo(width, height))
    ours = prepare(image, Preprocess((43, 35), 50, **IMAGENET, interpolation=interpolation))
    torch.testing.assert_close(ours, theirs(image), rtol=0, atol=0)


def test_size_alone_resizes_the_short_side_to_it():
    image = Image.fromarray(photo(90, 60))
    assert torch.equal(prepare(image, Preprocess(30)), prepare(image, Preprocess(30, 30)))


def test_sixteen_bits_are_kept():
    ramp = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 16
    out = prepare(Image.fromarray(ramp), Preprocess())
    assert out.unique().numel() == 64 * 64
    np.testing.assert_allclose(out[0].numpy(), ramp / 65535, rtol=1e-6)
    small = prepare(Image.fromarray(ramp), Preprocess(32))
    eight = prepare(Image.fromarray((ramp >> 8).astype(np.uint8)), Preprocess(32))
    assert (small - eight).abs().max() < 1.5 / 255


def test_channels_convert_between_grey_and_colour():
    image = Image.fromarray(photo(20, 20))
    grey = prepare(image, Preprocess(channels=1))
    np.testing.assert_array_equal((grey[0] * 255).round().numpy(), np.asarray(image.convert("L")))
    back = prepare(image.convert("L"), Preprocess(**IMAGENET))
    assert back.shape == (3, 20, 20)
    assert prepare(image, Preprocess(mean=0.5, std=0.5)).shape == (3, 20, 20)


def test_a_strip_is_refused_instead_of_filling_the_memory():
    with pytest.raises(InputError, match="crop it first"):
        prepare(Image.fromarray(np.zeros((1, 9000), np.uint8)), Preprocess(224))


def hook(image: Image.Image) -> torch.Tensor:
    assert image.mode == "RGB"
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).double() / 100 - 1


def broken_hook(image: Image.Image) -> torch.Tensor:
    raise KeyError("no such thing")


def test_a_function_replaces_everything(tmp_path):
    save(tmp_path / "a.png", photo(9, 8))
    save(tmp_path / "grey16.png", np.full((8, 9), 0x8000, np.uint16))
    images = read_folder(tmp_path, Preprocess(function=hook))
    assert images.pixels.dtype == torch.float32
    assert images.pixels.shape == (2, 3, 8, 9)
    assert images.pixels[1].unique().tolist() == pytest.approx([0.28])
    assert images.mean is None
    assert images.picture(0).min() == 0
    assert images.picture(0).max() == 255  # stretched: nothing is known about the units


def test_a_function_by_its_name(tmp_path, monkeypatch):
    (tmp_path / "my_hooks.py").write_text("import torch\ndef half(image):\n    return torch.full((3, 4, 4), 0.5)\n")
    save(tmp_path / "in" / "a.png", photo(9, 8))
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    images = read_folder("in", Preprocess(function="my_hooks:half"))
    assert images.pixels.shape == (1, 3, 4, 4)
    assert sys.path == before
    with pytest.raises(InputError, match="did you mean half"):
        read_folder("in", Preprocess(function="my_hooks:halve"))
    with pytest.raises(InputError, match="no module 'nowhere"):
        read_folder("in", Preprocess(function="nowhere.at_all:f"))


@pytest.mark.parametrize(
    ("function", "said"), [(broken_hook, "KeyError"), (np.asarray, "ndarray"), (lambda i: torch.zeros(3, 3), "float32")]
)
def test_a_function_that_fails_names_the_image(tmp_path, function, said):
    save(tmp_path / "a.png", photo(9, 8))
    with pytest.raises(InputError, match=rf"(?s)a\.png.*{said}|{said}.*a\.png"):
        read_folder(tmp_path, Preprocess(function=function))


@pytest.mark.parametrize(
    "options",
    [
        {"size": 0},
        {"size": 64, "resize": 32},
        {"mean": (0.5,)},
        {"mean": 0.5, "std": 0.0},
        {"channels": 4},
        {"interpolation": "magic"},
    ],
)
def test_impossible_options(options):
    with pytest.raises(InputError, match=r"expected|give|smaller"):
        Preprocess(**options)


def test_override_keeps_the_margin_of_the_preset():
    preset = Preprocess(224, 256, **IMAGENET, preset=True)
    assert override(preset) is preset
    assert override(preset, size=112) == Preprocess(112, 128, **IMAGENET, preset=True)
    assert override(preset, mean=0.5, std=0.5) == Preprocess(224, 256, 0.5, 0.5)
    assert override(None, size=28) == Preprocess(28, 28)
    assert override(preset, function=hook) == Preprocess(function=hook)
    assert override(Preprocess(function=hook, preset=True), size=8) == Preprocess(8, 8, preset=True)


# files of all kinds


def test_every_kind_of_picture(tmp_path):
    colour, grey = photo(8, 6), photo(8, 6, channels=1)
    save(tmp_path / "rgb.png", colour)
    save(tmp_path / "grey.png", grey)
    save(tmp_path / "bits.png", grey.astype(np.uint16) * 257)
    Image.fromarray(grey > 99).save(tmp_path / "one.png")
    Image.fromarray(colour).convert("P", palette=Image.Palette.ADAPTIVE, colors=256).save(tmp_path / "palette.png")
    Image.fromarray(colour).convert("CMYK").save(tmp_path / "cmyk.tif")
    Image.fromarray(np.dstack([colour, np.full((6, 8), 255, np.uint8)])).save(tmp_path / "opaque.png")
    images = read_folder(tmp_path)
    assert images.skipped == ()
    assert images.pixels.shape == (7, 3, 6, 8)  # grey among colour is repeated
    shown = dict(zip(images.names, range(7), strict=True))
    for name in ("rgb.png", "palette.png", "opaque.png", "cmyk.tif"):
        np.testing.assert_array_equal(images.picture(shown[name]), colour, err_msg=name)
    for name in ("grey.png", "bits.png"):
        np.testing.assert_array_equal(images.picture(shown[name])[:, :, 1], grey, err_msg=name)
    np.testing.assert_array_equal(images.picture(shown["one.png"])[:, :, 2], (grey > 99) * np.uint8(255))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_on_white(mode):
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[..., 3] = [[255, 0], [128, 255]]
    out = decode.as_pixels(Image.fromarray(pixels).convert(mode))
    assert out.shape == (2, 2, 3 if mode == "RGBA" else 1)
    assert out[..., 0].tolist() == [[0, 255], [127, 0]]


def test_a_transparent_palette_colour_is_white(tmp_path):
    image = Image.fromarray(np.array([[0, 1]], np.uint8)).convert("P")
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.save(tmp_path / "p.png", transparency=0)
    assert decode.read_pixels(tmp_path / "p.png").tolist() == [[[255, 255, 255], [200, 100, 50]]]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("deep", [False, True])
def test_exif_turns_the_picture_upright(tmp_path, orientation, deep):
    upright = photo(12, 8, channels=1)
    upright = upright.astype(np.uint16) * 257 if deep else upright
    undo = {1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: lambda a: a.T,
            6: lambda a: np.rot90(a, 1), 7: lambda a: np.rot90(a.T, 2), 8: lambda a: np.rot90(a, -1)}  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    save(tmp_path / "a.png", np.ascontiguousarray(undo[orientation](upright)), exif=exif)
    np.testing.assert_array_equal(decode.read_pixels(tmp_path / "a.png")[:, :, 0], upright)


@pytest.mark.parametrize("action", ["ignore", "error"])
def test_bad_files_are_reported_and_the_rest_goes_on(tmp_path, monkeypatch, action):
    save(tmp_path / "good.png", photo(40, 40))
    (tmp_path / "cut.jpg").write_bytes(save(tmp_path / "b.jpg", photo(40, 40)).read_bytes()[:-300])
    (tmp_path / "b.jpg").unlink()
    (tmp_path / "text.jpg").write_text("this is not a picture")
    (tmp_path / "empty.png").write_bytes(b"")
    png = bytearray((tmp_path / "good.png").read_bytes())
    png[40:60] = bytes(20)
    (tmp_path / "damaged.png").write_bytes(bytes(png))
    Image.fromarray(np.zeros((4, 4), np.float32)).save(tmp_path / "float.tif")
    Image.fromarray(np.full((4, 4), 70000, np.int32)).save(tmp_path / "deep.tif")
    save(tmp_path / "huge.png", np.zeros((50, 50), np.uint8))
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    os.mkfifo(tmp_path / "pipe.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)
    with warnings.catch_warnings():
        warnings.simplefilter(action)  # whatever the caller does with warnings
        images = read_folder(tmp_path)
    assert images.names == ("good.png",)
    reasons = dict(images.skipped)
    assert set(reasons) == {
        "cut.jpg", "text.jpg", "empty.png", "damaged.png", "float.tif", "deep.tif", "huge.png", "gone.png", "pipe.png"
    }  # fmt: skip
    assert "truncated" in reasons["cut.jpg"]
    assert "identify" in reasons["text.jpg"]
    assert reasons["huge.png"] == "more than 2000 pixels; make it smaller first"  # before it is decoded
    assert "no known white" in reasons["float.tif"]
    assert "70000" in reasons["deep.tif"]
    assert "regular file" in reasons["pipe.png"]
    assert "no file" in reasons["gone.png"]


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory")]
)
def test_a_picture_that_memory_did_not_suffice_for_is_not_left_out(tmp_path, monkeypatch, error):
    """Or the images of a run would hang on what else the machine does."""
    for name in ("a", "b"):
        save(tmp_path / "photos" / f"{name}.png", photo(8, 8))
    np.save(tmp_path / "x.npy", np.zeros((2, 4, 4), np.uint8))
    np.savez(tmp_path / "x.npz", images=np.zeros((2, 4, 4), np.uint8))
    torch.save(torch.zeros(2, 4, 4, dtype=torch.bfloat16), tmp_path / "x.pt")

    def fails(*given: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(Image.Image, "convert", fails)
    for path in (tmp_path / "photos", tmp_path / "photos" / "a.png"):
        with pytest.raises(type(error)):
            read_images(path, limit=1)
    monkeypatch.undo()
    monkeypatch.setattr("PIL.ImageOps.exif_transpose", fails)
    with pytest.raises(type(error)):
        read_images(tmp_path / "photos")
    monkeypatch.undo()
    with monkeypatch.context() as patched:
        patched.setattr(torch.Tensor, "float", fails)
        with pytest.raises(type(error)):
            read_images(tmp_path / "x.pt")
    monkeypatch.setattr(np, "load", fails)
    monkeypatch.setattr(torch, "load", fails)
    for name in ("x.npy", "x.npz", "x.pt"):
        with pytest.raises(type(error)):
            read_images(tmp_path / name)


def test_damaged_metadata_of_a_good_picture_is_no_matter(tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 1, "a description that is cut off"
    save(tmp_path / "a.jpg", photo(8, 8), exif=exif.tobytes()[:30])
    with pytest.warns(UserWarning, match=r"EXIF|Tag"), Image.open(tmp_path / "a.jpg") as image:
        image.getexif()
    assert read_folder(tmp_path).names == ("a.jpg",)  # warnings are errors here


def test_a_bomb_over_twice_the_limit_is_a_reason_too(tmp_path, monkeypatch):
    save(tmp_path / "huge.png", np.zeros((90, 90), np.uint8))
    save(tmp_path / "good.png", np.zeros((9, 9), np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert read_folder(tmp_path).skipped == (("huge.png", "more than 1000 pixels; make it smaller first"),)


def test_a_strip_in_a_folder_is_skipped(tmp_path):
    save(tmp_path / "strip.png", np.zeros((1, 9000), np.uint8))
    save(tmp_path / "good.png", photo(30, 30))
    images = read_folder(tmp_path, Preprocess(224))
    assert images.names == ("good.png",)
    assert "crop it first" in images.skipped[0][1]


# folders


def test_one_folder_per_class_sorted_by_path(tmp_path):
    for name in ("zebra/2.PNG", "zebra/10.png", "ant and bee/ü ñ.jpg", "ant and bee/deep/x.webp", "top.bmp"):
        save(tmp_path / name, photo(16, 16, seed=len(name)))
    for name in ("images.csv", "README.md", ".hidden.png", "zebra/._2.png", "zebra/.ipynb/3.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    seen: list[tuple[int, int]] = []
    images = read_folder(tmp_path, progress=lambda done, count: seen.append((done, count)))
    assert images.names == ("ant and bee/deep/x.webp", "ant and bee/ü ñ.jpg", "top.bmp", "zebra/10.png", "zebra/2.PNG")
    assert images.labels == ("ant and bee", "ant and bee", None, "zebra", "zebra")
    assert images.skipped == ()
    assert seen == [(i, 5) for i in range(1, 6)]
    assert images.sha256 == read_images(tmp_path).sha256


def test_links_to_folders_are_followed_once(tmp_path):
    root = tmp_path / "root"
    save(root / "real" / "a.png", photo(8, 8))
    save(tmp_path / "elsewhere" / "b.png", photo(8, 8))
    (root / "real" / "up").symlink_to(root)
    (root / "real" / "self").symlink_to(root / "real")
    (root / "a_link").symlink_to(root / "real")
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(root)
    images = read_folder(root)
    assert images.names == ("linked/b.png", "real/a.png")
    assert sorted(name for name, _ in images.skipped) == ["a_link", "linked/back", "real/self", "real/up"]


def test_a_limit_is_spread_over_the_classes(tmp_path):
    for label in "abcd":
        for i in range(5):
            save(tmp_path / label / f"{i}.png", photo(8, 8, seed=i))
    assert read_folder(tmp_path, limit=4).labels == tuple("abcd")
    assert len(read_folder(tmp_path, limit=99)) == 20
    drawn = [read_folder(tmp_path, limit=4, seed=s).names for s in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert [name[0] for name in drawn[2]] == list("abcd")


def test_a_neighbour_stands_in_for_a_bad_file(tmp_path):
    for i in range(6):
        save(tmp_path / f"{i}.png", photo(8, 8, seed=i))
    (tmp_path / "2.png").write_text("bad")
    images = read_folder(tmp_path, limit=3)
    assert images.names == ("0.png", "3.png", "4.png")
    assert [name for name, _ in images.skipped] == ["2.png"]


@pytest.mark.parametrize(("count", "limit"), [(10, 3), (3, 10), (7, 7), (100, 32), (5, None)])
def test_spread_covers_everything_once(count, limit):
    for seed in (None, 3):
        runs = Choice(limit, seed).runs(count)
        assert sorted(i for run in runs for i in run) == list(range(count))
        assert len(runs) == min(count, limit or count)
        assert max(map(len, runs)) - min(map(len, runs)) <= 1


def test_the_first_images_of_a_folder(tmp_path):
    for i in range(6):
        save(tmp_path / f"{i}.png", photo(8, 8, seed=i))
    assert read_images(tmp_path, limit=3, order="first").names == ("0.png", "1.png", "2.png")
    (tmp_path / "1.png").write_text("bad")
    some = read_folder(tmp_path, limit=3, order="first")
    assert some.names == ("0.png", "2.png")  # the first three files, not a fourth in place of one
    assert [name for name, _ in some.skipped] == ["1.png"]


@pytest.mark.parametrize(("train", "held_out"), [("train", "test"), ("Training", "Validation"), ("TRAIN", "val")])
def test_folders_of_a_split(tmp_path, train, held_out):
    for name in (f"{train}/cat/1.png", f"{train}/dog/2.png", f"{held_out}/cat/3.png", f"{held_out}/4.png", "5.png"):
        save(tmp_path / name, photo(8, 8))
    (tmp_path / held_out / "cat" / "6.png").write_text("bad")
    first, second = read_images(tmp_path, split="train"), read_images(tmp_path)
    assert first.names == (f"{train}/cat/1.png", f"{train}/dog/2.png")
    assert first.labels == ("cat", "dog")
    assert second.names == (f"{held_out}/4.png", f"{held_out}/cat/3.png")
    assert second.labels == (None, "cat")
    assert [name for name, _ in second.skipped] == [f"{held_out}/cat/6.png"]
    assert first.classes == second.classes == ("cat", "dog")
    assert first.targets is second.targets is None  # folders do not say which number the model gives a class
    assert second.sha256 == read_folder(tmp_path, split="test").sha256


def test_of_several_held_out_parts_test_comes_first(tmp_path):
    for name in ("val/cat/1.png", "train/cat/2.png", "test/cat/3.png"):
        save(tmp_path / name, photo(8, 8))
    assert read_images(tmp_path).names == ("test/cat/3.png",)
    (tmp_path / "test/cat/3.png").unlink()
    with pytest.raises(InputError, match=r"no image in .*test or its folders"):
        read_images(tmp_path)


def test_a_class_may_be_called_train(tmp_path):
    for name in ("train/1.png", "bus/2.png"):
        save(tmp_path / name, photo(8, 8))
    images = read_images(tmp_path)
    assert (images.labels, images.classes) == (("bus", "train"), ("bus", "train"))
    for path in (tmp_path, tmp_path / "bus" / "2.png"):
        with pytest.raises(InputError, match=r"split='test': .* has no training and test parts .*; leave split out"):
            read_images(path, split="test")


def test_a_folder_without_pictures_says_where_the_data_is(tmp_path):
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / "train-labels-idx1-ubyte").write_bytes(b"")
    with pytest.raises(InputError, match=r"the data set in .*data/MNIST is read when that folder is given"):
        read_images(tmp_path / "data")
    (tmp_path / "data_batch_1").write_bytes(b"\x80")
    with pytest.raises(InputError, match="are pickles, whose opening can run any code, and are never opened"):
        read_images(tmp_path)


def test_nothing_to_read(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match=r"no image in .*\.jpg.*\.png"):
        read_folder(tmp_path)
    np.save(tmp_path / "stack.npy", np.zeros((1, 2, 2), np.uint8))
    with pytest.raises(InputError, match=r"stack stack\.npy"):
        read_folder(tmp_path)
    (tmp_path / "a.jpg").write_text("x")
    with pytest.raises(InputError, match=r"none of the 1 files .*a\.jpg: not an image"):
        read_folder(tmp_path)
    with pytest.raises(InputError, match="none of the 1 files"):
        read_images(tmp_path / "a.jpg")
    with pytest.raises(InputError, match="no folder"):
        read_folder(tmp_path / "nowhere")
    with pytest.raises(InputError, match="no folder or file"):
        read_images(tmp_path / "nowhere")
    with pytest.raises(InputError, match="at least 1"):
        read_folder(tmp_path, limit=0)


def test_sizes_that_differ_need_a_size(tmp_path):
    save(tmp_path / "a.png", photo(20, 10))
    save(tmp_path / "b.png", photo(20, 12))
    with pytest.raises(InputError, match=r"a\.png gives \(3, 10, 20\) and b\.png \(3, 12, 20\).*--size"):
        read_folder(tmp_path)
    assert read_folder(tmp_path, Preprocess(8)).pixels.shape == (2, 3, 8, 8)


def test_a_single_file(tmp_path):
    path = save(tmp_path / "my photo.jpg", photo(20, 10))
    images = read_images(path, Preprocess(8, **IMAGENET))
    assert (images.names, images.labels, images.source) == (("my photo.jpg",), (None,), str(path))


# the set itself


def test_picture_undoes_the_normalisation(tmp_path):
    pixels = photo(10, 10)
    save(tmp_path / "a.png", pixels)
    save(tmp_path / "b.png", photo(10, 10, seed=1))
    images = read_folder(tmp_path, Preprocess(**IMAGENET))
    assert images.pixels.min() < -1
    np.testing.assert_array_equal(images.picture(0), pixels)
    assert images.picture(0).flags["C_CONTIGUOUS"]
    taken = images.take([1, 0])
    assert taken.names == ("b.png", "a.png")
    np.testing.assert_array_equal(taken.picture(1), pixels)
    assert taken.sha256 != images.sha256
    assert taken.take([1, 0]).sha256 == images.sha256


def test_a_picture_of_two_channels_is_their_average():
    images = image_set(torch.tensor([[[[0.0, 1.0]], [[0.0, 0.0]]]]), ["a"], mean=(0.0, 0.0), std=(1.0, 1.0))
    assert images.picture(0).tolist() == [[[0, 0, 0], [128, 128, 128]]]
    flat = image_set(torch.full((1, 3, 2, 2), 7.0), ["a"])
    assert flat.picture(0).max() == 0  # a constant image of unknown units


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_pixels_that_are_not_numbers(tmp_path, bad):
    pixels = np.zeros((4, 1, 5, 5), np.float32)
    pixels[2, 0, 1, 1] = bad
    np.save(tmp_path / "x.npy", pixels)
    with pytest.raises(InputError, match=r"x_00002 \(image 2 of .*x\.npy\) has 1 NaN or infinite"):
        read_images(tmp_path / "x.npy")


def test_pixels_whose_sum_overflows_are_numbers():
    huge = torch.full((2, 1, 2, 2), 3e38)
    assert torch.equal(image_set(huge, ["a", "b"]).pixels, huge)
    with pytest.raises(InputError, match=r"b \(image 1 of .*\) has 1 NaN or infinite"):
        image_set(torch.tensor([[[[1e38]]], [[[-float("inf")]]], [[[1.0]]]]), ["a", "b", "c"])


def test_a_set_does_not_copy_pixels_that_fit():
    pixels = torch.rand(2, 1, 3, 3)
    assert image_set(pixels, ["a", "b"]).pixels.data_ptr() == pixels.data_ptr()


def test_sets_that_do_not_fit_together():
    with pytest.raises(InputError, match="one for each image"):
        image_set(torch.zeros(2, 1, 3, 3), ["a"])
    with pytest.raises(InputError, match=r"float \(N, C, H, W\)"):
        image_set(torch.zeros(2, 3, 3), ["a", "b"])


# stacks


def test_layouts_of_a_stack_are_one(tmp_path):
    pixels = np.stack([photo(12, 10, seed=s) for s in range(3)])
    np.save(tmp_path / "last.npy", pixels)
    np.savez(tmp_path / "first.npz", x=pixels.transpose(0, 3, 1, 2), y=np.array([3, 1, 2]))
    torch.save({"images": torch.from_numpy(pixels), "targets": torch.tensor([3, 1, 2])}, tmp_path / "t.pt")
    np.save(tmp_path / "deep.npy", pixels.astype(np.uint16) * 257)
    for i, one in enumerate(pixels):
        save(tmp_path / "files" / f"{i}.png", one)
    how = Preprocess(8, 9, **IMAGENET)
    read = {name: read_images(tmp_path / name, how) for name in ("last.npy", "first.npz", "t.pt", "deep.npy", "files")}
    for name in ("last.npy", "first.npz", "t.pt"):
        assert read[name].sha256 == read["files"].sha256, name
    # Pillow rounds 8 bits after each of the two directions: half a level each
    assert (read["deep.npy"].pixels - read["files"].pixels).abs().max() < 1.01 / 255 / 0.224
    for name in ("first.npz", "t.pt"):
        assert read[name].labels == ("3", "1", "2")
        assert read[name].targets.tolist() == [3, 1, 2]
    assert read["last.npy"].names == ("last_00000", "last_00001", "last_00002")
    assert read["last.npy"].targets is None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "how", [Preprocess(mean=0.3, std=0.7), Preprocess((6, 9), channels=1), Preprocess(4, channels=3)]
)
def test_a_stack_at_once_is_its_pictures_one_by_one(dtype, channels, how):
    top = np.iinfo(dtype).max
    pixels = np.random.default_rng(1).integers(0, top, (4, 6, 9, channels), dtype=dtype, endpoint=True)
    names = [f"{i}" for i in range(4)]
    together = prepare_batch(pixels, how, names)
    assert together.is_contiguous()
    for one, out in zip(pixels, together, strict=True):
        assert torch.equal(out, prepare(one, how))


def test_a_stack_of_other_channels_is_refused_by_name():
    with pytest.raises(InputError, match="first has 4 channels and the model takes 3"):
        prepare_batch(np.zeros((2, 5, 5, 4), np.uint8), Preprocess(channels=3), ["first", "second"])


def test_a_grey_stack_and_a_limit(tmp_path):
    pixels = np.arange(10, dtype=np.uint8)[:, None, None] * np.ones((1, 4, 4), np.uint8)
    np.savez(tmp_path / "x.npz", anything=pixels, labels=[f"class {i}" for i in range(10)])
    images = read_images(tmp_path / "x.npz", limit=5)
    assert images.labels == tuple(f"class {i}" for i in (0, 2, 4, 6, 8))
    assert images.classes == tuple(f"class {i}" for i in range(10))
    assert read_images(tmp_path / "x.npz", limit=5, order="first").names == tuple(f"x_{i:05d}" for i in range(5))
    assert images.names[-1] == "x_00008"
    assert images.picture(4).shape == (4, 4, 3)
    assert images.picture(4).max() == 8
    assert read_images(tmp_path / "x.npz", Preprocess(**IMAGENET)).pixels.shape == (10, 3, 4, 4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_floats_are_in_model_units(tmp_path, dtype):
    values = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(0)).to(dtype)
    torch.save(values, tmp_path / "x.pt")
    for how in (None, Preprocess(224, 256, **IMAGENET, preset=True)):
        assert torch.equal(read_images(tmp_path / "x.pt", how).pixels, values.float())
    with pytest.raises(InputError, match="model units already"):
        read_images(tmp_path / "x.pt", Preprocess(**IMAGENET))
    with pytest.raises(InputError, match=r"not resized: \(6, 6\) is not 8"):
        read_images(tmp_path / "x.pt", Preprocess(8))
    with pytest.raises(InputError, match="takes pictures"):
        read_images(tmp_path / "x.pt", Preprocess(function=hook))


def test_floats_from_zero_to_one_are_normalised_where_asked(tmp_path):
    pixels = photo(6, 6)
    np.save(tmp_path / "x.npy", pixels[None] / 255)
    images = read_images(tmp_path / "x.npy", Preprocess(**IMAGENET))
    torch.testing.assert_close(images.pixels[0], prepare(Image.fromarray(pixels), Preprocess(**IMAGENET)))
    np.testing.assert_array_equal(images.picture(0), pixels)


class Bomb:
    def __reduce__(self):
        return (os.mkdir, ("exploded",))


def test_stacks_that_cannot_be_used(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    good = np.zeros((2, 4, 4), np.uint8)
    np.save("pickled.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    np.savez("pickled.npz", images=good, y=np.array([Bomb(), Bomb()], dtype=object))
    torch.save({"images": Bomb()}, "pickled.pt")
    np.savez("two.npz", a=good, b=good)
    np.savez("labels.npz", images=good, y=[1, 2, 3])
    np.savez("onehot.npz", images=good, y=np.eye(2))
    np.save("int64.npy", good.astype(np.int64))
    np.save("flat.npy", good[0])
    np.save("both.npy", np.zeros((2, 3, 9, 3), np.uint8))
    np.save("none.npy", good[:0])
    np.save("cut.npy", good)
    Path("cut.npy").write_bytes(Path("cut.npy").read_bytes()[:-9])
    Path("text.npz").write_text("hello")
    Path("text.pt").write_text("hello")
    np.save("grey.npy", good.astype(np.float32))
    torch.save([1, 2], "list.pt")
    pickled, cut = "Pickled objects are refused", "cannot be read"
    said = {"pickled.npy": pickled, "pickled.npz": pickled, "pickled.pt": pickled, "two.npz": "'a', 'b'",
            "labels.npz": r"\(2,\)", "onehot.npz": "whole numbers", "int64.npy": "int64", "flat.npy": r"\(4, 4\)",
            "both.npy": "second or the last", "none.npy": "no image", "cut.npy": cut, "text.npz": cut, "text.pt": cut,
            "list.pt": "list", "gone.npy": "no folder or file"}  # fmt: skip
    for name, text in said.items():
        with pytest.raises(InputError, match=text):
            read_images(name)
    with pytest.raises(InputError, match="1 channels and the model takes 3"):
        read_images("grey.npy", Preprocess(**IMAGENET, preset=True))
    with pytest.raises(InputError, match="no file"):
        read_stack("gone.npy")
    assert not Path("exploded").exists()


# class names


def test_the_copies_in_a_zip_from_a_mac_are_no_class(tmp_path):
    for name in ("cat/1.png", "dog/2.png", "__MACOSX/3.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        save(tmp_path / name, photo(8, 8))
    found = labelled(tmp_path)
    assert (found.classes, found.names) == (("cat", "dog"), ("cat/1.png", "dog/2.png"))
    assert found.targets.tolist() == [0, 1]


def test_class_names(tmp_path):
    forms = {
        "a.json": json.dumps({"1": ["n02", "dog"], "0": ["n01", "cat"]}),
        "b.json": json.dumps({"0": "cat", "1": "dog"}),
        "c.json": json.dumps({"dog": 1, "cat": 0}),
        "d.json": json.dumps(["cat", "dog"]),
        "e.txt": "cat\ndog\n\n",
    }
    for name, text in forms.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert read_class_names(tmp_path / name) == ("cat", "dog"), name
    assert read_class_names(["cat", "dog"]) == ("cat", "dog")
    assert [class_name(("cat", "dog"), i) for i in (0, 1, 2, -1)] == ["cat", "dog", "class 2", "class -1"]
    assert class_name(None, 3) == "class 3"


@pytest.mark.parametrize("text", ['{"0": "a", "2": "b"}', "{", "3", '{"0": 1.5}', "[[]]", "{}"])
def test_class_names_that_cannot_be_used(tmp_path, text):
    (tmp_path / "n.json").write_text(text)
    with pytest.raises(InputError, match=r"n\.json"):
        read_class_names(tmp_path / "n.json")
    with pytest.raises(InputError, match="cannot be read"):
        read_class_names(tmp_path / "gone.json")
