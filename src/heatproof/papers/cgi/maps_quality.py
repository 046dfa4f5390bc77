"""Figure 3: CGI beside gradient x input on photos, all 1000 classes in the contest."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...combine.kept import kept
from ...data.masks import masks_for
from ...data.preprocess import Preprocess
from ...faithfulness.localisation import localisation
from ..lab import IMAGENET, Lab
from ..numbers import over
from ..types import Measured

NETWORK = "squeezenet1_0"
"""Without batch norm, as VGG-19: its sums follow the logits (figure 2)."""
METHODS = ("gradient_x_input", "cgi")
SHOWN = 4


def photo_maps(lab: Lab) -> Measured:
    """How much of each map's mass lies in the object's box, and how much the contest leaves."""
    x, masks, pictures = _photos(lab, lab.pick(4, 10, 50), lab.pick(112, 112, 224))
    model = lab.photo_net(NETWORK)
    maps = {method: _maps(lab, method, model, x) for method in METHODS}
    inside = {method: localisation(held, masks).mass for method, held in maps.items()}
    share = kept(maps["gradient_x_input"], maps["cgi"])
    numbers = {
        **{method: over(shares) for method, shares in inside.items()},
        "difference": over(inside["cgi"] - inside["gradient_x_input"]),
        "area": over(masks.flatten(1).double().mean(1)),
        "above area": over(
            inside["gradient_x_input"] - masks.flatten(1).double().mean(1).to(inside["gradient_x_input"])
        ),
        "kept": over(share.fraction),
        "mass": over(share.mass),
    }
    drawn = {method: held[:SHOWN].sum(1, keepdim=True).float() for method, held in maps.items()}
    return Measured(numbers, {"photos": pictures[:SHOWN], **drawn})


def _maps(lab: Lab, method: str, model: nn.Module, x: Tensor) -> Tensor:
    return torch.cat([lab.method(method)(model, one[None]).detach().double().cpu() for one in x])


def _photos(lab: Lab, count: int, side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Photos, their boxes and how they look, at a side of at most 224 pixels."""
    images = lab.photos(count)
    preprocess = Preprocess(224, 256, IMAGENET["mean"], IMAGENET["std"])
    boxes = masks_for(images, lab.data / "imagenet-samples" / "images.csv", preprocess).masks.float()
    x, area = (F.interpolate(v, size=(side, side), mode="bilinear", antialias=True) for v in (images.pixels, boxes))
    looks = x * torch.tensor(IMAGENET["std"])[:, None, None] + torch.tensor(IMAGENET["mean"])[:, None, None]
    return x.to(lab.device), area > 0.5, looks.clamp(0, 1)
