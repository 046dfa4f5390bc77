"""A model that is ready to be asked: its private twin, what it takes, and what it says of a photo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from ..data.preprocess import Preprocess, prepare
from ..engine.chance import check_same
from ..engine.guard import fixed_batch
from ..engine.model import all_outputs, own
from ..errors import HeatproofError, InputError, ModelError
from ..models.spec import LoadedModel
from ..score import classes as class_count
from ..score import label_probability, single_logit
from ..types import Score

TRIAL = 256
"""Side in pixels of the picture that a model is tried with where it has no size of its own."""


@dataclass(frozen=True)
class Served:
    """A model of the page.

    Attributes:
        private: the twin that every map is computed with.
        preprocess: how a photo becomes its input, its channels decided.
        count: of its classes; names: theirs in that order, or none.
        batch: how many images go through at once: 1, or the only number that a ``torch.export`` program takes.
        trained: as of `LoadedModel`; factory too.
        command: the words of ``heatproof audit`` with the model's options, to put its maps to the test.
    """

    name: str
    private: nn.Module
    preprocess: Preprocess
    score: Score
    count: int
    names: tuple[str, ...]
    batch: int
    trained: bool | None
    factory: Callable[[], nn.Module] | None
    command: tuple[str, ...]

    @property
    def device(self) -> torch.device:
        return device_of(self.private)

    def said(self, image: Tensor) -> Tensor:
        """What the model returns for one image ``(1, C, H, W)``: ``(1, classes)``, or one number."""
        return all_outputs(self.private, image.to(self.device), self.score, self.batch)

    def chances(self, image: Tensor) -> Tensor:
        """The probability of every class, ``(classes,)``."""
        out = self.said(image)[0].double().flatten()
        if self.score is single_logit:
            return torch.cat([(-out).sigmoid(), out.sigmoid()])
        return out.sigmoid() if self.score is label_probability else out.softmax(0)


def make_served(
    loaded: LoadedModel, score: Score, listed: Sequence[str] | None = None, name: str = "", command: Sequence[str] = ()
) -> Served:
    """A loaded model, tried once: whether it runs, with which channels, and how many classes it has.

    Args:
        listed: class names of the caller's; None takes the model's own where there are as many as outputs.

    Raises:
        InputError: another number of class names than of outputs, or a score of no classes.
        ModelError: it does not run on a picture of its size.
    """
    private = own(loaded.model)
    how, out = _tried(private, loaded.preprocess or Preprocess(), score, loaded.name)
    count = class_count(out, score)
    if count is None or count < 2:
        raise InputError(
            f"{loaded.name} returns {tuple(out.shape)}, in which there are no classes to choose from; serve explains "
            "classes: give --score single_logit for one binary logit, or use heatproof explain"
        )
    if listed and len(listed) != count:
        raise InputError(
            f"{len(listed)} class names for {count} outputs of {loaded.name}; give a name for every output"
        )
    names = tuple(listed or loaded.categories or ())
    return Served(
        name or loaded.name, private, how, score, count, names if len(names) == count else (),
        fixed_batch(private) or 1, loaded.trained, loaded.factory, tuple(command),
    )  # fmt: skip


def _tried(private: nn.Module, preprocess: Preprocess, score: Score, name: str) -> tuple[Preprocess, Tensor]:
    """The preprocessing with the channels that the model takes, and what it says of a picture of noise."""
    wanted, errors = preprocess.wanted_channels, []
    noise = np.random.default_rng(0).integers(0, 256, (TRIAL, TRIAL, 3), np.uint8)
    for channels in (wanted,) if wanted else (3, 1):
        how = replace(preprocess, channels=channels)
        try:
            image = prepare(noise, how, "a picture to try it with")[None].to(device_of(private))
            said, again = (all_outputs(private, image, score, fixed_batch(private) or 1) for _ in range(2))
        except HeatproofError as error:
            errors.append(error)
            continue
        check_same(said, again)
        return how, said
    if "score=" in str(errors[0]):  # it runs, and returns no classes: no other size would help
        raise ModelError(f"{name}: {errors[0]} (here as an option: --score single_logit)") from errors[0]
    raise ModelError(
        f"{name} does not run on a picture: {errors[0]}. Give --size, and --mean and --std with a number for each channel, "
        "as in its training"
    ) from errors[0]


def device_of(private: nn.Module) -> torch.device:
    """Where a model's tensors are."""
    return next((t.device for t in [*private.parameters(), *private.buffers()]), torch.device("cpu"))
