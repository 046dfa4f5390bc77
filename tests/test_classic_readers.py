"""Readers of MNIST's IDX files and of the CIFAR-10 sheets, on small files written here."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from heatproof.data import cifar
from heatproof.data.cifar import read_cifar
from heatproof.data.idx import read_idx
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
    images.unlink()
    expect("images-idx3-ubyte.gz is missing")
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
    (sheets / "labels.npz").write_bytes(b"no archive")
    with pytest.raises(InputError, match="cannot be read"):
        read_cifar(sheets, "test")
    (sheets / "labels.npz").unlink()
    with pytest.raises(InputError, match="is missing"):
        read_cifar(sheets, "test")
