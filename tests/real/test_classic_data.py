"""MNIST, Fashion-MNIST and CIFAR-10 with trained networks (HEATPROOF_DATA, default ../shared/data)."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from heatproof.data.cifar import CLASSES, read_cifar
from heatproof.data.folder import read_images
from heatproof.data.idx import FASHION, read_idx
from heatproof.data.labelled import labelled
from heatproof.data.preprocess import Preprocess
from heatproof.errors import InputError
from heatproof.models.nets.cifar_resnet import CifarResNet
from heatproof.models.nets.lenet import LeNet
from heatproof.train import accuracy

DATA = Path(os.environ.get("HEATPROOF_DATA") or Path(__file__).parents[2] / "../shared/data")
pytestmark = pytest.mark.skipif(not (DATA / "weights").is_dir(), reason=f"no weights in {DATA}; set HEATPROOF_DATA")

CIFAR_MEAN, CIFAR_STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


def loaded(model: torch.nn.Module, name: str) -> torch.nn.Module:
    state = load_file(DATA / "weights" / f"{name}.safetensors")
    if name == "mnist_lenet":
        state = {key.replace("_", ""): value for key, value in state.items()}
    model.load_state_dict(state)
    return model.eval()


def test_mnist_lenet_is_as_good_as_measured():
    pixels, targets = read_idx(DATA / "MNIST/raw", "test")
    assert targets[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]  # the test set's well-known beginning
    assert accuracy(loaded(LeNet(), "mnist_lenet"), (pixels - 0.1307) / 0.3081, targets) == pytest.approx(
        0.9905, abs=2e-4
    )


@pytest.mark.parametrize(("folder", "mean"), [("MNIST", 0.1307), ("FashionMNIST", 0.2860)])
def test_idx_train_sets_are_whole(folder, mean):
    pixels, targets = read_idx(DATA / folder / "raw", "train")
    assert pixels.shape == (60_000, 1, 28, 28)
    assert (pixels.min(), pixels.max()) == (0, 1)
    assert pixels.mean().item() == pytest.approx(mean, abs=1e-4)
    assert targets.bincount().min() > 5400


def test_cifar_resnet20_knows_the_first_test_images():
    pixels, targets = read_cifar(DATA / "CIFAR10", "test", limit=200)
    assert targets[:10].tolist() == [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]
    units = (pixels - CIFAR_MEAN.view(3, 1, 1)) / CIFAR_STD.view(3, 1, 1)
    assert accuracy(loaded(CifarResNet(3), "cifar10_resnet20"), units, targets) > 0.88


def test_cifar_lenet_is_as_good_as_measured():
    pixels, targets = read_cifar(DATA / "CIFAR10", "test", limit=2000)
    assert accuracy(loaded(LeNet(3, 32), "cifar10_lenet"), pixels * 2 - 1, targets) == pytest.approx(0.591, abs=0.03)


def test_cifar_test_set_is_bitwise_the_documented_one():
    pixels, targets = read_cifar(DATA / "CIFAR10", "test")
    raw = (pixels * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()
    assert hashlib.md5(raw.tobytes()).hexdigest() == "af4c7d079bc3d2fac510dff9a968a417"
    assert targets.bincount().tolist() == [1000] * 10
    assert len(read_cifar(DATA / "CIFAR10", "test", exact=True)[1]) == 10_000 - 25


@pytest.mark.parametrize(("folder", "mean"), [("MNIST", 0.1307), ("FashionMNIST/raw", 0.2860)])
def test_labelled_is_quick_and_whole(folder, mean):
    began = time.process_time()
    images = labelled(DATA / folder, "train", Preprocess(mean=mean, std=0.3))
    assert time.process_time() - began < 4  # about 0.7 s; a slow machine may take longer, picture by picture takes 6
    assert images.pixels.shape == (60_000, 1, 28, 28)
    assert images.pixels.mean().item() == pytest.approx(0, abs=1e-3)
    pixels, targets = read_idx(DATA / folder.split("/")[0] / "raw", "train", 50)
    torch.testing.assert_close(images.pixels[:50], (pixels - mean) / 0.3)
    assert torch.equal(images.targets[:50], targets)
    assert images.names[12] == "train-00012"


@pytest.mark.parametrize("split", ["train", "test"])
def test_fashion_has_names_and_mnist_has_digits(split):
    fashion = labelled(DATA / "FashionMNIST", split, limit=20, order="first")
    first = {"train": ("Ankle boot", "T-shirt/top", "T-shirt/top"), "test": ("Ankle boot", "Pullover", "Trouser")}
    assert fashion.labels[:3] == first[split]
    assert fashion.classes == FASHION
    digits = labelled(DATA / "MNIST/raw", split, limit=20, order="first")
    assert digits.classes == tuple("0123456789")
    assert digits.labels[:3] == {"train": ("5", "0", "4"), "test": ("7", "2", "1")}[split]


def test_the_door_on_cifar():
    images = read_images(DATA / "CIFAR10", limit=50)
    pixels, targets = read_cifar(DATA / "CIFAR10", "test")
    assert torch.equal(images.pixels, pixels[::200])
    assert torch.equal(images.targets, targets[::200])
    assert images.labels[:4] == tuple(CLASSES[i] for i in targets[:800:200])
    assert read_images(DATA / "CIFAR10", limit=3, order="first").labels == ("cat", "ship", "ship")


def test_photos_are_numbered_by_their_folders():
    with pytest.raises(InputError, match="no training and test parts"):
        labelled(DATA / "imagenet-samples", "train")
    photos = labelled(DATA / "imagenet-samples", None, Preprocess(32), limit=10)
    assert photos.classes == tuple(sorted(p.name for p in (DATA / "imagenet-samples").iterdir() if p.is_dir()))
    assert [photos.classes[i] for i in photos.targets] == list(photos.labels)
