"""Names of files, classes and methods that hold characters which act instead of being seen."""

from __future__ import annotations

import re

_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but tab and line feed, those that turn the direction of text, and lone surrogates, which stand for
bytes of undecodable file names and which UTF-8 cannot carry."""


def visible(text: str) -> str:
    r"""A text whose acting characters are written as their codes: a terminal obeys none of them, a page turns none round.

    Example:
        >>> visible("\x1b[31mred") == r"\x1b[31mred", visible("gnp\u202e.exe") == r"gnp\u202e.exe", visible("naïve 图")
        (True, True, 'naïve 图')
    """
    return _ACTING.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
