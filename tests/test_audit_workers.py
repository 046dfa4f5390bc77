"""An audit's jobs in several processes: the same files, the user's tensors where they were, a reason if it cannot."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest
import torch
from torch import nn

import heatproof as hp
from heatproof.experiment.sendable import not_sendable
from test_audit import audited, images
from test_contract import same, snapshot

METHODS = ("gradient", "gradcam", "random_map")


def test_workers_change_no_digit(tmp_path: Path) -> None:
    alone, pair = (audited(tmp_path / str(n), threads=1, workers=n, methods=METHODS) for n in (1, 2))
    first, second = ({p.name: p.read_bytes() for p in (a.folder / "jobs").iterdir()} for a in (alone, pair))
    assert len(first) > 2
    assert first == second
    assert (alone.folder / "table.csv").read_bytes() == (pair.folder / "table.csv").read_bytes()


def test_weights_and_images_stay_where_they_are(tmp_path: Path) -> None:
    """What is sent to a process moves into shared memory: that must be a copy."""
    x = images()
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(5))
    model(x[:1])
    model.eval()
    before = snapshot(model, x)
    hp.audit(
        model, x, methods=METHODS, seeds=1, nulls=2, threads=1, workers=2, faithfulness=False, out=tmp_path / "run"
    )
    assert same(before, snapshot(model, x))
    assert not x.is_shared()
    assert not any(p.is_shared() for p in model.parameters())


def test_what_cannot_be_sent_runs_here_and_says_so(tmp_path: Path) -> None:
    audit = audited(tmp_path, threads=1, workers=2, methods={"mine": lambda m, x, t: hp.gradient(m, x, t)})
    assert "workers=2, but jobs run in one process" in audit.report.read_text()


def test_what_a_notebook_defines_cannot_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would pickle, by a name that the other process does not find."""
    notebook = types.ModuleType("__main__")
    notebook.Net = type("Net", (nn.Linear,), {"__module__": "__main__"})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "__main__", notebook)
    assert "notebook" in not_sendable(notebook.Net(2, 2))
    assert not not_sendable((torch.ones(2), nn.Linear(2, 2), hp.gradient))
