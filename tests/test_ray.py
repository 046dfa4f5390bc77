"""Jobs on a Ray cluster of two nodes on this machine: the files of a local run, and nothing lost with a node."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from benchmarks.ray_nodes import Node, two_nodes

import heatproof as hp
from heatproof.experiment.settings import settings_from
from test_audit import audited, images

METHODS = ("gradient", "gradcam", "random_map")

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="Ray's nodes are started as on Linux"),
    pytest.mark.xdist_group("ray"),  # one cluster, and in the order of this file
]


def test_an_address_where_nothing_answers_is_said(tmp_path: Path) -> None:
    """Before there is a cluster."""
    ray = pytest.importorskip("ray", reason="needs heatproof[ray]")
    assert not ray.is_initialized()
    with pytest.raises(hp.InputError, match=r"nothing answers at 127.0.0.1:1; start a cluster .*port 6379"):
        audited(tmp_path, threads=1, methods=METHODS, engine="ray://127.0.0.1:1")
    assert len(audited(tmp_path, threads=1, methods=METHODS).table), "the folder is still good for another engine"


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[str, Node]]:
    """The address, and the second node."""
    pytest.importorskip("ray", reason="needs heatproof[ray]")
    with two_nodes() as found:
        yield found


def files(audit: hp.Audit) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in (audit.folder / "jobs").iterdir()}


def test_two_nodes_leave_the_files_of_a_local_run(tmp_path: Path, cluster: tuple[str, Node]) -> None:
    local = audited(tmp_path / "local", threads=1, methods=METHODS)
    told: list[tuple[int, int]] = []
    there = audited(
        tmp_path / "ray",
        threads=1,
        methods=METHODS,
        engine=cluster[0],
        progress=lambda n, of, left: told.append((n, of)),
    )
    assert files(local) == files(there)
    pd.testing.assert_frame_equal(local.table, there.table, check_exact=True)
    assert told[-1][0] == told[-1][1] == len(files(local))
    again = audited(tmp_path / "ray", threads=1, methods=METHODS, engine=cluster[0])
    pd.testing.assert_frame_equal(again.table, there.table, check_exact=True)


def test_what_a_job_raises_comes_out(tmp_path: Path, cluster: tuple[str, Node]) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "jobs").write_text("a file where the folder should be")
    (tmp_path / "run" / "config.json").write_text("{")
    with pytest.raises(hp.RunError, match=r"cannot write .*jobs"):
        audited(tmp_path, threads=1, methods=METHODS, engine=cluster[0])


def test_a_job_that_no_node_can_hold_is_said(tmp_path: Path, cluster: tuple[str, Node]) -> None:
    """Both nodes together have two CPUs, but a job is done on one."""
    with pytest.raises(
        hp.InputError, match=r"asks for 2 CPUs and 0 GPUs, and no node .*1 CPUs and 0 GPUs, 1 CPUs and 0 GPUs"
    ):
        audited(tmp_path, threads=2, methods=METHODS, engine=cluster[0])


def test_another_heatproof_on_a_node_is_said(
    tmp_path: Path, cluster: tuple[str, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heatproof.experiment.ray_engine.versions", lambda: {"torch": "1.0"})
    with pytest.raises(hp.RunError, match=r"torch .* here, 1.0 there; install the same"):
        audited(tmp_path, threads=1, methods=METHODS, engine=cluster[0])


def test_a_node_killed_in_the_middle_loses_nothing(tmp_path: Path, cluster: tuple[str, Node]) -> None:
    """The last test here: the second node is gone."""
    local = audited(tmp_path / "local", threads=1, methods=METHODS, images=images(40), chunk=2)
    killed: list[int] = []

    def strike(done: int, total: int, left: float | None) -> None:
        if done >= 5 and not killed:
            cluster[1].stop()
            killed.append(done)

    there = audited(
        tmp_path / "ray", threads=1, methods=METHODS, images=images(40), chunk=2, engine=cluster[0], progress=strike
    )
    assert killed[0] < len(files(local)) - 5, "killed when all was done"
    assert files(local) == files(there)
    pd.testing.assert_frame_equal(local.table, there.table, check_exact=True)


@pytest.mark.parametrize("engine", ["slurm", "ray://", "rays"])
def test_an_engine_that_is_none_is_refused(engine: str) -> None:
    with pytest.raises(hp.InputError, match="expected 'local', 'ray'"):
        settings_from({"engine": engine})
