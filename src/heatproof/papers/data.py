"""The data folder of the papers' claims: which parts are there, and how networks want them."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from torch import Tensor

from ..data.choice import Split
from ..data.cifar import SHEETS, read_cifar
from ..data.idx import IMAGES, LABELS, PREFIX, read_idx
from ..errors import InputError

IDX = [f"{part}-{what}.gz" for part in PREFIX.values() for what in (IMAGES, LABELS)]
FILES = {
    "MNIST": [f"MNIST/raw/{name}" for name in IDX],
    "FashionMNIST": [f"FashionMNIST/raw/{name}" for name in IDX],
    "CIFAR10": [f"CIFAR10/{name}" for name in ("labels.npz", *SHEETS["train"], *SHEETS["test"])],
    "photos": ["imagenet-samples/images.csv"],
}
"""The files of each part; any other part is a file of weights, ``weights/NAME.safetensors``."""


def missing(data: Path, part: str) -> str:
    """Why a part cannot be used; "" where it is there."""
    if part == "digits":
        return ""
    for name in FILES.get(part, [f"weights/{part}.safetensors"]):
        if not any(path.is_file() for path in _spellings(data / name)):
            return f"there is no {name} in the data folder {data}"
    return ""


def _spellings(path: Path) -> list[Path]:
    """A file, and one that is packed also unpacked."""
    return [path, path.with_suffix("")] if path.suffix == ".gz" else [path]


def digest(data: Path, part: str) -> str:
    """SHA-256 of all files of a part: its results change with it."""
    if part == "digits":
        return part
    found = sha256()
    paths = [path for name in FILES.get(part, [f"weights/{part}.safetensors"]) for path in _spellings(data / name)]
    photos = sorted((data / "imagenet-samples").rglob("*.jp*g")) if part == "photos" else []
    for path in [path for path in (*paths, *photos) if path.is_file()]:
        found.update(path.name.encode() + path.read_bytes())
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
