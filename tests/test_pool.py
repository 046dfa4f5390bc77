"""Jobs in processes leave what the plain loop leaves, and every way to end one ends all."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from heatproof.checks.subject import Record
from heatproof.data.lookup import find_object
from heatproof.errors import InputError, RunError
from heatproof.experiment.jobs import Job, job
from heatproof.experiment.pool import _served, run_jobs_in_processes
from heatproof.experiment.pool_processes import Worker
from heatproof.experiment.pool_worker import do_jobs
from heatproof.experiment.run import run_jobs


@dataclass(frozen=True)
class Setup:
    """Sums of a shared tensor, after what the job asks for."""

    values: Tensor
    folder: Path
    error: Exception | None = None

    def __call__(self):
        (self.folder / f"pid-{os.getpid()}").write_text(str(torch.get_num_threads()))
        if self.error is not None:
            raise self.error
        return self.work

    def work(self, one: Job) -> Record:
        (self.folder / f"began-{one['i']}").write_text(str(os.getpid()))
        ACTIONS[one["do"]](self)
        value = float((self.values * one["i"]).sin().sum())
        row = ("m", one["do"], 0, "sum", one["i"], 0, value, "ok", "")
        return Record([row], {f"m|{one['i']}": self.values * one["i"]})


class Odd(Exception):
    """Does not come out of a pickle."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__(f"{a} and {b}")


