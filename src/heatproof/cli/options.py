"""The options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import completion
from .names import SCORES


def _drawn(value: str | None) -> str | None:
    """A format that figures have: said at once, and not after hours of work."""
    if value not in (None, "png", "pdf", "svg"):
        raise typer.BadParameter(f"{value!r}; expected png, pdf or svg")
    return value


Model = Annotated[
    str,
    typer.Option(
        help="torchvision:NAME, timm:NAME, hf:FOLDER (Hugging Face, on disk), package.module:factory, "
        "path/to/file.py:factory, or a .pt2 file (torch.export)",
        autocompletion=completion.models,
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option(help="safetensors, or a state-dict checkpoint (read without running code); random if left out"),
]
Images = Annotated[
    Path,
    typer.Option(
        "--images",
        "--data",
        help="folder of images (flat or one a class), an image, a .npy/.npz/.pt stack, MNIST's or CIFAR-10's folder, or "
        "digits: scenes that come with it, whose masks are known",
    ),
]
Limit = Annotated[int | None, typer.Option(min=1, help="at most so many images, evenly spread over the folder")]
Size = Annotated[int | None, typer.Option(min=1, help="side in pixels; default: the model's own preset")]
Resize = Annotated[int | None, typer.Option(min=1, help="short side before the centre crop; default: as the preset")]
Numbers = Annotated[str | None, typer.Option(help="one number, or one a channel: 0.485,0.456,0.406 (pixels in 0 to 1)")]
Function = Annotated[
    str | None,
    typer.Option("--preprocess", help="package.module:function, PIL image -> tensor (C, H, W) in model units"),
]
Methods = Annotated[
    str | None,
    typer.Option(
        help="separated by commas, with options: 'gradient, integrated_gradients(steps=20), mypackage.maps:mine'",
        autocompletion=completion.methods,
    ),
]
Target = Annotated[
    str | None,
    typer.Option(help="class to explain: a number or a name for all images; default: what the model predicts"),
]
ClassNames = Annotated[
    Path | None, typer.Option(help="file of class names: json, or one a line; default: the preset's")
]
ScoreName = Annotated[
    str,
    typer.Option(
        "--score",
        help=f"what is explained: {', '.join(SCORES)}, or package.module:function",
        autocompletion=completion.scores,
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1", autocompletion=completion.devices)]
Threads = Annotated[
    int | None, typer.Option(min=1, max=4096, help="CPU threads of a job; part of the result's last digits")
]
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="of all randomness")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="folder for the results; the same command resumes there")]
FigureFormat = Annotated[
    str | None,
    typer.Option(callback=_drawn, help="also write the figures as png, pdf or svg", autocompletion=completion.figures),
]
First = Annotated[bool, typer.Option("--first", help="with --limit: the first images, not evenly spread ones")]
Split = Annotated[
    str | None,
    typer.Option(
        help="part of MNIST, CIFAR-10 or a folder with train/ and test/: test (default there) or train",
        autocompletion=completion.splits,
    ),
]
