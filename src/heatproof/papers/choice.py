"""From what a user types to papers and claims."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from ..errors import InputError
from . import PAPERS

ALL = "all"


def chosen(which: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names of papers and ids of claims, in any case; "all" stands for every paper, S0-Fig5 for all claims of that row.

    Raises:
        InputError: a name that is neither; names what is near.
    """
    ids = {claim.id.lower(): claim.id for paper in PAPERS.values() for claim in paper.claims}
    papers: list[str] = []
    claims: list[str] = []
    for text in which:
        name = text.lower().replace("_", "-")
        if name == ALL:
            papers += PAPERS
        elif name in PAPERS:
            papers.append(name)
        elif found := [
            ids[i] for i in ids if i == text.lower() or i.startswith(tuple(f"{text.lower()}{mark}" for mark in "-/."))
        ]:
            claims += found
        else:
            near = get_close_matches(text.lower(), [ALL, *PAPERS, *ids], n=3)
            hint = f"did you mean {', '.join(ids.get(n, n) for n in near)}?" if near else f"papers: {', '.join(PAPERS)}"
            raise InputError(f"there is no paper and no claim {text!r}; {hint} See all ids: heatproof paper list")
    return list(dict.fromkeys(papers)), list(dict.fromkeys(claims))
