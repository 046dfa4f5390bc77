"""Class sensitivity (RectGrad paper, section 5.2): how far a map moves where a small change flips its image's class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import torch
from torch import Tensor, nn

from ..checks.compared import measure
from ..errors import InputError
from ..score import logit
from ..similarity.metrics import named_metrics
from ..types import Explain, Score
from .adversarial import Attack, attacked
from .kind import Found
from .probe import alone, batches, map_at

SIMILARITY = ("spearman", "spearman_abs", "ssim")
SAID = ("flipped", "steady", "control", "drop", "class_change")


@dataclass(frozen=True)
class Adversarial:
    """Options of the attack and of the comparison."""

    eps: float = field(default=0.01, metadata={"help": "largest change of a value, in the model's units"})
    steps: int = field(default=1, metadata={"help": "steps of eps / steps each; 1 = fast gradient sign"})
    similarity: tuple[str, ...] = field(default=SIMILARITY, metadata={"help": "metrics that compare two maps"})
    clip: tuple[float, ...] = field(default=(), metadata={"help": "lowest and highest value after the attack; none"})

    def __post_init__(self) -> None:
        if not (isfinite(self.eps) and self.eps > 0) or self.steps < 1:
            raise InputError(f"eps={self.eps}, steps={self.steps}; expected eps > 0 and at least one step")
        if self.clip and not (len(self.clip) == 2 and self.clip[0] < self.clip[1]):
            raise InputError(
                f"clip={self.clip}; expected (lowest, highest) in the model's units, or () for no clipping"
            )
        object.__setattr__(self, "similarity", tuple(named_metrics(self.similarity)))


@dataclass(frozen=True)
class ClassSensitivity:
    """What the attack did, and similarities by metric, float64 ``(B,)``, NaN where there is none.

    Attributes:
        adversarial: attacked images ``(B, C, H, W)``. predicted: their classes, int64 ``(B,)``.
        flipped: bool ``(B,)``, the attack changed the class; False where the clean image had another one already.
        similarity_flipped: of the map of x to that of x' for its own class, where the class flipped.
        similarity_steady: the same where the attack did not flip it.
        similarity_control: of the map of x to that under random signs of the same size, where these did not flip it.
        drop: similarity_control - similarity_flipped, where both are. No evidence of class sensitivity: the attack has a
            structure that random signs lack, and any map that follows the image moves with it.
        class_change: 1 - similarity of the maps of x' for its class and for the one before, under the same noise, where
            the class flipped; 0 for a map that does not depend on the class.
    """

    adversarial: Tensor
    predicted: Tensor
    flipped: Tensor
    similarity_flipped: Mapping[str, Tensor]
    similarity_steady: Mapping[str, Tensor]
    similarity_control: Mapping[str, Tensor]
    drop: Mapping[str, Tensor]
    class_change: Mapping[str, Tensor]


def class_sensitivity(
    model: nn.Module,
    images: Tensor,
    explain: Explain,
    targets: Any = None,
    *,
    eps: float = 0.01,
    steps: int = 1,
    similarity: tuple[str, ...] = SIMILARITY,
    clip: tuple[float, ...] = (),
    score: Score = logit,
    chunk: int = 8,
    seed: int = 0,
    index: Tensor | None = None,
) -> ClassSensitivity:
    """How far maps move as an attack flips the class, and as the class alone changes. ``(B, C, H, W) -> (B,)``.

    Source: Kim et al. 2019, arXiv:1902.04893, section 5.2 and figure 5b, after Nie et al. 2018. Deviations: numbers
    instead of pictures; a control, since any noise moves a map: signs of the same size drawn at random, explained for the
    same class; and `class_change`, since the attack moves also maps that know no class (of edges, say): the attacked image
    explained for both classes. It says that a map depends on the class, not that it does so rightly. The attack never sees
    the method.

    Args:
        images: in the model's units; the paper's eps belongs to [-1, 1].
        explain: any method.
        targets: classes that are attacked and explained, int64 ``(B,)``; None = predicted. Images that the model gives
            another class have no value.
        eps, steps, clip: of `fgsm`.
        similarity: texts of metrics.
        score: what the maps explain.
        chunk: images per pass. seed, index: of the random signs and of the method's own noise.

    Raises:
        InputError: options or targets out of range. ModelError: the model returns no logits of two classes or more.
    """
    options = Adversarial(eps, steps, tuple(similarity), tuple(clip))
    subject = alone(model, explain, images, score, chunk, seed)
    attacks, values = [], []
    for count, batch in batches(subject.model, images, targets, score, chunk, index):
        attack = attacked(subject.model, batch, eps, steps, options.clip, seed)
        maps = map_at(subject, explain, batch)
        others = tuple(map_at(subject, explain, b, variant) for b, variant in attack.variants(batch))
        values.append({key: v[:count] for key, v in compared(maps, others, attack, options.similarity).items()})
        attacks.append(tuple(v[:count] for v in (attack.x, attack.now, attack.flipped)))
    said = [{m: torch.cat([v[f"{kind}:{m}", 0] for v in values]) for m in options.similarity} for kind in SAID]
    adversarial, now, flipped = (torch.cat(column) for column in zip(*attacks, strict=True))
    return ClassSensitivity(adversarial, now, flipped, *said)


def compared(maps: Tensor, others: Sequence[Tensor], attack: Attack, similarity: tuple[str, ...]) -> Found:
    """Values by ("flipped:METRIC", 0) and so on, of the parts in `SAID`; others: maps of `Attack.variants`."""
    found: dict[tuple[str, int], Tensor] = {}
    adversarial, before, control = others
    for metric in similarity:
        alike = measure(metric)
        after, beside = alike(maps, adversarial), alike(maps, control)
        change = (1 - alike(adversarial, before)).masked_fill(~attack.flipped, torch.nan)
        flipped, steady = (after.masked_fill(~where, torch.nan) for where in (attack.flipped, attack.steady))
        calm = beside.masked_fill(~attack.calm, torch.nan)
        parts = dict(zip(SAID, (flipped, steady, calm, calm - flipped, change), strict=True))
        found |= {(f"{kind}:{metric}", 0): value for kind, value in parts.items()}
    return found
