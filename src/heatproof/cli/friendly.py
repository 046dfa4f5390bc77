"""What every command does alike: --json and --quiet, errors as one readable text, exit codes."""

from __future__ import annotations

import inspect
import io
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Annotated, Any, cast

import typer

from ..errors import HeatproofError, out_of_memory
from .console import errors, spoken
from .exit_codes import FAILED
from .result import Result, failure, print_document, print_essential

Json = Annotated[bool, typer.Option("--json", help="one JSON document on stdout, everything else on stderr")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="nothing but errors and the paths of the result")]
MEMORY = (
    "out of memory; try a smaller --chunk (of bench roar and kar also --stack, networks trained at once), or --device cpu. "
    "Finished jobs stay."
)


class Command:
    """One call of a command: what it is called, and how it speaks. The options may stand before its name, too."""

    def __init__(self, context: typer.Context, as_json: bool, quiet: bool) -> None:
        self.name = " ".join(context.command_path.split()[1:])
        self.as_json = as_json or context.find_root().params.get("as_json", False)
        self.quiet = quiet or context.find_root().params.get("quiet", False)

    def finish(self, result: Result | None) -> None:
        """Say what is left, and end with its code."""
        result = result or Result()
        if self.as_json:
            print_document(self.name, result.code, result.facts)
        elif self.quiet:
            print_essential(result)
        if result.code:
            raise typer.Exit(result.code)

    def fail(self, error: BaseException, message: str, code: int, style: str = "red") -> typer.Exit:
        """Say what went wrong, on stderr and in the document."""
        errors.print(f"heatproof: {message}", style=style)
        if self.as_json:
            print_document(self.name, code, failure(type(error).__name__, message))
        return typer.Exit(code)


def friendly(command: Callable[..., Result | None]) -> Callable[..., None]:
    """A command with --json and --quiet, whose errors are one readable text, and whose exit codes are `EXIT_CODES`."""

    @wraps(command)
    def run(context: typer.Context, as_json: bool, quiet: bool, **given: Any) -> None:
        _print_every_name()
        called = Command(context, as_json, quiet)
        with spoken(to_stderr=called.as_json, quiet=called.quiet):
            called.finish(_outcome(called, lambda: command(**given)))

    own = [p.replace(kind=p.KEYWORD_ONLY) for p in inspect.signature(command, eval_str=True).parameters.values()]
    modes = [("context", typer.Context, inspect.Parameter.empty), ("as_json", Json, False), ("quiet", Quiet, False)]
    added = [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=d, annotation=a) for n, a, d in modes]
    run.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]
    run.__doc__ = _with_example(inspect.getdoc(command) or "")
    run.__annotations__ = {p.name: p.annotation for p in (*own, *added)}
    return cast("Callable[..., None]", run)


def _with_example(text: str) -> str:
    """A docstring whose line "Example: COMMAND" is not broken by the help."""
    return text.replace("\n\nExample: ", "\n\n\b\nExample:\n  ")


def _outcome(called: Command, work: Callable[[], Result | None]) -> Result | None:
    """What a command leaves; an error of ours, Ctrl-C and SIGTERM become a text and a code."""
    try:
        with ended_as_interrupted():
            return work()
    except KeyboardInterrupt as error:
        number = error.args[0] if error.args else signal.SIGINT
        how = "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"
        text = f"{how}; finished jobs stay, the same command goes on from here"
        raise called.fail(error, text, 128 + number, "yellow") from error
    except typer.Exit:
        raise
    except Exception as error:
        if isinstance(error, HeatproofError):
            raise called.fail(error, str(error), FAILED) from error
        if out_of_memory(error):
            raise called.fail(error, MEMORY, FAILED) from error
        if called.as_json and not _of_typer(error):  # a mistake of heatproof's: Python prints where, and leaves with 1
            print_document(called.name, FAILED, failure(type(error).__name__, str(error)))
        raise


def _of_typer(error: Exception) -> bool:
    """Wrong usage, which `heatproof.cli.group` tells."""
    return hasattr(error, "exit_code")


def _print_every_name() -> None:
    """Names of files may hold bytes that are no text: they are printed as such, where Python would raise."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def ended_as_interrupted() -> Iterator[None]:
    """Within: SIGTERM, with which schedulers end jobs, leaves as Ctrl-C does, with nothing half-written behind."""

    def interrupted(number: int, _: object) -> None:
        raise KeyboardInterrupt(number)

    if threading.current_thread() is not threading.main_thread():  # where Python takes no signals
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
