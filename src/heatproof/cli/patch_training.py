"""The options of ``bench patch`` about its network."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ..errors import InputError


@dataclass(frozen=True)
class PatchTraining:
    """The network of the bench and the patch that its images carry."""

    train: str = field(
        default="", metadata={"help": "labelled training images: the network is trained on them with the patch"}
    )
    train_limit: int = field(default=0, metadata={"help": "training images, evenly spread; 0 = all"})
    epochs: int = field(default=5, metadata={"help": "passes over the training images (20 in the paper)"})
    lr: float = field(default=1e-3, metadata={"help": "highest learning rate"})
    patch_seed: int = field(default=0, metadata={"help": "of the patch, and of the network's first weights"})

    def __post_init__(self) -> None:
        if self.train_limit < 0 or self.epochs < 1 or not 0 < self.lr < math.inf or not 0 <= self.patch_seed < 2**63:
            raise InputError(
                f"--train-limit {self.train_limit}, --epochs {self.epochs}, --lr {self.lr}, --patch-seed {self.patch_seed}"
                ": expected a limit from 0 on, one epoch or more, a learning rate over 0, and a seed from 0 on"
            )
