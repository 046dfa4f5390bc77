"""Meaningful perturbation (Fong & Vedaldi 2017, arXiv:1704.03296): the smallest part whose deletion destroys the score."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..engine.call import check_image, like_inputs
from ..engine.chunks import chunk_slices, normal_like, sample_generators
from ..engine.guard import fixed_batch
from ..engine.model import output, own
from ..engine.passes import INPUT, forward
from ..engine.rows import ROWS, rows_at_once
from ..errors import InputError
from ..perturb import blurred, chosen, circle, moved, scores, total_variation, wide
from ..score import check_target, label_probability, probability
from ..types import Score, method

RADII = 11
"""Sizes of the first disc that are tried, from nothing to the whole image."""
BOUNDED: tuple[Score, ...] = (probability, label_probability)
"""Scores with a floor of their own. Any other (a logit) could be lowered for ever, and is held to `NEAR`."""
NEAR = 0.1
"""The last share of the way to what the full replacement leaves, over which the score pulls less and less."""
LEVELS = 256
"""The mask moves in steps of 1/256: Adam would let a rounding error of another batch size grow from step to step."""
MEAN, SQUARE, EPSILON = 0.9, 0.999, 1e-8
"""Adam's constants, which the paper leaves at their defaults."""


@dataclass(frozen=True)
class Penalty:
    """The two terms of equation 4 beside the score, and their weights."""

    l1: float
    tv: float
    beta: float

    def __call__(self, mask: Tensor) -> Tensor:
        return self.l1 * (1 - mask).flatten(1).mean(1) + self.tv * total_variation(mask, self.beta)


