"""What competition keeps when only the top layer is random: CGI beside gradient x input, CLRP beside LRP, on MNIST.

    python studies/competition.py DATA runs/nets/mnist_cnn_code.safetensors --net cnn

Every class is the target in turn, so that no selection enters: the share should be 2 (1 - 2^-k) / k (semantics.md, 0.3),
and absolute Spearman that of two maps which keep their shares of one support at random (0.6).
"""

from __future__ import annotations

from pathlib import Path
from statistics import mean, stdev

import torch
import typer
from rich.console import Console
from rich.table import Table
from sanity_tables import NETS
from torch import Tensor, nn

import heatproof as hp
from heatproof.data.idx import read_idx
from heatproof.models.saved import load_network
from heatproof.theory.nulls import sparse_spearman_null, survival

PAIRS = {"cgi": (hp.gradient_x_input, hp.cgi), "clrp": (hp.lrp, hp.clrp)}
CLASSES = 10


def main(data: Path, weights: Path, net: str = "cnn", images: int = 20, redraws: int = 20) -> None:
    """Print the table; about a minute for the CNN on one core."""
    torch.set_num_threads(1)
    x, _ = read_idx(data / "MNIST" / "raw", "test", images)
    model: nn.Module = NETS[net]()
    load_network(weights, model)
    model.eval()
    table = Table("method", "network", "kept share (se)", "expected", "kept mass", "|Spearman|", "its null", "before")
    for name in PAIRS:
        for row in _rows(name, model, net, x, redraws):
            table.add_row(*row)
    Console(width=130).print(table)


def _rows(name: str, model: nn.Module, net: str, x: Tensor, redraws: int) -> list[tuple[str, ...]]:
    plain, compete = PAIRS[name]
    targets = torch.arange(CLASSES)[:, None].expand(-1, len(x)).contiguous()
    before, after = (method(model, x, targets).flatten(0, 1) for method in (plain, compete))
    trained = hp.kept(before, after)
    rows = [
        (name, "trained", _said([float(trained.fraction.mean())]), "", f"{float(trained.mass.mean()):.3f}", "", "", "")
    ]
    found: dict[str, list[float]] = {"share": [], "mass": [], "spearman": [], "null": [], "plain": []}
    for seed in range(redraws):
        stage = next(hp.randomize(model, seed=seed, factory=NETS[net], keep=[1])).model
        other, kept_other = (method(stage, x, targets).flatten(0, 1) for method in (plain, compete))
        kept = hp.kept(other, kept_other)
        support = (before != 0).flatten(1).double().mean(1)
        found["share"].append(float(kept.fraction.nanmean()))
        found["mass"].append(float(kept.mass.nanmean()))
        found["spearman"].append(float(hp.spearman(after, kept_other, absolute=True).nanmean()))
        found["null"].append(float(sparse_spearman_null(trained.fraction, kept.fraction, support).nanmean()))
        found["plain"].append(float(hp.spearman(before, other, absolute=True).nanmean()))
    means = {key: mean(values) for key, values in found.items()}
    error = stdev(found["share"]) / redraws**0.5
    close = abs(means["share"] - survival(CLASSES)) <= 0.005 + 2 * error
    said = f"{survival(CLASSES):.5f}, {'holds' if close else 'MISSED'}"
    rows.append(
        (name, f"top layer random, {redraws} draws", _said(found["share"]), said,
         f"{means['mass']:.3f}", f"{means['spearman']:.3f}", f"{means['null']:.3f}", f"{means['plain']:.3f}")
    )  # fmt: skip
    return rows


def _said(values: list[float]) -> str:
    error = f" ({stdev(values) / len(values) ** 0.5:.5f})" if len(values) > 1 else ""
    return f"{mean(values):.5f}{error}"


if __name__ == "__main__":
    typer.run(main)
