"""A matplotlib figure as a small piece of HTML that takes its colours and its font from the page."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from markupsafe import Markup
from matplotlib.figure import Figure

from ..plots._style import CURVE, FLOOR, INK, MUTED, PAPER, RULE, VERDICT_COLOURS, ZONE
from .export import image

_COLOURS = {INK: "ink", MUTED: "muted", RULE: "rule", CURVE: "curve", FLOOR: "floor", ZONE: "zone"} | {
    colour: name for name, colour in VERDICT_COLOURS.items()
}
_COLOURS = {colour: f"var(--{name})" for colour, name in _COLOURS.items()} | {PAPER: "none"}
_KEPT = {"d", "x", "y", "width", "height", "transform", "style", "clip-path", "id", "href"}


def inline_svg(figure: Figure, prefix: str, label: str) -> Markup:
    """The figure as an ``<svg role="img">`` without metadata, style sheet or namespaces.

    Args:
        figure: drawn in the colours of `heatproof.plots`, which become the page's CSS variables (light and dark).
        prefix: put before every id, so that many figures can share a page.
        label: the text alternative.
    """
    root = ElementTree.fromstring(image(figure, "svg"))
    _clean(root, prefix)
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "aria-label": label}
    for defs in root.findall("defs"):
        for style in defs.findall("style"):
            defs.remove(style)
    for metadata in root.findall("metadata"):
        root.remove(metadata)
    text = ElementTree.tostring(root, encoding="unicode", method="html")
    return Markup(re.sub(r"\s+", " ", text).replace("> <", "><"))


def _clean(node: ElementTree.Element, prefix: str) -> None:
    for element in node.iter():
        element.tag = element.tag.rpartition("}")[2]
        named = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
        if element is node:
            continue
        element.attrib = {k: _value(k, v, prefix) for k, v in named.items() if k in _KEPT}
        if element.tag == "g":
            element.attrib.pop("id", None)


def _value(key: str, value: str, prefix: str) -> str:
    if key == "id":
        return prefix + value
    value = re.sub(r"^#|url\(#", lambda found: found[0] + prefix, value) if key != "style" else value
    if key == "style":
        value = re.sub(r"font-family:[^;]*;?|font:[^;]*;?", _size_only, value)
        value = re.sub("#[0-9a-f]{6}", lambda found: _COLOURS.get(found[0], found[0]), value)
    return re.sub(r"(\d+\.\d\d)\d+", r"\1", value)


def _size_only(found: re.Match[str]) -> str:
    """Of a font declaration only its size stays."""
    size = re.search(r"[\d.]+px", found[0]) if found[0].startswith("font:") else None
    return f"font-size: {size[0]};" if size else ""
