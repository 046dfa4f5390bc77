"""Models in one file: ``torch.export`` programs and TorchScript archives. Programs run: load only those you trust."""

from __future__ import annotations

import logging
import os
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.export import ExportedProgram

from ..data.files import DAMAGED
from ..errors import InputError, WeightsError
from .exported import open_exported
from .weights import file_sha256

EXPORTED = (".pt2",)
SCRIPTED = (".pt", ".ts", ".pth", ".jit")
PROGRAMS = EXPORTED + SCRIPTED


@dataclass(frozen=True)
class Program:
    """A module read from a file, the one batch size it takes (None = any), and the file's SHA-256."""

    model: nn.Module
    batch: int | None
    sha256: str


def read_program(path: Path, device: torch.device) -> Program:
    """The module of a ``.pt2`` file (``torch.export.save``) or a TorchScript archive, on the device.

    Opening one runs nothing that is in it (`open_exported`; TorchScript has no Python pickles), but a program runs as
    soon as it is explained. TorchScript takes methods that need gradients alone; those that need rules refuse it by name.

    Raises:
        InputError: no such file.
        WeightsError: damaged, holds what would run as it is opened, or not a program (a checkpoint needs an architecture
            to go with it).
    """
    if not os.path.isfile(path):  # unlike Path.is_file, False for a name that is too long
        what = f"{path} is a folder" if os.path.isdir(path) else f"there is no model file {path}"
        raise InputError(f"{what}; expected a program of torch.export (.pt2) or TorchScript")
    names = _members(path)
    try:
        if path.suffix.lower() in EXPORTED:
            return _exported(path, device)
        if not any(name.endswith("/constants.pkl") for name in names):
            raise WeightsError(
                f"{path} is not a TorchScript program; if it is a checkpoint, name the architecture as the model "
                f"(torchvision:NAME, package.module:factory) and give {path.name} as its weights"
            )
        return Program(_scripted(path, device), None, file_sha256(path))
    except DAMAGED as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        why = "" if "warnings above" in reason else f": {reason}"  # those are not printed, see `_quiet`
        raise WeightsError(
            f"{path} cannot be read as a {path.suffix} program, it may be cut short or of another torch{why}"
        ) from error


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError) as error:
        raise WeightsError(
            f"{path} is no {path.suffix} program: {error}. Such files are zip archives; it may be cut short, or a "
            "checkpoint, which is no model: give it with --weights, and the architecture with --model"
        ) from error


def _exported(path: Path, device: torch.device) -> Program:
    with _quiet("torch.export"):
        program = open_exported(path)
    if device.type != "cpu":
        from torch.export.passes import move_to_device_pass

        program = move_to_device_pass(program, device)
    return Program(program.module(), _batch(program), file_sha256(path))


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Within: a logger prints nothing; torch writes the traceback of a damaged file before it raises what we tell."""
    log = logging.getLogger(name)
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def _batch(program: ExportedProgram) -> int | None:
    """The first dimension of the first input where it is a number and not a symbol."""
    inputs = program.graph_signature.user_inputs
    for node in program.graph.nodes:
        if node.op == "placeholder" and inputs and node.name == inputs[0]:
            shape = list(getattr(node.meta.get("val"), "shape", ()))
            return shape[0] if shape and isinstance(shape[0], int) else None
    return None


def _scripted(path: Path, device: torch.device) -> nn.Module:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r".*torch\.jit\.load.* is deprecated", DeprecationWarning)
        model: nn.Module = torch.jit.load(path, map_location=device)  # type: ignore[no-untyped-call]
    return model.eval()
