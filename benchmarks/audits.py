"""A whole audit of ResNet-18 beside Quantus and captum, and beside its bare floor."""

from __future__ import annotations

import copy
from tempfile import TemporaryDirectory

import pandas as pd
import torch
from torch import Tensor, nn

import heatproof as hp
from heatproof.audit import CALIBRATION
from heatproof.experiment.settings import METRICS, NULLS

from . import floor, quantus_table
from .networks import network, photos
from .quantus_table import Scores
from .row import Pair, Row, close, require
from .timing import timed

PHOTOS, FEW, LAYER = 16, 4, "layer4"
BATCHES = (8, 16)
METHODS = tuple(quantus_table.METHODS)
FASTEST = "ssim"
"""Their users run every method once a metric. Two runs of all three do not fit into an hour; of MPRT under this one, which
takes the least, the time counts three times: theirs is a lower bound (signed and absolute Spearman take longer)."""
EXACT = 1e-3


def _inputs() -> tuple[nn.Module, Tensor, Tensor]:
    model, x = network("resnet18"), photos(PHOTOS)
    return model, x, model(x).argmax(1)


def _audit(model: nn.Module, x: Tensor, t: Tensor) -> pd.DataFrame:
    """Everything a user gets: table, verdicts with their null networks, report, files."""
    with TemporaryDirectory() as folder:
        blocks = quantus_table.stages(model)
        return hp.audit(model, x, t, METHODS, seeds=1, faithfulness=False, blocks=blocks, out=folder).table


def _whole(table: pd.DataFrame, stages: int) -> None:
    """Raise unless every method, metric, stage and photo has a value."""
    found = table[(table["check"] == "cascading") & table["metric"].isin(METRICS)]
    wanted = len(METHODS) * len(METRICS) * stages * PHOTOS
    require(
        len(found) == wanted and not (found["status"] == "failed").any(), f"{len(found)} rows of {wanted}, or failed"
    )


def _same_maps(model: nn.Module, x: Tensor, t: Tensor) -> str:
    """The original's maps of both sides; FullGrad by the authors' definition, which `hp.fullgrad` has as an option."""
    said = []
    for name in METHODS:
        options = {"official": True} if name == "fullgrad" else {}
        mine = getattr(hp, name)(model, x, t, **options).sum(1, keepdim=True)
        other = quantus_table.METHODS[name](copy.deepcopy(model), x.cpu().numpy(), t.cpu().numpy())
        said.append(f"{name} {close(mine, torch.from_numpy(other).to(mine.device), EXACT)}")
    return ", ".join(said)


def _their_batch(model: nn.Module, x: Tensor, t: Tensor) -> int:
    """Of 8 and 16 images a pass the one that takes less time an image."""
    explain = quantus_table.METHODS["gradient"]
    arrays = x.cpu().numpy(), t.cpu().numpy()

    def seconds(size: int) -> float:
        return min(timed(lambda: explain(model, *(a[:size] for a in arrays)))[1] / size for _ in range(3))

    return min(BATCHES, key=seconds)


def _every_metric(model: nn.Module, x: Tensor, t: Tensor) -> None:
    """All metrics of theirs run, and find the original like itself; by the method that is done soonest."""
    for metric in quantus_table.METRICS:
        _table_of("gradcam", quantus_table.mprt(model, x, t, "gradcam", metric, len(x)), model)


def _table_of(method: str, scores: Scores, model: nn.Module) -> None:
    """Raise unless the scores have every stage, and 1 for the original."""
    require(len(scores) == len(quantus_table.stages(model)) + 1, f"{method}: {len(scores)} stages")
    require(all(abs(score - 1) < EXACT for score in scores["original"]), f"{method}: the original is not like itself")


def _beside_quantus() -> Pair:
    """What takes no time is compared here already, since a run of theirs takes minutes."""
    model, x, t = _inputs()
    same, batch = _same_maps(model, x[:FEW], t[:FEW]), _their_batch(model, x, t)
    _every_metric(model, x[:FEW], t[:FEW])

    def theirs() -> dict[str, Scores]:
        return {method: quantus_table.mprt(model, x, t, method, FASTEST, batch) for method in METHODS}

    def check(table: pd.DataFrame, found: dict[str, Scores]) -> str:
        _whole(table, len(quantus_table.stages(model)))
        for method, scores in found.items():
            _table_of(method, scores, model)
        return f"their batches of {batch}; maps of the original: {same}"

    return Pair(lambda: _audit(model, x, t), theirs, check, counted=len(quantus_table.METRICS))


def _beside_floor() -> Pair:
    model, x, t = _inputs()
    stages = len(quantus_table.stages(model))
    parts = floor.fastest(model, LAYER, x, t)

    def check(table: pd.DataFrame, found: list[Tensor]) -> str:
        _whole(table, stages)
        last = slice(-parts.batch, None)
        plain = close(hp.gradient(model, x[last], t[last]), found[0])
        guided = close(hp.guided_backprop(model, x[last], t[last]), found[1])
        return f"batches of {parts.batch}; gradient {plain}, guided backprop {guided}"

    return Pair(lambda: _audit(model, x, t), lambda: floor.whole(parts, x, t, x[:CALIBRATION], stages, NULLS), check)


WHAT = f"audit: 5 methods, cascading over 41 blocks of ResNet-18, {PHOTOS} photos, 4 metrics"
QUANTUS = "Quantus MPRT, captum, official FullGrad: all methods under its fastest metric, counted for its three"
ROWS = (
    Row("audit/quantus", WHAT, QUANTUS, _beside_quantus, 0.1, None, 15.0),
    Row("audit/floor", WHAT, "its bare floor: plain forward and backward passes", _beside_floor, 1.0, None, 9.5),
)
