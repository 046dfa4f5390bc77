"""Names that options take, found without importing what they stand for: completion must answer at once.

`tests/test_completion.py` holds each of them against what heatproof and the libraries know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from pkgutil import iter_modules

from ..checks.table import CHECKS

SCORES = ("logit", "probability", "log_probability", "margin", "label_probability", "single_logit", "value")
METRICS = ("spearman", "spearman_abs", "ssim", "hog")
AUDIT_PRESETS, RETRAIN_PRESETS = ("paper", "code"), ("paper", "reduced")
COMBINATORS = ("smooth", "smooth_squared", "vargrad", "times_input", "compete")
VERDICTS = ("undefined", "input-dominated", "insensitive", "undecided", "sensitive", "refused")
INITS = ("original", "trunc_normal", "uniform", "permute")
BENCHES = ("pixel", "localise", "noise", "patch", "adversarial", "flip", "feature-occlusion", "infidelity", "sensitivity",
           "complexity", "roar", "kar")  # fmt: skip
PAPERS = ("cgi", "sanity-checks", "fullgrad", "rectgrad")

__all__ = ["AUDIT_PRESETS", "BENCHES", "CHECKS", "COMBINATORS", "INITS", "METRICS", "PAPERS", "RETRAIN_PRESETS", "SCORES",
           "VERDICTS", "claim_ids", "method_names", "model_names"]  # fmt: skip

_MODELS = {
    "torchvision": ("models", re.compile(r"^@register_model\(.*\)(?:\n@.*)*\ndef (\w+)\(", re.MULTILINE)),
    "timm": ("models", re.compile(r"^@register_model\ndef (\w+)\(", re.MULTILINE)),
}
"""Where a library's networks are written, and how each of them begins."""


def method_names() -> list[str]:
    """The methods: one file each."""
    folder = Path(__file__).parents[1] / "methods"
    return sorted(found.name for found in iter_modules([str(folder)]) if not found.name.startswith("_"))


def model_names(library: str) -> list[str]:
    """The networks of torchvision or timm, read from its sources; none where it is not installed."""
    return sorted(set(_written(library)))


def _written(library: str) -> Iterator[str]:
    found = PathFinder.find_spec(library)  # looks at folders alone; other finders may import what they find
    folder, begins = _MODELS[library]
    for place in (found.submodule_search_locations or ()) if found else ():
        for file in sorted(Path(place, folder).glob("*.py")):
            yield from begins.findall(file.read_text(encoding="utf-8"))


def claim_ids() -> list[str]:
    """The ids of all claims; slow, since their measurements are imported."""
    from ..papers import PAPERS as found

    return [claim.id for paper in found.values() for claim in paper.claims]
