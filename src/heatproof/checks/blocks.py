"""Blocks of a network for weight randomisation: every parameter and buffer belongs to exactly one.

Order is first use in a forward pass, not registration (peers.md, section 3, pitfall 4).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from ..engine.guard import fixed_batch
from ..engine.interpose import Call, Interpose
from ..engine.model import call_model, own
from ..engine.twin import tensors
from ..errors import InputError, ModelError

FEWEST, MOST = 4, 20


@dataclass(frozen=True)
class Block:
    """Part of a network: its name, and its parameters and buffers in order of first use."""

    name: str
    tensors: tuple[str, ...]


@dataclass(frozen=True)
class Order:
    """Names of all parameters and buffers: those a forward pass used, by first use, and those it did not."""

    used: tuple[str, ...]
    unused: tuple[str, ...]


class FirstUse:
    """Observer that notes when each tensor of the model is first an argument of a call."""

    def __init__(self, private: nn.Module) -> None:
        self.names = {id(tensor): name for name, tensor in tensors(private).items()}
        self.seen: dict[str, None] = {}

    def before(self, call: Call) -> None:
        if call.op == "__get__":  # reading .shape or .dtype is no use
            return
        for tensor in call.tensors():
            name = self.names.get(id(tensor))
            if name is not None:
                self.seen.setdefault(name)
            elif isinstance(tensor, nn.Parameter):
                raise ModelError(
                    f"{call} uses weights that are not part of the model's modules (a closure or a list holds them), so "
                    "that randomising the model would leave them as they are; register them as modules or parameters"
                )

    def after(self, call: Call, out: Any) -> None:
        del call, out


@torch.no_grad()
def order_of_use(model: nn.Module, calibration: Tensor | None) -> Order:
    """Parameters and buffers by first use on a batch; by registration, all as used, where there is no batch."""
    private = own(model)
    names = tuple(tensors(private))
    if calibration is None or isinstance(private, torch.jit.ScriptModule):
        return Order(names, ())
    watch = FirstUse(private)
    with Interpose(observers=[watch]):
        call_model(private, calibration[: fixed_batch(private) or 1].detach().clone())
    return Order(tuple(watch.seen), tuple(n for n in names if n not in watch.seen))


def automatic_blocks(model: nn.Module, order: Order) -> list[Block]:
    """A weight layer with the norm that follows it, merged by module prefix to at most 20 blocks (design.md, section 3).

    The finest depth of module paths that gives at most 20 blocks is taken; where the one above it gives fewer than 4,
    neighbours of the finer one are merged evenly. Tensors that the forward does not use (an auxiliary head) go with the
    block nearest to the input, so that they are randomised by the last stage without posing as a stage of their own.
    """
    held = tensors(model)
    loose = [n for n in order.unused if _parent(n) not in {_parent(u) for u in order.used}]
    names = [*order.used, *[n for n in order.unused if n not in loose]]
    depths = max((_owner(n).count(".") + 1 for n in names), default=1)
    groups: list[tuple[str, list[str]]] = []
    finer = groups
    depth = 0
    for depth in range(depths, 0, -1):
        finer, groups = groups, _grouped(names, held, depth)
        if len(groups) <= MOST:
            break
    if len(groups) > MOST or (len(groups) < FEWEST and len(finer) > MOST):
        groups = _evenly(groups if len(groups) > MOST else finer)
    elif depth > 1 and len(shorter := _grouped(names, held, depth - 1)) == len(groups):
        groups = shorter  # the same blocks under shorter names
    if not groups:
        raise InputError("the model has no parameters: there is nothing to randomise")
    groups[0][1].extend(loose)
    return [Block(name, tuple(members)) for name, members in groups]


def given_blocks(model: nn.Module, blocks: Sequence[Block | str], order: Order) -> list[Block]:
    """Blocks as the caller gives them: `Block`s, or module prefixes in the order of the forward pass."""
    if all(isinstance(b, Block) for b in blocks):
        found = [b for b in blocks if isinstance(b, Block)]
    else:
        prefixes = [str(b) for b in blocks]
        members: dict[str, list[str]] = {p: [] for p in prefixes}
        for name in (*order.used, *order.unused):
            fits = [p for p in prefixes if name == p or name.startswith(p + ".")]
            if fits:
                members[max(fits, key=len)].append(name)
        found = [Block(p, tuple(m)) for p, m in members.items()]
    return _checked(found, tensors(model))


def _checked(blocks: list[Block], held: Iterable[str]) -> list[Block]:
    listed = [name for b in blocks for name in b.tensors]
    twice = {n for n in listed if listed.count(n) > 1}
    missing, empty = [n for n in held if n not in listed], [b.name for b in blocks if not b.tensors]
    unknown = [n for n in listed if n not in set(held)]
    for problem, what in ((missing, "in no block"), (twice, "in two blocks"), (unknown, "not in the model")):
        if problem:
            raise InputError(
                f"blocks: {sorted(problem)[0]!r} (and {len(problem) - 1} more) is {what}; every parameter "
                "and buffer must be in exactly one block"
            )
    if empty:
        raise InputError(f"blocks: {empty[0]!r} names no parameter or buffer of the model")
    return blocks


def _owner(name: str) -> str:
    """Path of the module that a tensor belongs to; a parametrised weight belongs to the layer that uses it."""
    layer, parametrised, _ = name.partition(".parametrizations.")
    return layer if parametrised else name.rpartition(".")[0]


def _parent(name: str) -> str:
    return _owner(name).rpartition(".")[0] or _owner(name)


def _grouped(names: list[str], held: dict[str, Tensor], depth: int) -> list[tuple[str, list[str]]]:
    """Tensors by the first `depth` parts of their module path; groups of only norms, scales and buffers, which would be no
    stage of their own, join the one before, at the beginning the one after."""
    groups: dict[str, list[str]] = {}
    for name in names:
        owner = _owner(name) or name  # a bare parameter at the root is a group of its own
        groups.setdefault(".".join(owner.split(".")[:depth]), []).append(name)
    merged: list[tuple[str, list[str]]] = []
    for key, members in groups.items():
        if merged and all(held[m].dim() <= 1 or not isinstance(held[m], nn.Parameter) for m in members):
            merged[-1][1].extend(members)
        elif len(merged) == 1 and not any(isinstance(held[m], nn.Parameter) for m in merged[0][1]):
            merged = [(key, merged[0][1] + members)]
        else:
            merged.append((key, members))
    return merged


def _evenly(groups: list[tuple[str, list[str]]]) -> list[tuple[str, list[str]]]:
    """Neighbours merged into `MOST` groups of nearly equal count."""
    bounds = [round(i * len(groups) / MOST) for i in range(MOST + 1)]
    parts = [groups[a:b] for a, b in pairwise(bounds)]
    return [
        (f"{part[0][0]} to {part[-1][0]}" if len(part) > 1 else part[0][0], [m for _, members in part for m in members])
        for part in parts
        if part
    ]
