"""What a real audit survives: killed at random moments, two at once in one folder, damaged files, a clock that jumps."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

import heatproof as hp
import test_audit
from heatproof.audit import plan_audit, run_audit
from heatproof.experiment import files
from test_audit import audited, images

KILLS = 20

KILLER = """
import os, random, signal, sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
import torch
torch.set_num_threads(1)
import test_audit
import heatproof as hp

def slow(model, inputs, target):
    time.sleep(0.03)
    return hp.gradient(model, inputs, target)

def begun(done, total, left):
    (here / "begun").touch()

def run(folder):
    test_audit.audited(
        Path(folder), images=test_audit.images(20), chunk=2, methods=(*test_audit.CHEAP, slow), threads=1, progress=begun
    )

def child(folder):
    (here / "begun").unlink(missing_ok=True)
    pid = os.fork()
    if pid == 0:
        try:
            run(folder)
        finally:
            os._exit(0)
    return pid

def wait_for_jobs():
    start = time.monotonic()
    while not (here / "begun").exists():
        time.sleep(0.005)
    return time.monotonic() - start

here = Path(sys.argv[0]).parent
pid = child({whole!r})
planning, start = wait_for_jobs(), time.monotonic()
os.waitpid(pid, 0)
job = (time.monotonic() - start) / 30
moments, killed = random.Random(0), 0
for number in range({kills}):
    pid = child({killed!r})
    if number % 4:  # while jobs run; else while they are planned
        wait_for_jobs()
    time.sleep(moments.uniform(0, 2 * job if number % 4 else planning))
    os.kill(pid, signal.SIGKILL)
    killed += os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    files = [p for p in Path({killed!r}).rglob("*") if p.is_file() and not p.name.endswith(".tmp")]
    print(killed, len([p for p in files if p.parent.name == "jobs"]), flush=True)
os.waitpid(child({killed!r}), 0)
"""


def test_killed_at_twenty_random_moments_the_table_is_the_undisturbed_one(tmp_path: Path) -> None:
    """In a process that has imported everything once, and from which each attempt is forked."""
    script = tmp_path / "killer.py"
    folders = {"whole": str(tmp_path / "whole"), "killed": str(tmp_path / "killed")}
    script.write_text(KILLER.format(tests=str(Path(__file__).parent), kills=KILLS, **folders))
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    seen = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    killed, jobs = zip(*seen, strict=True)
    assert killed[-1] == KILLS, "some were done before they were killed"
    assert list(jobs) == sorted(jobs), "a finished job was lost"
    assert len(set(jobs)) > 2, "they were all killed at the same place"
    for name in ("table.csv", "verdicts.csv", "verdicts.json"):
        first, second = ((tmp_path / where / "run" / name).read_bytes() for where in ("whole", "killed"))
        assert first == second


def test_two_processes_on_one_folder_leave_one_whole_run(tmp_path: Path) -> None:
    script = tmp_path / "one.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import torch; torch.set_num_threads(1)\nimport test_audit\nfrom pathlib import Path\n"
        f"test_audit.audited(Path({str(tmp_path)!r}), threads=1)\n"
    )
    both = [subprocess.Popen([sys.executable, str(script)]) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    alone = audited(tmp_path / "alone", threads=1)
    together = audited(tmp_path, threads=1)
    pd.testing.assert_frame_equal(alone.table, together.table, check_exact=True)


@pytest.mark.parametrize("part", ["job", "rows", "maps", "cut", "empty", "config", "another job's"])
def test_a_damaged_file_is_found_and_its_job_done_again(tmp_path: Path, part: str) -> None:
    first = audited(tmp_path)
    jobs, maps = (sorted((tmp_path / "run" / name).iterdir()) for name in ("jobs", "maps"))
    damaged = {"maps": maps[0], "config": tmp_path / "run" / "config.json"}.get(part, jobs[0])
    whole = damaged.read_bytes()
    if part == "another job's":
        damaged.write_bytes(jobs[1].read_bytes())
    elif part in ("cut", "config"):
        damaged.write_bytes(whole[: len(whole) // 2])
    elif part == "empty":
        damaged.write_bytes(b"")
    else:  # one bit, anywhere
        place = {"job": whole.find(b"kind") + 9, "rows": len(whole) - 40, "maps": len(whole) - 9}[part]
        damaged.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    again = audited(tmp_path)
    pd.testing.assert_frame_equal(first.table, again.table, check_exact=True)
    if part != "config":  # the date of the run stands in it
        assert hashlib.sha256(damaged.read_bytes()).digest() == hashlib.sha256(whole).digest()


def test_a_clock_that_jumps_changes_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Backwards, while jobs run; and files from the future and from 1970, one of them damaged since."""
    first, ticks = audited(tmp_path / "a"), iter(range(10**9, 0, -100))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(ticks)))
    monkeypatch.setattr(time, "time", lambda: float(next(ticks)))
    second = audited(tmp_path / "b", progress=lambda done, total, left: None)
    monkeypatch.undo()
    pd.testing.assert_frame_equal(first.table, second.table, check_exact=True)
    maps = sorted((second.folder / "maps").iterdir())
    for place, path in enumerate(sorted(second.folder.rglob("*.*"))):
        os.utime(path, (0, 0) if place % 2 else (2**33, 2**33))
    state, whole = maps[0].stat(), maps[0].read_bytes()
    maps[0].write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
    os.utime(maps[0], ns=(state.st_atime_ns, state.st_mtime_ns))
    pd.testing.assert_frame_equal(first.table, audited(tmp_path / "b").table, check_exact=True)
    assert maps[0].read_bytes() == whole


