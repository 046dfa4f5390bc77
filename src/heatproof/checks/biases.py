"""Which parameters are biases, for ``which="biases"``."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InputError
from .blocks import Block

PARAMETRISED = "parametrizations."


def is_bias(name: str) -> bool:
    """Whether a tensor's own name is a bias: "...bias", or "bias_..." (an LSTM's "bias_ih_l0", attention's "bias_k").

    A parametrised one counts by the name that it stands for ("parametrizations.bias.original0"). A table of relative
    positions ("relative_position_bias_table") is a weight of attention and no bias.
    """
    _, parametrised, path = name.rpartition(PARAMETRISED)
    own = path.partition(".")[0] if parametrised else name.rpartition(".")[2]
    return own.endswith("bias") or own.startswith("bias_")


def with_biases(blocks: Sequence[Block]) -> list[Block]:
    """The blocks reduced to their biases; those without one are left out."""
    reduced = [Block(b.name, tuple(n for n in b.tensors if is_bias(n))) for b in blocks]
    found = [b for b in reduced if b.tensors]
    if not found:
        raise InputError("which='biases': the model has no parameter called bias; randomise all with which='all'")
    return found
