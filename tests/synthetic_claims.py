"""A folder of claims without a measurement behind it: every verdict, every kind of picture, and texts that attack."""

from __future__ import annotations

from dataclasses import asdict
from math import nan
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from heatproof.papers.types import Claim, Experiment, Finding, Measured, Number, Paper, Picture
from heatproof.papers.verdicts import CANNOT, HELD, NOT_HELD, OUT, TODO, Claims, Judged
from heatproof.plots.plates import Series, bars, curves, photo_of, picture_of, tiles

EVIL = "</script><script>alert('x')</script><img src=x onerror=alert(1)>\"'"
VERDICTS = (HELD, NOT_HELD, CANNOT, OUT, TODO)
METHODS = ("gradient", "gradient_x_input", "integrated_gradients(rule='right', steps=10)", "cgi")
COMMAND = "heatproof audit torchvision:vgg19 photos"


def measure(lab: object) -> Measured:
    return Measured()


def _strip(found: Measured) -> Figure:
    images = [[photo_of(found.arrays["photo"]), *(picture_of(m) for m in row)] for row in found.arrays["maps"]]
    return tiles(images, METHODS, ["photo", "original", "softmax", "conv2"], captions=[["", "1.00", ".53", ".02"]] * 4)


def _curves(found: Measured) -> Figure:
    x = [0.0, 1.0, 2.0]
    series = {m: Series(x, [1, 1 - 0.2 * i, 0.9 - 0.25 * i], [0.9] * 3, [1.0] * 3) for i, m in enumerate(METHODS)}
    return curves(series, "", "stages", "Spearman, absolute", ["original", "softmax", "conv2"], {"floor": 0.1})


def _bars(found: Measured) -> Figure:
    return bars({m: {"inside": 0.2 * i, "outside": (0.5, 0.4, 0.6)} for i, m in enumerate(METHODS)}, "", "share")


def broken(found: Measured) -> Figure:
    raise ValueError(EVIL)


def paper(
    name: str = "cgi", prefix: str = "S0", claims: int = 7, text: str = "gradient x input shows the photo"
) -> Paper:
    """Claims 0, 5, ... held, 1, 6, ... did not, and so on; the first that did not hold is an error of the paper."""
    made = tuple(
        Claim(
            f"{prefix}-Fig{i}",
            f"{text} ({i})",
            f"section 3.{i}, figure {i}",
            f"LeNet on MNIST, 200 images; {text}",
            experiment="" if i % 5 == 2 else f"{name}-{i % 5}",
            published="0.53" if i % 2 else "",
            missing=f"VGG-19 is not here; measure it with: {COMMAND}" if i % 5 == 2 else "",
            why="A smaller network and 200 images in place of 10,000." if i % 3 == 1 else "",
            error=i == 1,
        )
        for i in range(claims)
    )
    ids = tuple(claim.id for claim in made)
    pictures = (
        Picture("Maps of all methods over the stages", "figure 5", f"{name}-0", _strip, ids[:2], photos=True),
        Picture("Similarity over the stages", "figure 4", f"{name}-0", _curves, (ids[1], *ids[5:6])),
        Picture("Shares inside and outside", "", f"{name}-1", _bars, (ids[0],)),
        Picture("A picture that fails", "figure 9", f"{name}-1", broken, ids[6:7]),
        Picture("A picture without a measurement", "", f"{name}-3", _curves, ids[3:4]),
    )
    experiments = tuple(Experiment(f"{name}-{i}", measure, reduced="200 of 10,000 images") for i in range(5))
    return Paper(
        name, prefix, f"A paper on {name}", "Doe and Roe, 2019", "https://arxiv.org/abs/1", made, experiments, pictures
    )


def found() -> Measured:
    random = torch.Generator().manual_seed(0)
    ramp = torch.from_numpy(np.linspace(0, 1, 224, dtype=np.float32))
    photo = (ramp[None, :, None] * ramp[None, None, :]).expand(3, -1, -1)
    return Measured(arrays={"photo": photo, "maps": torch.randn(4, 3, 1, 28, 28, generator=random)})


def claims(folder: Path, papers: list[Paper], budget: str = "full", found: Measured | None = None) -> Claims:
    """As if the first two experiments of each paper had run."""
    rows = [asdict(_judged(p, i, claim)) for p in papers for i, claim in enumerate(p.claims)]
    names = [f"{p.name}-{i}" for p in papers for i in range(2)]
    held = found or globals()["found"]()
    config = {"budget": budget, "device": "cpu", "versions": {"heatproof": "0.1.0", "torch": "2.13.0"}}
    seconds = {name: 61.0 if i else nan for i, name in enumerate(names)}
    return Claims(folder, config, pd.DataFrame(rows), dict.fromkeys(names, held), seconds)


def _judged(p: Paper, i: int, claim: Claim) -> Judged:
    verdict = VERDICTS[i % 5]
    told = verdict in (HELD, NOT_HELD)
    finding = Finding(
        verdict == HELD, f"Spearman of {METHODS[2]} 0.53 (0.41 to 0.65), cgi 0.02", Number(0.53, 0.41, 0.65)
    )
    number = finding.number if told else Number(nan)
    return Judged(p.name, claim.id, claim.says, claim.source, claim.published, finding.measured if told else "",
                  *number, verdict, claim.missing if verdict == CANNOT else "", claim.why if told else "", claim.protocol,
                  "200 of 10,000 images" if told else "", claim.experiment)  # fmt: skip
