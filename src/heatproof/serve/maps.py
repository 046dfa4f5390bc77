"""The work behind the page: maps of one photo, method by method, and the quick test of each."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from ..checks.explained import why_dead
from ..checks.randomize import randomize
from ..engine.call import attribute
from ..engine.chunks import padded
from ..engine.model import output, own
from ..errors import HeatproofError, out_of_memory
from ..similarity.spearman import spearman
from ..types import Explain, spec_of
from .jobs import Event
from .pictures import tiles
from .served import Served
from .session import Asked, Session


def explained(session: Session, asked: Asked) -> Iterator[Event]:
    """The maps of every method that is asked for, one event after another: start, then maps or refused."""
    for name, explain in asked.methods.items():
        yield {"event": "start", "method": name}
        began = time.monotonic()
        try:
            maps = held_maps(session, asked, name, explain)
        except Exception as error:  # of one method: the others are still asked for
            yield {"event": "refused", "method": name, "why": reason(error)}
            continue
        seconds = time.monotonic() - began
        yield {"event": "maps", "method": name, "seconds": round(seconds, 3), "tiles": tiles(maps)}


def tested(session: Session, asked: Asked) -> Iterator[Event]:
    """How alike each method's maps are to those of one network of random weights; a hint, since one network, one photo and
    no interval judge nothing."""
    views = _views(asked)
    stage = next(randomize(asked.served.private, order="full", calibration=views, factory=asked.served.factory))
    random = own(stage.model)
    if dead := why_dead(output(random, views, asked.served.score), views, "of random weights"):
        yield {"event": "failed", "why": dead}
        return
    for name, explain in asked.methods.items():
        yield {"event": "start", "method": name}
        try:
            maps = held_maps(session, asked, name, explain)
            others = maps_of(explain, asked.served, asked.image.pixels, asked.classes, random)
        except Exception as error:
            yield {"event": "refused", "method": name, "why": reason(error)}
            continue
        signed, absolute = (spearman(maps, others, absolute=way).tolist() for way in (False, True))
        scores = [{"signed": _number(s), "absolute": _number(a)} for s, a in zip(signed, absolute, strict=True)]
        yield {"event": "tested", "method": name, "scores": scores}


def held_maps(session: Session, asked: Asked, name: str, explain: Explain) -> Tensor:
    """The maps of all classes asked for, ``(K, C, H, W)``: those that are missing from one pass, the rest as held."""
    held = {number: session.maps.get(asked.key(name, number)) for number in asked.classes}
    if missing := [number for number, saliency in held.items() if saliency is None]:
        for number, saliency in zip(missing, maps_of(explain, asked.served, asked.image.pixels, missing), strict=True):
            session.maps.put(asked.key(name, number), saliency)
            held[number] = saliency
    return torch.stack([saliency for saliency in held.values() if saliency is not None])


def maps_of(
    explain: Explain, served: Served, image: Tensor, classes: Sequence[int], other: nn.Module | None = None
) -> Tensor:
    """Maps of one image ``(1, C, H, W)`` for K classes from one pass where the method allows. ``-> (K, C or 1, H, W)``

    Args:
        other: a network in place of the served one; a control that redraws its noise for each network does so.
    """
    model, spec = other or served.private, spec_of(explain)
    inputs = padded(image, served.batch).to(served.device)
    target = torch.tensor(classes, device=inputs.device)[:, None].repeat(1, len(inputs))
    seed = 1 if other is not None and spec is not None and spec.control_noise else None
    index = torch.arange(len(inputs)) if seed is not None else None
    maps = attribute(explain, model, inputs, target, score=served.score, seed=seed, index=index)
    return maps[:, 0].detach().float().cpu()


def reason(error: Exception) -> str:
    """Why a method could not run, in words."""
    if out_of_memory(error):
        return "out of memory: fewer classes, or smaller options of the method, need less"
    return str(error) if isinstance(error, HeatproofError) else f"{type(error).__name__}: {error}"


def _views(asked: Asked) -> Tensor:
    """The photo and its mirror images, from which batch norm takes the statistics of a random network."""
    image = asked.image.pixels
    views = torch.cat([image, image.flip(3), image.flip(2), image.flip((2, 3))])
    batch = asked.served.batch
    return (padded(views, batch)[:batch] if batch > 1 else views).to(asked.served.device)


def _number(value: float) -> float | None:
    """What JSON can hold: a constant map has no similarity."""
    return round(value, 4) if math.isfinite(value) else None
