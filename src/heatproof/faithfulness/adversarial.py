"""Adversarial examples by the sign of the gradient, and random changes of the same size beside them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..engine.chunks import sample_generators
from ..engine.passes import INPUT, forward
from ..score import logit
from .kind import Batch
from .probe import logits_at


def fgsm(
    model: nn.Module, x: Tensor, target: Tensor, eps: float = 0.01, steps: int = 1, clip: tuple[float, ...] = ()
) -> Tensor:
    """``x + eps sign(grad of the cross-entropy of the target)``, in steps of ``eps / steps``. ``(B, C, H, W)`` same.

    Source: Goodfellow et al. 2015, arXiv:1412.6572, section 4; several steps: Kurakin et al. 2017. Deviation: the sign is
    read off ``u = log sum_(j != t) exp z_j - z_t``: the cross-entropy is softplus(u), its gradient a positive multiple of
    that of u, but rounds to another direction where the class is certain in float32.

    Example:
        >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False)).eval()
        >>> linear[1].weight.data = torch.tensor([[1.0, -2.0], [0.0, 0.0]])
        >>> fgsm(linear, torch.zeros(1, 1, 1, 2), torch.tensor([0]), eps=0.5)
        tensor([[[[-0.5000,  0.5000]]]])
    """
    logits_at(model, x)
    at = x.detach()
    for _ in range(steps):
        slope = forward(model, at, _against).gradients(_against, target, INPUT)[0]
        at = clipped(at + eps / steps * slope.sign(), clip)
    return at


def _against(out: Tensor, target: Tensor) -> Tensor:
    return out.scatter(1, target[:, None], float("-inf")).logsumexp(1) - logit(out, target)


def clipped(x: Tensor, clip: tuple[float, ...]) -> Tensor:
    return x.clamp(*clip) if clip else x


@dataclass(frozen=True)
class Attack:
    """What was done to a chunk of images.

    Attributes:
        x: attacked images. now: their classes. control: images changed as much by signs at random; where the sign drawn
            would be clipped, by that of the attack, so that where most values lie at a limit the two hardly differ.
        flipped: bool ``(B,)``, the class was the target and is no more. steady: it still is. calm: it is for the control.
    """

    x: Tensor
    now: Tensor
    control: Tensor
    flipped: Tensor
    steady: Tensor
    calm: Tensor

    def variants(self, batch: Batch) -> tuple[tuple[Batch, str], ...]:
        """What is explained beside the clean images, and under which noise: the attacked images for their class and, by
        the same noise, for the one before; the control images."""
        same = replace(batch, x=self.x)
        control = replace(batch, x=self.control)
        return (replace(same, target=self.now), "adversarial"), (same, "adversarial"), (control, "control")


def attacked(model: nn.Module, batch: Batch, eps: float, steps: int, clip: tuple[float, ...], seed: int) -> Attack:
    """The images after `fgsm`, and after random signs of the same size, from (seed, place of the image)."""
    x = fgsm(model, batch.x, batch.target, eps, steps, clip)
    draws = sample_generators(seed, batch.index, len(x), "signs")
    coins = torch.stack([torch.randint(0, 2, x.shape[1:], generator=g) for g in draws]).to(x) * 2 - 1
    drawn = batch.x + coins * (x - batch.x).abs()
    control = torch.where(clipped(drawn, clip) == drawn, drawn, x)
    was, now, beside = (logits_at(model, at).argmax(1) for at in (batch.x, x, control))
    right = was == batch.target
    same = now == batch.target
    return Attack(x, now, control, right & ~same, right & same, right & (beside == batch.target))
