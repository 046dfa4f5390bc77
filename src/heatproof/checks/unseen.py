"""Whether test images were trained on: then test accuracies, and with them the gates, mean nothing."""

from __future__ import annotations

from torch import Tensor

from ..data.streamed import image_digest
from ..errors import InputError

TOLERATED = 0.01
"""Share of test images that may be among the training images, as doubles in public data sets are; gates allow 5 %."""


def seen(pixels: Tensor, others: Tensor) -> int:
    """How many of the images `others` are among `pixels`, to the last bit. ``(N, ...), (M, ...)``

    Example:
        >>> import torch
        >>> seen(torch.eye(3), torch.eye(3)[:2])
        2
    """
    known = set(map(image_digest, pixels))
    return sum(image_digest(image) in known for image in others)


def check_unseen(pixels: Tensor, test_pixels: Tensor, what: str) -> None:
    """Raise `InputError` where over 1 % of the test images were trained on."""
    if (count := seen(pixels, test_pixels)) > TOLERATED * len(test_pixels):
        raise InputError(
            f"{what}: {count} of {len(test_pixels)} test images are training images too, so that accuracies on them say "
            "nothing about unseen images; give test images that are not trained on (--images: another folder than "
            "--train, or one with train/ and test/ parts)"
        )
