"""Stacks of images and lists of class names that are of another shape, type or kind than they should be."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bad_files import Case, written
from bad_outcome import CORRECT, ERROR
from heatproof.data.folder import read_images
from heatproof.data.labelled import labelled
from heatproof.data.labels import read_class_names
from heatproof.data.preprocess import Preprocess
from made_pictures import COLOUR

STACK = np.stack([COLOUR, 255 - COLOUR])
RIGHT = STACK.transpose(0, 3, 1, 2) / 255


def _saved(name: str, held: Any) -> Callable[[Path], Path]:
    """What writes a stack: an array, a dictionary of them, or anything that torch saves."""

    def make(folder: Path) -> Path:
        path = folder / name
        if name.endswith(".npy"):
            np.save(path, held)
        elif name.endswith(".npz"):
            np.savez(path, **held)
        else:
            torch.save(held, path)
        return path

    return make


RAN: list[str] = []


class Evil:
    """Leaves a trace where it is unpickled."""

    def __reduce__(self) -> Any:
        return (_ran, ())


def _ran() -> None:
    RAN.append("unpickled")


def _unopened(name: str, held: Any) -> Case:
    """A pickle that must be refused, and not opened."""

    def run(folder: Path) -> bool:
        path = _saved(name, held)(folder)
        RAN.clear()
        try:
            read_images(path)
        finally:
            assert not RAN, "code of the file was run"
        return False

    return Case(f"{name} with code in it", run, ERROR, "code")


def _then(make: Callable[[Path], Path], read: Callable[[Path], Any], right: Any = None) -> Callable[[Path], bool]:
    """Makes a file and reads it, and tells whether it gives what is right; nothing is where right is None."""
    return lambda folder: read(make(folder)) == right if right is not None else bool(read(make(folder))) and False


def _stack(name: str, make: Callable[[Path], Path], wants: str = ERROR, how: Preprocess | None = None) -> Case:
    def run(folder: Path) -> bool:
        found = read_images(make(folder), how)
        return bool(np.allclose(found.pixels.numpy(), RIGHT, atol=1e-6)) if found.pixels.shape == RIGHT.shape else False

    return Case(name, run, wants)


def arrays() -> Iterator[Case]:
    """``.npy``: every dtype and every number of axes."""
    yield _stack("a plain stack", _saved("x.npy", STACK), CORRECT)
    yield _stack("a stack in Fortran's order", _saved("x.npy", np.asfortranarray(STACK)), CORRECT)
    yield _stack("a stack of the other byte order", _saved("x.npy", (STACK.astype(">u2") * 257)), CORRECT)
    yield _stack("floats of 0 to 1", _saved("x.npy", STACK / 255), CORRECT)
    yield _stack("channels first", _saved("x.npy", STACK.transpose(0, 3, 1, 2)), CORRECT)
    for shape in ((), (0,), (3,), (4, 4), (0, 4, 4), (2, 0, 4), (2, 4, 0), (2, 0, 0, 3), (2, 4, 4, 0), (0, 4, 4, 3),
                  (2, 4, 4, 3, 1), (2, 4, 0, 3), (1,) * 9):  # fmt: skip
        for dtype in (np.uint8, np.float32):
            for how in (None, Preprocess(8), Preprocess(mean=(0.5,) * 3, std=(0.5,) * 3)):
                make = _saved("x.npy", np.zeros(shape, dtype))
                yield _stack(f"shape {shape} of {np.dtype(dtype)}, {how}", make, ERROR, how)
    for dtype in ("bool", "int8", "int32", "int64", "uint32", "complex64", "U3", "S3", "M8[s]", "V4"):
        yield _stack(f"pixels of {dtype}", _saved("x.npy", np.zeros((2, 4, 4), dtype)))
    records = np.zeros((2, 4, 4), [("r", "u1"), ("g", "u1")])
    yield _stack("pixels that are records", _saved("x.npy", records))
    yield _stack("a long double", _saved("x.npy", (STACK / 255).astype(np.longdouble)), CORRECT)
    yield _stack("floats that overflow", _saved("x.npy", np.full((2, 4, 4), 1e300)))
    for shape in ("(2, 4, 4", "(10**9, 4, 4)", "(1000000000000, 4, 4)", "(-1, 4, 4)", "('a',)", "4"):
        head = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
        content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + bytes(32)
        yield _stack(f"a head that says shape {shape}", written("x.npy", content))


def archives() -> Iterator[Case]:
    """``.npz`` and ``.pt``: what they may hold."""
    tensors = torch.from_numpy(STACK)
    good: dict[str, Any] = {
        "x.npz": {"images": STACK}, "only.npz": {"anything": STACK}, "x.pt": {"images": tensors}, "bare.pt": tensors,
        "grad.pt": torch.from_numpy(STACK / 255).requires_grad_(), "half.pt": {"x": tensors, "y": torch.tensor([0, 1])},
        "view.pt": tensors.transpose(1, 2).contiguous().transpose(1, 2),
    }  # fmt: skip
    for name, held in good.items():
        yield _stack(f"a good {name}", _saved(name, held), CORRECT)
    sparse, meta = torch.zeros(2, 4, 4).to_sparse(), torch.zeros(2, 4, 4, device="meta")
    held: dict[str, Any] = {
        "empty.npz": {}, "number.npz": {"images": 3}, "text.npz": {"images": "photo"},
        "two.npz": {"a": STACK, "b": STACK},
        "empty.pt": {}, "none.pt": None, "number.pt": 3, "text.pt": "photo", "list.pt": [tensors],
        "keys.pt": {1: tensors, 2: 3},
        "lists.pt": {"images": [tensors]}, "nothing.pt": {"images": None}, "nested.pt": {"images": {"images": tensors}},
    }  # fmt: skip
    odd = {"sparse": sparse, "meta": meta, "complex": torch.zeros(2, 4, 4, dtype=torch.complex64),
           "scalar": torch.tensor(1.0),
           "bool": torch.zeros(2, 4, 4, dtype=torch.bool), "int64": tensors.long(),
           "float8": torch.zeros(2, 4, 4).to(torch.float8_e4m3fn)}  # fmt: skip
    held |= {f"{kind} bare.pt": value for kind, value in odd.items()}
    held |= {f"{kind} inside.pt": {"images": value} for kind, value in odd.items()}
    for name, value in held.items():
        yield _stack(f"what cannot be images, {name}", _saved(name, value))
    objects = np.array([Evil(), Evil()], dtype=object)
    for name, value in {
        "pickle.npy": objects, "pickle.npz": {"images": objects}, "labels.npz": {"images": STACK, "labels": objects},
        "pickle.pt": Evil(), "inside.pt": {"images": tensors, "labels": Evil()},
    }.items():  # fmt: skip
        yield _unopened(name, value)
    labels: dict[str, Any] = {
        "a number": torch.tensor(3), "too many": torch.tensor([1, 2, 3]), "one-hot": torch.eye(2), "sparse": sparse,
        "meta": torch.zeros(2, device="meta"), "with gradient": torch.ones(2, requires_grad=True),
        "ragged": [[1], [1, 2]],
        "bool": torch.tensor([True, False]), "None": None, "a text": "ab", "bfloat16": torch.ones(2).bfloat16(),
        "complex": torch.ones(2, dtype=torch.complex64), "huge": [2**70, 1], "a dictionary": {"a": 1},
    }  # fmt: skip
    for what, value in labels.items():
        make = _saved("x.pt", {"images": tensors, "labels": value})
        yield _stack(f"labels that are {what}", make, CORRECT if value is None else ERROR)
        yield Case(f"training labels that are {what}", _then(make, labelled), ERROR)


NAMES: dict[str, bytes] = {
    "empty.txt": b"", "blank.txt": b"\n \n\t\n", "binary.txt": bytes(range(256)), "empty.json": b"",
    "cut.json": b'{"0": "cat"',
    "number.json": b"3", "null.json": b"null", "text.json": b'"cat"', "none.json": b"[]", "no.json": b"{}",
    "numbers.json": b"[1, 2]",
    "nested.json": b"[[[1]]]", "deep.json": b"[" * 100_000, "digits.json": b"[" + b"9" * 5000 + b"]",
    "gap.json": b'{"0": "cat", "2": "dog"}', "twice.json": b'{"cat": 0, "dog": 0}',
    "true.json": b'{"cat": true, "dog": false}',
    "infinity.json": b'{"cat": Infinity}', "utf16.txt": "cat\ndog\n".encode("utf-16"),
    "utf16.json": '["cat"]'.encode("utf-16-be"),
    "latin.txt": "chat\nchien\nblé\n".encode("latin-1"), "lists.json": b'{"0": [], "1": []}',
    "minus.json": b'{"-1": "cat"}',
}  # fmt: skip
GOOD_NAMES: dict[str, bytes] = {
    "plain.txt": b"cat\ndog", "windows.txt": b"\xef\xbb\xbfcat\r\ndog\r\n", "plain.json": b'["cat", "dog"]',
    "numbered.json": b'{"1": "dog", "0": "cat"}', "imagenet.json": b'{"0": ["n0", "cat"], "1": ["n1", "dog"]}',
    "plain.JSON": b'["cat", "dog"]', "mark.json": b'\xef\xbb\xbf["cat", "dog"]',
}  # fmt: skip


def class_names() -> Iterator[Case]:
    """Lists of class names."""
    for name, content in NAMES.items():
        make = written(name, content)
        yield Case(f"class names in {name}", _then(make, read_class_names), ERROR)
    for name, content in GOOD_NAMES.items():
        make = written(name, content)
        yield Case(f"class names in {name}", _then(make, read_class_names, ("cat", "dog")), CORRECT)
    hostile = ["<b>", "a\\b", 'q"', "日本", "new\nline"]
    make = written("hostile.json", json.dumps(hostile).encode())
    yield Case("class names of every letter", _then(make, read_class_names, tuple(hostile)), CORRECT)
    yield Case("class names in a folder", read_class_names, ERROR)
    yield Case("class names in nothing", lambda folder: read_class_names(folder / "nowhere.txt"), ERROR)
    yield Case("class names of a long name", lambda folder: read_class_names(folder / ("x" * 300)), ERROR)


PARTS = (arrays, archives, class_names)
