"""The commands ``bench roar`` and ``bench kar``, and the RectGrad paper's table 1 as a preset of both."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import completion
from .console import console, working
from .options import ClassNames, Device, FigureFormat, Methods, Numbers, Out, Seed, Size, Weights
from .result import Result
from .texts import floats, numbers, words

Network = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="package.module:factory, path/to/file.py:factory, torchvision:NAME; retrained from random weights",
    ),
]
Data = Annotated[
    Path,
    typer.Option(
        "--data", "--images", help="MNIST's, Fashion-MNIST's or CIFAR-10's folder, or a folder with train/ and test/, one "
        "folder a class in each; without a test part every fifth image is held out"
    ),
]  # fmt: skip


def command(direction: str) -> Any:
    """The command of one direction."""
    other = "kar" if direction == "roar" else "roar"

    def run(
        data: Data,
        model: Network = None,
        weights: Weights = None,
        out: Out = None,
        preset: Annotated[
            str | None,
            typer.Option(
                help="RectGrad paper, table 1: paper (240 trainings) or reduced (half an hour)",
                autocompletion=completion.retrain_presets,
            ),
        ] = None,
        both: Annotated[bool, typer.Option("--both", help="both roar and kar, in the same run")] = False,
        methods: Methods = None,
        fractions: Annotated[str | None, typer.Option(help="of pixels, by commas [0.1,0.3,0.5,0.7,0.9]")] = None,
        networks: Annotated[int | None, typer.Option(min=1, help="retrained for each point [3]")] = None,
        controls: Annotated[
            str | None, typer.Option(help="by commas: random, edge, blurred (own map), mask (its shape alone)")
        ] = None,
        rank: Annotated[
            str | None, typer.Option(help="abs (default), signed, positive, or parity (the RectGrad paper's code)")
        ] = None,
        train_limit: Annotated[int | None, typer.Option(min=1, help="training images, evenly spread")] = None,
        test_limit: Annotated[int | None, typer.Option(min=1, help="test images, evenly spread")] = None,
        epochs: Annotated[int | None, typer.Option(min=1, help="passes over the training images [20]")] = None,
        batch: Annotated[int | None, typer.Option(min=1, help="images a step [100]")] = None,
        lr: Annotated[float | None, typer.Option(help="learning rate of Adam [0.001]")] = None,
        schedule: Annotated[str | None, typer.Option(help="constant (default) or onecycle")] = None,
        size: Size = None,
        resize: Annotated[int | None, typer.Option(min=1, help="short side before the centre crop")] = None,
        mean: Numbers = None,
        std: Numbers = None,
        class_names: ClassNames = None,
        figures: FigureFormat = None,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="print the plan and stop")] = False,
        chunk: Annotated[int | None, typer.Option(min=1, help="images explained in one pass [64]")] = None,
        workers: Annotated[int | None, typer.Option(min=1, help="processes side by side; default: one a core")] = None,
        stack: Annotated[
            int | None, typer.Option(min=1, help="networks trained at once on one device; default: 1, on CUDA 15")
        ] = None,
        threads: Annotated[int, typer.Option(min=1, help="CPU threads of a job; part of the last digits")] = 1,
        device: Device = "auto",
        seed: Seed = 0,
    ) -> Result:
        from ..data.cifar import cifar_folder
        from ..data.labels import read_class_names
        from ..data.preprocess import override
        from ..experiment.folder import refusal
        from ..faithfulness.retrain_published import Used, beside_paper
        from ..faithfulness.retrain_settings import RetrainSettings
        from ..named import named_methods
        from ..roar import TABLE_1, plan_retrain, run_retrain
        from .inputs import device_from, set_threads, split_methods
        from .retrain_run import (
            about_retrain,
            finish,
            plan_facts,
            preset_named,
            print_plan,
            retrained_network,
        )
        from .retrain_sets import read_sets

        set_threads(threads)
        held = preset_named(preset)
        loaded = retrained_network(model, weights, held, device_from(device))
        units = floats(mean), floats(std)
        units = (held.mean, held.std) if units == (None, None) else units
        how = override(loaded.preprocess, size=size, resize=resize, mean=units[0], std=units[1])
        limits = train_limit or held.train_limit, test_limit or held.test_limit
        sets = read_sets(data, how, limits, None if class_names is None else read_class_names(class_names))
        asked = {
            "fractions": None if fractions is None else numbers(fractions), "networks": networks,
            "controls": None if controls is None else tuple(words(controls)), "rank": rank, "epochs": epochs,
            "batch": batch, "lr": lr, "schedule": schedule, "chunk": chunk, "stack": stack,
        }  # fmt: skip
        chosen = {**held.settings, **{k: v for k, v in asked.items() if v is not None}}
        chosen["schedule"] = None if chosen.get("schedule") in (None, "constant") else chosen["schedule"]
        named = named_methods(split_methods(methods) or list(held.methods or TABLE_1))
        directions = (direction, other) if both else (direction,)
        folder = out or Path("runs") / f"{'-'.join(directions)}-{loaded.name}"
        beside = {} if preset is None else beside_paper(
            Used(
                model or str(held.model), units, cifar_folder(data) is not None, tuple(sets.train[0].shape[1:]),
                (len(sets.train[0]), len(sets.test[0])), RetrainSettings(loaded.factory, **chosen), list(named),
            )
        )  # fmt: skip
        with working("trying every method on one image"):
            plan = plan_retrain(
                loaded.model if loaded.trained else None,
                sets.train,
                sets.test,
                named,
                **chosen,
                factory=loaded.factory,
                directions=directions,
                out=folder,
                threads=threads,
                workers=workers,
                device=device_from(device),
                seed=seed,
                about=about_retrain(loaded, data, sets, preset, beside),
            )
        print_plan(plan)
        if not dry_run:
            return finish(run_retrain(plan, "auto"), figures)
        if why := refusal(plan.folder, plan.config):
            console.print(f"note: the run will be refused: {why}", style="yellow")
        return Result(facts={"plan": {**plan_facts(plan), "will_be_refused": why}})

    what, which = ("Remove", "without") if direction == "roar" else ("Keep", "on nothing but")
    run.__doc__ = f"""{what} and retrain: networks trained {which} the pixels that maps call salient.

    The lower the area, the better the map. Networks of one seed start from the same weights for all methods.

    Example: heatproof bench {direction} --preset reduced --data CIFAR10 -o runs/table1 --both"""
    return run
