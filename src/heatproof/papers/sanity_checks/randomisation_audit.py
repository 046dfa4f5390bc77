"""What an audit of weight randomisation leaves for claims: similarities, contrasts on the same images, film strips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

import numpy as np
import torch
from torch import Tensor, nn

from ...experiment.cells import Cells
from ...experiment.pictures import Strip
from ...experiment.results import Results
from ...types import Explain
from ..lab import Lab
from ..numbers import of_audit, over
from ..types import Measured, Number

SIGNED, ABSOLUTE = "spearman", "spearman_abs"
CONTRASTS = (
    ("guided_backprop", "gradient"), ("integrated_gradients", "gradient"), ("gradient_x_input", "gradient"),
    ("deeplift", "gradient_x_input"), ("lrp", "gradient_x_input"),
)  # fmt: skip
"""Pairs of methods whose difference is measured on the same networks and images."""
Plan = list[tuple[int, str, float]]


def named(lab: Lab, texts: Mapping[str, str]) -> dict[str, Explain]:
    """Methods under short names, so that options do not change the names of numbers."""
    return {name: lab.method(text) for name, text in texts.items()}


def gathered(results: Results) -> Measured:
    """Numbers of `of_audit`, and under the roles of stages ("top", "half", "last") in place of their positions."""
    cells = Cells(results.table, results.config)
    numbers, words = of_audit(results), dict[str, str]()
    for check in cells.checks:
        plan = cells.plan(check)
        words |= {
            f"stages/{check}": "\n".join(n for _, n, _ in plan),
            f"places/{check}": "\n".join(str(p) for p, _, _ in plan),
        }
        numbers |= dict(_by_role(numbers, cells, check))
        numbers |= dict(_contrasts(cells, check))
    return Measured(numbers | closed_forms(results) | dict(_orders(cells)), words=words)


def closed_forms(results: Results) -> dict[str, Number]:
    """Absolute Spearman that the zeros of two maps alone give, "closed/METHOD"."""
    rows = results.floors[(results.floors["null"] == "null") & (results.floors["metric"] == ABSOLUTE)]
    return {f"closed/{row['method']}": Number(row["closed_form"]) for row in rows.to_dict("records")}


def roles(plan: Plan) -> dict[str, int]:
    """Positions of the first stage, the first with half of the blocks behind it, and the last one."""
    half = next(p for p, _, _ in plan if p >= plan[-1][0] / 2)
    return {"top": plan[0][0], "half": half, "last": plan[-1][0]}


def _by_role(numbers: Mapping[str, Number], cells: Cells, check: str) -> Iterator[tuple[str, Number]]:
    for (role, stage), method, metric, kind in product(
        roles(cells.plan(check)).items(), cells.methods, cells.metrics, ("", "excess/")
    ):
        if f"{kind}{check}/{method}/{metric}/{stage}" in numbers:
            yield f"{kind}{check}/{method}/{metric}/{role}", numbers[f"{kind}{check}/{method}/{metric}/{stage}"]


def _contrasts(cells: Cells, check: str) -> Iterator[tuple[str, Number]]:
    """Differences of two methods at each stage, "CHECK/A less B/METRIC/STAGE"."""
    stages = {str(p): p for p, _, _ in cells.plan(check)} | roles(cells.plan(check))
    for (a, b), metric, (name, stage) in product(CONTRASTS, cells.metrics, stages.items()):
        first, second = (cells.of(check, m, metric, stage) for m in (a, b))
        if first.size and first.shape == second.shape:
            yield f"{check}/{a} less {b}/{metric}/{name}", over(first - second)


def _orders(cells: Cells) -> Iterator[tuple[str, Number]]:
    """Where along the network a map changes, in absolute Spearman.

    "fall/METHOD": what the lower half of a cascade takes away, less what the upper half did. "upper/METHOD": mean over the
    upper half of single layers less that over the lower half. "ends/METHOD": the top block drawn less the bottom one.
    """
    for method in cells.methods:
        at = {c: _grids(cells, c, method) for c in cells.checks}
        if "cascading" in at:
            place = roles(cells.plan("cascading"))
            half, last = (at["cascading"][place[r]] for r in ("half", "last"))
            yield f"fall/{method}", over((half - last) - (1 - half))
        if "independent" in at:
            grids = list(at["independent"].values())
            middle = len(grids) // 2
            yield f"upper/{method}", over(np.mean(grids[:middle], 0) - np.mean(grids[middle:], 0))
        if {"cascading", "reverse"} <= set(at):
            top, bottom = (next(iter(at[c].values())) for c in ("cascading", "reverse"))
            yield f"ends/{method}", over(top - bottom)


def _grids(cells: Cells, check: str, method: str) -> dict[int, np.ndarray[tuple[int, int], np.dtype[np.float64]]]:
    return {p: cells.of(check, method, ABSOLUTE, p) for p, _, _ in cells.plan(check)}


def strips(results: Results, image: int = 0) -> dict[str, Tensor]:
    """Maps of one image by check and method, the original first: "strip/CHECK/METHOD" ``(1 + stages, C, H, W)``."""
    return {
        f"strip/{s.check}/{m}": torch.from_numpy(maps)
        for s in results.strips
        if s.image == image
        for m, maps in s.maps.items()
    }


def outlines(results: Results, methods: tuple[str, ...]) -> dict[str, Number]:
    """Of the first images under wholly random weights: the overlap of nonzero places with the original's, and the share of
    common places that keep their sign. "outline/METHOD", "sign/METHOD"."""
    found: dict[str, Number] = {}
    kept = [s for s in results.strips if s.check == "cascading"]
    for method in methods:
        pairs = [_outline(s, method) for s in kept if method in s.maps]
        found |= {
            f"{what}/{method}": over(np.array([p[i] for p in pairs])) for i, what in enumerate(("outline", "sign"))
        }
    return found


def _outline(strip: Strip, method: str) -> tuple[float, float]:
    old, new = strip.maps[method][0].sum(0), strip.maps[method][-1].sum(0)
    both, either = (old != 0) & (new != 0), (old != 0) | (new != 0)
    if not both.any():
        return 0.0, float("nan")
    return float(both.sum() / either.sum()), float((np.sign(old) == np.sign(new))[both].mean())


def code_audit(
    lab: Lab,
    model: nn.Module,
    images: Tensor,
    methods: Mapping[str, Explain],
    checks: tuple[str, ...],
    **settings: object,
) -> Results:
    """An audit as the authors' code does it on MNIST, but for five networks where they have one: the class that each
    network predicts, new weights and noise at every stage, rank correlations alone."""
    name = "-".join([*checks, str(settings.get("init", ""))])
    return lab.audit(
        name, model, images, methods,
        **{"preset": "code", "metrics": (SIGNED, ABSOLUTE), "checks": checks, "seeds": 5, "chunk": len(images),
           "keep_maps": "strips", **settings},
    )  # fmt: skip
