"""The picture of the README: maps of a trained network above maps of the same network with its upper half randomised.

    python studies/readme_picture.py WEIGHTS runs/reference/squeezenet docs/assets/readme.webp

WEIGHTS is squeezenet1_0_dc.safetensors. The verdicts are read from the audit that `studies/reference_verdicts.py` left.
The photo is scikit-image's Chelsea the cat (Stéfan van der Walt, CC0).
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from matplotlib.figure import Figure
from matplotlib.markers import MarkerStyle
from PIL import Image
from reference_verdicts import squeezenet  # beside this file
from safetensors.torch import load_file
from skimage import data
from torch import Tensor, nn

import heatproof as hp
from heatproof.audit import read_audit
from heatproof.plots._style import INK, MUTED, PAPER, VERDICT_COLOURS
from heatproof.plots.visualise import colour
from heatproof.report.words import SHAPES

METHODS = {
    "gradient": "Gradient",
    "fullgrad": "FullGrad",
    "gradcam": "GradCAM",
    "guided_backprop": "Guided backprop",
    "edge_map": "Edge detector",
}
MEANS = {
    "sensitive": "follows what was learned",
    "undecided": "not enough evidence",
    "insensitive": "hardly notices",
    "input-dominated": "shows the photo",
}
MARKERS = {"circle": "o", "triangle": "^", "square": "s", "diamond": "D"}
MEAN, STD = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
SIDE, GAP, LEFT, TOP, BOTTOM = 1.75, 0.12, 1.28, 0.82, 0.92
"""Inches."""


def cat() -> np.ndarray:
    """Chelsea, short side 256, the 224 x 224 in the middle."""
    image = Image.fromarray(data.chelsea())
    scale = 256 / min(image.size)
    image = image.resize((round(image.width * scale), 256), Image.Resampling.BILINEAR)
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    return np.asarray(image.crop((left, top, left + 224, top + 224)))


def half_random(model: nn.Module, inputs: Tensor) -> nn.Module:
    """The stage of the cascade with half of the blocks randomised."""
    stages = list(hp.randomize(model, order="cascading", calibration=inputs, seed=0))
    return stages[(len(stages) + 1) // 2 - 1].model


def drawn(photo: np.ndarray, rows: list[dict[str, Tensor]], verdicts: dict[str, str], note: str) -> Figure:
    width = LEFT + (len(METHODS) + 1) * (SIDE + GAP) + 0.15
    height = TOP + 2 * (SIDE + GAP) + BOTTOM
    figure = Figure(figsize=(width, height), dpi=150, facecolor=PAPER)

    def tile(column: int, row: int, image: np.ndarray) -> float:
        """An image in its place; -> the middle of its column."""
        left, bottom = LEFT + column * (SIDE + GAP), height - TOP - (row + 1) * (SIDE + GAP) + GAP
        axes = figure.add_axes((left / width, bottom / height, SIDE / width, SIDE / height))
        axes.imshow(image, interpolation="lanczos")
        axes.axis("off")
        return (left + SIDE / 2) / width

    def text(x: float, y: float, words: str, **style: object) -> None:
        figure.text(x, y, words, **{"ha": "center", "va": "center", "color": INK, "fontsize": 11} | style)

    text(0.5, 1 - 0.24 / height, "Which of these maps show what the network learned?", fontsize=16, fontweight="bold")
    middle = tile(0, 0, photo)
    text(middle, (height - TOP + 0.13) / height, "Photo", color=MUTED)
    for row, words in enumerate(("trained\nnetwork", "upper half\nof its layers\nrandomised")):
        at = (height - TOP - row * (SIDE + GAP) - SIDE / 2) / height
        text((LEFT - 0.14) / width, at, words, ha="right", color=MUTED)
    for column, (method, title) in enumerate(METHODS.items(), 1):
        for row, maps in enumerate(rows):
            middle = tile(column, row, colour(maps[method][0].numpy(), "absolute"))
        text(middle, (height - TOP + 0.13) / height, title, fontweight="bold")
        verdict = verdicts[method]
        tone = VERDICT_COLOURS[verdict]
        axes = figure.add_axes((middle - SIDE / 2 / width, 0.6 / height, SIDE / width, 0.26 / height))
        axes.set(xlim=(-SIDE / 2, SIDE / 2), ylim=(-0.13, 0.13))
        axes.axis("off")
        start = -0.048 * len(verdict) - 0.06
        marker = MarkerStyle(MARKERS[SHAPES[verdict]])
        axes.plot([start], [0.01], marker=marker, color=tone, markersize=8, clip_on=False)
        axes.text(start + 0.12, 0, verdict, va="center_baseline", color=tone, fontsize=11, fontweight="bold")
        text(middle, 0.48 / height, MEANS[verdict], color=MUTED, fontsize=8.5)
    text((LEFT - 0.14) / width, 0.73 / height, "verdict", ha="right", color=MUTED)
    text(0.5, 0.1 / height, note, color=MUTED, fontsize=8)
    return figure


def main(
    weights: Annotated[Path, typer.Argument(help="squeezenet1_0_dc.safetensors")],
    run: Annotated[Path, typer.Argument(help="finished audit of it")],
    out: Path,
) -> None:
    """Draw the picture."""
    model = squeezenet()
    model.load_state_dict(load_file(weights))
    model.eval()
    photo = cat()
    inputs = ((torch.from_numpy(photo.copy()).permute(2, 0, 1) / 255 - MEAN) / STD)[None]
    target = model(inputs).argmax(1)
    networks = (model, half_random(model, inputs))
    rows = [{m: hp.METHODS[m](net, inputs, target) for m in METHODS} for net in networks]
    audit = read_audit(run)
    verdicts = {str(row.method): str(row.verdict) for row in audit.verdicts.itertuples()}
    images = audit.results.table["image"].nunique()
    note = f"SqueezeNet, ImageNet; verdicts of an audit of {images} other photos. Photo: Chelsea, Stéfan van der Walt, CC0."
    figure = drawn(photo, rows, verdicts, note)
    held = BytesIO()
    figure.savefig(held, facecolor=PAPER)
    out.parent.mkdir(parents=True, exist_ok=True)
    Image.open(held).convert("RGB").save(out, quality=90, method=6)


if __name__ == "__main__":
    typer.run(main)
