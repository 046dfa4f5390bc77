"""Figure 1: gradient x input of every logit of one MNIST network, and what all these maps share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...similarity.spearman import spearman
from ..lab import Lab
from ..numbers import over
from ..types import Measured, Number

DIGIT, CLASSES = 3, 10
EXPECTED = (7, 5)
"""The labels whose strokes the paper finds in their maps."""


def all_logits_cnn(lab: Lab) -> Measured:
    """The panel of the CNN."""
    return _panel(lab, lab.network("mnist-cnn"))


def all_logits_alexnet(lab: Lab) -> Measured:
    """The panel of the paper's network: AlexNet trained on the true labels."""
    return _panel(lab, lab.pair("labels-mnist-alexnet").true.to(lab.device).eval())


def _panel(lab: Lab, model: nn.Module) -> Measured:
    """Shares of the digit's pixels by image, "chance" where the signs of the maps are independent."""
    pixels, labels = lab.labelled("MNIST")
    x = pixels[labels == DIGIT][: lab.pick(100, 300, 1010)]
    with torch.no_grad():
        x = x[model(x).argmax(1) == DIGIT]
    targets = torch.arange(CLASSES, device=x.device)[:, None].expand(-1, len(x)).contiguous()
    maps = lab.method("gradient_x_input")(model, x, targets).cpu()
    ink, x = x.cpu() > 0, x.cpu()
    hot, inked = (maps > 0).flatten(2).double(), ink.flatten(1).sum(1)
    single = hot.sum(2) / inked
    everywhere, chance = hot.prod(0).sum(1) / inked, single.prod(0)
    others = hot[torch.arange(CLASSES) != DIGIT].amax(0)
    shared = (hot[DIGIT] * others).sum(1) / hot[DIGIT].sum(1)
    alike = torch.stack([spearman(m, x, absolute=True) for m in maps]).amin(0)
    coin = 1 - (1 - single[torch.arange(CLASSES) != DIGIT]).prod(0)
    numbers = {
        "images": Number(len(x)),
        "visible": over(alike),
        "in all": over(everywhere),
        "chance": over(chance),
        "beyond chance": over(everywhere - chance),
        "in another too": over(shared),
        "another by chance": over(coin),
        "another beyond chance": over(shared - coin),
    }
    means = torch.stack([pixels[labels == c].mean(0).cpu() for c in range(CLASSES)])
    for c in EXPECTED:
        alike = torch.stack([_strokes(maps[:, i], means[c], where) for i, where in enumerate(ink)], 1)
        others = alike[torch.arange(CLASSES) != c].mean(0)
        numbers[f"strokes/{c}"] = over(alike[c] - others)
        numbers[f"strokes own/{c}"] = over(alike[c])
        numbers[f"strokes rank/{c}"] = Number(1 + int((alike.mean(1) > alike[c].mean()).sum()))
    cgi = lab.method("cgi")(model, x[:1].to(lab.device), torch.tensor([DIGIT], device=lab.device)).cpu()
    return Measured(numbers, {"photo": x[0], "maps": maps[:, 0].float(), "cgi": cgi[0].float()})


def _strokes(values: Tensor, mean: Tensor, ink: Tensor) -> Tensor:
    """Rank correlation, over the pixels of a digit, of the maps of all labels with one mean image. ``-> (C,)``."""
    rows = values[:, ink][:, None, None]
    return spearman(rows, mean[ink].to(rows.dtype).expand_as(rows))
