"""A slice of the reduced remove-and-retrain run beside the same trainings in a plain loop over a DataLoader.

The reduced preset trains 75 networks on 4000 images, by maps of seven methods and one control. The slice has 2000 images,
one method, one control and one network a point. Its maps, files, processes and report are in our time; on their side the
images without pixels are ready before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from tempfile import TemporaryDirectory

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import heatproof as hp
from heatproof.faithfulness.retrain_presets import PRESETS
from heatproof.models.nets.rectgrad_cnn import RectGradCNN
from heatproof.train import seeded

from .networks import DEVICE
from .row import Pair, Row, require

TRAIN, TEST, NETWORKS = 2000, 1000, 1
NOISE, NOISE_OF_POINT = 0.03, 0.1
"""By how much the mean accuracy of all networks, and of those of a point, may differ: draws and rounding are others."""

Data = tuple[Tensor, Tensor]
Accuracies = dict[tuple[str, float], float]


@dataclass(frozen=True)
class Recipe:
    """What both sides take from the reduced preset."""

    epochs: int
    batch: int
    lr: float
    fractions: tuple[float, ...]


def _recipe() -> Recipe:
    settings = PRESETS["reduced"].settings
    return Recipe(*(settings[name] for name in ("epochs", "batch", "lr", "fractions")))


def _data(count: int, seed: int) -> Data:
    """Pictures of ten blurred patterns under noise, which networks tell apart as well as the pixels that are left allow."""
    shapes = torch.randn(10, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    noise = torch.Generator().manual_seed(seed)
    y = torch.randint(10, (count,), generator=noise)
    x = 0.15 * F.interpolate(shapes, size=32, mode="bilinear")[y] + torch.randn(count, 3, 32, 32, generator=noise)
    return (x / 2).clamp(-1, 1), y


def _ours(model: nn.Module, train: Data, test: Data, r: Recipe) -> Accuracies:
    with TemporaryDirectory() as folder:
        found = hp.roar(
            model, train, test, ("gradient",), factory=RectGradCNN, controls=("random",), fractions=r.fractions,
            networks=NETWORKS, epochs=r.epochs, batch=r.batch, lr=r.lr, schedule="onecycle", workers=None, out=folder,
        ).table  # fmt: skip
    rows = found[(found["metric"] == "accuracy") & (found["status"] == "ok")]
    points = [0.0, *r.fractions]
    means = rows.groupby(["method", "stage"], as_index=False)["value"].mean()
    return {(row.method, points[row.stage]): row.value for row in means.itertuples()}


def _sets(model: nn.Module, train: Data, test: Data, r: Recipe) -> dict[tuple[str, float], tuple[Data, Data]]:
    """The images that every point's networks are trained and tested on."""
    fill = train[0].mean((0, 2, 3)).view(3, 1, 1)
    ranks = {"gradient": [_gradient(model, x) for x, _ in (train, test)]}
    ranks["random"] = [torch.rand(len(x), 32 * 32) for x, _ in (train, test)]
    sets = {("(original)", 0.0): (train, test)}
    for name, parts in ranks.items():
        for fraction in r.fractions:
            first, second = (
                (_without(x, scores, fraction, fill), y) for (x, y), scores in zip((train, test), parts, strict=True)
            )
            sets[name, fraction] = first, second
    return sets


def _gradient(model: nn.Module, x: Tensor) -> Tensor:
    """|sum over channels| of the gradient of the predicted class, pixel by pixel. ``(N, H * W)``"""
    rows = []
    for images in x.split(256):
        leaf = images.clone().requires_grad_()
        rows.append(torch.autograd.grad(model(leaf).amax(1).sum(), leaf)[0].abs().sum(1).flatten(1))
    return torch.cat(rows)


def _without(x: Tensor, scores: Tensor, fraction: float, fill: Tensor) -> Tensor:
    gone = torch.zeros_like(scores, dtype=torch.bool)
    gone.scatter_(1, scores.topk(round(fraction * scores.shape[1]), dim=1).indices, True)
    return torch.where(gone.view(len(x), 1, *x.shape[2:]), fill, x)


def _loop(sets: dict[tuple[str, float], tuple[Data, Data]], r: Recipe) -> Accuracies:
    found = {}
    for point, (train, test) in sets.items():
        hits = [_tested(_trained(train, r, seed), test) for seed in range(NETWORKS)]
        found[point] = sum(hits) / NETWORKS
    return found


def _trained(data: Data, r: Recipe, seed: int) -> nn.Module:
    model = seeded(RectGradCNN, seed).to(DEVICE).train()
    loader = DataLoader(TensorDataset(*data), batch_size=r.batch, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=r.lr)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=r.lr, total_steps=r.epochs * len(loader))
    for x, y in _batches(loader, r.epochs):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        rates.step()
    return model.eval()


@torch.no_grad()
def _tested(model: nn.Module, data: Data) -> float:
    hits = sum(
        int((model(x).argmax(1) == y).sum()) for x, y in _batches(DataLoader(TensorDataset(*data), batch_size=256))
    )
    return hits / len(data[0])


def _batches(loader: DataLoader[tuple[Tensor, ...]], epochs: int = 1) -> Iterator[tuple[Tensor, Tensor]]:
    for _ in range(epochs):
        yield from ((x.to(DEVICE), y.to(DEVICE)) for x, y in loader)


def _pair() -> Pair:
    train, test, r = _data(TRAIN, 1), _data(TEST, 2), _recipe()
    model = seeded(RectGradCNN, 0).eval()
    sets = _sets(model, train, test, r)

    def check(mine: Accuracies, other: Accuracies) -> str:
        apart = [mine[point] - accuracy for point, accuracy in other.items()]
        mean, most = abs(sum(apart) / len(apart)), max(map(abs, apart))
        means = [sum(side.values()) / len(side) for side in (mine, other)]
        said = f"accuracies {means[0]:.3f} and {means[1]:.3f} in the mean, {most:.3f} apart at most"
        require(len(mine) == len(other) and mean < NOISE and most < NOISE_OF_POINT, said)
        return said

    return Pair(lambda: _ours(model, train, test, r), lambda: _loop(sets, r), check)


ROWS = (
    Row("roar", "reduced ROAR, a slice: 7 of its 75 trainings", "the same trainings, a plain DataLoader loop in float32",
        _pair, 0.1 if DEVICE == "cuda" else 0.4, None, 4.5),
)  # fmt: skip
