"""The CIFAR-10 networks of the FullGrad and RectGrad papers, trained here; every step resumes where it was interrupted.

    python studies/cifar_networks.py clean DATA runs/nets      # RectGrad's CNN
    python studies/cifar_networks.py patched DATA runs/nets    # the same on images with a random patch in the corner
    python studies/cifar_networks.py vgg DATA runs/nets        # FullGrad's 9-layer VGG at a quarter of its width

DATA is a folder that holds CIFAR10.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console

from heatproof.data.cifar import read_cifar
from heatproof.faithfulness.patch import random_patch, with_patch
from heatproof.models.nets.rectgrad_cnn import RectGradCNN
from heatproof.models.nets.vgg9 import VGG9
from heatproof.train import accuracy, save_network, seeded, train

console = Console()
NETS: dict[str, Any] = {"clean": RectGradCNN, "patched": RectGradCNN, "vgg": partial(VGG9, width=0.25)}
EPOCHS = {"clean": 20, "patched": 20, "vgg": 10}


def told(done: int, total: int, info: str) -> None:
    """One line for each hundredth of a training."""
    if done * 100 // total != (done - 1) * 100 // total:
        console.print(f"{done} of {total} steps, {info}")


def main(
    which: str, data: Annotated[Path, typer.Argument(help="folder with CIFAR10")], out: Path, threads: int = 1
) -> None:
    """Adam at 0.001 in batches of 100 (the RectGrad paper), one cycle of the rate and bfloat16 (not in the paper)."""
    torch.set_num_threads(threads)
    (pixels, targets), (test, labels) = (read_cifar(data / "CIFAR10", split) for split in ("train", "test"))
    pixels, test = pixels * 2 - 1, test * 2 - 1
    if which == "patched":
        patch = random_patch(3) * 2 - 1
        pixels, test = with_patch(pixels, patch), with_patch(test, patch)
    out.mkdir(parents=True, exist_ok=True)
    model = seeded(NETS[which], 0)
    done = train(
        model, pixels, targets, epochs=EPOCHS[which], batch=100, lr=1e-3, bf16="auto", seed=0,
        checkpoint=out / f"{which}.training", progress=told,
    )  # fmt: skip
    card = {**done.card, "dataset": f"CIFAR-10, {which}", "test_accuracy": accuracy(model, test, labels)}
    save_network(out / f"cifar_{which}.safetensors", model, card)
    console.print(card)


if __name__ == "__main__":
    typer.run(main)
