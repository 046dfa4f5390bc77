"""The demo's parts on an untrained network; `make demo` runs the whole."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from heatproof.demo import Demo, draw_sheets, inside_mask, mask_share, plan

pytest.importorskip("sklearn", reason="needs heatproof[demo]")

from heatproof.data.digits import digit_scenes
from heatproof.models.nets.small_cnn import SmallCNN
from heatproof.types import METHODS


@pytest.fixture
def demo() -> Demo:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Demo(SmallCNN().eval(), {"accuracy": 0.1}, digit_scenes("test", 4, 1))


def test_sheets(demo: Demo, tmp_path: Path) -> None:
    assert len(draw_sheets(demo, tmp_path)) == 4


def test_plan_covers_all_methods(demo: Demo, tmp_path: Path) -> None:
    planned = plan(demo, tmp_path, 2, 1, 0, every=True, budget="full")
    assert set(planned.subject.methods) == set(METHODS)
    assert not planned.refused
    assert len(planned.config["blocks"]) >= 5


def test_what_takes_hundreds_of_passes_is_drawn_and_not_audited(demo: Demo, tmp_path: Path) -> None:
    planned = plan(demo, tmp_path, 2, None, 0)
    audited = {name.partition("(")[0] for name in planned.subject.methods}
    assert set(METHODS) - audited == {"ig_smoothgrad", "meaningful_perturbation", "occlusion"}
    assert planned.config["threads"] == 1


def test_inside_mask(demo: Demo, tmp_path: Path) -> None:
    methods = {name: METHODS[name] for name in ("gradient", "random_map", "gradcam")}
    table = inside_mask(demo, methods, tmp_path).set_index("method")
    assert set(table.index) == set(methods)
    assert (tmp_path / "inside_mask.csv").exists()
    assert table.loc["random_map", "times"] == pytest.approx(1, abs=0.15), "noise hits the mask by its area"
    assert (table["inside"] <= 1).all()
    mask = demo.scenes.masks
    assert torch.equal(mask_share(mask.float(), mask), torch.ones(4))
