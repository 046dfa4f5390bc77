"""How results show themselves in a notebook: tables, marks and pictures, as HTML without scripts or requests.

`fragment` writes it; every other module says what one class has to show. Nothing here computes a number.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from markupsafe import Markup

from ..visible import visible


def shows(kind: str) -> Callable[[Any], str]:
    """The ``_repr_html_`` of a class, written by ``html`` of the module of that name, which is imported at its first use.

    It never raises: what cannot be drawn says so in its place, and the cell goes on.
    """

    def _repr_html_(self: Any) -> str:
        try:
            return str(import_module(f"{__name__}.{kind}").html(self))
        except Exception as error:
            said = (
                f"{type(self).__name__} cannot be drawn here ({type(error).__name__}: {error}); print() shows it as text, "
                "and its fields are what they were"
            )
            return str(Markup("<p>{}</p>").format(visible(said)))

    return _repr_html_
