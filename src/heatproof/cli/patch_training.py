"""The options of ``bench patch`` about its network."""

from __future__ import annotations

from dataclasses import dataclass, field


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
