"""The sections of all checks, in the order in which people read them."""

from __future__ import annotations

from collections.abc import Callable

from ..checks.kinds import CHECKS
from ..experiment.results import Results
from ..plots._select import checks_of, first_check, in_order
from .calibration import calibration_section
from .check_sections import bar_section, curve_section
from .extra_sections import efficient_section, kept_section, label_section
from .parts import Section
from .planted import planted_section

Made = Callable[[Results], Section | None]
OTHERS: dict[str, Made] = {
    "labels": label_section,
    "efficient": efficient_section,
    "calibration": calibration_section,
    "kept": kept_section,
    "planted": planted_section,
}


def sections(results: Results) -> dict[str, Section]:
    """Check -> its section: the first check, then as in `CHECKS`, planted evidence after the labels.

    The curves of the first check are in the cards and the overview.
    """
    curves, bars = (checks_of(results, staged) for staged in (True, False))
    found = {}
    order = in_order(results, dict.fromkeys([*CHECKS, *curves, *bars]))
    for place, check in enumerate(_planted_after_labels(order)):
        section = None
        if check in OTHERS:
            section = OTHERS[check](results)
        elif check in bars:
            section = bar_section(results, check, f"check-{place}")
        elif check in curves and check != first_check(results):
            section = curve_section(results, check, f"check-{place}")
        if section is not None:
            found[check] = section
    return found


def _planted_after_labels(checks: list[str]) -> list[str]:
    others = [check for check in checks if check != "planted"]
    others.insert(others.index("labels") + 1, "planted")
    return others
