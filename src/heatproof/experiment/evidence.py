"""Tables of a run: similarities with their intervals, floors, and what the checks without a verdict found."""

from __future__ import annotations

from itertools import product
from math import nan

import numpy as np
import pandas as pd

from ..checks.calibration import PAIRS, level_of
from ..checks.compared import DECIDING
from ..checks.efficient import BINS
from ..checks.interval import Estimate, estimate, excess
from ..theory.nulls import survival
from .cells import NULL_OF, Cell, Cells


def curves(cells: Cells) -> pd.DataFrame:
    """Similarity to the original's map at each stage of each check, and its excess over the floor."""
    rows = [
        (check, method, metric, stage, share, *_bounds(cells, check, method, metric, stage))
        for check in cells.curve_checks
        for method, metric, (stage, _, share) in product(cells.methods, cells.metrics, cells.plan(check))
        if cells.of(check, method, metric, stage).size
    ]
    columns = ["check", "method", "metric", "stage", "share", "mean", "lower", "upper", "defined"]
    return pd.DataFrame(rows, columns=[*columns, "excess", "excess_lower", "excess_upper"])


def _bounds(cells: Cells, check: str, method: str, metric: str, stage: int) -> tuple[float, ...]:
    seen = cells.of(check, method, metric, stage)
    floor = cells.of(NULL_OF.get(check, "null"), method, metric)  # support-only Spearman may be missing there
    plain, over = estimate(seen), excess(seen, floor if floor.size else np.full((1, seen.shape[1]), np.nan))
    return (plain.mean, plain.lower, plain.upper, plain.share, over.mean, over.lower, over.upper)


def floors(cells: Cells) -> pd.DataFrame:
    """Similarity of the original's maps to those of random networks, and of these among each other."""
    rows = []
    for (null, prior), method in product((("null", "prior"), ("smooth_null", "smooth_prior")), cells.methods):
        zeros = _mean(cells.of(null, method, "zeros"))
        for metric in cells.metrics:
            found = cells.of(null, method, metric)
            if found.size:
                floor = estimate(found)
                pattern = cells.of(null, method, "zeros_null")
                expected = _mean(pattern) if metric == "spearman_abs" else nan
                between = _mean(cells.of(prior, method, metric))
                rows.append((null, method, metric, floor.mean, floor.lower, floor.upper, between, zeros, expected))
    columns = ["floor", "floor_lower", "floor_upper", "prior", "zeros", "closed_form"]
    return pd.DataFrame(rows, columns=["null", "method", "metric", *columns])


def calibration(cells: Cells) -> pd.DataFrame:
    """Similarities of unrelated maps, one row for each (method, pair, level, metric)."""
    rows = []
    table = cells.table[cells.table["check"].str.startswith("calibration:")]
    for pair in PAIRS:
        check = f"calibration:{pair}"
        found = table[table["check"] == check]
        for method, metric, level in product(found["method"].unique(), cells.metrics, sorted(set(found["stage"]))):
            seen = cells.of(check, method, metric, level)
            if seen.size:
                e = estimate(seen)
                rows.append((method, pair, level_of(pair, level), metric, e.mean, e.lower, e.upper, e.share))
    return pd.DataFrame(rows, columns=["method", "pair", "level", "metric", "mean", "lower", "upper", "defined"])


KEPT = {0: "original", 1: "top block random", 2: "all random"}


def kept(cells: Cells) -> pd.DataFrame:
    """Share and mass that competition keeps, beside the share under random gradients."""
    rows = []
    for method, (stage, variant) in product(cells.methods, KEPT.items()):
        share, mass = (cells.of("kept", method, m, stage) for m in ("kept_share", "kept_mass"))
        if share.size:
            rivals = cells.of("kept", method, "rivals", 0)
            counts = rivals[np.isfinite(rivals)].astype(int).tolist()
            expected = float(np.mean([survival(k) for k in counts])) if counts else nan
            bounds = [bound for e in map(estimate, (share, mass)) for bound in _within(e)]
            rows.append((method, variant, max(counts, default=0), *bounds, expected))
    columns = ["share", "share_lower", "share_upper", "mass", "mass_lower", "mass_upper"]
    return pd.DataFrame(rows, columns=["method", "variant", "classes", *columns, "expected"])


def _within(share: Estimate) -> tuple[float, float, float]:
    """A share and its interval, which ends at 0 and 1."""
    lower, upper = np.clip([share.lower, share.upper], 0, 1)
    return share.mean, float(lower), float(upper)


def efficiency(cells: Cells) -> pd.DataFrame:
    """Rise of the maps' entropy from the original network to random ones."""
    rows = []
    for method in cells.methods:
        rise = cells.of("efficient", method, "rise", 1)
        if rise.size:
            e = estimate(rise)
            before, after = (_mean(cells.of("efficient", method, "entropy", stage)) for stage in (0, 1))
            rows.append((method, e.mean, e.lower, e.upper, before, after, BINS))
    return pd.DataFrame(rows, columns=["method", "rise", "lower", "upper", "before", "after", "bins"])


def changed(cells: Cells) -> pd.DataFrame:
    """Share of the images whose predicted class is not the explained one any more, at each stage of each check."""
    rows = [
        (check, stage, _mean(seen))
        for check in cells.curve_checks
        for stage, _, _ in cells.plan(check)
        if (seen := cells.of(check, "(model)", "class_changed", stage)).size
    ]
    return pd.DataFrame(rows, columns=["check", "stage", "changed"])


STAYS = 0.02
"""Gain of the own patch over the other, in shares of the map, below which a map has not moved."""


def planted(cells: Cells) -> pd.DataFrame:
    """The planted-evidence control: whether a map moved with the place that its network reads."""
    rows = []
    metric = next(m for m in DECIDING if m in cells.config["metrics"])
    for method in cells.methods:
        alike = cells.of("planted", method, metric, 1)
        if not alike.size:
            continue
        own, other = (_both(cells, method, m) for m in ("inside_own", "inside_other"))
        # the two networks are the task and no sample of networks: images are the unit
        e, gain = estimate(alike), estimate((own - other).mean(0, keepdims=True))
        chance = _mean(_both(cells, method, "chance"))
        bounds = (_mean(own), _mean(other), gain.mean, gain.lower, gain.upper, chance, _moved(gain))
        rows.append((method, e.mean, e.lower, e.upper, *bounds))
    names = ["inside_own", "inside_other", "gain", "gain_lower", "gain_upper", "chance", "moved"]
    return pd.DataFrame(rows, columns=["method", "similarity", "lower", "upper", *names])


def _moved(gain: Estimate) -> str:
    if gain.lower > 0:
        return "yes"
    return "no" if gain.upper < STAYS else "unclear"


def _both(cells: Cells, method: str, metric: str) -> Cell:
    """Both networks of the planted task, as two rows."""
    found = [cells.of("planted", method, metric, stage) for stage in (0, 1)]
    return np.concatenate([f for f in found if f.size]) if any(f.size for f in found) else np.full((1, 1), np.nan)


def _mean(cells: Cell) -> float:
    return float(np.nanmean(cells)) if np.isfinite(cells).any() else float("nan")
