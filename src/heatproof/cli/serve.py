"""The command ``serve``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError
from .console import console
from .options import Device, ScoreName, Threads
from .result import Result

if TYPE_CHECKING:
    from ..serve.served import Served

EACH = "; one for all models, or one for each, - for its own"


def serve(
    model: Annotated[list[str], typer.Option(help="as of explain, such as torchvision:resnet50; may be repeated")],
    weights: Annotated[
        list[str] | None,
        typer.Option(help="safetensors, or a state-dict checkpoint: one for each model, - for none"),
    ] = None,
    name: Annotated[
        list[str] | None, typer.Option(help="how the page calls it: one for each model, - for its own")
    ] = None,
    size: Annotated[list[str] | None, typer.Option(help="side in pixels; default: the model's own" + EACH)] = None,
    mean: Annotated[list[str] | None, typer.Option(help="one number, or one a channel" + EACH)] = None,
    std: Annotated[list[str] | None, typer.Option(help="as --mean" + EACH)] = None,
    class_names: Annotated[list[str] | None, typer.Option(help="file of class names" + EACH)] = None,
    score: ScoreName = "logit",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one")] = 0,
    open: Annotated[
        bool | None, typer.Option("--open/--no-open", help="show the page; default: where there is a screen")
    ] = None,
    device: Device = "auto",
    threads: Threads = None,
) -> Result:
    """Show maps of photos that you drop into a page on this machine, until Ctrl-C.

    Nobody else can open it: it listens on this machine alone, and its address holds a token. Photos stay in memory.

    Example: heatproof serve --model torchvision:resnet50 --weights resnet50.safetensors
    """
    from ..serve.run import check_installed, run_server
    from .inputs import set_threads

    check_installed()
    set_threads(threads)
    each = {"weights": weights, "name": name, "size": size, "mean": mean, "std": std, "class_names": class_names}
    rows = [_row(each, place, len(model)) for place in range(len(model))]
    models = [_loaded(spec, row, score, device) for spec, row in zip(model, rows, strict=True)]
    try:
        run_server(models, port, _has_screen() if open is None else open, _told)
    except KeyboardInterrupt as error:
        if error.args:  # SIGTERM: `friendly` ends as it does
            raise
        console.print("stopped")
    return Result()


def _row(each: dict[str, list[Any] | None], place: int, models: int) -> dict[str, Any]:
    """The options of one model; what was left out, or is written -, is None."""
    row: dict[str, Any] = {}
    for name, values in each.items():
        alone = models > 1 and name in ("weights", "name")
        if values and len(values) != models and (len(values) > 1 or alone):
            raise InputError(
                f"--{name.replace('_', '-')} was given {len(values)} times for {models} models; give one for each, "
                "in their order, and - where a model has none"
            )
        value = values[place if len(values) > 1 else 0] if values else None
        row[name] = None if value == "-" else value
    return row


def _loaded(spec: str, row: dict[str, Any], score: str, device: str) -> Served:
    from ..data.labels import read_class_names
    from ..serve.served import make_served
    from .inputs import loaded_as_given, score_from

    weights = Path(row["weights"]) if row["weights"] else None
    loaded = loaded_as_given(
        spec, weights, row["size"] and _pixels(row["size"]), None, row["mean"], row["std"], None, device
    )
    listed = read_class_names(row["class_names"]) if row["class_names"] else None
    made = make_served(loaded, score_from(score), listed, row["name"] or "", _audit_words(spec, row, score))
    console.print(f"{made.name}: {made.count} classes{', random weights' if made.trained is False else ''}")
    return made


def _pixels(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise InputError(f"--size {text!r}; expected a whole number of pixels, or - for the model's own")
    return int(text)


def _audit_words(spec: str, row: dict[str, Any], score: str) -> list[str]:
    """The beginning of the command that puts this model's maps to the test."""
    options = {"weights", "size", "mean", "std", "class_names"} & {
        name for name, value in row.items() if value is not None
    }
    words = ["heatproof", "audit", "--model", spec]
    words += [word for name in sorted(options) for word in (f"--{name.replace('_', '-')}", str(row[name]))]
    return words if score == "logit" else [*words, "--score", score]


def _has_screen() -> bool:
    """Whether a browser that is started here would be seen; over ssh it would not."""
    if "SSH_CONNECTION" in os.environ:
        return False
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _told(address: str) -> None:
    console.print(f"open {address}\nCtrl-C ends it", soft_wrap=True)
    if console.quiet:
        typer.echo(address)  # without it nobody could open the page
