"""Where experiments find networks, images and methods, in the size of a budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ..audit import plan_audit, run_audit
from ..bench import plan_bench, run_bench
from ..checks.labels import Pair
from ..data.choice import Split
from ..data.folder import read_images
from ..data.images import ImageSet
from ..data.preprocess import Preprocess
from ..errors import InputError
from ..experiment.bench_results import BenchResults
from ..experiment.results import Results
from ..models.nets.cifar_resnet import CifarResNet
from ..models.nets.lenet import LeNet
from ..models.spec import load_model
from ..models.weights import load_weights
from ..named import named_methods
from ..types import Explain
from .data import labelled
from .networks import recipe_of, train_network, train_networks

Size = TypeVar("Size")
BUDGETS = ("quick", "full", "unreduced")
"""full is reduced to three hours of two cores; unreduced is what "full" means on a GPU."""
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
PHOTO_NETS = {"mobilenet_v2": "mobilenet_v2_int8dq", "squeezenet1_0": "squeezenet1_0_dc"}
"""torchvision's names, and the files of weights."""


@dataclass(frozen=True)
class Lab:
    """What an experiment may use. Picklable, so that worker processes get the same one.

    Attributes:
        data: the data folder.
        networks: the folder that keeps trained networks.
        runs: a folder for the runs (audits, benches) of this experiment.
        budget: one of `BUDGETS`.
        device: "cpu" or "cuda".
        swapped: methods in place of those of the same name; tests break methods with it on purpose.
    """

    data: Path
    networks: Path
    runs: Path
    budget: str = "quick"
    device: str = "cpu"
    swapped: Mapping[str, Explain] = field(default_factory=dict)

    def pick(self, quick: Size, full: Size, unreduced: Size | None = None) -> Size:
        """The size of the budget; unreduced is full where it is not given."""
        if self.budget == "quick":
            return quick
        return full if self.budget == "full" or unreduced is None else unreduced

    def method(self, text: str) -> Explain:
        """A method by its text, such as "rectgrad(q=90)"."""
        return next(iter(self.methods(text).values()))

    def methods(self, *texts: str) -> dict[str, Explain]:
        """Methods by their texts, which name the rows of tables."""
        found = named_methods(texts)
        return {name: self.swapped.get(name.partition("(")[0], explain) for name, explain in found.items()}

    def labelled(self, name: str, split: Split = "test", limit: int | None = None) -> tuple[Tensor, Tensor]:
        """Images and labels; MNIST and Fashion-MNIST in [0, 1], CIFAR-10 in [-1, 1]. `IMAGENET` units: `cifar_units`."""
        pixels, targets = labelled(self.data, name, split, limit)
        return pixels.to(self.device), targets.to(self.device)

    def cifar_units(self, limit: int) -> tuple[Tensor, Tensor]:
        """CIFAR-10 test images in the units of the pretrained ResNets, and their labels."""
        pixels, targets = self.labelled("CIFAR10", "test", limit)
        mean, std = (torch.tensor(IMAGENET[k], device=self.device)[:, None, None] for k in ("mean", "std"))
        return ((pixels + 1) / 2 - mean) / std, targets

    def photos(self, limit: int | None = None) -> ImageSet:
        """ImageNet photos at 224 px in ImageNet units, evenly from all, with names, labels and pictures; on the CPU."""
        preprocess = Preprocess(224, 256, IMAGENET["mean"], IMAGENET["std"])
        return read_images(self.data / "imagenet-samples", preprocess, limit=limit)

    def photo_net(self, name: str) -> nn.Module:
        """A pretrained ImageNet classifier: "mobilenet_v2" or "squeezenet1_0"."""
        return load_model(f"torchvision:{name}", self.weights(PHOTO_NETS[name]), device=self.device).model

    def resnet20(self) -> nn.Module:
        """The pretrained CIFAR-10 ResNet; takes `cifar_units`."""
        model = CifarResNet()
        load_weights(model, self.weights("cifar10_resnet20"))
        return model.to(self.device).eval()

    def lenet(self) -> nn.Module:
        """The pretrained MNIST LeNet; takes MNIST normalised by mean .1307 and standard deviation .3081."""
        model = LeNet()
        held = load_file(self.weights("mnist_lenet"))
        model.load_state_dict({name.replace("_", ""): value for name, value in held.items()})
        return model.to(self.device).eval()

    def weights(self, name: str) -> Path:
        return self.data / "weights" / f"{name}.safetensors"

    def network(self, name: str) -> nn.Module:
        """A network of `networks.TRAINED`; trained now where nobody has yet."""
        recipe = recipe_of(name, self.budget)
        if recipe.labels == "pair":
            raise InputError(f"{name} is a pair of networks; use pair({name!r})")
        return train_network(name, recipe, self.data, self.networks, self.device)[0]

    def pair(self, name: str) -> Pair:
        """A network and its twin trained on permuted labels."""
        return train_networks(name, recipe_of(name, self.budget), self.data, self.networks, self.device)

    def audit(
        self, name: str, model: nn.Module, images: Tensor, methods: Mapping[str, Explain], **settings: Any
    ) -> Results:
        """Run `heatproof.audit` in a folder of this experiment, resumed like any run, and read it back."""
        settings = {
            "faithfulness": False,
            "keep_maps": "none",
            "threads": torch.get_num_threads(),
            "device": self.device,
            **settings,
        }
        plan = plan_audit(model, images, methods=dict(methods), out=self.runs / name, **settings)
        return run_audit(plan).results

    def bench(
        self,
        kind: str,
        name: str,
        model: nn.Module,
        images: Tensor,
        methods: Mapping[str, Explain] | None,
        **settings: Any,
    ) -> BenchResults:
        """Run `heatproof.bench` in a folder of this experiment, resumed like any run, and read it back."""
        settings = {**self._where(), **settings}
        chosen = None if methods is None else dict(methods)
        plan = plan_bench(kind, model, images, methods=chosen, out=self.runs / name, **settings)
        return run_bench(plan).results

    def _where(self) -> dict[str, Any]:
        return {"threads": torch.get_num_threads(), "device": self.device}
