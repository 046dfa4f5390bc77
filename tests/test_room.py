"""A job for which memory does not suffice: smaller groups of images, said in its file and in the report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

import heatproof as hp
from heatproof.audit import plan_audit, run_audit
from nets import Net
from test_audit import images

LIMIT, CPU = [8], [False]


def hungry(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    """A method that has room for a few images only."""
    if len(inputs) > LIMIT[0]:
        if CPU[0]:
            torch.empty(2**56)  # more than there are addresses: torch's own error
        raise torch.OutOfMemoryError(f"{len(inputs)} images do not fit")
    return hp.gradient(model, inputs, target)


def audited(out: Path, limit: int, cpu: bool = False, **options: Any) -> hp.Audit:
    LIMIT[0], CPU[0] = 8, cpu
    given = {"seeds": 1, "nulls": 2, "faithfulness": False, "out": out, "threads": 1, "chunk": 4, **options}
    plan = plan_audit(Net(dtype=torch.float32), images(), methods={"hungry": hungry}, **given)
    LIMIT[0] = limit
    return run_audit(plan)


@pytest.mark.parametrize("cpu", [False, True])
def test_a_job_without_room_goes_through_in_smaller_groups(tmp_path: Path, cpu: bool) -> None:
    whole, halved = audited(tmp_path / "whole", 8), audited(tmp_path / "halved", 2, cpu)
    keys = ["method", "check", "stage", "metric", "image", "seed"]
    tables = [a.table.sort_values(keys).reset_index(drop=True) for a in (whole, halved)]
    assert tables[0][keys].equals(tables[1][keys])
    np.testing.assert_allclose(tables[0]["value"], tables[1]["value"], atol=1e-3)
    jobs = [json.loads(path.read_text()) for path in (halved.folder / "jobs").iterdir()]
    assert {job["chunk"] for job in jobs} == {2}
    assert f"memory ran out in {len(jobs)} of {len(jobs)} jobs" in halved.report.read_text()
    assert "memory ran out" not in whole.report.read_text()
    assert whole.results.strips[0].maps.keys() == halved.results.strips[0].maps.keys()


def test_no_room_for_one_image_is_an_error_that_leaves_what_was_done(tmp_path: Path) -> None:
    with pytest.raises(torch.OutOfMemoryError):
        audited(tmp_path / "none", 0)
    again = audited(tmp_path / "none", 8)
    pd.testing.assert_frame_equal(again.table, audited(tmp_path / "other", 8).table, check_exact=True)


class Starved(Net):
    """Runs out of memory itself, with more images than there is room for."""

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > LIMIT[0]:
            torch.empty(2**56)
        return super().forward(x)


@pytest.mark.parametrize("method", ["gradient", "smoothgrad(n=4)", "integrated_gradients(steps=4)", "occlusion"])
def test_a_model_without_room_is_no_failed_row(tmp_path: Path, method: str) -> None:
    """And methods that make many rows of an image make fewer."""
    given: dict[str, Any] = {
        "seeds": 1,
        "nulls": 2,
        "faithfulness": False,
        "threads": 1,
        "chunk": 4,
        "methods": (method,),
    }
    LIMIT[0] = 99
    plan = plan_audit(Starved(dtype=torch.float32), images(), out=tmp_path / "run", **given)
    calibration = replace(plan.subject, calibration=plan.subject.calibration[:1])  # which goes in one piece
    LIMIT[0] = 1
    audit = run_audit(replace(plan, subject=calibration))
    assert set(audit.table.status) == {"ok"}
    assert f"memory ran out in {len(plan.jobs)} of {len(plan.jobs)} jobs" in audit.report.read_text()


def test_a_plan_without_room_for_a_chunk_leaves_it_to_the_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr("heatproof.experiment.trial._measured", full)
    assert audited(tmp_path, 8).table.status.eq("ok").all()


def test_a_program_of_one_batch_size_is_not_halved(tmp_path: Path) -> None:
    program = torch.export.export(Net(dtype=torch.float32), (images(4),)).module()
    given: dict[str, Any] = {"seeds": 1, "nulls": 2, "faithfulness": False, "threads": 1, "methods": {"hungry": hungry}}
    LIMIT[0], CPU[0] = 8, False
    plan = plan_audit(program, images(), out=tmp_path / "run", **given)
    LIMIT[0] = 2
    with pytest.raises(torch.OutOfMemoryError):
        run_audit(plan)
    assert not list((tmp_path / "run").rglob("jobs/*"))
