"""Files of ``torch.export``, looked through before torch opens them: opening one must run nothing that is in it.

``torch.export.load`` opens pickles with their code where it cannot do without, loads compiled libraries, and gives the
sizes that depend on a batch to sympy as texts, which Python evaluates; names and guards become source (`texts`).
"""

from __future__ import annotations

import json
import os
import pickle
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.utils._pytree import tree_leaves_with_path

from ..data.files import DAMAGED
from ..errors import WeightsError
from .texts import PLAIN, harmful

CODE = {"data/aotinductor/": "a compiled library", "data/constants/opaque_obj_": "a pickled object"}
"""What the name of a member begins with, and what it is, where torch would run it."""

FORCED, REFUSED = "TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
"""Environment variables of torch: every pickle is opened without its code, whatever a caller asks for; the opposite."""


def open_exported(path: Path) -> ExportedProgram:
    """The program of a ``.pt2`` file.

    Raises:
        WeightsError: something in it would run as it is opened; names it. Nothing was run.
        RuntimeError and others: damaged.
    """
    _check_members(path)
    try:
        with _without_code(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)
            program = torch.export.load(path)
    except pickle.UnpicklingError as error:
        named = re.search(r"(?:GLOBAL|global|class) \S+", str(error))
        raise _refusal(path, f"a pickle of more than tensors ({named[0] if named else 'unknown content'})") from None
    for keys, _ in tree_leaves_with_path(program.example_inputs):
        for key in keys:  # those of dicts become source, in guards
            if not PLAIN.fullmatch(str(getattr(key, "key", ""))):
                raise _refusal(path, f"a name that is none ({str(key)[:80]!r})")
    return program


def _check_members(path: Path) -> None:
    archive = _archive(path)
    for name in archive.get_file_names():
        for start, what in CODE.items():
            if name.lower().startswith(start):
                raise _refusal(path, f"{what} ({name})")
        if name.startswith("models/"):
            for what in harmful(json.loads(archive.read_bytes(name))):
                raise _refusal(path, what)


def _archive(path: Path) -> Any:
    """Torch's own reader, so that both see the same members."""
    from torch.export.pt2_archive import PT2ArchiveReader  # slow, and few models come this way

    try:
        with zipfile.ZipFile(path) as archive:
            if "version" in archive.namelist():  # torch reads those in another way, which looks through nothing
                raise RuntimeError("torch before 2.8 wrote it")
        return PT2ArchiveReader(str(path))
    except DAMAGED as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise WeightsError(
            f"{path} cannot be read as a program of torch.export, it may be cut short or of another torch: {reason}; "
            "export the model again with a recent torch"
        ) from error


@contextmanager
def _without_code() -> Iterator[None]:
    """Every `torch.load` within opens tensors only."""
    before = {name: os.environ.pop(name, None) for name in (FORCED, REFUSED)}
    os.environ[FORCED] = "1"
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _refusal(path: Path, what: str) -> WeightsError:
    return WeightsError(
        f"{path} was not opened: it holds {what}, which would run as it is opened or used. Export the model again with "
        "torch.export.save and a recent torch, or give the architecture and its weights"
    )
