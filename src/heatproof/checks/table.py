"""The table of checks; it needs no torch, so that help and completion are quick."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """What a check does.

    Attributes:
        title: what it is, for people.
        order: how `randomize` changes the network; "" for checks that do something else.
        which: the parameters that are randomised.
        judged: half of its stages on, most of what was learned is gone, so that a map that stays is a finding. (Not so for
            graded: with half of every weight kept a network may still work, and a faithful map may stay.)
        whole: at its last stage nothing original is left, so that the floor should be reached.
        curve: its rows are similarities to the original's map, drawn against a floor.
    """

    title: str
    order: str = ""
    which: str = "all"
    judged: bool = False
    whole: bool = False
    curve: bool = True


CHECKS = {
    "cascading": Check("weights randomised from the output down", "cascading", judged=True, whole=True),
    "reverse": Check("weights randomised from the input up", "reverse", judged=True, whole=True),
    "independent": Check("weights of one block at a time randomised", "independent"),
    "full": Check("all weights randomised at once", "full", judged=True, whole=True),
    "graded": Check("every weight mixed with a share of a random one", "graded"),
    "biases": Check("only biases randomised, from the output down", "cascading", which="biases"),
    "smooth": Check(
        "weights randomised from the input up, maps averaged over noisy copies", "reverse", judged=True, whole=True
    ),
    "labels": Check("a network trained on permuted labels", judged=True),
    "random_logit": Check("the map of another class"),
    "efficient": Check("entropy of the maps of random networks", curve=False),
    "calibration": Check("what the similarities of unrelated maps are", curve=False),
    "kept": Check("what competition between classes keeps", curve=False),
    "classes": Check("maps of every class", curve=False),
    "planted": Check("two networks that read different places of the same images", curve=False),
}
"""Every check, in the order of the report. Those without an `order` need no stages."""
TRAINED = ("labels", "planted")
"""Checks that train networks; "all" leaves them out."""
