"""Test accuracy of the paper's two MNIST networks (appendix B)."""

from __future__ import annotations

import torch

from ..lab import Lab
from ..numbers import over
from ..types import Measured


def accuracies(lab: Lab) -> Measured:
    """Of the CNN and the MLP on the 10,000 MNIST test images."""
    images, labels = lab.labelled("MNIST")
    numbers = {}
    for name in ("mnist-cnn", "mnist-mlp"):
        network = lab.network(name)
        with torch.no_grad():
            found = torch.cat([network(part).argmax(1) for part in torch.split(images, 500)])
        numbers[name] = over((found == labels).double())
    return Measured(numbers)
