"""The exit codes of every command: used by the code, shown by --help, named in the docs."""

from __future__ import annotations

from collections.abc import Mapping

DONE, FAILED, USAGE, JUDGED, INTERRUPTED, ENDED = 0, 1, 2, 3, 130, 143

EXIT_CODES: Mapping[int, str] = {
    DONE: "done",
    FAILED: "an error, which says what to do: no such file, method, class; of doctor: something is broken",
    USAGE: "wrong usage: no such command or option, one missing, or a number that it does not take",
    JUDGED: "done, and a method has a verdict of --fail-on",
    INTERRUPTED: "interrupted (Ctrl-C): finished jobs stay, the same command resumes",
    ENDED: "ended by SIGTERM: finished jobs stay, the same command resumes",
}


def reason(code: int) -> str:
    """The meaning of a code in a word or two, as ``--json`` gives it beside the code."""
    return {
        DONE: "done", FAILED: "error", USAGE: "usage", JUDGED: "fail-on", INTERRUPTED: "interrupted", ENDED: "ended",
    }.get(code, "signal")  # fmt: skip
