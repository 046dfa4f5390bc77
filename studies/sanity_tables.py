"""The tables of "Sanity Checks for Saliency Maps" measured again: weight and label randomisation on MNIST networks.

    python studies/sanity_tables.py train DATA runs/nets            # the papers' CNN and MLP, resumable
    python studies/sanity_tables.py cascade DATA runs/nets runs/tables --preset code
    python studies/sanity_tables.py labels DATA runs/tables
    python studies/sanity_tables.py show runs/tables                # published numbers beside ours

DATA is a folder that holds MNIST/raw and FashionMNIST/raw. Every step resumes where it was interrupted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table

import heatproof as hp
from heatproof.checks.labels import train_pair
from heatproof.data.idx import read_idx
from heatproof.experiment.results import Results, load
from heatproof.models.nets.adebayo import CNN_DECAYED, AdebayoCNN, AdebayoMLP
from heatproof.papers.sanity_checks.published import CASCADE_ABS, CASCADE_SIGNED, LABELS, METHODS, STAGES
from heatproof.train import accuracy, load_network, save_network, seeded, train

app = typer.Typer(help=__doc__, no_args_is_help=True, rich_markup_mode=None)
console = Console(width=150)

NETS: dict[str, Any] = {"cnn": AdebayoCNN, "mlp": AdebayoMLP}
VALIDATION = 5000
"""The authors' split: the first images of the training set validate."""
AUDITED = {
    "code": (
        "gradient", "smoothgrad", "guided_backprop", "gradcam", "guided_gradcam",
        "integrated_gradients(rule='pair')", "smooth(integrated_gradients(steps=10, rule='pair'), n=25)",
        "gradient_x_input", "cgi", "edge_map", "random_map",
    ),
    "default": (
        "gradient", "smoothgrad", "guided_backprop", "gradcam", "guided_gradcam", "integrated_gradients",
        "ig_smoothgrad(n=10)", "gradient_x_input", "cgi", "clrp", "edge_map", "random_map",
    ),
}  # fmt: skip
"""Methods of the two audits; IG-SmoothGrad with fewer draws than the authors' 50, and fewer steps than their 25."""

Data = Annotated[Path, typer.Argument(help="folder with MNIST/raw and FashionMNIST/raw")]


def told(done: int, total: int, info: str) -> None:
    """One line for each tenth of a training."""
    if done * 10 // total != (done - 1) * 10 // total:
        console.print(f"{done} of {total} steps, {info}")


@app.command("train")
def train_networks(data: Data, out: Path, epochs: int = 18) -> None:
    """The authors' recipe: Adam at 1e-4, batches of 50, a penalty on the CNN's inner weights; 18 epochs = 19,800 steps."""
    torch.set_num_threads(1)
    pixels, targets = read_idx(data / "MNIST" / "raw", "train")
    test = read_idx(data / "MNIST" / "raw", "test")
    out.mkdir(parents=True, exist_ok=True)
    for name, net in NETS.items():
        path = out / f"mnist_{name}_code.safetensors"
        if path.exists():
            continue
        model = seeded(net, 0)
        decay: dict[str, Any] = {"weight_decay": 1e-3, "decayed": CNN_DECAYED} if name == "cnn" else {}
        done = train(
            model, pixels[VALIDATION:], targets[VALIDATION:], epochs=epochs, batch=50, lr=1e-4, schedule=None,
            bf16="auto", seed=0, checkpoint=out / f"{name}.training", progress=told, **decay,
        )  # fmt: skip
        save_network(path, model, {**done.card, "dataset": "MNIST", "test_accuracy": accuracy(model, *test)})


@app.command()
def cascade(
    data: Data, nets: Path, out: Path, preset: str = "code", images: int = 100, seeds: int = 3, net: str = "cnn,mlp"
) -> None:
    """Cascading randomisation of the trained networks, once as the authors' code does it and once with the defaults."""
    torch.set_num_threads(1)
    pixels, _ = read_idx(data / "MNIST" / "raw", "test", images)
    for name in net.split(","):
        model = NETS[name]()
        card = load_network(nets / f"mnist_{name}_code.safetensors", model)
        methods = [m for m in AUDITED[preset] if name == "cnn" or "gradcam" not in m]
        settings: dict[str, Any] = {"preset": "code"} if preset == "code" else {}
        hp.audit(
            model.eval(), pixels, methods=methods, out=out / f"cascade-{name}-{preset}", seeds=seeds, factory=NETS[name],
            faithfulness=preset != "code", progress=_jobs, threads=1,
            about={"model": f"{name} ({card.get('test_accuracy', 0):.2%} on test)", "dataset": "MNIST"}, **settings,
        )  # fmt: skip