TERMINATED = """
import os, signal, sys, threading, time
from pathlib import Path
from heatproof.cli import main

jobs = Path(sys.argv[sys.argv.index("--out") + 1]) / "jobs"

def end():
    while len(list(jobs.glob("*.json"))) < 2:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=end, daemon=True).start()
main()
"""


def test_a_scheduler_that_ends_the_command_is_told_what_stays(tmp_path: Path) -> None:
    torch.save({"images": images(40)}, tmp_path / "images.pt")
    (tmp_path / "mine.py").write_text(
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\nfrom test_audit import net\n"
    )
    script = tmp_path / "command.py"
    script.write_text(TERMINATED)
    command = [
        "audit", "--model", "mine:net", "--images", "images.pt", "--out", "run", "--methods", "gradient", "--seeds", "2",
        "--budget", "full", "--chunk", "2", "--threads", "1",
    ]  # fmt: skip
    ended = subprocess.run(
        [sys.executable, script, *command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 143, ended.stderr
    assert "ended by SIGTERM; finished jobs stay, the same command goes on from here" in " ".join(ended.stderr.split())
    assert "Traceback" not in ended.stderr
    finished = {p.name for p in (tmp_path / "run" / "jobs").iterdir()}
    assert 2 <= len(finished) < 20 * 3
    assert not list((tmp_path / "run").rglob("*.tmp"))


def test_jobs_in_any_order_leave_the_same_table(tmp_path: Path) -> None:
    """The first order keeps what jobs share; the second meets everything the other way round."""
    first = audited(tmp_path / "a", threads=1)
    plan = plan_audit(
        test_audit.net(), images(), methods=test_audit.CHEAP, seeds=2, nulls=3, faithfulness=False,
        out=tmp_path / "b" / "run", threads=1,
    )  # fmt: skip
    run_audit(replace(plan, jobs=plan.jobs[::-1]))
    second = audited(tmp_path / "b", threads=1)
    pd.testing.assert_frame_equal(first.table, second.table, check_exact=True)
    jobs = ({p.name: p.read_bytes() for p in (a.folder / "jobs").iterdir()} for a in (first, second))
    assert next(jobs) == next(jobs)


def test_a_run_that_takes_the_folder_meanwhile_is_not_read_as_this_one(tmp_path: Path) -> None:
    def taken(done: int, total: int, left: float | None) -> None:
        if done == total:
            config = json.loads((tmp_path / "run" / "config.json").read_text())
            (tmp_path / "run" / "config.json").write_text(json.dumps({**config, "jobs": config["jobs"][1:]}))

    with pytest.raises(hp.RunError, match=r"another run began in .*run meanwhile"):
        audited(tmp_path, progress=taken)


def test_two_writers_with_one_process_number_do_not_meet(tmp_path: Path) -> None:
    """Two containers on one folder are both process 1; as threads here are one process."""

    def writes(number: int) -> None:
        for _ in range(100):
            files.write_text(tmp_path / "one.json", str(number) * 1000)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(writes, range(4)))
    assert len(set((tmp_path / "one.json").read_text())) == 1
    assert len(list(tmp_path.iterdir())) == 1
