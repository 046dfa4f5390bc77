"""What CGI and CLRP keep on MNIST, trained and randomised: 2 (1 - 2^-k) / k, and what that does not show."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch

import heatproof as hp
from heatproof.checks.kept_check import kept_job
from heatproof.checks.randomize import blocks_of
from heatproof.checks.subject import Subject
from heatproof.data.idx import read_idx
from heatproof.engine.model import own
from heatproof.models.nets.lenet import LeNet
from heatproof.score import logit
from heatproof.theory.nulls import survival

DATA = Path(os.environ.get("HEATPROOF_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no test data at {DATA} (set HEATPROOF_DATA)")
safetensors = pytest.importorskip("safetensors.torch", reason="needs safetensors")
DRAWS = 20


def test_cgi_and_clrp_under_a_random_top_layer() -> None:
    """Averaged over all ten classes even the trained network keeps .2, since each pixel has one largest and one smallest
    class; only a fixed class tells trained from random."""
    net = LeNet().eval()
    stored = safetensors.load_file(DATA / "weights" / "mnist_lenet.safetensors")
    net.load_state_dict({name.replace("_", ""): tensor for name, tensor in stored.items()})
    x = (read_idx(DATA / "MNIST/raw", "test", limit=2)[0] - 0.1307) / 0.3081
    methods = {name: hp.METHODS[name] for name in ("cgi", "clrp")}
    images, targets = x.repeat_interleave(10, 0), torch.arange(10).repeat(2)
    subject = Subject(
        own(net), images, targets, methods, ("spearman",), logit, tuple(blocks_of(net, x)), x, factory=LeNet, chunk=20
    )
    rows = [row for seed in range(DRAWS) for row in kept_job(subject, list(range(20)), seed).rows]
    predicted = [10 * i + int(c) for i, c in enumerate(net(x).argmax(1))]
    for name in methods:
        share = {
            stage: np.array([r[6] for r in rows if r[:1] + r[2:4] == (name, stage, "kept_share")]).reshape(DRAWS, 20)
            for stage in (0, 1, 2)
        }
        for stage in (1, 2):
            means = share[stage].mean(1)
            error = means.std(ddof=1) / math.sqrt(DRAWS)
            assert means.mean() == pytest.approx(survival(10), abs=0.005 + 2 * error)
            fixed = share[stage][:, predicted].mean(1)
            assert fixed.mean() == pytest.approx(survival(10), abs=3 * fixed.std(ddof=1) / math.sqrt(DRAWS))
        assert share[0].mean() == pytest.approx(0.2, abs=0.005), "trained"
        assert share[0][:, predicted].mean() > 0.25
