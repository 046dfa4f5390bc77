"""The reference of the command line, made from the commands themselves: what `--help` says is what the page says."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

from mkdocs.structure.files import File, Files
from typer.main import get_command

from heatproof.cli import app

PAGE = "reference/cli.md"


def on_files(files: Files, config: Any, **_: Any) -> Files:
    """Add the page; MkDocs calls it once."""
    text = "\n".join(_lines(get_command(app), "heatproof", None, 1))
    files.append(File.generated(config, PAGE, content=text))
    return files


def _lines(command: Any, name: str, parent: Any, level: int) -> Iterator[str]:
    """A heading, the help and the options of a command, then those of its commands."""
    context = command.make_context(name, [], parent, resilient_parsing=True)
    yield f"{'#' * level} {'Command line' if level == 1 else context.command_path}\n"
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f"```text\n{usage}\n```\n"
    yield from (f"{_text(part)}\n" for part in (command.help or "").split("\n\n"))
    yield from _options(command, context)
    if hasattr(command, "list_commands"):
        for inner in (command.get_command(context, name) for name in command.list_commands(context)):
            if not inner.hidden:
                yield from _lines(inner, inner.name, context, level + 1)


def _options(command: Any, context: Any) -> Iterator[str]:
    records = [record for p in command.get_params(context) if (record := p.get_help_record(context))]
    if records:
        yield from ("| option | what it does |", "|---|---|")
        yield from (f"| `{name}` | {_text(what)} |" for name, what in records)
        yield ""


def _text(text: str) -> str:
    """Words of the help as they are: no letter of them is Markdown."""
    words = html.escape(" ".join(text.split()), quote=False)
    return "".join(f"&#{ord(c)};" if c in "\\`*_[]|#" else c for c in words)