@dataclass(frozen=True)
class Scene:
    """What is optimised, one row an image and class: the image, what replaces it, its shifts ``(n, steps, 2)``."""

    model: nn.Module
    score: Score
    image: Tensor
    replaced: Tensor
    target: Tensor
    shifts: Tensor

    def seen(self, mask: Tensor) -> Tensor:
        """The image under a mask ``(n, 1, H, W)``."""
        return self.replaced + mask.to(self.image.dtype) * (self.image - self.replaced)  # section 4.2, blur as a blend

    def scores(self, mask: Tensor) -> Tensor:
        return scores(output(self.model, self.seen(mask), self.score), self.score, self.target)

    def at(self, step: int) -> Scene:
        """Moved by the shifts of a step."""
        shifts = self.shifts[:, step]
        if not shifts.any():
            return self
        return replace(self, image=moved(self.image, shifts), replaced=moved(self.replaced, shifts))

    def slope(self, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The score ``(n,)`` under a mask ``(n, 1, H, W)``, and its derivative by the mask."""
        run = forward(self.model, self.seen(mask), self.score)
        grad = run.gradients(self.score, self.target, INPUT)[0].to(mask.dtype)
        found = scores(run.out, self.score, self.target).to(mask.dtype)
        return found, (grad * (self.image - self.replaced).to(mask.dtype)).sum(1, keepdim=True)


@method(
    source="arXiv:1704.03296, equations 3 and 4",
    channels=False,
    signed=False,
    image=True,
    noise=True,
    effort="steps",
    score=probability,
)
def meaningful_perturbation(
    model: nn.Module,
    inputs: Tensor,
    target: Any = None,
    *,
    score: Score = probability,
    steps: int = 300,
    perturbation: str = "blur",
    l1: float = 0.01,
    tv: float = 0.2,
    beta: float = 3.0,
    learning_rate: float = 0.1,
    resolution: int | None = None,
    sigma: float | None = None,
    jitter: int | None = None,
    fill: float | Tensor = 0.0,
    seed: int = 0,
    index: Tensor | None = None,
    batch_size: int = ROWS,
) -> Tensor:
    """How much of each place a learned mask deletes. ``(B, C, H, W) -> (B, 1, H, W)``.

    Source: Fong & Vedaldi 2017, section 4: a mask m in [0, 1] minimises l1 |1 - m| + tv |grad m|^beta + score of the image
    with what m hides replaced (equations 3 and 4), by Adam, on a coarse grid that is upsampled bilinearly, over small
    random shifts, from the smallest centred disc that takes away 99 % of the score. Deviations: penalties are means over
    places and slopes per 1/28 of the side, so that they hold at any resolution; the score is divided by how far the full
    replacement lowers it, and one without a floor (a logit) is not lowered further, so that they hold for any score; the
    mask has 256 levels; blur is a blend with the blurred image; the mask is not blurred at the end.

    Args:
        model, inputs, target: as in `gradient`; every image and class is an optimisation of its own.
        score: what is destroyed; by default the probability, which is what the paper lowers.
        steps: iterations.
        perturbation: what replaces: "blur", "constant" (`fill`) or "noise" (the channel's mean and deviation).
        l1, tv, beta: weights of the deleted area and of the mask's roughness, and its power.
        learning_rate: of Adam.
        resolution: places of the mask along the shorter side; default a quarter of it up to 28, then an eighth.
        sigma: of the blur in pixels; default 10 for a side of 224, 2 at least.
        jitter: largest shift in pixels; default 4 for a side of 224, 0 under 56.
        fill: for "constant": a number or a tensor that broadcasts to the inputs, in the model's units.
        seed, index: the shifts and the noise of a sample come from (seed, index); index int64 ``(B,)``.
        batch_size: samples in one pass; bounds the memory.

    Returns:
        Share deleted, 0 to 1: 1 = the score needs this place.

    Raises:
        InputError: an option out of range, a fill of another shape.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2, bias=False)).eval()
        >>> model[1].weight.data = torch.eye(16)[:2] * 3  # class 0 looks at the first pixel alone
        >>> image = torch.ones(1, 1, 4, 4)
        >>> map = meaningful_perturbation(model, image, torch.tensor([0]), perturbation="constant", l1=0.2)
        >>> map[0, 0].argmax(), map[0, 0, 0, 0] > 0.5, map[0, 0, 2:, 2:].max() < 0.1
        (tensor(0), tensor(True), tensor(True))
    """
    check_image(inputs, "meaningful_perturbation")
    height, width = inputs.shape[2:]
    side = min(height, width)
    resolution = min(side, max(4, min(28, side // 4), side // 8)) if resolution is None else resolution
    sigma = max(2.0, side * 10 / 224) if sigma is None else sigma
    jitter = side // 56 if jitter is None else jitter
    _check_whole(steps=(steps, 1), resolution=(resolution, 1), jitter=(jitter, 0), batch_size=(batch_size, 1))
    _check_numbers(l1=(l1, 0), tv=(tv, 0), beta=(beta, 1), learning_rate=(learning_rate, 0), sigma=(sigma, 1e-3))
    draws = sample_generators(seed, index, len(inputs), "meaningful_perturbation")
    with torch.inference_mode(False), torch.no_grad():
        private, x = own(model), inputs.detach().clone()
        size = fixed_batch(private) or rows_at_once(batch_size)
        target = _targets(private, x, target, score, size)
        replaced = _replaced(perturbation, x, fill, sigma, draws)
        shifts = torch.stack([torch.randint(-jitter, jitter + 1, (steps, 2), generator=g) for g in draws]).to(x.device)
        images, classes = torch.arange(len(x), device=x.device).expand(target.shape).flatten(), target.flatten()
        start = x.new_ones(1, 1, *(round(resolution * s / side) for s in (height, width)), dtype=wide(x.dtype))
        masks = []
        for rows in chunk_slices(len(images), size):
            of = images[rows]
            scene = Scene(private, score, x[of], replaced[of], classes[rows], shifts[of])
            masks.append(_learned(scene, _first(scene, start), Penalty(l1, tv, beta), learning_rate))
        deleted = 1 - _upsampled(torch.cat(masks), x)
        return deleted.reshape(*target.shape, 1, height, width).to(x.dtype)


def _targets(model: nn.Module, x: Tensor, target: Any, score: Score, size: int) -> Tensor:
    """The target checked, or the predicted class, from passes of at most `size` samples."""
    given = None if target is None else check_target(target, len(x), x.device, None)
    found = [chosen(output(model, x[rows], score), score, given, rows) for rows in chunk_slices(len(x), size)]
    return torch.cat(found, -1)


def _learned(scene: Scene, mask: Tensor, penalty: Penalty, rate: float) -> Tensor:
    """Equation 4 minimised by Adam; every place has a step of its own, so that rows do not meet."""
    whole = torch.ones_like(_upsampled(mask, scene.image))
    clean, gone = scene.scores(whole).to(mask.dtype), scene.scores(0 * whole).to(mask.dtype)
    unit = (clean - gone).abs().clamp_min(1e-7 * (clean.abs() + gone.abs()) + 1e-12)
    mean, square = torch.zeros_like(mask), torch.zeros_like(mask)
    for step in range(scene.shifts.shape[1]):
        with torch.enable_grad():
            leaf = mask.clone().requires_grad_()
            fine, cost = _upsampled(leaf, scene.image), penalty(leaf).sum()
        found, slope = scene.at(step).slope(fine.detach())
        left = (found - clean) / unit + 1  # 1 for the whole image, 0 once the score fell by as much as it may
        pull = torch.ones_like(left) if scene.score in BOUNDED else (left / NEAR).clamp(0, 1)
        slope = slope * (pull / unit)[:, None, None, None]
        grad = torch.autograd.grad([fine, cost], leaf, [slope, torch.ones_like(cost)])[0]  # eq. 4
        mean, square = MEAN * mean + (1 - MEAN) * grad, SQUARE * square + (1 - SQUARE) * grad**2
        size = (square / (1 - SQUARE ** (step + 1))).sqrt() + EPSILON
        mask = (mask - rate * mean / (1 - MEAN ** (step + 1)) / size).clamp(0, 1)
        mask = (mask * LEVELS).round() / LEVELS
    return mask


def _first(scene: Scene, start: Tensor) -> Tensor:
    """For each row the smallest centred disc that takes away 99 % of what the full replacement does."""
    discs = [circle(radius / (RADII - 1), start) for radius in range(RADII)]
    rows = len(scene.image)
    left = [scene.scores(_upsampled(d, scene.image).expand(rows, -1, -1, -1)) for d in discs]
    clean, gone = left[0], left[-1]
    enough = torch.stack([clean - s >= 0.99 * (clean - gone) for s in left])
    return torch.cat(discs)[enough.int().argmax(0)]


def _upsampled(mask: Tensor, image: Tensor) -> Tensor:
    return interpolate(mask, size=image.shape[2:], mode="bilinear", align_corners=False)


def _replaced(perturbation: str, x: Tensor, fill: float | Tensor, sigma: float, draws: list[torch.Generator]) -> Tensor:
    """What a mask of zeros shows (section 4.2)."""
    if perturbation == "constant":
        return like_inputs(fill, x, "fill")
    if not isinstance(fill, (int, float)) or fill != 0:
        shown = f"of shape {tuple(fill.shape)}" if isinstance(fill, Tensor) else f"{fill!r}"
        raise InputError(
            f"fill={shown} is for perturbation='constant', not {perturbation!r}; leave it out, or choose that"
        )
    if perturbation == "blur":
        return blurred(x, sigma)
    if perturbation == "noise":
        flat = x.to(wide(x.dtype)).flatten(2)
        mean, spread = flat.mean(2)[..., None, None], flat.std(2, correction=0)[..., None, None]
        return (mean + spread * normal_like(x, draws).to(flat.dtype)).to(x.dtype)
    raise InputError(f"perturbation={perturbation!r}; expected blur, constant or noise")


def _check_whole(**options: tuple[Any, int]) -> None:
    for name, (value, least) in options.items():
        if not isinstance(value, int) or value < least:
            raise InputError(f"{name}={value!r}; expected a whole number of {least} or more")


def _check_numbers(**options: tuple[Any, float]) -> None:
    for name, (value, least) in options.items():
        if not isinstance(value, (int, float)) or not least <= value < float("inf"):
            raise InputError(f"{name}={value!r}; expected a number of {least} or more")
