"""Progress bars: where somebody looks and nowhere else, gone in the end, and without any effect on what is measured."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import heatproof as hp
from attacks import EVIL
from heatproof import progress
from heatproof.errors import InputError
from heatproof.plain_console import PlainConsole
from test_audit import images, net

OPTIONS: dict[str, Any] = {
    "methods": ("gradient", "gradient_x_input"),
    "seeds": 1,
    "nulls": 2,
    "stages": 2,
    "faithfulness": False,
}
SCRIPT = """
import torch, heatproof as hp
torch.set_num_threads(1)
if __name__ == "__main__":
    layers = torch.nn.Conv2d(1, 3, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(3 * 36, 4)
    net = torch.nn.Sequential(*layers).eval()
    x = torch.randn(10, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    few = dict(methods=("gradient",), seeds=1, nulls=2, stages=2, faithfulness=False)
    hp.audit(net, x, workers={workers}, out={out!r}, **few)
"""


class Screen(io.StringIO):
    """A terminal that keeps what it shows."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    """The terminal of the bars, 100 columns wide, outside of CI."""
    shown = Screen()
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(progress, "console", PlainConsole(file=shown, width=100, force_terminal=True))
    return shown


def plain(text: str) -> str:
    """What a terminal was sent, without its control sequences."""
    return " ".join(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).split())


def broken_off(word: str, total: int) -> None:
    """Work that fails after its first part."""
    with progress.bar("jobs") as step:
        step(0, total)
        step(1, total, word=word)
        raise ZeroDivisionError


def audited(out: Path, **options: Any) -> hp.Audit:
    return hp.audit(net(), images(9), out=out, **OPTIONS, **options)


def test_time_left_of_a_training_is_at_most_and_of_this_run(monkeypatch: pytest.MonkeyPatch, screen: Screen) -> None:
    """After a resume at step 1000 of at most 2000, at 1 s a step."""
    clock = iter(range(10_000))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    word = "permuted-1 labels: epoch 112 of at most 300, accuracy 0.931, wants 0.98"
    with progress.epochs_bar("training") as told:
        for step in range(1001, 1004):
            told(step, 60_000, word)
        told(30_000, 60_000, word)
        time.sleep(0.3)
    text = plain(screen.getvalue())
    assert "…" not in text
    assert word in text
    assert "at most 500 min left" in text


def test_a_bar_shows_and_vanishes(screen: Screen, tmp_path: Path) -> None:
    audited(tmp_path / "run")
    assert "jobs" in plain(screen.getvalue())
    assert screen.getvalue().endswith("\x1b[1A\x1b[2K"), "the line of the bar is erased"


def test_a_bar_vanishes_after_an_error(screen: Screen) -> None:
    with pytest.raises(ZeroDivisionError):
        broken_off("", 1)
    assert screen.getvalue().endswith("\x1b[1A\x1b[2K")
    assert "\x1b[?25h" in screen.getvalue(), "the cursor is back"


def test_nothing_is_shown_before_the_first_step(screen: Screen) -> None:
    with progress.bar("jobs"):
        pass
    assert not screen.getvalue()


def test_neither_ci_nor_a_forced_colour_makes_a_terminal(monkeypatch: pytest.MonkeyPatch, screen: Screen) -> None:
    assert progress.terminal()
    monkeypatch.setenv("CI", "true")
    assert not progress.terminal()
    monkeypatch.delenv("CI")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(progress, "console", PlainConsole(file=io.StringIO()))
    assert not progress.terminal()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_plain_script_prints_nothing(tmp_path: Path, workers: int) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(out=str(tmp_path / "run"), workers=workers))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
    assert (tmp_path / "run" / "report.html").exists()


def test_a_script_in_a_terminal_shows_one_bar(tmp_path: Path) -> None:
    """On stderr alone, and its worker processes show nothing."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(out=str(tmp_path / "run"), workers=2))
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "CI": ""}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = b"".join(iter(lambda: _read(ours), b"")).decode()
        assert process.stdout is not None
        assert process.stdout.read() == b""
    os.close(ours)
    assert process.returncode == 0, shown
    assert "jobs" in plain(shown)
    assert shown.count("\x1b[?25l") == 1, "the cursor is hidden once, by one bar"


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1024)
    except OSError:  # all that wrote to it have ended
        return b""


def test_results_and_files_are_the_same_with_and_without_a_bar(screen: Screen, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    asked = {"auto": "auto", "false": False, "none": None, "own": lambda done, total, left: seen.append((done, total))}
    runs = {name: audited(tmp_path / name, progress=how) for name, how in asked.items()}
    assert "jobs" in plain(screen.getvalue())
    for run in runs.values():
        assert run.table.equals(runs["none"].table)
        files = [sorted(p.name for p in found.folder.rglob("*.json")) for found in (run, runs["none"])]
        assert files[0] == files[1]
        for path in (run.folder / "jobs").iterdir():
            assert path.read_bytes() == (runs["none"].folder / "jobs" / path.name).read_bytes()
    total = len(list((tmp_path / "own" / "jobs").iterdir()))
    assert seen == [(done, total) for done in range(total + 1)]


@pytest.mark.parametrize("wrong", ["always", 3, object()])
def test_what_is_no_progress_is_refused_before_the_work(tmp_path: Path, wrong: Any) -> None:
    x = images(4)  # nothing else that is asked for can be done either
    for call in (
        lambda: audited(tmp_path / "run", progress=wrong, metrics=("nonsense",)),
        lambda: hp.bench("nonsense", net(), x, progress=wrong, out=tmp_path / "run"),
        lambda: hp.roar(None, (x, x), (x, x), progress=wrong, out=tmp_path / "run"),
        lambda: hp.train_pair(net, x, x, x, x, tmp_path / "run", progress=wrong),
    ):
        with pytest.raises(InputError, match="progress="):
            call()
    assert not (tmp_path / "run").exists()


class Handle:
    """What IPython gives for an output that can be changed."""

    def __init__(self, outputs: list[dict[str, str]]) -> None:
        self.outputs = outputs

    def update(self, picture: dict[str, str], raw: bool) -> None:
        assert raw
        self.outputs.append(picture)


def test_in_a_notebook_one_output_is_drawn_anew_and_ends_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    display = pytest.importorskip("IPython.display", reason="needs IPython")
    outputs: list[dict[str, str]] = []

    def show(picture: dict[str, str], raw: bool, display_id: bool) -> Handle:
        assert raw
        assert display_id
        outputs.append(picture)
        return Handle(outputs)

    monkeypatch.setattr(progress, "notebook", lambda: True)
    monkeypatch.setattr(display, "display", show)
    monkeypatch.setattr(progress, "EVERY", 0)
    with pytest.raises(ZeroDivisionError):
        broken_off(EVIL, 3)
    assert outputs[0]["text/plain"].startswith("jobs 0/3")
    assert outputs[0]["text/html"].startswith('<div><progress max="3" value="0"')
    assert "<script" not in outputs[1]["text/html"]
    assert "\x1b" not in outputs[1]["text/plain"]
    assert outputs[2:] == [{"text/plain": "", "text/html": ""}]


def test_a_fast_work_does_not_flood_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    display = pytest.importorskip("IPython.display", reason="needs IPython")
    outputs: list[dict[str, str]] = []
    monkeypatch.setattr(progress, "notebook", lambda: True)
    monkeypatch.setattr(display, "display", lambda picture, **_: Handle(outputs))
    with progress.training_bar("training") as told:
        for step in range(1000):
            told(step, 1000, "epoch 1")
    assert len(outputs) < 10
