"""FullGrad beside the authors' code."""

from __future__ import annotations

import copy

from torch import Tensor

import heatproof as hp

from .networks import images, network, targets
from .official_fullgrad import OfficialFullGrad
from .row import Pair, Row, close, require

BATCH = 8
COMPLETE = 1e-4
"""Share of the score that may be missing from the sum of our shares, in float32."""


def _pair(name: str) -> Pair:
    model, x, t = network(name), images(BATCH), targets(BATCH)
    theirs = OfficialFullGrad(copy.deepcopy(model))

    def check(a: Tensor, b: Tensor) -> str:
        """Ours has the implicit biases of every operation; with official=True it has theirs alone."""
        require(a.shape == b.shape and bool(a.isfinite().all()), "shapes or values")
        same = close(hp.fullgrad(model, x, t, official=True), b)
        whole = hp.full_gradient(model, x[:2], t[:2])
        missing = float((whole.residual / whole.output).abs().max())
        require(missing < COMPLETE, f"{missing:.1e} of the score is missing from our sum")
        return f"official map {same}, {missing:.0e} of the score missing from our sum"

    return Pair(lambda: hp.fullgrad(model, x, t), lambda: theirs(x, t), check)


def _row(name: str, target: float) -> Row:
    what = f"fullgrad, {name}, batch {BATCH}"
    theirs = "the authors' code, re-implemented"
    return Row(f"fullgrad/{name}/official", what, theirs, lambda: _pair(name), target, None, 1.2)


ROWS = (_row("vgg16_bn", 0.45), _row("resnet18", 0.2))
