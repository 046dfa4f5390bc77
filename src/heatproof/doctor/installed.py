"""Versions of what heatproof needs, and of what its extras bring: each is imported, since a version alone proves little."""

from __future__ import annotations

import platform
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module, metadata

from .._version import __version__
from .finding import Finding, State

CORE = {"torch": "torch", "numpy": "numpy", "pandas": "pandas", "matplotlib": "matplotlib", "pillow": "PIL",
        "jinja2": "jinja2", "rich": "rich", "typer": "typer", "safetensors": "safetensors"}  # fmt: skip
"""Packages with the modules that they bring."""
LEAST_TORCH = (2, 10)


@dataclass(frozen=True)
class Extra:
    """An optional part: packages with their modules, and what they are for."""

    packages: dict[str, str]
    purpose: str


EXTRAS = {
    "vision": Extra({"torchvision": "torchvision", "timm": "timm"}, "networks torchvision:NAME and timm:NAME"),
    "demo": Extra({"scikit-learn": "sklearn"}, "heatproof demo, and the built-in scenes --data digits"),
    "serve": Extra(
        {"starlette": "starlette", "uvicorn": "uvicorn", "python-multipart": "python_multipart"}, "heatproof serve"
    ),
    "hf": Extra({"transformers": "transformers"}, "networks in folders of transformers"),
    "notebook": Extra({"ipywidgets": "ipywidgets"}, "progress bars in notebooks"),
    "ray": Extra({"ray": "ray"}, "--engine ray"),
}


def installed() -> Iterator[Finding]:
    """Python and heatproof, then each package."""
    yield Finding("installed", "python", "ok", f"{platform.python_version()} on {platform.platform()}")
    yield Finding("installed", "heatproof", "ok", __version__)
    for package, module in CORE.items():
        yield _found(package, module, f"pip install --force-reinstall {package}", needed=True)
    for extra, held in EXTRAS.items():
        for package, module in held.packages.items():
            yield _found(package, module, f'pip install "heatproof[{extra}]"', needed=False, purpose=held.purpose)


def _found(package: str, module: str, install: str, needed: bool, purpose: str = "") -> Finding:
    """A package: its version, or why it cannot be used."""
    use = f" (for {purpose})" if purpose else ""
    try:
        version = metadata.version(package)
    except metadata.PackageNotFoundError:
        state: State = "problem" if needed else "note"
        return Finding("installed", package, state, f"not installed{use}", install)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import_module(module)
    except Exception as error:  # a package of others may raise anything as it is imported
        return Finding("installed", package, "problem", f"{version} does not import: {_line(error)}{use}",
                       _mend(package, install))  # fmt: skip
    if package == "torch" and _numbers(version) < LEAST_TORCH:
        least = ".".join(map(str, LEAST_TORCH))
        return Finding(
            "installed", package, "problem", f"{version} is older than {least}", f"pip install 'torch>={least}'"
        )
    return Finding("installed", package, "ok", f"{version}{use}")


def _mend(package: str, install: str) -> str:
    """What to do about a package that is there and does not import."""
    torch = sys.modules.get("torch")
    if package not in ("torchvision", "timm") or torch is None:
        return (
            install if "--force-reinstall" in install else install.replace("install ", "install --force-reinstall ", 1)
        )
    return (f"torchvision must be built for torch {torch.__version__}: install both from one index: pip install torch "
            "torchvision --index-url https://download.pytorch.org/whl/cpu")  # fmt: skip


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("+")[0].split(".")[:2] if part.isdigit())


def _line(error: BaseException) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0] if text else ''}".rstrip(": ")
