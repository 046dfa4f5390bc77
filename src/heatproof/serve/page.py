"""The page: one file whose style and scripts stand in it, and the policy that allows no others."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

SCRIPTS = ("server.js", "classes.js", "cards.js", "page.js", "after.js")
STYLES = (("heatproof.report", "style.css"), (__package__, "style.css"))


def page() -> tuple[str, str]:
    """The page, in which nothing comes from outside of this package, and its Content-Security-Policy."""
    style = "".join(_text(package, name) for package, name in STYLES)
    script = '"use strict";\n' + "".join(_text(__package__, name) for name in SCRIPTS)
    html = _text(__package__, "page.html").replace("{{ style }}", style).replace("{{ script }}", script)
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; img-src data: blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return html, policy


def _text(package: str, name: str) -> str:
    return (resources.files(package) / name).read_text("utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