class Doubled(Exception):
    """Comes out of a pickle with other words."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no {name}")


def half_written(setup: Setup) -> None:
    (setup.folder / "jobs").mkdir(exist_ok=True)
    (setup.folder / "jobs" / f".x.json.{os.getpid()}.tmp").write_text("half")


def killed(setup: Setup) -> None:
    half_written(setup)
    os.kill(os.getpid(), signal.SIGKILL)


def long(setup: Setup) -> None:
    half_written(setup)
    try:
        time.sleep(60)
    finally:
        (setup.folder / f"left-{os.getpid()}").touch()


def deaf(setup: Setup) -> None:
    half_written(setup)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(60)


def wrong(_: Setup) -> None:
    raise InputError("these pixels are wrong")


def odd(_: Setup) -> None:
    raise Odd(1, 2)


def doubled(_: Setup) -> None:
    raise Doubled("map")


ACTIONS = {
    "sum": lambda setup: None, "killed": killed, "long": long, "deaf": deaf, "wrong": wrong, "odd": odd, "doubled": doubled
}  # fmt: skip


def keyed(*actions: str) -> list[tuple[str, Job]]:
    jobs = [job("sum", i=i, do=action) for i, action in enumerate(actions)]
    return [(one.key({}), one) for one in jobs]


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for d in ("jobs", "maps") for p in (folder / d).glob("*")}


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"


def check_clean(folder: Path) -> None:
    """No process is left, and no half-written file."""
    pids = [int(p.name[4:]) for p in folder.glob("pid-*")]
    deadline = time.monotonic() + 5
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert pids
    assert not any(alive(pid) for pid in pids)
    assert not list(folder.rglob("*.tmp"))


def folder_of(tmp_path: Path, name: str) -> Path:
    (tmp_path / name).mkdir()
    return tmp_path / name


VALUES = torch.randn(40, 50, generator=torch.Generator().manual_seed(0))


def test_the_same_files_as_the_plain_loop_resumed_or_not(tmp_path):
    plain, pool, told = folder_of(tmp_path, "plain"), folder_of(tmp_path, "pool"), []
    jobs = keyed(*["sum"] * 6)
    assert run_jobs(jobs, Setup(VALUES, plain)(), plain, 1) == 6
    run_jobs(jobs[1:3], Setup(VALUES, pool)(), pool, 1)
    old = {name: (pool / name).stat().st_mtime_ns for name in files(pool)}
    values = VALUES.clone()
    environment, interrupts = dict(os.environ), signal.pthread_sigmask(signal.SIG_BLOCK, [])

    ran = run_jobs_in_processes(iter(jobs), Setup(values, pool), pool, 2, 2, lambda *line: told.append(line))

    assert (ran.jobs, ran.workers, ran.reason) == (4, 2, "")
    assert files(pool) == files(plain)
    assert len(files(pool)) == 12
    assert all((pool / name).stat().st_mtime_ns == at for name, at in old.items())
    assert values.is_shared()
    pids = {(pool / f"began-{i}").read_text() for i in (0, 3, 4, 5)}
    assert str(os.getpid()) not in pids
    assert {(pool / f"pid-{pid}").read_text() for pid in pids} == {"2"}
    assert told[0] == (2, 6, None)
    assert told[-1] == (6, 6, 0.0)
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert {done for done, _, _ in told} >= {2, 6}
    assert any(left is not None and left > 0 for _, _, left in told[1:-1])
    assert dict(os.environ) == environment
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == interrupts
    assert not multiprocessing.active_children()
    (pool / f"pid-{os.getpid()}").unlink()
    check_clean(pool)

    again = run_jobs_in_processes(jobs, Setup(values, pool, ValueError("called")), pool, 2, 2)
    assert (again.jobs, again.workers, again.reason) == (0, 0, "workers=2, 0 jobs left")


def test_an_error_in_a_job_comes_out_as_itself_and_ends_the_others(tmp_path):
    start = time.monotonic()
    with pytest.raises(InputError, match="these pixels are wrong") as raised:
        run_jobs_in_processes(keyed("sum", "long", "wrong", "sum"), Setup(VALUES, tmp_path), tmp_path, 1, 2)
    assert time.monotonic() - start < 50  # the long job takes 60
    assert str(raised.value) == "these pixels are wrong"
    assert "in wrong" in raised.value.__notes__[0]  # where it was
    assert [name.split("-")[0] for name in files(tmp_path)] == ["jobs/sum", "maps/sum"]
    check_clean(tmp_path)


def test_a_killed_worker_is_an_error_and_the_others_are_ended_even_if_deaf(tmp_path, monkeypatch):
    monkeypatch.setattr("heatproof.experiment.pool_processes.GRACE", 0.5)
    jobs = keyed("deaf", "sum", "killed", "sum")
    with pytest.raises(RunError, match=rf"in job {jobs[2][0]} was ended by SIGKILL.* memory .*fewer workers.*goes on"):
        run_jobs_in_processes(jobs, Setup(VALUES, tmp_path), tmp_path, 1, 2)
    assert len(files(tmp_path)) == 2
    check_clean(tmp_path)


@pytest.mark.parametrize(
    ("code", "key", "said"),
    [
        (3, "sum-1", r"in job sum-1 ended with exit code 3, see above"),
        (0, "sum-1", r"in job sum-1 ended with exit code 0"),
        (1, None, r"before it had a job ended with exit code 1, .*__name__ == '__main__'"),
        (-signal.SIGSEGV, None, r"before it had a job was ended by SIGSEGV"),
    ],
)
def test_a_worker_that_ends_is_an_error_that_says_how(code, key, said):
    process = SimpleNamespace(join=lambda seconds: None, exitcode=code)
    with pytest.raises(RunError, match=said):
        _served(Worker(process, Pipe(), key), deque())


SCRIPT = """
import signal
import sys
from pathlib import Path
import test_pool as t
from heatproof.experiment.pool import run_jobs_in_processes

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell started the tests in the background
    folder = Path(sys.argv[1])
    run_jobs_in_processes(t.keyed("sum", "long", "long"), t.Setup(t.VALUES, folder), folder, 1, 2)
