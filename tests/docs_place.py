"""A folder with the files that the pages name: small networks with random weights, photos of noise."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from heatproof.models.spec import load_model

NETWORK = """from torch import nn


def make():
    layers = [nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 10))
"""
ZOO = ("resnet18", "squeezenet1_0")


def prepared(folder: Path) -> Path:
    """Fill a folder once; pages get copies."""
    rng = np.random.default_rng(0)
    names = [f"{i}.png" for i in range(3)]
    for place in ("photos", "shard_007"):
        (folder / place).mkdir()
        for name in names:
            _photo(rng).save(folder / place / name)
    _photo(rng).save(folder / "photo.jpg")
    with (folder / "boxes.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "boxes_xyxy"), *((name, "8 8 40 40") for name in names)])
    (folder / "classes.txt").write_text("\n".join(f"class {i}" for i in range(10)) + "\n")
    (folder / "net.py").write_text(NETWORK)
    net = load_model(str(folder / "net.py") + ":make").model
    save_file(net.state_dict(), folder / "net.safetensors")
    _export(net, folder / "model.pt2")
    return folder


def zoo(folder: Path, text: str) -> None:
    """The weights of torchvision's networks that a page names."""
    for name in ZOO:
        if f"torchvision:{name}" in text:
            save_file(load_model(f"torchvision:{name}").model.state_dict(), folder / f"{name}.safetensors")


def hugging_face(folder: Path) -> None:
    """A tiny classifier as Hugging Face saves one, at path/to/folder."""
    from transformers import ResNetConfig, ResNetForImageClassification, ViTImageProcessor

    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 8], depths=[1, 1], layer_type="basic", num_labels=4)
    place = folder / "path" / "to" / "folder"
    ResNetForImageClassification(config).save_pretrained(place)
    ViTImageProcessor(size={"height": 64, "width": 64}).save_pretrained(place)


def _photo(rng: np.random.Generator) -> Image.Image:
    return Image.fromarray(rng.integers(0, 256, (72, 96, 3), dtype=np.uint8))


def _export(net: nn.Module, path: Path) -> None:
    batch = ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(net, (torch.zeros(2, 3, 224, 224),), dynamic_shapes=batch), path)
