"""The command ``serve``: its address, its options for one model or several, how it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file
from typer.testing import CliRunner

from heatproof.cli import app
from heatproof.errors import InputError
from serving import Net, httpx, photo

MODULE = """
from serving import Net

def net():
    return Net()

def grey():
    return Net(1).apply(lambda part: part.reset_parameters() if hasattr(part, "reset_parameters") else None)
"""
HERE = Path(__file__).parent


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with models, weights and class names."""
    (tmp_path / "models.py").write_text(MODULE)
    save_file(Net().state_dict(), tmp_path / "w.safetensors")
    (tmp_path / "names.txt").write_text("\n".join("abcde"))
    return tmp_path


@contextmanager
def running(place: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The command in a process of its own, and the lines that it printed up to its address."""
    pytest.importorskip("uvicorn", reason="needs heatproof[serve]")
    words = [sys.executable, "-c", "from heatproof.cli import main; main()", "serve", *options, "--no-open"]
    path = os.pathsep.join([str(HERE), *sys.path])
    process = subprocess.Popen(
        words,
        cwd=place,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": path},
    )
    try:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line.rstrip())
            if "Ctrl-C" in line:
                break
        yield process, lines
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("number", "code", "said"), [(signal.SIGINT, 0, "stopped"), (signal.SIGTERM, 143, "SIGTERM")])
def test_it_prints_its_address_answers_and_ends(place: Path, number: int, code: int, said: str) -> None:
    before = sorted(path.name for path in place.iterdir())
    options = ["--model", "models.py:net", "--model", "models.py:grey", "--weights", "w.safetensors", "--weights", "-",
               "--name", "mine", "--name", "-", "--size", "32", "--size", "-", "--mean", ".5", "--std", ".5",
               "--class-names", "names.txt"]  # fmt: skip
    with running(place, *options) as (process, lines):
        assert lines[:2] == ["mine: 5 classes", "grey: 5 classes, random weights"]
        found = re.fullmatch(r"open (http://127\.0\.0\.1:\d+)/\?token=([\w-]{43})", lines[2])
        assert found, lines
        address, token = found.groups()
        with httpx.Client(
            base_url=address, headers={"x-heatproof-token": token, "origin": address}, timeout=60
        ) as http:
            assert "<title>heatproof</title>" in http.get("/", params={"token": token}).text
            models = http.get("/api/start").json()["models"]
            assert [(one["name"], one["names"]) for one in models] == [("mine", list("abcde")), ("grey", list("abcde"))]
            number_of = http.post("/api/photo", content=photo(), params={"name": "a.png"}).json()["photo"]
            body = {"photo": number_of, "model": 0, "classes": [0], "methods": ["gradient"]}
            assert http.post("/api/maps", json=body).text.count('"event": "maps"') == 1
            assert http.post("/api/command", json=body).json()["command"] == (
                "heatproof audit --model models.py:net --class-names names.txt --mean .5 --size 32 --std .5 "
                "--weights w.safetensors --images PHOTOS --methods gradient"
            )
        process.send_signal(number)
        out, _ = process.communicate(timeout=30)
    assert (process.returncode, said in out) == (code, True), out
    assert sorted(path.name for path in place.iterdir() if path.name != "__pycache__") == before


def test_ended_while_maps_are_drawn_it_prints_no_traceback(place: Path) -> None:
    with running(place, "--model", "models.py:net", "--size", "32") as (process, lines):
        address, token = lines[1].removeprefix("open ").split("/?token=")
        headers = {"x-heatproof-token": token, "origin": address}
        with httpx.Client(base_url=address, headers=headers, timeout=60) as http:
            number_of = http.post("/api/photo", content=photo(), params={"name": "a.png"}).json()["photo"]
            slow = {
                "photo": number_of,
                "model": 0,
                "classes": [0],
                "methods": ["smooth(occlusion(window=1, stride=1), n=2000)"],
            }
            with http.stream("POST", "/api/maps", json=slow) as answer:
                assert "start" in next(answer.iter_lines())
                process.send_signal(signal.SIGINT)
                out, _ = process.communicate(timeout=30)
    assert (process.returncode, out.strip()) == (0, "stopped")


def test_it_listens_on_this_machine_alone(place: Path) -> None:
    from heatproof.serve.run import bound

    with bound(0) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"
        with pytest.raises(InputError, match="another, or leave it out"):
            bound(listening.getsockname()[1])


def refused(place: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> str:
    monkeypatch.chdir(place)
    monkeypatch.syspath_prepend(HERE)
    result = CliRunner().invoke(app, ["serve", *options], env={"COLUMNS": "400"})
    assert result.exit_code == 1, result.output
    return " ".join(result.output.split())


@pytest.mark.parametrize("library", ["starlette", "uvicorn"])
def test_without_the_extra_it_says_what_to_install(place: Path, monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    assert "pip install 'heatproof[serve]'" in refused(place, monkeypatch, "--model", "models.py:net")


WRONG = {
    "weights": (["--weights", "w.safetensors"], "--weights was given 1 times for 2 models"),
    "names": (["--name", "a", "--name", "b", "--name", "c"], "--name was given 3 times for 2 models"),
    "size": (["--size", "8", "--size", "8", "--size", "8"], "--size was given 3 times"),
    "no size": (["--size", "8", "--size", "x"], "expected a whole number of pixels"),
    "score": (["--score", "value"], "score=value takes an output of (B,)"),
    "mean alone": (["--mean", ".5"], "give both or neither"),
}  # fmt: skip


@pytest.mark.parametrize(("options", "why"), WRONG.values(), ids=WRONG)
def test_options_that_do_not_fit_are_refused(
    place: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], why: str
) -> None:
    assert why in refused(place, monkeypatch, "--model", "models.py:net", "--model", "models.py:grey", *options)


@pytest.mark.parametrize(
    ("variables", "seen"),
    [
        ({}, False),
        ({"DISPLAY": ":0"}, True),
        ({"WAYLAND_DISPLAY": "w"}, True),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "x"}, False),
    ],
)
def test_a_browser_opens_where_there_is_a_screen(monkeypatch: pytest.MonkeyPatch, variables: Any, seen: bool) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert sys.modules["heatproof.cli.serve"]._has_screen() is seen


def test_the_address_that_opens_a_browser_holds_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other users of a machine see the words with which a program is started."""
    import webbrowser

    from heatproof.serve import run
    from serving import served

    opened: list[str] = []
    told: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    monkeypatch.setattr(run, "server_of", lambda app: type("Server", (), {"run": lambda self, sockets: None})())
    run.run_server([served()], 0, open_browser=True, tell=told.append)
    assert told[0].partition("?token=")[2] not in opened[0]
    assert "?once=" in opened[0]
