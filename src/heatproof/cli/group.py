"""The command ``heatproof`` itself: commands in groups, and wrong usage as --json wants it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from typer.core import TyperGroup

from .exit_codes import USAGE
from .result import failure, print_document

WORDS = "heatproof.words"


class Commands(TyperGroup):
    """Lists commands under the headings that ``rich_help_panel`` gives them, without rich's own help, which would take
    brackets for markup and break what is piped."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        found = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        panels = {name: getattr(made, "rich_help_panel", None) or "Other commands" for name, made in found.items()}
        for panel in dict.fromkeys(panels.values()):
            rows = [(n, made.get_short_help_str(150)) for n, made in found.items() if made and panels[n] == panel]
            with formatter.section(panel):
                formatter.write_dl(rows)

    def make_context(self, info_name: Any, args: Any, parent: Any = None, **extra: Any) -> Any:
        words = list(args)
        with _usage_as_json(words):
            context = super().make_context(info_name, args, parent, **extra)
        context.meta[WORDS] = words
        return context

    def invoke(self, ctx: Any) -> Any:
        with _usage_as_json(ctx.meta.get(WORDS, ())):
            return super().invoke(ctx)


@contextmanager
def _usage_as_json(words: Sequence[str]) -> Iterator[None]:
    """Within: wrong usage is a document too where --json was asked for; typer prints its text on stderr in any case."""
    try:
        yield
    except Exception as error:
        if "--json" in words and getattr(error, "exit_code", None) == USAGE and hasattr(error, "format_message"):
            name = getattr(getattr(error, "ctx", None), "command_path", "heatproof")
            print_document(" ".join(name.split()[1:]), USAGE, failure("UsageError", error.format_message()))
        raise
