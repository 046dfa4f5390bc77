"""A Ray cluster of two nodes on this machine, each with one CPU, started as ``ray start`` starts them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START = "from ray.scripts.scripts import main; main()"
PATIENCE = 90.0


@dataclass(frozen=True)
class Node:
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """As when the machine is gone: everything of it is killed at once."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def two_nodes() -> Iterator[tuple[str, Node]]:
    """The address for ``engine=``, and the second node, which may be stopped; this process is connected to the cluster."""
    import ray

    address = f"127.0.0.1:{_free_port()}"
    nodes = [_start("--head", f"--port={address.partition(':')[2]}", "--include-dashboard=false")]
    try:
        _until(lambda: _connected(address))
        nodes.append(_start(f"--address={address}"))
        _until(lambda: ray.cluster_resources().get("CPU") == 2)
        yield f"ray://{address}", nodes[1]
    finally:
        ray.shutdown()
        for node in nodes[::-1]:
            node.stop()
        (Path(tempfile.gettempdir()) / "ray" / "ray_current_cluster").unlink(
            missing_ok=True
        )  # of a cluster that is gone


def _start(*arguments: str) -> Node:
    """In a process group of its own, so that it can be killed with all that it started."""
    command = [sys.executable, "-c", START, "start", "--block", "--num-cpus=1", "--node-ip-address=127.0.0.1",
               "--disable-usage-stats", *arguments]  # fmt: skip
    nowhere = subprocess.DEVNULL
    open_to_all = {**os.environ, "RAY_AUTH_MODE": "disabled"}  # else by the token of whoever used Ray here before
    return Node(subprocess.Popen(command, stdout=nowhere, stderr=nowhere, start_new_session=True, env=open_to_all))


def _connected(address: str) -> bool:
    import ray

    try:
        ray.init(address=address, log_to_driver=False, logging_level="error")
    except (ConnectionError, RuntimeError, ValueError):
        return False
    return True


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"the Ray cluster was not there within {PATIENCE:.0f} s")
        time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
