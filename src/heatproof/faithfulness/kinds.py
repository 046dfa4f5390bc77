"""The table of benches."""

from __future__ import annotations

from . import (
    class_sensitivity_bench,
    complexity,
    digit_flip_bench,
    feature_occlusion_bench,
    infidelity_bench,
    localise,
    noise_level,
    patch,
    pixel_bench,
    sensitivity,
)
from .kind import Kind

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        pixel_bench.KIND,
        localise.KIND,
        noise_level.KIND,
        patch.KIND,
        class_sensitivity_bench.KIND,
        digit_flip_bench.KIND,
        feature_occlusion_bench.KIND,
        infidelity_bench.KIND,
        sensitivity.KIND,
        complexity.KIND,
    )
}