@app.command()
def labels(data: Data, out: Path, images: int = 100, limit: int = 6000, which: str = "") -> None:
    """True against permuted labels, both data sets and both networks."""
    torch.set_num_threads(1)
    for dataset, net in LABELS:
        if which and which != f"{dataset}-{net}":
            continue
        folder = out / f"labels-{dataset}-{net}"
        pixels, targets = (t[:: 60000 // limit] for t in read_idx(data / dataset / "raw", "train"))
        test = read_idx(data / dataset / "raw", "test", 2000)
        pair = train_pair(
            NETS[net.lower()], pixels, targets, *test, folder / "networks", dataset=dataset, progress=told
        )
        console.print(pair.gates["why"])
        methods = [m for m in (*METHODS, "cgi", "clrp", "edge_map", "random_map") if net == "CNN" or "gradcam" not in m]
        methods = ["ig_smoothgrad(n=25)" if m == "ig_smoothgrad" else m for m in methods]
        hp.audit(
            pair.true, test[0][:images], methods=methods, checks=("labels",), labels=pair, out=folder / "audit",
            factory=NETS[net.lower()], faithfulness=False, progress=_jobs, threads=1,
            about={"model": f"Adebayo {net}", "dataset": dataset},
        )  # fmt: skip


def _jobs(done: int, total: int, left: float | None) -> None:
    if done % 10 == 0:
        console.print(f"{done} of {total} jobs" + (f", about {left / 60:.0f} min left" if left else ""))


@app.command()
def show(out: Path) -> None:
    """The published numbers beside ours; deviations over .1 are marked."""
    for folder in sorted(out.glob("cascade-*")):
        _show_cascade(folder)
    for folder in sorted(out.glob("labels-*")):
        _show_labels(folder)


def _show_cascade(folder: Path) -> None:
    results = load(folder)
    _, net, preset = folder.name.split("-")
    for metric, published in (("spearman_abs", CASCADE_ABS[net]), ("spearman", CASCADE_SIGNED[net])):
        table = Table("method", *STAGES[net], "floor", "verdict", title=f"{net}, {preset}, {metric}: published | ours")
        verdicts = results.verdicts.set_index("method")["verdict"]
        for method in results.config["methods"]:
            ours = list(_means(results, method, metric, "cascading"))
            theirs = published.get(_plain(method), ())
            cells = [_beside(theirs[i] if theirs else None, value) for i, value in enumerate(ours)]
            floor = results.floor(method, metric).get("floor", float("nan"))
            table.add_row(method, *cells, f"{floor:.3f}", verdicts[method])
        console.print(table)


def _show_labels(folder: Path) -> None:
    if not (folder / "audit" / "config.json").exists():
        return
    results = load(folder / "audit")
    _, dataset, net = folder.name.split("-")
    table = Table(
        "method", "absolute", "signed", "floor abs", "verdict", title=f"labels, {dataset} {net}: published | ours"
    )
    verdicts = results.verdicts.set_index("method")["verdict"]
    for method in results.config["methods"]:
        place = METHODS.index(_plain(method)) if _plain(method) in METHODS else None
        cells = []
        for k, metric in enumerate(("spearman_abs", "spearman")):
            (mean,) = _means(results, method, metric, "labels")
            cells.append(_beside(None if place is None else LABELS[dataset, net][k][place], mean))
        floor = results.floor(method, "spearman_abs").get("floor", float("nan"))
        table.add_row(method, *cells, f"{floor:.3f}", verdicts[method])
    console.print(table)
    for gate in results.config["labels"]["gates"]:
        console.print(
            f"  {gate['name']}: {gate['value']:.3f} ({gate['rule']} {gate['limit']:.3f}): holds: {gate['holds']}"
        )


def _means(results: Results, method: str, metric: str, check: str) -> Iterator[float]:
    curves = results.curves
    rows = curves[(curves["method"] == method) & (curves["metric"] == metric) & (curves["check"] == check)]
    yield from (float(mean) for mean in rows.sort_values("stage")["mean"])


def _plain(method: str) -> str:
    """The published row that a method with options belongs to."""
    return "ig_smoothgrad" if method.startswith("smooth(integrated") else method.partition("(")[0]


def _beside(theirs: float | None, ours: float) -> str:
    if theirs is None or theirs != theirs:
        return f"      | {ours:.3f}"
    return f"{theirs:.3f} | {ours:.3f}" + (" *" if abs(theirs - ours) > 0.1 else "")


if __name__ == "__main__":
    app()