"""


def script(tmp_path: Path) -> subprocess.Popen[str]:
    (tmp_path / "main.py").write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    return subprocess.Popen(
        [sys.executable, "main.py", str(tmp_path)],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(folder: Path, *names: str) -> None:
    deadline = time.monotonic() + 60
    while not all((folder / name).exists() for name in names):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_ctrl_c_ends_everything_quickly(tmp_path):
    parent = script(tmp_path)
    wait_for(tmp_path, "began-1", "began-2")
    os.killpg(parent.pid, signal.SIGINT)  # as a terminal does: all of the group
    pressed = time.monotonic()
    _, said = parent.communicate(timeout=30)
    assert time.monotonic() - pressed < 20  # on a busy machine; the jobs take 60
    assert parent.returncode in (130, -signal.SIGINT)
    assert said.count("Traceback") == 1, said  # the parent's own
    assert said.strip().endswith("KeyboardInterrupt")
    check_clean(tmp_path)
    assert len(list(tmp_path.glob("left-*"))) == 2
    assert len(files(tmp_path)) == 2


def test_workers_end_when_their_parent_is_killed(tmp_path):
    parent = script(tmp_path)
    wait_for(tmp_path, "began-1", "began-2")
    parent.kill()
    parent.communicate(timeout=30)
    pids = [int(p.name[4:]) for p in tmp_path.glob("pid-*")]
    deadline = time.monotonic() + 5
    while any(map(alive, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert len(list(tmp_path.glob("left-*"))) == 2  # unwound, so that a file being written is removed


@pytest.mark.parametrize("case", ["one worker", "one job", "unpicklable"])
def test_falls_back_to_the_plain_loop_and_says_so(tmp_path, case):
    setup = Setup(VALUES, tmp_path)
    unpicklable = lambda: setup()  # noqa: E731
    jobs = keyed("sum", "sum")[: 1 if case == "one job" else 2]
    told: list[tuple[int, int, float | None]] = []
    make, workers = (unpicklable if case == "unpicklable" else setup), (1 if case == "one worker" else 2)
    ran = run_jobs_in_processes(jobs, make, tmp_path, 1, workers, lambda *line: told.append(line))
    assert (ran.jobs, ran.workers) == (len(jobs), 0)
    assert {"one worker": "workers=1", "one job": "1 jobs left", "unpicklable": "cannot be pickled"}[case] in ran.reason
    assert len(files(tmp_path)) == 2 * len(jobs)
    assert [p.name for p in tmp_path.glob("pid-*")] == [f"pid-{os.getpid()}"]
    assert told[-1] == (len(jobs), len(jobs), 0.0)


class Pipe:
    """One end of a pipe that is full already."""

    def __init__(self, *given: object) -> None:
        self.given, self.sent = list(given), []

    def recv(self):
        if not self.given:
            raise EOFError
        return self.given.pop(0)

    def send(self, value: object) -> None:
        self.sent.append(value)


@pytest.mark.parametrize(("action", "said"), [("odd", "Odd: 1 and 2"), ("doubled", "Doubled: no map")])
def test_what_a_worker_answers(tmp_path, action, said):
    pipe = Pipe(*keyed("sum", "sum", action, "sum"))
    with pytest.raises(SystemExit):
        do_jobs(pipe, Setup(VALUES, tmp_path), tmp_path, 1)
    assert pipe.sent[:3] == [None, None, None]  # setup, and two jobs
    assert type(pipe.sent[3]) is RunError
    assert str(pipe.sent[3]) == said  # which cannot be pickled itself
    assert len(pipe.given) == 1
    failing = Pipe()
    with pytest.raises(SystemExit):
        do_jobs(failing, Setup(VALUES, tmp_path, ValueError("no data")), tmp_path, 1)
    assert [(type(e), str(e)) for e in failing.sent] == [(ValueError, "no data")]
    idle = Pipe()
    with pytest.raises(EOFError):
        do_jobs(idle, Setup(VALUES, tmp_path), tmp_path, 1)


@pytest.mark.parametrize(("threads", "workers"), [(1, 0), (0, 1), (1, 2.0), (True, 1)])
def test_counts_are_checked(tmp_path, threads, workers):
    with pytest.raises(InputError, match="expected a whole number of at least 1"):
        run_jobs_in_processes(keyed("sum"), Setup(VALUES, tmp_path), tmp_path, threads, workers)


NET = "from torch import nn\n\nclass Net(nn.Linear):\n    def __init__(self):\n        super().__init__(4, 2)\n"


@dataclass(frozen=True)
class Holding:
    """Holds an object of the user's own code."""

    held: object

    def __call__(self):
        return self.work

    def work(self, one: Job) -> Record:
        return Record([("m", type(self.held).__name__, 0, "", one["i"], 0, 1.0, "ok", "")])


@pytest.mark.parametrize("text", ["{name}.py:Net", "{name}:Net"])
def test_workers_find_code_of_a_file_and_of_the_current_directory(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    name = f"usernet{'file' if '.py' in text else 'module'}"
    (tmp_path / f"{name}.py").write_text(NET)
    folder = folder_of(tmp_path, "run")
    held = find_object(text.format(name=name), "a network")()
    ran = run_jobs_in_processes(keyed("sum", "sum"), Holding(held), folder, 1, 2)
    assert (ran.jobs, ran.workers, ran.reason) == (2, 2, "")
