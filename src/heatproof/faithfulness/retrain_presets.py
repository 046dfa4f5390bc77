"""The RectGrad paper's ROAR and KAR (table 1), as printed and reduced to what two cores do in half an hour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

RECTGRAD_CNN = "heatproof.models.nets.rectgrad_cnn:RectGradCNN"


@dataclass(frozen=True)
class Preset:
    """Defaults of the command. settings: of `RetrainSettings`. What a run reduces of the paper: `retrain_published`."""

    model: str | None = None
    mean: float | None = None
    std: float | None = None
    methods: tuple[str, ...] = ()
    train_limit: int | None = None
    test_limit: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


ROAR_AUC = (0.5385, 0.5568, 0.5504, 0.5536, 0.5408, 0.5428, 0.5519)
KAR_AOC = (0.3382, 0.4455, 0.4270, 0.4444, 0.4176, 0.4185, 0.3928)
RANDOM = {"roar": 0.5562, "kar": 0.4438}


def _methods(samples: int, steps: int) -> tuple[str, ...]:
    """In the order of the table: RectGrad, Saliency, Guided BP, SmoothGrad, Grad * Input, IG, DeepLIFT."""
    return (
        "rectgrad", "gradient", "guided_backprop", f"smoothgrad(n={samples}, sigma=0.1)", "gradient_x_input",
        f"integrated_gradients(rule='right', steps={steps})", "deeplift",
    )  # fmt: skip


SHARED: dict[str, Any] = {"rank": "parity", "controls": ("random",), "networks": 3, "bf16": "auto"}
FULL, FEW = _methods(50, 50), _methods(10, 10)
PRESETS = {
    "paper": Preset(
        RECTGRAD_CNN, 0.5, 0.5, FULL, settings={**SHARED, "epochs": 20, "batch": 100, "lr": 1e-3},
    ),
    "reduced": Preset(
        RECTGRAD_CNN, 0.5, 0.5, FEW, 4000, 2000,
        {**SHARED, "fractions": (0.1, 0.5, 0.9), "epochs": 4, "batch": 50, "lr": 2e-3, "schedule": "onecycle"},
    ),
}  # fmt: skip
"""Source: Kim et al. 2019, arXiv:1902.04893, section 5.3, table 1 and figure 18; 3 networks for each point, CIFAR-10."""
