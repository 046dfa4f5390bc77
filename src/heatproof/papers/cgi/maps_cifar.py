"""CGI beside gradient x input on CIFAR-10, of logits and of softmax outputs, plain and centred: pixel perturbation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...combine.kept import kept
from ...engine.chunks import chunk_slices
from ...faithfulness.pixel import pixel_perturbation
from ...score import logit, probability
from ...types import Score
from ..lab import Lab
from ..numbers import over
from ..types import Measured, Number

FRACTIONS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7)
BLACK, CHUNK, SHOWN = -1.0, 20, 6
MAPS: dict[str, tuple[str, Score]] = {
    "gradient x input": ("gradient_x_input", logit),
    "CGI": ("cgi", logit),
    "centred CGI": ("compete(gradient_x_input, center=True)", logit),
    "gradient x input, softmax": ("gradient_x_input", probability),
    "CGI, softmax": ("cgi", probability),
}


def cifar_quality(lab: Lab) -> Measured:
    """How much faster the class's probability falls than in random order as the most salient pixels turn black."""
    x, _ = lab.labelled("CIFAR10", "test", lab.pick(60, 300, 1000))
    model = lab.network("cifar-clean")
    maps = {name: _explained(lab, model, x, *how) for name, how in MAPS.items()}
    random = _area(model, x, lab.method("random_map")(model, x))
    gains = {name: random - _area(model, x, held) for name, held in maps.items()}
    numbers = {f"gain/{name}": over(gain) for name, gain in gains.items()}
    numbers |= {
        f"{name} minus {other}": over(gains[name] - gains[other])
        for name, other in (
            ("CGI", "gradient x input"),
            ("centred CGI", "CGI"),
            ("CGI, softmax", "CGI"),
            ("gradient x input, softmax", "gradient x input"),
        )
    }
    for end in ("", ", softmax"):
        share = kept(maps[f"gradient x input{end}"], maps[f"CGI{end}"])
        numbers |= {f"kept{end}": over(share.fraction), f"mass{end}": over(share.mass)}
    numbers["probability"] = Number(float(model(x).detach().softmax(1).amax(1).mean()))
    arrays = {name: held[:SHOWN].sum(1, keepdim=True).float() for name, held in maps.items()}
    return Measured(numbers, {"photos": ((x[:SHOWN] + 1) / 2).cpu(), **arrays})


def _explained(lab: Lab, model: nn.Module, x: Tensor, method: str, score: Score) -> Tensor:
    explain = lab.method(method)
    parts = [explain(model, x[rows], score=score) for rows in chunk_slices(len(x), CHUNK)]
    return torch.cat(parts).detach().double().cpu()


def _area(model: nn.Module, x: Tensor, maps: Tensor) -> Tensor:
    """Under the class's probability as the most salient pixels go first."""
    return pixel_perturbation(
        model, x, maps.to(x.device), fractions=FRACTIONS, which="most", fill="black", black=BLACK, chunk=CHUNK
    ).area.cpu()
