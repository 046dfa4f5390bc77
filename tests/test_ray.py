"""Jobs on a Ray cluster of two nodes on this machine: the files of a local run, and nothing lost with a node."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import heatproof as hp
from heatproof.experiment.settings import settings_from
from test_audit import audited, images

METHODS = ("gradient", "gradcam", "random_map")
START = "from ray.scripts.scripts import main; main()"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Ray's nodes are started as on Linux")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def node(*arguments: str) -> subprocess.Popen[bytes]:
    """`ray start` in a process group of its own, so that it can be killed with all that it started."""
    command = [sys.executable, "-c", START, "start", "--block", "--num-cpus=1", "--disable-usage-stats", *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        env={**os.environ, "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"},
    )  # fmt: skip


def kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address, and the second node's process."""
    ray = pytest.importorskip("ray", reason="needs heatproof[ray]")
    address = f"127.0.0.1:{free_port()}"
    head = node("--head", f"--port={address.partition(':')[2]}", "--include-dashboard=false", "--node-ip-address=127.0.0.1")
    nodes = [head]
    try:
        _connect(ray, address)
        nodes.append(node(f"--address={address}", "--node-ip-address=127.0.0.1"))
        _until(lambda: ray.cluster_resources().get("CPU") == 2)
        yield f"ray://{address}", nodes[1]
    finally:
        ray.shutdown()
        for one in nodes[::-1]:
            kill(one)


def _connect(ray: Any, address: str) -> None:
    for attempt in range(60):
        try:
            ray.init(address=address, log_to_driver=False, logging_level="error")
            return
        except (ConnectionError, RuntimeError, ValueError):
            if attempt == 59:
                raise
            time.sleep(0.5)


def _until(true: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.1)


def files(audit: hp.Audit) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in (audit.folder / "jobs").iterdir()}


def test_two_nodes_leave_the_files_of_a_local_run(tmp_path: Path, cluster: tuple[str, Any]) -> None:
    local = audited(tmp_path / "local", threads=1, methods=METHODS)
    told: list[tuple[int, int]] = []
    there = audited(
        tmp_path / "ray", threads=1, methods=METHODS, engine=cluster[0], progress=lambda n, of, left: told.append((n, of))
    )
    assert files(local) == files(there)
    pd.testing.assert_frame_equal(local.table, there.table, check_exact=True)
    assert told[-1][0] == told[-1][1] == len(files(local))
    again = audited(tmp_path / "ray", threads=1, methods=METHODS, engine=cluster[0])
    pd.testing.assert_frame_equal(again.table, there.table, check_exact=True)


def test_what_a_job_raises_comes_out(tmp_path: Path, cluster: tuple[str, Any]) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "jobs").write_text("a file where the folder should be")
    (tmp_path / "run" / "config.json").write_text("{")
    with pytest.raises(hp.RunError, match="cannot write .*jobs"):
        audited(tmp_path, threads=1, methods=METHODS, engine=cluster[0])


def test_a_node_killed_in_the_middle_loses_nothing(tmp_path: Path, cluster: tuple[str, Any]) -> None:
    """The last test here: the second node is gone."""
    local = audited(tmp_path / "local", threads=1, methods=METHODS, images=images(40), chunk=2)
    killed: list[int] = []

    def strike(done: int, total: int, left: float | None) -> None:
        if done >= 5 and not killed:
            kill(cluster[1])
            killed.append(done)

    there = audited(
        tmp_path / "ray", threads=1, methods=METHODS, images=images(40), chunk=2, engine=cluster[0], progress=strike
    )
    assert killed[0] < len(files(local)) - 5, "killed when all was done"
    assert files(local) == files(there)
    pd.testing.assert_frame_equal(local.table, there.table, check_exact=True)


def test_an_engine_that_is_none_is_refused() -> None:
    with pytest.raises(hp.InputError, match="expected 'local', 'ray'"):
        settings_from({"engine": "slurm"})
