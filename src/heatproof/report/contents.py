"""The list of contents, in groups."""

from __future__ import annotations

from collections.abc import Iterable

from ..checks.kinds import CHECKS
from .parts import Section

Link = tuple[str, str]
TITLES = ("Weights", "Labels and classes", "Measures")


def contents(
    before: Iterable[Link], sections: dict[str, Section], after: Iterable[Link]
) -> list[tuple[str, list[Link]]]:
    """Groups of links, each with its title, "" for those around the checks."""
    groups: dict[str, list[Link]] = {title: [] for title in TITLES}
    for check, section in sections.items():
        if section.short:
            groups[_title(check)].append((section.id, section.short))
    return [group for group in (("", list(before)), *groups.items(), ("", list(after))) if group[1]]


def _title(check: str) -> str:
    kind = CHECKS.get(check)
    if kind is not None and kind.order:
        return TITLES[0]
    return TITLES[1] if check in ("labels", "planted", "random_logit") else TITLES[2]
