"""Every code block of README, CONTRIBUTING and docs/ runs, in the order of its page, in a folder with the files it names.

Commands are the pages' own with options appended that make them short (`SHORT`; of an option given twice the last counts).
`NOT_RUN` lists those that cannot run in a test, with the reason: their options are read all the same.
"""

from __future__ import annotations

import doctest
import io
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from docs_blocks import PAGES, ROOT, Block, blocks_of, commands_of
from docs_place import hugging_face, prepared, zoo
from heatproof.cli import app
from heatproof.types import METHODS

LANGUAGES = {"python", "sh", "text"}
SHORT = {
    "audit": "--limit 2 --seeds 1 --nulls 2 --stages 2 --workers 1 --threads 1",
    "bench": "--limit 2 --threads 1",
    "explain": "--limit 1 --threads 1",
}
NOT_RUN = {
    r"--engine ray": "needs a cluster: tests/test_ray.py starts one",
    r"--check labels,planted": "trains for minutes: tests/test_audit.py does it on a smaller scale",
    r"^bench roar": "trains for half an hour",
    r"^paper run": "takes 15 minutes to 3 hours",
    r"^demo": "trains and audits for minutes: tests/test_demo.py",
    r"^serve": "runs until it is ended: tests/test_serve.py",
}
PLACEHOLDER = "--model net.py:make --weights net.safetensors --images photos --size 64"
"""What ``...`` stands for in ``heatproof audit ...``."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("docs"))


@pytest.fixture
def methods_as_before() -> Iterator[None]:
    before = dict(METHODS)
    yield
    METHODS.clear()
    METHODS.update(before)


@pytest.mark.parametrize("page", PAGES)
def test_blocks_are_of_a_known_kind(page: str) -> None:
    """A block that is indented, or of another language, would be run by nobody."""
    text = (ROOT / page).read_text(encoding="utf-8")
    assert {b.language for b in blocks_of(page)} <= LANGUAGES, page
    assert text.count("```") == 2 * len(blocks_of(page)), page
    outside = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert not re.search(r"^\n {4,}(?![-*])\S", outside, flags=re.MULTILINE), f"{page}: an indented block; fence it"


@pytest.mark.parametrize("page", [page for page in PAGES if any(b.language != "text" for b in blocks_of(page))])
@pytest.mark.usefixtures("methods_as_before")
def test_page_runs(page: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = blocks_of(page)
    folder = tmp_path / "page"
    shutil.copytree(place, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    text = "\n".join(b.code for b in blocks)
    if "torchvision:" in text:
        pytest.importorskip("torchvision")
        zoo(folder, text)
    if "hf:" in text:
        pytest.importorskip("transformers")
        hugging_face(folder)
    for block in blocks:
        if block.title and "/" not in block.title:
            (folder / block.title).write_text(block.code)
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks:
        if block.language == "python":
            _run_python(block, names)
        elif block.language == "sh":
            for words in commands_of(block.code):
                _run_command(block, words)


def _run_python(block: Block, names: dict[str, Any]) -> None:
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(block.code, block.place, "exec"), names)
    if block.output is not None:
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        assert doctest.OutputChecker().check_output(block.output, printed.getvalue(), flags), (
            f"{block.place} printed:\n{printed.getvalue()}"
        )


def _run_command(block: Block, words: list[str]) -> None:
    program, rest = Path(words[0]).name, words[1:]
    {"heatproof": _heatproof, "make": _make, "pip": _pip, "git": _git, "cd": _cd}[program](block.place, rest)


def _heatproof(place: str, words: list[str]) -> None:
    words = [part for word in words for part in (PLACEHOLDER.split() if word == "..." else [word])]
    _parse(words)
    if any(re.search(pattern, " ".join(words)) for pattern in NOT_RUN):
        return
    result = CliRunner().invoke(app, [*words, *_short(words)])
    expected = (0, 3) if "--fail-on" in words else (0,)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code in expected, f"{place}: heatproof {' '.join(words)}\n{result.output}"


def _short(words: list[str]) -> list[str]:
    more = SHORT.get(words[0], "").split()
    if more and "--methods" not in words and words[1] != "roar":
        more += ["--methods", "gradient, random_map"]
    return more + (["--size", "64", "--resize", "64"] if any("torchvision:" in word for word in words) else [])


def _parse(words: list[str]) -> None:
    """Raises where a command, an option or its value does not exist."""
    command, name, context = get_command(app), "heatproof", None
    while hasattr(command, "list_commands"):
        context = command.make_context(name, [], context, resilient_parsing=True)
        assert words, f"{name} of what? One of {command.list_commands(context)}"
        assert words[0] in command.list_commands(context), f"{name} has no command {words[0]}"
        command, name, words = command.get_command(context, words[0]), words[0], words[1:]
    command.make_context(name, list(words), context)


def _make(place: str, targets: list[str]) -> None:
    """Not run: each makes an environment from the package registry. The target must exist."""
    for target in targets:
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE), f"{place}: make {target}"


def _pip(place: str, words: list[str]) -> None:
    """Not run: no registry in tests. The extras must exist."""
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    asked = re.findall(r"\[(.*?)\]", " ".join(words))
    assert words[0] == "install", place
    assert {extra for group in asked for extra in group.split(",")} <= set(known), place


def _git(place: str, words: list[str]) -> None:
    """Not run: the repository has no address of its own yet."""
    assert words[0] == "clone", place


def _cd(place: str, words: list[str]) -> None:
    """Into what was cloned: the folder of the page is that."""
    assert words == ["heatproof"], place


LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_of_the_repository(page: str) -> None:
    """Those of docs/ are checked as the site is built."""
    inside = [link for link in LINK.findall((ROOT / page).read_text(encoding="utf-8")) if "://" not in link]
    assert inside
    assert [link for link in inside if not os.path.exists(ROOT / link)] == []
