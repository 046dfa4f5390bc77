"""What reaches a terminal: names as they are, and no control character of one."""

from __future__ import annotations

import io
import re
from importlib import import_module
from pathlib import Path

import pytest
from PIL import Image
from rich.table import Table
from rich.text import Text

from heatproof import progress
from heatproof.cli import tables as shell_tables
from heatproof.plain_console import PlainConsole
from test_cli import FAST, run
from test_cli import place as place
from test_progress import Screen

shell = import_module("heatproof.cli.console")

NAMES = {
    "markup": "[red]a[/red] [/] [link=http://attack.invalid]b[/link] \\[bold]",
    "emoji": "a:smile:.png",
    "escape": "\x1b[31mred\x1b[2J\x1b]0;title\x07\x1b]8;;http://attack.invalid\x1b\\",
    "eight bits": "a\x9b31mred",
    "line": "done\rgone\x08\x0b\x0c",
    "direction": "gnp\u202e.exe\u2066",
    "undecodable": "a\udcff.png",
    "null": "a\x00b",
}
ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printed(*what: object, terminal: bool = False) -> str:
    """What a console writes through the encoding of its file."""
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="utf-8", write_through=True)
    console = PlainConsole(file=file, width=200, force_terminal=terminal)
    for one in what:
        console.print(one)
    return raw.getvalue().decode("utf-8")


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_no_name_acts_on_a_terminal(name: str) -> None:
    table = Table(name, title=name)
    table.add_row(name)
    for text in (printed(name), printed(Text(name)), printed(table)):
        assert not ACTING.search(text)


@pytest.mark.parametrize("name", [NAMES["markup"], NAMES["emoji"]])
def test_names_are_neither_markup_nor_emoji(name: str) -> None:
    table = Table(name, title=name)
    table.add_row(name)
    assert printed(name) == printed(Text(name)) == f"{name}\n"
    assert printed(table).count(name) == 3


def test_acting_characters_are_told_by_their_codes() -> None:
    assert printed(NAMES["escape"]).startswith("\\x1b[31mred\\x1b[2J")
    assert printed(NAMES["direction"]) == "gnp\\u202e.exe\\u2066\n"
    assert printed(NAMES["undecodable"]) == "a\\udcff.png\n"
    assert printed("two\nlines") == "two\nlines\n"


def test_colours_of_our_own_stay() -> None:
    assert "\x1b[3" in printed(Text("sensitive", "green"), terminal=True)


def test_a_table_keeps_its_columns_under_such_names(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(shell_tables, "console", PlainConsole(file=screen, width=100))
    names = [NAMES["escape"][:10], NAMES["direction"], "[red]gradient[/red]", "gradient"]
    shell_tables.print_tables([("scores", ["method", "score"], [[name, "0.25"] for name in names])])
    lines = [line for line in screen.getvalue().splitlines() if "0.25" in line]
    assert len({line.index("0.25") for line in lines}) == 1
    assert len(lines) == 4
    assert "[red]gradient[/red]" in screen.getvalue()


def test_progress_bars_take_words_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(progress, "console", PlainConsole(file=screen, width=150, force_terminal=True))
    with progress.bar("[red]what[/] \x1b[2J") as step:
        step(1, 2, None, "[/nonsense] \x1b[2J")
    shown = screen.getvalue()
    assert "[/nonsense]" in shown
    assert "\x1b[2J" not in shown


def test_files_with_such_names_are_named_and_do_nothing(place: Path) -> None:
    """A broken picture, one that is read, and a folder, through two commands."""
    folder = place / "photos" / "[red]"
    folder.mkdir()
    (folder / "broken\x1b[2J[bold]:smile:.png").write_bytes(b"no picture")
    Image.new("RGB", (20, 20), "red").save(folder / "good\x1b]0;title\x07 $x^2$.png")
    for command in (("explain", "--methods", "gradient", "--out", "maps"), ("audit", *FAST, "--out", "[bold]run")):
        result = run(place, *command)
        assert result.exit_code == 0, result.text
        assert "skipped: [red]/broken\\x1b[2J[bold]:smile:.png" in result.text
        assert not ACTING.search(result.output)
    assert "[bold]run" in result.text
    assert "good_0_title_x_2.png" in {path.name.replace("__", "_") for path in (place / "maps").iterdir()}


@pytest.mark.parametrize("model", ["[/]", "[red]x:y", "\x1b[2J:net"])
def test_a_model_of_such_a_name_is_one_clear_text(place: Path, model: str) -> None:
    result = run(place, "audit", "--model", model)
    assert result.exit_code == 1, result.output
    assert not ACTING.search(result.output)
    assert "heatproof:" in result.text
