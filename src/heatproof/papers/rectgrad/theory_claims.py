"""Claims of the paper."""

from __future__ import annotations

from ..types import Claim, Experiment, Picture

EXPERIMENTS: tuple[Experiment, ...] = ()
CLAIMS: tuple[Claim, ...] = ()
PICTURES: tuple[Picture, ...] = ()
