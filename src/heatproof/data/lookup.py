"""Find an object by text: ``package.module:name`` or ``path/to/file.py:name``, the current directory importable."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import InputError, RunError


def find_object(text: str, what: str) -> Any:
    """The object that ``module:name`` or ``file.py:name`` names. Importing runs the module's code.

    Args:
        text: the module and the name in it (dots allowed), separated by a colon.
        what: what is looked for, for the error texts ("a model factory").

    Raises:
        InputError: malformed text, no such module, file or name, or a module that fails as it is imported.
    """
    source, colon, name = text.rpartition(":")
    if not (colon and source and name) or (not source.endswith(".py") and "" in source.split(".")):
        raise InputError(f"{text!r} does not name {what}; expected package.module:name or path/to/file.py:name")
    with current_directory_importable():
        load = _from_file if source.endswith(".py") else _from_name
        module = _loaded(load, source, text)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            near = difflib.get_close_matches(part, [n for n in dir(found) if not n.startswith("_")], n=3)
            hint = f"; did you mean {' or '.join(near)}?" if near else "; expected a name that it defines"
            raise InputError(f"{text!r}: {source} has no {part!r}{hint}")
        found = getattr(found, part)
    return found


@contextlib.contextmanager
def current_directory_importable() -> Iterator[None]:
    """The current directory last on ``sys.path`` for a while, so that it shadows nothing; removed afterwards."""
    here = os.getcwd()
    added = here not in sys.path and "" not in sys.path
    if added:
        sys.path.append(here)
    try:
        yield
    finally:
        if added and here in sys.path:
            sys.path.remove(here)


def _loaded(load: Callable[[str, str], ModuleType], source: str, text: str) -> ModuleType:
    """The module; importing runs its code, which may raise anything, or leave Python."""
    try:
        return load(source, text)
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        raise InputError(f"{text!r}: importing {source} failed: {told(error)}; mend it, or name another") from error


def told(error: BaseException) -> str:
    """What the user's code raised, and where."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = "" if isinstance(error, SyntaxError) else f", in {last.filename}, line {last.lineno}"
    return f"{type(error).__name__}: {error}{place}"


def _from_name(name: str, text: str) -> ModuleType:
    importlib.invalidate_caches()  # the file may be newer than the last import
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(f"{error.name}.")):
            raise  # the module is there; something that it imports is not
        raise InputError(
            f"{text!r}: there is no module {name!r} among the installed packages or in the current directory; "
            "for a file elsewhere give path/to/file.py:name"
        ) from None


def file_module(path: Path) -> str:
    """The name of a file's module, which tells its place and content; "" where there is no file."""
    if not os.path.isfile(path):  # unlike Path.is_file, False for a name that is too long
        return ""
    digest = hashlib.sha256(str(path.resolve()).encode() + path.read_bytes()).hexdigest()[:12]
    return f"_heatproof_{path.stem}_{digest}"


def changed(file: str) -> RunError:
    """What a run says where a file that its networks are of was edited meanwhile."""
    return RunError(
        f"{file} changed during the run; finished jobs stay; put it back as it was and run again, or choose another folder "
        "with out= (--out)"
    )


def _from_file(source: str, text: str) -> ModuleType:
    """The file as a module under a name of its own, once per content, so that a changed file is read anew."""
    path = Path(source)
    if not os.path.isfile(path):
        raise InputError(f"{text!r}: there is no file {path}; expected path/to/file.py:name")
    name = file_module(path)
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{text!r}: {path} cannot be imported as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look their module up there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
