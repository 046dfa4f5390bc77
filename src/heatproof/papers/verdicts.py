"""Claims beside what was measured: one row each, with its verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from math import nan
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import RunError
from ..experiment.folder import read_config
from . import PAPERS
from .run import NOT_IN_BUDGET, experiment_named, measured, read_seconds
from .types import Claim, Finding, Measured, Paper

HELD, NOT_HELD, CANNOT, OUT, TODO = (
    "held", "did not hold", "not measurable here", NOT_IN_BUDGET, "not run yet",
)  # fmt: skip
VERDICTS = (HELD, NOT_HELD, CANNOT, OUT, TODO)


@dataclass(frozen=True)
class Judged:
    """One claim beside its measurement; value, lower and upper are of the number that decides, NaN where none does."""

    paper: str
    id: str
    claim: str
    source: str
    published: str
    measured: str
    value: float
    lower: float
    upper: float
    verdict: str
    reason: str
    why: str
    protocol: str
    reduced: str
    experiment: str


@dataclass(frozen=True)
class Claims:
    """A folder of measured claims, read back.

    Attributes:
        table: one row per claim, the fields of `Judged`.
        found: what each finished experiment left, by its name.
        seconds: that each of them took.
    """

    folder: Path
    config: dict[str, Any]
    table: pd.DataFrame
    found: Mapping[str, Measured]
    seconds: Mapping[str, float]


def read_claims(folder: str | Path) -> Claims:
    """Judge everything that a folder holds.

    Raises:
        RunError: it holds no claims.
    """
    folder = Path(folder)
    config = read_config(folder)
    if "claims" not in config:
        raise RunError(f"{folder} holds no claims of papers; make some with: heatproof paper run all")
    read_config(folder, "experiments", "budget", "left_out")
    found = {name: m for name, key in config["experiments"].items() if (m := measured(folder, key)) is not None}
    rows = [judged(paper, claim, config, found) for paper in PAPERS.values() for claim in paper.claims]
    seconds = {
        name: read_seconds(folder / "times" / f"{key}.json", nan)
        for name, key in config["experiments"].items()
        if name in found
    }
    return Claims(folder, config, pd.DataFrame([asdict(row) for row in rows]), found, seconds)


def judged(paper: Paper, claim: Claim, config: Mapping[str, Any], found: Mapping[str, Measured]) -> Judged:
    """The row of a claim."""
    about: dict[str, Any] = {
        "paper": paper.name,
        "id": claim.id,
        "claim": claim.says,
        "source": claim.source,
        "published": claim.published,
    }
    about |= {"protocol": claim.protocol, "experiment": claim.experiment, "why": claim.why}
    reduced = experiment_named(claim.experiment).reduced if claim.experiment and config["budget"] == "full" else ""
    verdict, reason = _without(claim, config, found)
    if verdict:
        return Judged(**about, measured="", value=nan, lower=nan, upper=nan, verdict=verdict, reason=reason, reduced="")
    if claim.judge is None:
        raise RunError(f"the claim {claim.id} has an experiment and no judge")
    said = _finding(claim.judge, found[claim.experiment])
    verdict = CANNOT if said.held is None else HELD if said.held else NOT_HELD
    return Judged(**about, measured=said.measured, **said.number._asdict(), verdict=verdict, reason=said.reason,
                  reduced=reduced)  # fmt: skip


def _without(claim: Claim, config: Mapping[str, Any], found: Mapping[str, Measured]) -> tuple[str, str]:
    """Verdict and reason of a claim that has no measurement; ("", "") where it has one."""
    if not claim.experiment:
        return CANNOT, claim.missing
    if why := config["left_out"].get(claim.experiment):
        return (OUT, "") if why == OUT else (CANNOT, why)
    if claim.experiment not in found:
        return TODO, ""
    return (CANNOT, why) if (why := found[claim.experiment].failed) else ("", "")


def _finding(judge: Callable[[Measured], Finding], found: Measured) -> Finding:
    """What a judge says; one that cannot cope with what was measured costs its own row only."""
    try:
        return judge(found)
    except Exception as error:
        return Finding(None, "", reason=f"what was measured cannot be judged ({type(error).__name__}: {error})")
