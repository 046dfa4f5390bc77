"""Manners of the command line: --json, --quiet, pipes and colours, exit codes, help and typos."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from heatproof import catalogue, progress
from heatproof.cli import app
from heatproof.cli.console import bar
from heatproof.cli.exit_codes import EXIT_CODES, reason
from heatproof.cli.result import FORMAT, plain
from heatproof.plain_console import PIPE, PlainConsole
from heatproof.types import METHODS
from test_cli import FAST
from test_cli import place as place

MAIN = "import sys; sys.argv[0] = 'heatproof'; from heatproof.cli import main; main()"
CODE = [sys.executable, "-c", MAIN]
SLOW = f"""
import sys, time
from heatproof.cli import app
from heatproof import catalogue
catalogue._entry = lambda *given: print("begun", flush=True) or time.sleep(60)
{MAIN}
"""


def arguments(place: Path, *more: Any) -> list[str]:
    """Those of an audit that takes a second."""
    module = (place / "name.txt").read_text()
    return ["audit", "--model", f"{module}:net", "--images", str(place / "photos"), "--size", "16", "--threads", "1",
            *FAST, "--nulls", "2", "--no-faithfulness", *map(str, more)]  # fmt: skip


def run(*words: str) -> Any:
    return CliRunner().invoke(app, list(words))


def strict(text: str) -> Any:
    """One JSON document, without NaN."""

    def refused(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refused)


@pytest.mark.parametrize("before", [True, False], ids=["before the command", "behind it"])
def test_an_audit_as_one_document(place: Path, before: bool) -> None:
    words = arguments(place, "--out", "run")
    result = run(*(["--json", *words] if before else [*words, "--json"]))
    assert result.exit_code == 0, result.output
    found = strict(result.stdout)
    assert (found["format"], found["command"]) == (FORMAT, "audit")
    assert found["exit"] == {"code": 0, "reason": "done"}
    assert {v["method"] for v in found["verdicts"]} == {"gradient", "edge_map", "random_map"}
    assert None in {v["faithfulness"] for v in found["verdicts"]}, "NaN is null"
    assert Path(found["report"]).exists()
    assert all(Path(name).exists() for name in found["files"])
    assert any("random weights" in warning for warning in found["warnings"])
    assert "jobs, about" in result.stderr
    assert "verdicts, cascading" in result.stderr


def test_a_plan_a_report_and_a_failed_gate_as_documents(place: Path) -> None:
    plan = strict(run(*arguments(place, "--out", "run", "--dry-run", "--json")).stdout)["plan"]
    assert plan["jobs_left"] == plan["jobs"] > 0
    gate = run(*arguments(place, "--out", "run", "--fail-on", "input-dominated", "--json"))
    assert gate.exit_code == 3
    assert strict(gate.stdout)["exit"] == {"code": 3, "reason": "fail-on"}
    assert strict(gate.stdout)["failed"] == ["edge_map (cascading: input-dominated)"]
    again = strict(run("report", "run", "--json").stdout)
    assert again["verdicts"] == strict(gate.stdout)["verdicts"]


def test_other_commands_as_documents(place: Path) -> None:
    module = (place / "name.txt").read_text()
    given = ["--model", f"{module}:net", "--images", "photos", "--size", "16", "--limit", "2", "--methods", "gradient"]
    drawn = strict(run("explain", *given, "--out", "maps", "--json").stdout)
    assert [Path(sheet).exists() for sheet in drawn["sheets"]] == [True, True]
    bench = run("bench", "complexity", *given, "--out", "bench", "--json")
    assert bench.exit_code == 0, bench.output
    assert {row["method"] for row in strict(bench.stdout)["summary"]} >= {"gradient"}
    assert {row["name"] for row in strict(run("methods", "--json").stdout)["methods"]} == set(METHODS)
    claims = strict(run("paper", "list", "fullgrad", "--json").stdout)["claims"]
    assert {claim["paper"] for claim in claims} == {"fullgrad"}


def test_errors_are_documents_too(place: Path) -> None:
    wrong = run(*arguments(place, "--out", "run", "--target", "unicorn", "--json"))
    assert wrong.exit_code == 1
    found = strict(wrong.stdout)
    assert found["error"]["type"] == "InputError"
    assert "unicorn" in found["error"]["message"]
    assert found["exit"] == {"code": 1, "reason": "error"}
    assert "heatproof: --target 'unicorn'" in wrong.stderr
    for words in (["audit", "--nonsense", "--json"], ["--json", "audti"]):
        usage = run(*words)
        assert usage.exit_code == 2
        assert strict(usage.stdout)["error"]["type"] == "UsageError"


def test_a_mistake_of_ours_is_a_document_and_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_entry", lambda *given: 1 / 0)
    result = run("methods", "--json")
    assert strict(result.stdout)["error"]["type"] == "ZeroDivisionError"
    assert isinstance(result.exception, ZeroDivisionError)


def test_quiet_leaves_the_paths_alone(place: Path) -> None:
    for words in (["--quiet", *arguments(place, "--out", "run")], arguments(place, "--out", "run", "-q")):
        result = run(*words)
        assert (result.stdout, result.stderr) == (f"{Path('run/report.html')}\n", "")
    document = run(*arguments(place, "--out", "run", "--quiet", "--json"))
    assert strict(document.stdout)["verdicts"]
    assert document.stderr == ""
    wrong = run(*arguments(place, "--out", "run", "--target", "unicorn", "--quiet"))
    assert (wrong.stdout, "unicorn" in wrong.stderr) == ("", True)


def test_a_quiet_call_leaves_the_next_one_loud(place: Path) -> None:
    run("methods", "--quiet")
    run("methods", "--json")
    assert "arXiv" in run("methods").stdout


@pytest.mark.parametrize(
    ("value", "becomes"), [(float("inf"), None), ((1, "a", True), [1, "a", True]), ({1: Path("x")}, {"1": "x"})]
)
def test_values_that_json_does_not_know(value: Any, becomes: Any) -> None:
    assert plain(value) == becomes


def piped(words: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    held = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "TERM")}
    return subprocess.run([*CODE, *words], env=held | environment, capture_output=True, text=True, check=False)


def test_a_pipe_gets_no_colour_no_bar_and_no_broken_line(place: Path) -> None:
    long = "a" * 150
    done = piped(
        arguments(place, "--out", long), PYTHONPATH=f"{place}:{os.environ.get('PYTHONPATH', '')}", TERM="xterm"
    )
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert f"report: {Path(long) / 'report.html'}\n" in done.stdout
    coloured = piped(arguments(place, "--out", long), PYTHONPATH=f"{place}:{os.environ.get('PYTHONPATH', '')}",
                     FORCE_COLOR="1", TERM="xterm")  # fmt: skip
    assert "\x1b[32m" in coloured.stdout or "\x1b[33m" in coloured.stdout
    assert "\x1b[?25" not in coloured.stdout + coloured.stderr, "bars need a terminal, and not only colours"
    assert f"report: {Path(long) / 'report.html'}\n" in coloured.stdout


def on_a_terminal(words: list[str], **environment: str) -> str:
    """What a command shows on a terminal of 80 columns."""
    process, terminal = pty.fork()
    if process == 0:  # pragma: no cover
        held = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")}
        os.execvpe(sys.executable, [*CODE, *words], held | {"TERM": "xterm-256color", **environment})
    shown = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.waitpid(process, 0)
    os.close(terminal)
    return shown.decode(errors="replace")


def test_colours_on_a_terminal_unless_they_are_not_wanted() -> None:
    words = ["report", "nowhere"]  # its error is red
    assert "\x1b[31m" in on_a_terminal(words)
    assert "\x1b[31m" not in on_a_terminal(words, NO_COLOR="1")
    assert "\x1b" not in on_a_terminal(words, TERM="dumb")


@pytest.mark.parametrize("terminal", [True, False])
def test_a_bar_moves_on_terminals_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, terminal: bool) -> None:
    monkeypatch.delenv("CI", raising=False)
    with (tmp_path / "out").open("w+") as file:
        monkeypatch.setattr(progress, "console", PlainConsole(file=file, force_terminal=terminal or None))
        with bar("jobs") as step:
            step(1, 2)
        file.seek(0)
        assert bool(file.read()) == terminal


def test_width_of_a_pipe_is_that_of_the_line_and_given_columns_win(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    with (tmp_path / "out").open("w") as file:
        assert PlainConsole(file=file).width == PIPE
        assert PlainConsole(file=file, width=60).width == 60
        monkeypatch.setenv("COLUMNS", "90")
        assert PlainConsole(file=file).width == 90


@pytest.fixture
def started() -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """A command that has begun and takes a minute."""
    begun: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen([sys.executable, "-c", SLOW, "methods", "--json"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)  # fmt: skip
        begun.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.2)
        return process

    yield start
    for process in begun:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_and_ended(started: Callable[[], subprocess.Popen[str]], sent: signal.Signals, code: int) -> None:
    process = started()
    process.send_signal(sent)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert "the same command goes on" in errors
    assert strict(out)["exit"] == {"code": code, "reason": reason(code)}


def test_every_code_is_in_the_help() -> None:
    text = run("--help").stdout
    for code, meaning in EXIT_CODES.items():
        assert f"{code:<5}{meaning}" in text
        assert reason(code) != "signal"


def test_help_names_every_command_under_a_heading_with_an_example_each() -> None:
    text = run("--help").stdout
    for heading in ("The first three commands", "To start with:", "Maps and tests:", "Results and this installation:"):
        assert heading in text
    commands = ("doctor", "demo", "audit", "explain", "report", "methods", "paper list", "paper run", "bench pixel",
                "bench roar")  # fmt: skip
    for words in map(str.split, commands):
        shown = run(*words, "--help").stdout
        assert "Example:\n" in shown
        assert f"    heatproof {' '.join(words)}" in shown


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["audti"], "Did you mean 'audit'?"),
        (["audit", "--modle", "x"], "--model"),
        (["bench", "pixle"], "pixel"),
    ],
)
def test_typos(words: list[str], offered: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert offered in result.output


def test_a_typo_in_a_method(place: Path) -> None:
    result = run(*arguments(place, "--methods", "gradeint"))
    assert result.exit_code == 1
    assert "did you mean gradient" in result.output


def test_one_image_gets_verdicts_that_say_what_they_hold_for(place: Path) -> None:
    result = run(*arguments(place, "--out", "run", "--limit", "1"))
    assert result.exit_code == 0, result.output
    assert "one image: intervals are over random networks alone" in result.output
    assert "one image" not in run(*arguments(place, "--out", "two", "--limit", "2", "--dry-run")).output


def test_what_goes_into_the_network_is_said_where_nothing_was_given(place: Path) -> None:
    assert "pixels go into the network as 0 to 1" in run(*arguments(place, "--dry-run")).output
    assert "0 to 1" not in run(*arguments(place, "--dry-run", "--mean", "0.5", "--std", "0.2")).output


def test_verdicts_are_explained(place: Path) -> None:
    text = " ".join(run(*arguments(place, "--out", "run")).stdout.split())
    assert "input-dominated: Maps of unrelated networks look alike" in text
    assert "undefined:" not in text, "only those that occur"
    assert "floor: how alike maps of random networks are" in text


def test_the_numbers_are_explained_as_what_was_done(place: Path) -> None:
    """Under four blocks only the network with none of its weights left is judged; wide_net has three."""
    module = (place / "name.txt").read_text()
    few = run(*arguments(place, "--out", "few", "--model", f"{module}:wide_net", "--methods", "edge_map")).stdout
    assert "left above it with all of the network randomised" in " ".join(few.split())
    four = run(*arguments(place, "--out", "four", "--methods", "edge_map")).stdout
    assert "left above it with half of the network randomised" in " ".join(four.split())


def test_no_command_is_wrong_usage_and_the_version_a_document() -> None:
    for words in (["--json"], ["--quiet"]):
        result = run(*words)
        assert result.exit_code == 2
        assert "Missing command" in result.stderr
    assert strict(run("--json").stdout)["exit"] == {"code": 2, "reason": "usage"}
    found = strict(run("--json", "--version").stdout)
    assert (found["exit"]["code"], found["torch"]) == (0, torch.__version__.partition(" ")[0])
    assert run("--version").stdout == f"heatproof {found['heatproof']}, torch {found['torch']}\n"
