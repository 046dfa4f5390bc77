"""The main job on real photos and real weights, small: brackets, and guided backprop against the gradient."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import heatproof as hp
from heatproof.data.folder import read_images
from heatproof.models.spec import load_model

DATA = Path(os.environ.get("HEATPROOF_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no test data at {DATA} (set HEATPROOF_DATA)")


def test_squeezenet_on_photos(tmp_path: Path) -> None:
    loaded = load_model("torchvision:squeezenet1_0", DATA / "weights" / "squeezenet1_0_dc.safetensors")
    images = read_images(DATA / "imagenet-samples", loaded.preprocess, limit=4)
    audit = hp.audit(
        loaded.model, images.pixels, methods=("gradient", "guided_backprop", "edge_map", "random_map"), seeds=3, nulls=3,
        stages=3, metrics=("spearman", "spearman_abs"), factory=loaded.factory, out=tmp_path / "run", faithfulness=False,
        chunk=4,
    )  # fmt: skip
    curves = audit.results.curves.set_index(["method", "metric", "stage"])["mean"]
    first = audit.results.config["stages"][0]
    assert (
        audit.table[audit.table.method == "edge_map"].query("metric.isin(['spearman', 'spearman_abs'])")["value"] == 1
    ).all()
    random = audit.table[(audit.table.method == "random_map") & (audit.table.metric == "spearman")]["value"]
    assert abs(random.mean()) < 0.03
    assert curves["guided_backprop", "spearman", first] > curves["gradient", "spearman", first] + 0.3
    verdicts = dict(zip(audit.verdicts.method, audit.verdicts.verdict, strict=True))
    assert verdicts["edge_map"] == "input-dominated"
