"""Figure 2: sums of gradient x input against all 1000 logits of a photo, by one forward derivative along the photo."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from ...engine.chunks import chunk_slices
from ..lab import Lab
from ..numbers import over
from ..types import Measured, Number

NETWORKS = ("squeezenet1_0", "mobilenet_v2")
BATCH, CHECKED = 4, (0, 500, 999)
"""Photos at once; logits whose sums are taken from the maps as well."""


def photo_logits(lab: Lab) -> Measured:
    """Numbers under "NETWORK/..."; logits and sums of the first photo as arrays."""
    photos = lab.photos(lab.pick(24, 60, 100))
    numbers: dict[str, Number] = {}
    arrays: dict[str, Tensor] = {"photo": torch.tensor(photos.picture(0)).permute(2, 0, 1) / 255}
    for name in NETWORKS:
        model = lab.photo_net(name)
        x = photos.pixels.to(lab.device)
        logits, sums = _derivatives(model, x)
        numbers |= {f"{name}/{what}": number for what, number in _numbers(lab, model, x[:BATCH], logits, sums)}
        sizes = _sizes(lab, model, x, logits.argmax(1))
        numbers[f"{name}/delta"] = over(sums.gather(1, logits.argmax(1)[:, None])[:, 0] / sizes)
        numbers[f"{name}/delta by chance"] = Number(photos.pixels[0].numel() ** -0.5)
        arrays |= {f"{name}/logits": logits[0].float(), f"{name}/sums": sums[0].float()}
    return Measured(numbers, arrays, {"photo": photos.names[0]})


def _derivatives(model: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Logits, and x . gradient of every logit: what gradient x input sums to. ``(B, 1000)`` each."""
    with torch.no_grad():
        parts = [torch.func.jvp(model, (x[rows],), (x[rows],)) for rows in chunk_slices(len(x), BATCH)]
    return torch.cat([part[0] for part in parts]).double().cpu(), torch.cat([part[1] for part in parts]).double().cpu()


def _numbers(lab: Lab, model: nn.Module, x: Tensor, logits: Tensor, sums: Tensor) -> Iterator[tuple[str, Number]]:
    targets = torch.tensor(CHECKED, device=x.device)[:, None].expand(-1, len(x)).contiguous()
    maps = lab.method("gradient_x_input")(model, x, targets).flatten(2).double().sum(2).cpu()
    yield "maps beside derivative", Number(float((maps.T - sums[: len(x), list(CHECKED)]).abs().max()))
    a, b = (values - values.mean(1, keepdim=True) for values in (logits, sums))
    yield "pearson", over((a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1)))
    yield "slope", over((a * b).sum(1) / (a * a).sum(1))
    ranked = logits.sort(1, descending=True).values
    yield "twice the next", over((ranked[:, 0] >= 2 * ranked[:, 1]).double())
    yield "ratio to the next", Number(float((ranked[:, 0] / ranked[:, 1]).median()))
    yield "ratio to the rest", Number(float((ranked[:, 0] / ranked[:, 1:].abs().mean(1)).median()))


def _sizes(lab: Lab, model: nn.Module, x: Tensor, chosen: Tensor) -> Tensor:
    """Length of the chosen logit's gradient times that of the photo. ``(B,)``."""
    explain = lab.method("gradient")
    chosen = chosen.to(x.device)
    parts = [explain(model, x[rows], chosen[rows]) for rows in chunk_slices(len(x), BATCH)]
    lengths = [values.flatten(1).double().cpu().norm(dim=1) for values in (torch.cat(parts), x)]
    return torch.mul(*lengths)
