"""Colours of curves and bars: a method has the same one in every figure of every paper."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from ._style import CURVE, FLOOR, VERDICT_COLOURS, ZONE, is_control

BLUE, ORANGE, GREEN = CURVE, ZONE, VERDICT_COLOURS["sensitive"]
MAGENTA, OLIVE = VERDICT_COLOURS["input-dominated"], VERDICT_COLOURS["undecided"]
TEAL, PURPLE, BROWN, CRIMSON, LIME, SKY, LILAC = (
    "#0788a8", "#7440b8", "#7d4a2f", "#c8102e", "#5a8a00", "#4a8fd6", "#a479dc",
)  # fmt: skip
PALETTE = (BLUE, ORANGE, GREEN, MAGENTA, OLIVE, TEAL, PURPLE, BROWN, CRIMSON, LIME, SKY, LILAC)
"""Names that have no colour of their own take the first that is free. Dark pages have a lighter one for each."""
MARKERS = "osD^vPX*<>hd"
"""One for each colour: no figure relies on the colour alone."""

OWN = {
    "gradient_x_input": TEAL,
    "gradient": BLUE,
    "input_gradient": BLUE,
    "smoothgrad": SKY,
    "integrated_gradients": PURPLE,
    "ig_smoothgrad": LILAC,
    "guided_backprop": ORANGE,
    "guided_gradcam": OLIVE,
    "gradcam": GREEN,
    "deconvnet": BROWN,
    "rectgrad": MAGENTA,
    "cgi": CRIMSON,
    "clrp": PURPLE,
    "fullgrad": LIME,
    "simple_fullgrad": OLIVE,
    "lrp": BROWN,
    "deeplift": OLIVE,
    "occlusion": GREEN,
    "measured": BLUE,
    "here": BLUE,
    "ours": BLUE,
    "published": FLOOR,
    "paper": FLOOR,
    "the_paper": FLOOR,
    "random": FLOOR,
    "chance": FLOOR,
}
"""By what a name begins with."""
SPELLED = {"grad_cam": "gradcam", "guided_bp": "guided_backprop", "rect_grad": "rectgrad", "full_grad": "fullgrad",
           "smooth_grad": "smoothgrad", "vanilla_gradient": "gradient", "gradient_input": "gradient_x_input"}  # fmt: skip


def tints(names: Iterable[str], quiet: Collection[str] = ()) -> dict[str, str]:
    """A colour for each name: its own, or the first free one where it has none or another variant has taken it.

    Args:
        quiet: names that are grey whatever they are.

    Example:
        >>> tints(["rectgrad(q=98)", "rectgrad(q=10)", "random_map"]) == {
        ...     "rectgrad(q=98)": MAGENTA, "rectgrad(q=10)": BLUE, "random_map": FLOOR}
        True
    """
    every = list(dict.fromkeys(names))
    asked = {name: FLOOR if name in quiet or is_control(name, {}) else own_colour(name) for name in every}
    found: dict[str, str] = {}
    for name, colour in asked.items():
        if colour == FLOOR or (colour and colour not in found.values()):
            found[name] = colour
    free = [colour for colour in PALETTE if colour not in found.values()] or list(PALETTE)
    rest = [name for name in every if name not in found]
    found |= {name: free[place % len(free)] for place, name in enumerate(rest)}
    return {name: found[name] for name in every}


def own_colour(name: str) -> str:
    """Of a method, or of a word such as "measured"; "" for a name that has none.

    Example:
        >>> own_colour("Grad-CAM") == own_colour("gradcam(layer=None)") == GREEN, own_colour("stage 3")
        (True, '')
    """
    key = re.sub("[^a-z]+", "_", name.partition("(")[0].lower()).strip("_")
    for spelled, known in SPELLED.items():
        key = re.sub(f"(?<![a-z]){spelled}(?![a-z])", known, key)
    starts = [known for known in OWN if key == known or key.startswith(f"{known}_")]
    return OWN[max(starts, key=len)] if starts else ""


def marker_of(colour: str) -> str:
    """The marker that goes with a colour; "" for grey."""
    return MARKERS[PALETTE.index(colour)] if colour in PALETTE else ""
