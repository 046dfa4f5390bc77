"""The sheet of all-class maps (CGI paper, arXiv:1905.12152, figure 1): one image, one map for every class."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..engine.call import attribute, guarded
from ..engine.chunks import padded
from ..engine.model import own
from ..errors import HeatproofError, InputError, out_of_memory
from ..named import named_methods
from ..types import Explain
from .class_count import outputs_by_class
from .subject import Record, Subject

CHECK = "classes"


def class_maps(
    subject: Subject, shard: list[int], methods: Sequence[Explain | str] = ("gradient_x_input", "cgi"), most: int = 10
) -> Record:
    """Raw maps of many classes of the original network: of all where there are at most `most`.

    Source: Gupta and Arora 2019, arXiv:1905.12152, figure 1. Deviations: with more classes, the explained one and the
    `most` - 1 largest other logits.

    Args:
        shard: places of the images in the data set, at most one chunk.
        methods: names or callables; each is called once, for all classes.
        most: maps an image, 1 or more.

    Returns:
        Maps ``(C, H, W)`` under "method|image|classes|position", and rows of check "classes": the metric "class" is the
        class at each position (the stage), in order of their numbers where all are there, else the explained one first,
        then by falling logit; "total" is the sum of a map, the logit where a method is complete.

    Raises:
        InputError: no method of that name, fewer than two classes, or `most` below 1.
    """
    if type(most) is not int or most < 1:
        raise InputError(f"class_maps(most={most!r}): expected a whole number of 1 or more")
    named = named_methods(methods)
    target = _rows(subject, shard, most)
    record = Record()
    for position, row in enumerate(target[:, : len(shard)].tolist()):
        record.rows += [
            ("(model)", CHECK, position, "class", i, 0, float(c), "ok", "") for i, c in zip(shard, row, strict=True)
        ]
    for name, explain in named.items():
        _explain(record, subject, shard, name, explain, target)
    return record


def _explain(record: Record, subject: Subject, shard: list[int], name: str, explain: Explain, target: Tensor) -> None:
    index = padded(torch.tensor(shard), subject.chunk)
    given, x = guarded(explain, own(subject.model), subject.images[index.to(subject.images.device)])
    try:
        maps = attribute(explain, given, x, target, score=subject.score, seed=subject.seed, index=index).detach()
    except Exception as error:  # a method of the user's may raise anything; it becomes a row
        if out_of_memory(error):
            raise  # the job is not finished: it is for the caller to make room
        told = str(error) if isinstance(error, HeatproofError) else f"{type(error).__name__}: {error}"
        record.rows += [(name, CHECK, 0, "class", i, 0, float("nan"), "failed", told) for i in shard]
        return
    totals = maps.double().flatten(2).sum(2).tolist()
    for position, stack in enumerate(maps.float().cpu()):
        for place, i in enumerate(shard):  # the rest of the chunk is filling
            record.maps[f"{name}|{i}|{CHECK}|{position}"] = stack[place].clone()
            record.rows.append((name, CHECK, position, "total", i, 0, totals[position][place], "ok", ""))


def _rows(subject: Subject, shard: list[int], most: int) -> Tensor:
    """The classes of each image, position by position. int64 ``(K, B)``, B the chunk."""
    out, count = outputs_by_class(subject, shard, CHECK)
    index = padded(torch.tensor(shard), subject.chunk)
    explained = subject.targets[index.to(subject.targets.device)].to(out.device)[None]
    if count <= most:
        return torch.arange(count, device=out.device)[:, None].expand(-1, len(out)).contiguous()
    if most == 1:
        return explained
    ranked = out.argsort(stable=True, dim=1, descending=True)  # ties by class number
    others = ranked[ranked != explained.T].reshape(len(out), count - 1).T
    return torch.cat([explained, others[: most - 1]])
