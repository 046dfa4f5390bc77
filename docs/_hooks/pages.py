"""What is made of every page as the site is built: equations become MathML, so that none needs a script or another host."""

from __future__ import annotations

import html
import re
from typing import Any

from latex2mathml.converter import convert

INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
OWN_RUN = re.compile(r'<a [^>]*href="runs/[^"]*"[^>]*>(.*?)</a>', re.DOTALL)
SEARCH = 'data-md-component="search" role="dialog"'
BLOCK = re.compile(r'<div class="arithmatex">\\\[(.*?)\\\]</div>', re.DOTALL)


def on_page_content(content: str, **_: Any) -> str:
    """What `pymdownx.arithmatex` marked, converted; MkDocs calls it for each page."""
    content = BLOCK.sub(lambda found: f'<div class="equation" tabindex="0">{_mathml(found[1], "block")}</div>', content)
    return INLINE.sub(lambda found: _mathml(found[1], "inline"), content)


def on_post_page(output: str, **_: Any) -> str:
    """The search, a dialog, gets a name; links to reports of the notebook's own runs, which are not here, go."""
    return OWN_RUN.sub(r"\1", output.replace(SEARCH, f'{SEARCH} aria-label="Search"'))


def _mathml(latex: str, display: str) -> str:
    return convert(html.unescape(latex).strip(), display=display)
