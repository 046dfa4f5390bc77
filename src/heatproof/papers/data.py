"""The data folder of the papers' claims: which parts are there, and how networks want them."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from torch import Tensor

from ..data.choice import Split
from ..data.cifar import read_cifar
from ..data.idx import read_idx
from ..errors import InputError

FILES = {
    "MNIST": ("MNIST/raw/t10k-images-idx3-ubyte.gz", "MNIST/raw/train-images-idx3-ubyte.gz"),
    "FashionMNIST": ("FashionMNIST/raw/t10k-images-idx3-ubyte.gz", "FashionMNIST/raw/train-images-idx3-ubyte.gz"),
    "CIFAR10": ("CIFAR10/test.webp", "CIFAR10/labels.npz"),
    "photos": ("imagenet-samples/images.csv",),
}
"""What tells that a part is there; any other part is a file of weights, ``weights/NAME.safetensors``."""


def missing(data: Path, part: str) -> str:
    """Why a part cannot be used; "" where it is there."""
    if part == "digits":
        return ""
    for name in FILES.get(part, (f"weights/{part}.safetensors",)):
        if not (data / name).is_file():
            return f"there is no {name} in the data folder {data}"
    return ""


def digest(data: Path, part: str) -> str:
    """SHA-256 of the files that tell of a part: its results change with it."""
    if part == "digits":
        return part
    found = sha256()
    for name in FILES.get(part, (f"weights/{part}.safetensors",)):
        found.update((data / name).read_bytes())
    return found.hexdigest()[:16]


@lru_cache(maxsize=4)
def labelled(data: Path, name: str, split: Split, limit: int | None = None) -> tuple[Tensor, Tensor]:
    """Images and labels of a data set: MNIST and Fashion-MNIST in [0, 1], CIFAR-10 in [-1, 1]. ``(N, C, H, W), (N,)``.

    Not to be written to: the same tensors are given out again.
    """
    if name in ("MNIST", "FashionMNIST"):
        return read_idx(data / name / "raw", split, limit)
    if name == "CIFAR10":
        pixels, targets = read_cifar(data / name, split, limit)
        return pixels * 2 - 1, targets
    raise InputError(f"there is no labelled data set {name!r}; there are MNIST, FashionMNIST and CIFAR10")
