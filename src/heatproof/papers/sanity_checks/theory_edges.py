"""Where maps of the sum-pool network are not even, and whether edges of the photo lie there (section 5.3, figure 7)."""

from __future__ import annotations

from math import nan

import torch
import torch.nn.functional as F
from torch import Tensor

from ...similarity import spearman


def even_places(x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """Pixels amid nine places all active or none, and amid nine active ones; without the border. Bool."""
    inside = F.avg_pool2d((F.conv2d(x, w, padding=1) > 0).to(x), 3, 1)
    return (inside < 0.05) | (inside > 0.95), inside > 0.95


def evenness(maps: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """Share of the pixels amid places all active or none, and how far the gradient there is from sum w or 0."""
    even, active = even_places(x, w)
    gap = (maps[..., 1:-1, 1:-1] - active * w.sum()).abs() * even
    return even.double().flatten(1).mean(1), gap.flatten(1).amax(1) / w.abs().max()


def told_apart(edges: Tensor, marked: Tensor) -> Tensor:
    """Chance that a marked pixel has the stronger edge than an unmarked one (area under the ROC curve). ``-> (B,)``."""
    return torch.tensor([_auc(e[m], e[~m]) for e, m in zip(edges, marked, strict=True)], dtype=torch.float64)


def _auc(marked: Tensor, rest: Tensor) -> float:
    if not len(marked) or not len(rest):
        return nan
    ordered = rest.sort().values
    below, up_to = (torch.searchsorted(ordered, marked.contiguous(), right=right) for right in (False, True))
    return float((below + up_to).double().mean() / 2 / len(rest))


def edge_likeness(maps: dict[str, Tensor], edges: Tensor, x: Tensor, w: Tensor) -> dict[str, Tensor]:
    """How well edges tell where the activation pattern is not even; rank correlations of maps, less their median, with
    edges; and both less those with another photo's edges."""
    pattern, strength = ~even_places(x, w)[0], edges[..., 1:-1, 1:-1]
    own, other = told_apart(strength, pattern), told_apart(strength.roll(1, 0), pattern)
    found = {"pattern": own, "pattern-more": own - other}
    for name, m in maps.items():
        from_flat = (m - m.flatten(1).median(1).values[:, None, None, None]).abs()
        own, other = spearman(from_flat, edges), spearman(from_flat, edges.roll(1, 0))
        found |= {f"edges/{name}": own, f"more/{name}": own - other}
    return found
