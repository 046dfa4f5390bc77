"""A job for which memory does not suffice: smaller groups of images, said in its file and in the report."""

from __future__ import annotations

import json
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
