"""How long the package takes to import, in processes of their own."""

from __future__ import annotations

import subprocess
import sys

from .row import Pair, Row

TORCH = 0.3
"""Seconds on top of torch."""


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _pair(*ours: str) -> Pair:
    """Theirs is torch and then so many seconds of nothing: a ratio of at most 1 is at most so much on top."""
    theirs = (sys.executable, "-c", f"import torch, time; time.sleep({TORCH})")
    return Pair(lambda: _run(*ours), lambda: _run(*theirs), lambda a, b: "both import")


ROWS = (
    Row("import", "import heatproof", f"import torch, and {TORCH} s",
        lambda: _pair(sys.executable, "-c", "import heatproof"), 1.0, None, 0.6),
    Row("help", "heatproof --help", f"import torch, and {TORCH} s",
        lambda: _pair(sys.executable, "-c", "import sys; sys.argv = ['heatproof', '--help']; "
                      "from heatproof.cli import main; main()"), 1.0, None, 0.6),
)  # fmt: skip
