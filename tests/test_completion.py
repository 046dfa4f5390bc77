"""Completion through the real protocol of each shell, and in real shells: names, values, names after commas, quickly."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from heatproof.checks.verdict import WORST_FIRST
from heatproof.cli import names
from heatproof.cli.bash import whole_words
from heatproof.combine import COMBINATORS
from heatproof.experiment.settings import METRICS, PRESETS
from heatproof.faithfulness.kinds import KINDS
from heatproof.faithfulness.retrain_presets import PRESETS as RETRAIN_PRESETS
from heatproof.papers import PAPERS
from heatproof.score import SCORES
from heatproof.types import METHODS


def asked(*words: str, shell: str = "bash", **more: str) -> list[str]:
    """What the last of some words may become."""
    whole = ["heatproof", *words]
    held = {
        "bash": {"COMP_WORDS": "\n".join(whole), "COMP_CWORD": str(len(words))},
        "zsh": {"_TYPER_COMPLETE_ARGS": " ".join(whole)},
        "fish": {"_TYPER_COMPLETE_ARGS": " ".join(whole), "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    environment = {**os.environ, **held, "_HEATPROOF_COMPLETE": f"complete_{shell}"}
    done = subprocess.run(
        [sys.executable, "-c", "import sys; sys.argv[0] = 'heatproof'; from heatproof.cli import main; main()"],
        env=environment | more, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_names_are_those_that_are_known() -> None:
    """Without torch they cannot be asked for: a new one must be written there too."""
    assert names.method_names() == sorted(METHODS)
    assert tuple(SCORES) == names.SCORES
    assert tuple(METRICS) == names.METRICS
    assert (tuple(PRESETS), tuple(RETRAIN_PRESETS)) == (names.AUDIT_PRESETS, names.RETRAIN_PRESETS)
    assert (*WORST_FIRST, "refused") == names.VERDICTS
    assert (*KINDS, "roar", "kar") == names.BENCHES
    assert tuple(PAPERS) == names.PAPERS
    assert set(COMBINATORS) - {"configured", "kept", "captum"} == set(names.COMBINATORS)


@pytest.mark.parametrize("library", ["torchvision", "timm"])
def test_networks_are_those_that_the_library_lists(library: str) -> None:
    models = pytest.importorskip({"torchvision": "torchvision.models"}.get(library, library))
    listed = models.list_models(module=models) if library == "torchvision" else models.list_models()
    assert names.model_names(library) == sorted(listed)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("au",), ["audit"]),
        (("bench", "p"), ["pixel", "patch"]),
        (("audit", "--methods", "integ"), ["integrated_gradients"]),
        (("audit", "--methods", "gradient,gradc"), ["gradient,gradcam"]),
        (("audit", "--check", "cascading,la"), ["cascading,labels"]),
        (("audit", "--fail-on", "ins"), ["insensitive"]),
        (("audit", "--fail-on", "insensitive,in"), ["insensitive,input-dominated"]),
        (("audit", "--device", "cuda"), ["cuda", "cuda:0", "cuda:1"]),
        (("audit", "--preset", ""), ["paper", "code"]),
        (("audit", "--budget", "f"), ["full"]),
        (("bench", "roar", "--preset", "r"), ["reduced"]),
        (("export", "run", "--to", ""), ["safetensors", "npz", "png", "csv"]),
        (("export", "run", "--methods", "gradient,gradc"), ["gradient,gradcam"]),
        (("paper", "run", ""), ["all", "cgi", "sanity-checks", "fullgrad", "rectgrad"]),
        (("paper", "run", "S0-Fig5-b"), ["S0-Fig5-blank", "S0-Fig5-blank-1000"]),
    ],
)
def test_values(words: tuple[str, ...], found: list[str]) -> None:
    assert asked(*words) == found


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_values_in_other_shells(shell: str) -> None:
    assert "gradient,gradcam" in asked("audit", "--methods", "gradient,gradc", shell=shell)[0]
    assert "audit" in asked("au", shell=shell)[0]


def test_networks_behind_a_colon_at_which_bash_breaks_words() -> None:
    pytest.importorskip("torchvision")
    assert asked("audit", "--model", "torchvision", ":", "resnet1") == ["resnet101", "resnet152", "resnet18"]
    assert asked("audit", "--model", "torchvision:resnet18", shell="fish") == ["torchvision:resnet18"]
    assert "alexnet" in asked("audit", "--model", "torchvision", ":")
    assert all(name.startswith("torchvision:") for name in asked("audit", "--model", "torchv"))


def test_words_that_no_colon_joins_stay() -> None:
    assert whole_words(["heatproof", "audit", "--out", "a", ""], 4) == (["heatproof", "audit", "--out", "a", ""], 4)
    assert whole_words(["heatproof", "--model", "a.py", ":net", "--o"], 4)[0][-2:] == ["a.py:net", "--o"]


def test_files_of_models_and_their_functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text("raise SystemExit('it was run')\ndef make(): ...\nclass Big: ...\n")
    (tmp_path / "nut.pt2").touch()
    (tmp_path / "new.txt").touch()
    assert asked("audit", "--model", "n", shell="fish") == ["net.py:", "nut.pt2"]
    assert asked("audit", "--model", "net.py", ":") == ["make", "Big"]
    (tmp_path / "nets").mkdir()
    assert asked("audit", "--model", "ne", shell="bash") == [], "the shell completes paths"


def test_no_torch_is_imported() -> None:
    """Names of commands, benches, methods, networks: each in the time that Python takes to start and read the options."""
    code = "import sys; sys.modules['torch'] = None; from heatproof.cli import main; sys.argv[0] = 'heatproof'; main()"
    for words in (
        ("au",),
        ("bench", "p"),
        ("audit", "--methods", "g"),
        ("audit", "--model", "timm"),
        ("audit", "--me"),
    ):
        environment = {"COMP_WORDS": "\n".join(("heatproof", *words)), "COMP_CWORD": str(len(words))}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False,
            env={**os.environ, **environment, "_HEATPROOF_COMPLETE": "complete_bash"},
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout


@pytest.fixture
def command(tmp_path: Path) -> Path:
    """A folder for PATH with the command, as an installation makes it."""
    script = tmp_path / "bin" / "heatproof"
    script.parent.mkdir()
    script.write_text(f"#!{sys.executable}\nfrom heatproof.cli import main\nmain()\n")
    script.chmod(0o755)
    return script.parent


def typed(shell: list[str], setup: str, line: str, command: Path, wanted: str) -> str:
    """What a shell on a terminal shows once a line was typed and Tab pressed."""
    process, terminal = pty.fork()
    if process == 0:  # pragma: no cover
        path = f"{command}:{os.environ['PATH']}"
        os.execvpe(shell[0], shell, {**os.environ, "PATH": path, "TERM": "xterm", "PS1": "$ ", "COLUMNS": "200"})
    shown = b""
    try:
        for text in (f"{setup}\n", "echo rea''dy\n", f"{line}\t"):
            until = b"ready" if "rea''dy" in text else wanted.encode() if text.endswith("\t") else b""
            os.write(terminal, text.encode())
            end, before = time.monotonic() + 30, len(shown)
            while until and until not in shown[before:] and time.monotonic() < end:
                if select.select([terminal], [], [], 0.2)[0]:
                    shown += os.read(terminal, 65536)
    finally:
        os.kill(process, 9)
        os.waitpid(process, 0)
        os.close(terminal)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode(errors="replace"))


SETUP = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'eval "$(_HEATPROOF_COMPLETE=source_bash heatproof)"'),
    "zsh": (
        ["zsh", "-f", "-i"],
        'autoload -U compinit; compinit -u; eval "$(_HEATPROOF_COMPLETE=source_zsh heatproof)"',
    ),
    "fish": (["fish", "--no-config", "-i"], "_HEATPROOF_COMPLETE=source_fish heatproof | source"),
}


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("heatproof audit --methods gradient,gradc", "gradient,gradcam"),
        ("heatproof audit --model torchvision:resnet10", "torchvision:resnet101"),
    ],
)
@pytest.mark.parametrize("shell", SETUP)
def test_in_a_real_shell(shell: str, line: str, wanted: str, command: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    if "torchvision" in line:
        pytest.importorskip("torchvision")
    started, setup = SETUP[shell]
    assert wanted in typed(started, setup, line, command, wanted)
