"""Maps of images and of their adversarial examples: does a map follow the class?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ...faithfulness.adversarial import fgsm
from ...faithfulness.rectgrad_code import percentile_cut
from ...models.spec import load_model
from ...similarity.spearman import spearman
from ...types import Explain
from ..lab import PHOTO_NETS, Lab
from ..numbers import over
from ..types import Measured, Number
from .maps import CHUNK, OURS, SINGLE, strongest, texts
from .maps_images import shown

EPS = 0.01
"""Of values from -1 to 1."""
QUICK_METHODS = (*SINGLE, "Guided Backpropagation", *OURS)
"""One gradient each."""
DRAWN = 4
STILL = 0.25
"""Of the images, those where RectGrad's map changes least."""


def photo_attack(lab: Lab) -> Measured:
    """SqueezeNet on photos; the methods of one gradient each."""
    loaded = load_model("torchvision:squeezenet1_0", lab.weights(PHOTO_NETS["squeezenet1_0"]), device=lab.device)
    photos = lab.photos(lab.pick(12, 64, 100))
    held = {name: text for name, text in texts(lab).items() if name in QUICK_METHODS}
    attack = Attack(loaded.model, photos.pixels.to(lab.device), EPS / 2 / 0.226, lab.pick(8, 48, 100))
    maps = attack.maps(lab, held)
    places = attack.places
    arrays = {f"{name}/{which}": strongest(m[:DRAWN]) for name, both in maps.items() for which, m in both.items()}
    arrays["photos"] = shown(photos.take(places[:DRAWN]))
    numbers = compared(maps) | {"flipped": Number(float(attack.flipped))}
    words = {"names": "\n".join(photos.names[i] for i in places[:DRAWN])}
    for which, classes in (("before", attack.before), ("now", attack.now)):
        words[which] = "\n".join(named(loaded.categories, i) for i in classes[:DRAWN].tolist())
    return Measured(
        numbers, {name: a for name, a in arrays.items() if "/before" not in name and "/noise" not in name}, words
    )


def named(categories: Sequence[str] | None, place: int) -> str:
    return categories[place] if categories else f"class {place}"


def resnet_attack(lab: Lab) -> Measured:
    """The pretrained CIFAR-10 ResNet-20, all methods but PRR: it pools no maxima."""
    x, _ = lab.cifar_units(lab.pick(60, 400, 1000))
    attack = Attack(lab.resnet20(), x, EPS / 2 / 0.226, lab.pick(16, 80, 1000))
    held = {name: text for name, text in texts(lab).items() if name != "RectGrad PRR"}
    return Measured(compared(attack.maps(lab, held)) | {"flipped": Number(float(attack.flipped))})


def cifar_attack(lab: Lab) -> Measured:
    """The paper's CIFAR-10 network, all methods."""
    x, _ = lab.labelled("CIFAR10", "test", lab.pick(60, 400, 1000))
    attack = Attack(lab.network("cifar-clean"), x, EPS, lab.pick(16, 120, 1000))
    return Measured(compared(attack.maps(lab, texts(lab))) | {"flipped": Number(float(attack.flipped))})


class Attack:
    """The first images whose class one step of FGSM flips: clean, attacked, and with random signs of the same size."""

    def __init__(self, model: nn.Module, x: Tensor, eps: float, most: int) -> None:
        self.model = model
        with torch.no_grad():
            before = torch.cat([model(part).argmax(1) for part in torch.split(x, CHUNK)])
        attacked = torch.cat(
            [fgsm(model, *pair, eps) for pair in zip(torch.split(x, CHUNK), torch.split(before, CHUNK), strict=True)]
        )
        with torch.no_grad():
            now = torch.cat([model(part).argmax(1) for part in torch.split(attacked, CHUNK)])
        flips = (now != before).nonzero().flatten()
        self.flipped = len(flips) / len(x)
        kept = flips[:most]
        self.places = kept.tolist()
        signs = torch.randint(0, 2, x.shape, generator=torch.Generator().manual_seed(0)).to(x) * 2 - 1
        self.clean, self.attacked, self.noisy = x[kept], attacked[kept], (x + eps * signs)[kept]
        self.before, self.now = before[kept], now[kept]

    def maps(self, lab: Lab, wanted: Mapping[str, str]) -> dict[str, dict[str, Tensor]]:
        """By method: of the image, of the attacked one for its class and for the one before, and under random signs."""
        cases = {
            "clean": (self.clean, self.before), "attacked": (self.attacked, self.now),
            "before": (self.attacked, self.before), "noise": (self.noisy, self.before),
        }  # fmt: skip
        return {
            name: {which: self._explained(lab.method(text), *case) for which, case in cases.items()}
            for name, text in wanted.items()
        }

    def _explained(self, explain: Explain, x: Tensor, target: Tensor) -> Tensor:
        pairs = zip(torch.split(x, CHUNK), torch.split(target, CHUNK), strict=True)
        parts = [explain(self.model, *pair) for pair in pairs]
        return torch.cat(parts).detach().sum(1, keepdim=True).cpu()


def compared(maps: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Number]:
    """1 - Spearman: "moves" from the image to the attacked one, "noise" to random signs, "class" between both classes of
    the attacked image; "still" of the images where RectGrad moves least; baselines also thresholded ("cut"); and what
    RectGrad has more."""
    numbers: dict[str, Number] = {"images": Number(float(len(maps["RectGrad"]["clean"])))}
    for kind in ("plain", "cut"):
        found = {name: changes(m, kind == "cut" and name not in OURS) for name, m in maps.items()}
        for name, held in found.items():
            numbers |= {f"{kind}/{name}/{what}": over(values) for what, values in held.items()}
            numbers[f"{kind}/{name}/over noise"] = over(held["moves"] - held["noise"])
            for what in ("moves", "class"):
                numbers[f"{kind}/{name}/{what} gap"] = over(found["RectGrad"][what] - held[what])
        still = found["RectGrad"]["moves"].argsort()[: math.ceil(STILL * len(maps["RectGrad"]["clean"]))]
        numbers |= {f"{kind}/{name}/still": over(held["moves"][still]) for name, held in found.items()}
    return numbers


def changes(maps: Mapping[str, Tensor], cut: bool) -> dict[str, Tensor]:
    held = {which: percentile_cut(m) if cut else m for which, m in maps.items()}
    return {
        "moves": 1 - spearman(held["clean"], held["attacked"]),
        "noise": 1 - spearman(held["clean"], held["noise"]),
        "class": 1 - spearman(held["attacked"], held["before"]),
    }
