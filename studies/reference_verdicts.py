"""The verdicts of every method on four pretrained networks, and the table of methods of the README that shows them.

    python studies/reference_verdicts.py audit DATA runs/reference       # an hour or two on 2 cores; resumes
    python studies/reference_verdicts.py table runs/reference README.md  # writes the table between its two markers

DATA holds MNIST/raw, CIFAR10, imagenet-samples and weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from safetensors.torch import load_file
from torch import Tensor, nn

import heatproof as hp
from heatproof.audit import read_audit
from heatproof.data.cifar import read_cifar
from heatproof.data.idx import read_idx
from heatproof.models.nets.cifar_resnet import CifarResNet
from heatproof.models.nets.lenet import LeNet

console = Console()
app = typer.Typer(help=__doc__, rich_markup_mode=None)

FEWER = {
    "integrated_gradients": "integrated_gradients(steps=10)",
    "smoothgrad": "smoothgrad(n=10)",
    "smoothgrad_squared": "smoothgrad_squared(n=10)",
    "ig_smoothgrad": "ig_smoothgrad(n=5)",
    "meaningful_perturbation": "meaningful_perturbation(steps=40)",
}
"""Fewer steps than the defaults, which take hours on 2 cores."""
THOUSAND = {"cgi", "clrp", "meaningful_perturbation", "occlusion", "ig_smoothgrad"}
"""Not on 1000 classes of large photos: a map for each of them, or fifty passes and more, for every network of the audit."""
MARKS = {
    "sensitive": "●",
    "undecided": "■",
    "insensitive": "▲",
    "input-dominated": "▲",
    "undefined": "◆",
    "refused": "–",
}
START, END = "<!-- methods table -->", "<!-- end of methods table -->"


@dataclass(frozen=True)
class Reference:
    """A pretrained network with the images it is audited on."""

    title: str
    build: Callable[[], nn.Module]
    weights: str
    images: Callable[[Path], tuple[Tensor, Tensor | float]]
    left_out: frozenset[str] = frozenset()
    seeds: int = 5
    stages: int | None = 4
    fewer: bool = True


def _vit() -> nn.Module:
    from timm.models.vision_transformer import VisionTransformer

    norm = partial(nn.LayerNorm, eps=1e-5)
    net: nn.Module = VisionTransformer(
        img_size=28, patch_size=7, in_chans=1, num_classes=10, embed_dim=64, depth=6, num_heads=8, mlp_ratio=2,
        qkv_bias=False, final_norm=False, norm_layer=norm,
    )  # fmt: skip
    net.head = nn.Sequential(nn.Linear(64, 128), nn.GELU(), nn.Linear(128, 10))
    return net


def squeezenet() -> nn.Module:
    """Without the ReLU after its last convolution: logits of random networks are zero behind it, and so are their maps."""
    from torchvision.models import squeezenet1_0

    net: nn.Module = squeezenet1_0()
    net.classifier[2] = nn.Identity()
    return net


def _spread(images: Tensor, count: int) -> Tensor:
    return images[torch.linspace(0, len(images) - 1, count).long()]


def _mnist(data: Path) -> tuple[Tensor, float]:
    pixels, _ = read_idx(data / "MNIST/raw", "test")
    return (_spread(pixels, 32) - 0.1307) / 0.3081, (0 - 0.1307) / 0.3081


def _cifar(data: Path) -> tuple[Tensor, Tensor]:
    pixels, _ = read_cifar(data / "CIFAR10", "test")
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    return (_spread(pixels, 32) - mean) / std, ((0 - mean) / std).flatten()


def _photos(data: Path) -> tuple[Tensor, Tensor]:
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    found = hp.read_images(data / "imagenet-samples", hp.Preprocess(size=224, resize=256, mean=mean, std=std), limit=16)
    return found.pixels, -torch.tensor(mean) / torch.tensor(std)


REFERENCES = {
    "lenet": Reference("LeNet, MNIST", LeNet, "mnist_lenet", _mnist, stages=None, fewer=False),
    "resnet20": Reference("ResNet-20, CIFAR-10", CifarResNet, "cifar10_resnet20", _cifar),
    "squeezenet": Reference(
        "SqueezeNet, ImageNet", squeezenet, "squeezenet1_0_dc", _photos, frozenset(THOUSAND), seeds=3
    ),
    "vit": Reference("ViT, MNIST", _vit, "vit_mnist", _mnist),
}  # fmt: skip


def _weights(path: Path) -> dict[str, Tensor]:
    """The weights of LeNet were saved as conv_1 ... fc_3."""
    held = load_file(path)
    return {k.replace("_", "") if k.startswith(("conv_", "fc_")) else k: v for k, v in held.items()}


@app.command()
def audit(
    data: Annotated[Path, typer.Argument(help="folder with the data and the weights")],
    out: Annotated[Path, typer.Argument(help="folder for the runs")],
    only: Annotated[str, typer.Option(help="names of networks, by commas")] = ",".join(REFERENCES),
    threads: int = 1,
    workers: int = 1,
) -> None:
    """Audit all methods that are known by name on each network: cascading randomisation, 5 null networks."""
    for name in only.split(","):
        ref = REFERENCES[name]
        model = ref.build()
        model.load_state_dict(_weights(data / f"weights/{ref.weights}.safetensors"))
        images, black = ref.images(data)
        named = FEWER if ref.fewer else {"meaningful_perturbation": FEWER["meaningful_perturbation"]}
        methods = [named.get(m, m) for m in sorted(hp.METHODS) if m not in ref.left_out]
        console.print(f"{ref.title}: {len(methods)} methods on {len(images)} images")
        done = hp.audit(
            model.eval(), images, methods=methods, metrics=("spearman", "spearman_abs"), seeds=ref.seeds,
            stages=ref.stages,
            factory=ref.build, black=torch.as_tensor(black).reshape(-1), threads=threads, workers=workers,
            out=out / name, about={"model": ref.title}, progress=partial(_told, name),
        )  # fmt: skip
        console.print(done)


def _told(name: str, done: int, total: int, left: float | None) -> None:
    console.print(f"{name}: {done} of {total} jobs, {(left or 0) / 60:.0f} min left")


GOOD_FOR = {
    "gradient": "what the score reacts to, pixel by pixel; the baseline",
    "gradient_x_input": "a first-order share of the score for each pixel",
    "integrated_gradients": "shares that add up to the score's change from a baseline",
    "deeplift": "the same in one pass, layer by layer",
    "lrp": "relevance that layers pass on without losing any (but to biases)",
    "smoothgrad": "a gradient with less noise",
    "smoothgrad_squared": "where the gradient is large, whatever its sign",
    "ig_smoothgrad": "integrated gradients with less noise",
    "guided_backprop": "sharp pictures of what a layer's units respond to; not the class",
    "deconvnet": "the same, from the score's side alone",
    "rectgrad": "few, strong pixels: noise of the gradient cut off layer by layer",
    "gradcam": "which region speaks for the class, coarsely",
    "guided_gradcam": "that region, drawn with guided backprop's detail",
    "fullgrad": "regions with detail; input and biases account for the whole score",
    "simple_fullgrad": "FullGrad as its authors' code has it",
    "cgi": "the pixels that no other class claims more",
    "clrp": "the same of LRP",
    "occlusion": "what the score loses when a patch is hidden: no gradient involved",
    "meaningful_perturbation": "the smallest region whose blur destroys the score; slow",
    "edge_map": "control: an edge detector",
    "random_map": "control: noise, drawn anew for each network",
    "input_map": "control: the image itself",
    "input_x_edge": "control: image times edges",
    "input_x_random": "control: image times noise",
}
"""In the order of the table."""
NOTE = """\
`python studies/reference_verdicts.py` measures them: cascading randomisation, 32 test images and 5 seeds (SqueezeNet: 16
photos and 3 seeds). SqueezeNet stands without the ReLU after its last layer, behind which the logits of random networks,
and so their maps, are often zero. Methods that average many passes took fewer than by default on all but LeNet, and
meaningful perturbation 40 steps. Refused: rules for ReLUs on a transformer, and GradCAM there without `layer=`. A verdict
holds for the network and the images that it was measured on."""


@app.command()
def table(
    out: Annotated[Path, typer.Argument(help="folder with the runs")],
    page: Annotated[Path, typer.Argument(help="Markdown file with the two markers")],
) -> None:
    """Write the table of methods with the verdicts of the runs into a page."""
    runs = {name: read_audit(out / name) for name in REFERENCES if (out / name / "verdicts.csv").exists()}
    verdicts = {name: _by_name(run) for name, run in runs.items()}
    order = [*GOOD_FOR, *sorted(set(hp.METHODS) - set(GOOD_FOR))]
    lines = [
        f"| method | good for | {' | '.join(REFERENCES[name].title for name in runs)} |",
        f"|---|---|{'---|' * len(runs)}",
        *(f"| `{m}` | {_good_for(m)} | {' | '.join(_cell(verdicts[n].get(m, '')) for n in runs)} |" for m in order),
    ]
    lines += ["", NOTE]
    before, _, rest = page.read_text("utf-8").partition(START)
    _, _, after = rest.partition(END)
    if not after:
        raise typer.BadParameter(f"{page} lacks the lines {START} and {END}")
    page.write_text(f"{before}{START}\n{chr(10).join(lines)}\n{END}{after}", "utf-8")


def _by_name(run: hp.Audit) -> dict[str, str]:
    """The verdict of each method, without its options."""
    found = {str(r.method).partition("(")[0]: str(r.verdict) for r in run.verdicts.itertuples()}
    return found | {str(m).partition("(")[0]: "refused" for m in run.results.refused["method"]}


def _good_for(method: str) -> str:
    return GOOD_FOR.get(method) or (hp.METHODS[method].__doc__ or "").strip().splitlines()[0]


def _cell(verdict: str) -> str:
    """Shape and word."""
    return f"{MARKS[verdict]} {verdict}" if verdict else "not measured"


if __name__ == "__main__":
    app()
