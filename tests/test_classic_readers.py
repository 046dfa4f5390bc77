"""MNIST's IDX files and the CIFAR-10 sheets: their readers, `read_images` and `labelled`, on small files written here."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from heatproof.data import cifar, idx
from heatproof.data.cifar import read_cifar
from heatproof.data.folder import read_images
from heatproof.data.idx import read_idx
from heatproof.data.labelled import labelled
from heatproof.data.preprocess import Preprocess, prepare
from heatproof.errors import InputError


def write_idx(path: Path, array: np.ndarray, count: int | None = None, kind: int = 8) -> None:
    head = bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", count or len(array), *array.shape[1:])
    path.write_bytes(gzip.compress(head + array.astype(np.uint8).tobytes()))


@pytest.fixture
def mnist(tmp_path) -> Path:
    images = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3) * 4
    for split in ("train", "t10k"):
        write_idx(tmp_path / f"{split}-images-idx3-ubyte.gz", images)
        write_idx(tmp_path / f"{split}-labels-idx1-ubyte.gz", np.array([3, 1, 4, 1, 5]))
    return tmp_path


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("limit", [None, 2, 9])
def test_idx_values(mnist, split, limit):
    pixels, targets = read_idx(mnist, split, limit)
    count = min(limit or 5, 5)
    expected = torch.arange(60, dtype=torch.float32).view(5, 1, 4, 3) * 4 / 255
    assert torch.equal(pixels, expected[:count])
    assert targets.dtype == torch.int64
    assert targets.tolist() == [3, 1, 4, 1, 5][:count]


def test_idx_missing_truncated_damaged_and_foreign_files_are_named(mnist):
    images = mnist / "train-images-idx3-ubyte.gz"
    whole = images.read_bytes()

    def expect(message: str) -> None:
        with pytest.raises(InputError, match=message):
            read_idx(mnist, "train")

    images.write_bytes(whole[:-12])
    expect("images-idx3-ubyte.gz is truncated or damaged")
    images.write_bytes(b"not gzip at all")
    expect("images-idx3-ubyte.gz is truncated or damaged")
    write_idx(images, np.zeros((5, 4, 3)), count=6)
    expect("announces 72 bytes of data, it has only 60")
    write_idx(images, np.zeros((5, 4, 3)), count=4)
    expect("announces 48 bytes of data, it has more")
    write_idx(images, np.zeros((5, 4, 3)), kind=9)
    expect("begins with 00 00 09 03; .* begins with 00 00 08 03")
    images.write_bytes(gzip.compress(b"\0\0"))
    expect("begins with 00 00;")
    write_idx(images, np.zeros((4, 4, 3)))
    expect("has 4 images but .* has 5 labels")
    write_idx(images, np.zeros((5, 4, 3)))
    raw = bytearray(gzip.decompress(images.read_bytes()))
    raw[4:16] = b"\xff" * 12
    images.write_bytes(gzip.compress(bytes(raw)))
    expect("announces more than fits into memory")
    images.unlink()
    expect("images-idx3-ubyte.gz is missing; the train split needs train-images.* and train-labels")
    with pytest.raises(InputError, match="split='valid', limit=None"):
        read_idx(mnist, "valid")
    with pytest.raises(InputError, match="limit=0"):
        read_idx(mnist, "test", 0)


@pytest.fixture
def sheets(tmp_path, monkeypatch) -> Path:
    """Sheets of 2 x 2 tiles of 3 px: image i of a sheet is filled with 60 i, plus its channel and place."""
    monkeypatch.setattr(cifar, "GRID", 2)
    monkeypatch.setattr(cifar, "TILE", 3)
    for number, names in enumerate([*cifar.SHEETS["train"], *cifar.SHEETS["test"]]):
        Image.fromarray(_sheet(number)).save(tmp_path / names, lossless=True)
    labels = {"train": np.arange(20, dtype=np.uint8) % 10, "test": np.array([7, 8, 9, 0], dtype=np.uint8)}
    lossy = {"lossy_train": np.array([1, 6]), "lossy_test": np.array([2])}
    np.savez(tmp_path / "labels.npz", **labels, **lossy)
    return tmp_path


def _sheet(number: int) -> np.ndarray:
    sheet = np.empty((6, 6, 3), dtype=np.uint8)
    for tile in range(4):
        top, left = 3 * (tile // 2), 3 * (tile % 2)
        sheet[top : top + 3, left : left + 3] = 60 * tile + 9 * number + np.arange(3)
    sheet[0, 1] += 5  # tells rows from columns
    return sheet


def test_cifar_values_and_order(sheets):
    pixels, targets = read_cifar(sheets, "train")
    assert pixels.shape == (20, 3, 3, 3)
    assert targets.tolist() == [i % 10 for i in range(20)]
    for index in range(20):
        corner = torch.tensor([60 * (index % 4) + 9 * (index // 4) + c for c in range(3)]) / 255
        torch.testing.assert_close(pixels[index, :, 2, 2], corner)
    torch.testing.assert_close(pixels[0, :, 0, 1] - pixels[0, :, 1, 0], torch.full((3,), 5 / 255))
    assert read_cifar(sheets, "test")[1].tolist() == [7, 8, 9, 0]


def test_cifar_limit_opens_only_what_it_needs_and_exact_leaves_copies_out(sheets):
    everything, _ = read_cifar(sheets, "train")
    (sheets / "train_3.webp").unlink()
    pixels, targets = read_cifar(sheets, "train", limit=7, exact=True)
    assert targets.tolist() == [0, 2, 3, 4, 5]
    assert torch.equal(pixels, everything[[0, 2, 3, 4, 5]])
    with pytest.raises(InputError, match=r"train_3\.webp is missing"):
        read_cifar(sheets, "train", limit=9)


def test_cifar_truncated_damaged_and_foreign_files_are_named(sheets):
    file = sheets / "test.webp"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"test\.webp is truncated or damaged"):
        read_cifar(sheets, "test")
    Image.new("RGB", (6, 9)).save(file)
    with pytest.raises(InputError, match=r"test\.webp is 6 x 9 pixels; expected 6 x 6"):
        read_cifar(sheets, "test")
    with pytest.raises(InputError, match="limit=0"):
        read_cifar(sheets, "test", limit=0)
    np.savez(sheets / "labels.npz", test=np.zeros(3), lossy_test=np.zeros(0))
    with pytest.raises(InputError, match=r"test labels of shape \(3,\); expected \(4,\)"):
        read_cifar(sheets, "test")
    with pytest.raises(InputError, match="expected arrays train and lossy_train"):
        read_cifar(sheets, "train")
    for bad in (np.array([0, 1, 2, 10]), np.array([0, 1, 2, -1]), np.zeros(4)):
        np.savez(sheets / "labels.npz", test=bad, lossy_test=np.zeros(0))
        with pytest.raises(InputError, match="expected whole numbers from 0 to 9"):
            read_cifar(sheets, "test")
    np.savez(sheets / "labels.npz", test=np.array([None] * 4), lossy_test=np.zeros(0))
    with pytest.raises(InputError, match=r"cannot be read \(Object arrays"):
        read_cifar(sheets, "test")
    (sheets / "labels.npz").write_bytes(b"no archive")
    with pytest.raises(InputError, match="cannot be read"):
        read_cifar(sheets, "test")
    (sheets / "labels.npz").unlink()
    with pytest.raises(InputError, match="is missing"):
        read_cifar(sheets, "test")


# the one door


@pytest.fixture
def digits(tmp_path) -> Path:
    """MNIST as it comes, in a folder with ``raw`` in it: 7 training and 5 test images of two by three pixels."""
    raw = tmp_path / "Ziffern ü" / "raw"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(3)
    for split, labels in (("train", [2, 0, 1, 9, 5, 2, 4]), ("t10k", [3, 1, 4, 1, 5])):
        write_idx(raw / f"{split}-images-idx3-ubyte.gz", rng.integers(0, 256, (len(labels), 2, 3)))
        write_idx(raw / f"{split}-labels-idx1-ubyte.gz", np.array(labels))
    return raw.parent


def bytes_of(file: Path) -> np.ndarray:
    """The images of an IDX file, read by hand."""
    body = gzip.decompress(file.read_bytes())
    return np.array(list(body[16:]), dtype=np.uint8).reshape(-1, 2, 3)


def test_the_door_reads_the_test_split_with_numbers_names_and_places(digits):
    images = read_images(digits)
    expected = bytes_of(digits / "raw" / "t10k-images-idx3-ubyte.gz") / 255
    np.testing.assert_allclose(images.pixels[:, 0].numpy(), expected, rtol=0, atol=6e-8)
    assert images.names == ("test-00000", "test-00001", "test-00002", "test-00003", "test-00004")
    assert images.labels == ("3", "1", "4", "1", "5")
    assert images.targets.tolist() == [3, 1, 4, 1, 5]
    assert images.targets.dtype == torch.int64
    assert images.classes == ("0", "1", "2", "3", "4", "5")
    assert (images.mean, images.std, images.skipped, images.source) == ((0.0,), (1.0,), (), str(digits))
    assert read_images(digits / "raw").sha256 == read_images(digits, split="test").sha256 == images.sha256


def test_limit_and_order(digits):
    everything = read_images(digits, split="train")
    assert len(everything) == 7
    for options, places in [
        ({"limit": 3}, [0, 2, 4]),
        ({"limit": 3, "order": "first"}, [0, 1, 2]),
        ({"limit": 99}, range(7)),
        ({"limit": 99, "order": "first"}, range(7)),
        ({"limit": 1, "order": "first"}, [0]),
    ]:
        some = read_images(digits, split="train", **options)
        assert some.names == tuple(f"train-{i:05d}" for i in places)
        assert torch.equal(some.pixels, everything.pixels[list(places)])
        assert torch.equal(some.targets, everything.targets[list(places)])
        assert some.classes == everything.classes
    drawn = [read_images(digits, split="train", limit=2, seed=seed).names for seed in range(6)]
    assert len(set(drawn)) > 1
    assert drawn[1] == read_images(digits, split="train", limit=2, seed=1).names
    for text, options in {
        "order='last'": {"order": "last"},
        "limit=0": {"limit": 0},
        "split='val'": {"split": "val"},
        "leave one of the two out": {"order": "first", "seed": 1},
    }.items():
        with pytest.raises(InputError, match=text):
            read_images(digits, **options)


def test_the_first_images_alone_are_unpacked_from_a_file_that_is_cut(digits):
    file = digits / "raw" / "train-images-idx3-ubyte.gz"
    rng = np.random.default_rng(0)
    write_idx(file, rng.integers(0, 256, (7, 100, 100)))
    file.write_bytes(file.read_bytes()[:35000])
    assert read_images(digits, limit=2, split="train", order="first").pixels.shape == (2, 1, 100, 100)
    for options in ({}, {"limit": 2}):  # evenly spread, the file is needed as far as its fourth image
        write_idx(file, rng.integers(0, 256, (7, 100, 100)))
        file.write_bytes(file.read_bytes()[:35000])
        with pytest.raises(InputError, match="truncated or damaged"):
            read_images(digits, split="train", **options)


@pytest.mark.parametrize(
    "how",
    [
        Preprocess(mean=0.1307, std=0.3081),
        Preprocess((2, 3), channels=3),
        Preprocess(mean=(0.5, 0.4, 0.3), std=(0.1, 0.2, 0.3)),
        Preprocess(8, 9, 0.5, 0.25),
        Preprocess((2, 2), mean=0.5, std=0.25),
        Preprocess(function=lambda image: torch.full((1, 4, 4), float(np.asarray(image)[0, 0, 0]))),
    ],
    ids=["mean", "channels", "colour", "size", "crop", "function"],
)
def test_preprocessing_is_that_of_single_pictures_to_the_bit(digits, how):
    calls: list[tuple[int, int]] = []
    images = read_images(digits, how, progress=lambda done, count: calls.append((done, count)))
    assert calls[-1] == (5, 5)
    alone = [prepare(Image.fromarray(one), how) for one in bytes_of(digits / "raw" / "t10k-images-idx3-ubyte.gz")]
    assert torch.equal(images.pixels, torch.stack(alone))
    assert (images.mean is None) == (how.function is not None)


def test_unpacked_files_are_read_too_and_gzipped_ones_first(digits):
    packed = digits / "raw" / "t10k-images-idx3-ubyte.gz"
    before = read_images(digits).sha256
    plain = packed.with_suffix("")
    plain.write_bytes(gzip.decompress(packed.read_bytes()))
    packed.unlink()
    assert read_images(digits).sha256 == before
    plain.write_bytes(plain.read_bytes()[:-1])
    with pytest.raises(InputError, match="announces 30 bytes of data, it has only 29"):
        read_images(digits)
    write_idx(packed, np.zeros((5, 2, 3)))
    assert read_images(digits).pixels.max() == 0


@pytest.mark.parametrize("what", ["images-idx3-ubyte", "labels-idx1-ubyte"])
def test_a_missing_companion_is_named(digits, what):
    (digits / "raw" / f"t10k-{what}.gz").unlink()
    with pytest.raises(InputError, match=f"t10k-{what}.gz is missing; the test split needs"):
        read_images(digits)
    assert len(labelled(digits, "train")) == 7


def test_an_empty_set(digits):
    for name, shape in (("images-idx3", (0, 2, 3)), ("labels-idx1", (0,))):
        file = digits / "raw" / f"t10k-{name}-ubyte.gz"
        file.write_bytes(gzip.compress(bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape)))
    with pytest.raises(InputError, match=r"the test split in .*raw holds no image"):
        read_images(digits)


def test_fashion_is_told_by_its_labels(digits, monkeypatch):
    assert len(idx.FASHION) == 10
    labels = bytes([3, 1, 4, 1, 5])
    monkeypatch.setattr(idx, "FASHION_LABELS", ("0" * 64, hashlib.sha256(labels).hexdigest()))
    some = read_images(digits, limit=2)
    assert some.labels == ("Dress", "Coat")
    assert some.classes == idx.FASHION
    assert some.targets.tolist() == [3, 4]
    assert read_images(digits, split="train").labels == ("2", "0", "1", "9", "5", "2", "4")


def test_the_door_reads_sheets(sheets):
    train, test = (read_images(sheets, split=split) for split in ("train", None))
    for images, split in ((train, "train"), (test, "test")):
        pixels, targets = read_cifar(sheets, split)
        assert torch.equal(images.pixels, pixels)
        assert torch.equal(images.targets, targets)
        assert images.labels == tuple(cifar.CLASSES[i] for i in targets)
        assert images.classes == cifar.CLASSES
    assert test.names == ("test-00000", "test-00001", "test-00002", "test-00003")
    some = read_images(sheets, split="train", limit=3)
    assert some.names == ("train-00000", "train-00006", "train-00013")
    assert torch.equal(some.pixels, train.pixels[[0, 6, 13]])
    (sheets / "train_5.webp").unlink()
    assert torch.equal(read_images(sheets, split="train", limit=3).pixels, some.pixels)  # it is not needed
    with pytest.raises(InputError, match=r"train_5\.webp is missing"):
        read_images(sheets, split="train")


def test_sheets_are_told_from_a_folder_of_pictures(sheets):
    (sheets / "labels.npz").unlink()
    with pytest.raises(InputError, match=r"labels\.npz is missing"):
        read_images(sheets)
    (sheets / "train_2.webp").unlink()
    assert len(read_images(sheets)) == 5  # pictures that happen to have such names


# labelled


def test_labelled_classic_sets(digits, sheets):
    for split in ("train", "test"):
        images = labelled(digits, split)
        assert images.sha256 == read_images(digits, split=split).sha256
        assert images.labels == tuple(str(i) for i in images.targets.tolist())
    assert labelled(sheets, "test", limit=2).labels == ("horse", "truck")
    named = labelled(digits, "test", Preprocess(4), 2, classes=[f"digit {i}" for i in range(10)], order="first")
    assert named.labels == ("digit 3", "digit 1")
    assert named.targets.tolist() == [3, 1]
    assert len(named.classes) == 10
    assert named.pixels.shape == (2, 1, 4, 4)
    shuffled = [cifar.CLASSES[i] for i in (1, 0, 2, 3, 4, 5, 6, 7, 8, 9)]
    for text, call in {
        "give split='train' or split='test'": lambda: labelled(digits),
        "split='valid'": lambda: labelled(digits, "valid"),
        "class numbers from 0 to 5, but classes has 5 names": lambda: labelled(
            digits, "test", classes="a b c d e".split()
        ),
        "another order": lambda: labelled(sheets, "test", classes=shuffled),
        "'a' twice": lambda: labelled(sheets, "test", classes=["a", "b", "a"]),
        "expected the names": lambda: labelled(sheets, "test", classes="cat"),
        "expected the names of": lambda: labelled(sheets, "test", classes=[0, 1]),
    }.items():
        with pytest.raises(InputError, match=text):
            call()


def pictures(root: Path, *names: str) -> Path:
    for i, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (i, 0, 0)).save(root / name)
    return root


def test_labelled_folders_have_one_numbering(tmp_path):
    root = pictures(
        tmp_path, "train/dog/1.png", "train/Ärger/2.png", "train/ant/3.png", "test/dog/4.png", "test/bee/5.png",
        "test/.hidden/6.png",
    )  # fmt: skip
    (root / "train" / "notes").mkdir()
    (root / "train" / "notes" / "readme.txt").write_text("no picture, no class")
    train, test = labelled(root, "train"), labelled(root, "test")
    assert train.classes == test.classes == ("ant", "bee", "dog", "Ärger")
    assert train.names == ("train/ant/3.png", "train/dog/1.png", "train/Ärger/2.png")
    assert train.targets.tolist() == [0, 2, 3]
    assert train.targets.dtype == torch.int64
    assert test.names == ("test/bee/5.png", "test/dog/4.png")
    assert test.targets.tolist() == [1, 2]
    assert labelled(root, "train", limit=1).classes == train.classes
    given = labelled(root, "train", classes=("Ärger", "dog", "cat", "bee", "ant"))
    assert given.targets.tolist() == [4, 1, 0]
    assert given.classes == ("Ärger", "dog", "cat", "bee", "ant")
    with pytest.raises(InputError, match=r"has the class 'bee', which is not one of classes"):
        labelled(root, "train", classes=("ant", "dog", "Ärger"))
    with pytest.raises(InputError, match="give split='train' or split='test'"):
        labelled(root)
    alone = labelled(root / "test")
    assert alone.classes == ("bee", "dog")
    with pytest.raises(InputError, match="has no training and test parts"):
        labelled(root / "test", "test")


def test_labelled_needs_a_class_for_every_image(tmp_path):
    pictures(tmp_path, "a/1.png", "b/2.png", "3.png")
    with pytest.raises(InputError, match=r"no class for 1 of 3 images \(3\.png\); expected one folder per class"):
        labelled(tmp_path)
    (tmp_path / "3.png").unlink()
    assert labelled(tmp_path).targets.tolist() == [0, 1]
    shutil.rmtree(tmp_path / "b")
    with pytest.raises(InputError, match=r"every image of .* has the class 'a'; expected two classes or more"):
        labelled(tmp_path)
    assert labelled(tmp_path, classes=["b", "a"]).targets.tolist() == [1]
    with pytest.raises(InputError, match=r"no class for 1 of 1 images \(1\.png\)"):
        labelled(tmp_path / "a" / "1.png", classes=["b", "a"])


def test_labelled_stacks(tmp_path):
    images = np.arange(6, dtype=np.uint8)[:, None, None] * np.ones((1, 4, 5), np.uint8)

    def stack(labels: object) -> Path:
        np.savez(tmp_path / "x.npz", images=images, **({} if labels is None else {"y": labels}))
        return tmp_path / "x.npz"

    numbered = labelled(stack([2, 0, 1, 1, 0, 2]), limit=3)
    assert numbered.targets.tolist() == [2, 1, 0]
    assert (numbered.labels, numbered.classes) == (("2", "1", "0"), ("0", "1", "2"))
    texts = labelled(stack(["dog", "cat", "bee", "dog", "cat", "bee"]), limit=2)
    assert (texts.targets.tolist(), texts.labels, texts.classes) == ([2, 2], ("dog", "dog"), ("bee", "cat", "dog"))
    given = labelled(stack([1, 3, 1, 3, 1, 3]), classes=["a", "b", "c", "d"])
    assert (given.targets.tolist(), given.labels[:2]) == ([1, 3, 1, 3, 1, 3], ("b", "d"))
    for labels, classes, text in [
        (None, None, "no class for 2 of 2 images"),
        ([1, 2, 3, 1, 2, 9], None, "go from 1 to 9 and not from 0 without gaps"),
        ([1, 2, 3, 1, 2, 4], ["a", "b", "c", "d"], "class numbers from 1 to 4, but classes has 4 names"),
        ([-1, 0, 1, 0, 0, 0], ["a", "b"], "class numbers from -1 to 1"),
        ([0, 1, 2, 1, 0, 2], ["a", "b"], "class numbers from 0 to 2, but classes has 2 names"),
        ([0, 0, 0, 0, 0, 0], None, "two classes or more"),
        (["a", "b", "a", "b", "a", "c"], ["a", "b"], "has the class 'c', which is not"),
    ]:
        with pytest.raises(InputError, match=text):
            labelled(stack(labels), limit=2, classes=classes)
    assert read_images(stack([1, 2, 3, 1, 2, 9])).classes is None
