"""The folder that bad commands run in: a few photos, a module with networks, and files of every wrong kind."""

from __future__ import annotations

import io
import os
import pickle
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from made_pictures import saved

MODULE = """
import random
import numpy as np
import torch
from torch import nn

def net():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 196, 3))

def smooth_net():
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 256, 4), nn.Tanh(), nn.Linear(4, 3))

def needs(size):
    return net()

def raises():
    raise KeyError("inner")

def returns_none():
    return None

def returns_list():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = net()
        def forward(self, x):
            return [self.inner(x)]
    return Odd()

def returns_nan():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = net()
        def forward(self, x):
            return self.inner(x) * float("nan")
    return Odd()

def leaves():
    raise SystemExit(0)

class Changing(nn.Module):
    def __init__(self, add):
        super().__init__()
        self.inner, self.add, self.calls = net(), add, 0
        self.register_buffer("held", torch.zeros(()))
    def forward(self, x):
        return self.inner(x) + self.add(self)

def draws_torch():
    return Changing(lambda self: torch.randn(3))

def draws_numpy():
    return Changing(lambda self: torch.from_numpy(np.random.randn(3)).float())

def draws_python():
    return Changing(lambda self: random.random())

def count(self):
    self.calls += 1
    return float(self.calls)

def counts():
    return Changing(count)

def counts_in_a_buffer():
    return Changing(lambda self: self.held.add_(1).clone())

def picture(image):
    raise KeyError("inner")

def no_picture(image):
    return image

def two_texts(*arguments):
    return "a map"

def fails(model, inputs, target):
    raise KeyError("inner")

def no_score(out, target):
    raise KeyError("inner")

INSTANCE = net()
NUMBER = 3
"""


ODD = os.fsdecode(b"ph\xff \xc3\xbc'\"<b>$x_$")
"""A folder whose name is no UTF-8, and has every letter that a shell, a page or a figure reads."""


class Evil:
    """Makes a file where it is unpickled."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("executed"),))


def net() -> nn.Module:
    """The network of the module, with weights of its own."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 196, 3)).eval()


def make_place(place: Path) -> None:
    draw = np.random.default_rng(0)
    for i, kind in enumerate(["cat", "cat", "dog", "dog"]):
        (place / "photos" / kind).mkdir(parents=True, exist_ok=True)
        pixels = draw.integers(0, 255, (20, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / "photos" / kind / f"{kind} {i}.png")
    _modules(place)
    _images(place)
    _names(place)
    _weights(place)
    _runs(place)


def _modules(place: Path) -> None:
    (place / "mine.py").write_text(MODULE)
    (place / "syntax.py").write_text("def net(:\n")
    (place / "raises.py").write_text("raise KeyError('inner')\n")
    (place / "imports.py").write_text("import a_module_that_is_not_there\n")
    (place / "leaves.py").write_text("raise SystemExit(0)\n")
    (place / "bytes.py").write_bytes(bytes(range(256)))
    (place / "folder.py").mkdir()
    (place / "folder.pt2").mkdir()
    for name in ("text.pt2", "text.pt", "text.ts"):
        (place / name).write_text("hello, this is a text and no program")
    (place / "empty.pt2").write_bytes(b"")
    program = torch.export.export(net(), (torch.randn(1, 3, 16, 16),))
    torch.export.save(program, place / "net.pt2")
    (place / "cut.pt2").write_bytes((place / "net.pt2").read_bytes()[:-400])
    torch.jit.trace(net(), torch.randn(2, 3, 16, 16)).save(str(place / "script.pt"))


def _images(place: Path) -> None:
    for name in ("empty", "texts", "broken", "mixed", ODD):
        (place / name).mkdir()
    for name in ("a.png", "$x_{1}$ <b>&\n'\".png", os.fsdecode(b"\xff.png"), "x" * 250 + ".png"):
        (place / ODD / name).write_bytes((place / "photos" / "cat" / "cat 0.png").read_bytes())
    (place / "texts" / "a.txt").write_text("x")
    (place / "broken" / "x.png").write_bytes(b"no picture")
    for side in (20, 30):
        Image.new("RGB", (side, side)).save(place / "mixed" / f"{side}.png")
    (place / "one.png").write_bytes(saved("png"))
    os.mkfifo(place / "pipe.png")
    (place / "loop").symlink_to("loop")
    np.save(place / "nan.npy", np.full((3, 3, 16, 16), np.nan, dtype=np.float32))
    np.save(place / "four.npy", np.zeros((3, 4, 16, 16), dtype=np.float32))
    np.save(place / "number.npy", np.float32(3))
    np.save(place / "none.npy", np.zeros((0, 16, 16, 3), np.uint8))
    np.save(place / "pickled.npy", np.array([Evil()], dtype=object), allow_pickle=True)


def _names(place: Path) -> None:
    names = {"few.txt": b"cat\ndog", "many.txt": b"a\nb\nc\nd\ne", "binary.txt": bytes(range(256)), "empty.txt": b"",
             "cut.json": b'{"0":', "deep.json": b"[" * 100_000, "numbers.json": b"[1, 2, 3]",
             "three.txt": b"a\nb\nc"}  # fmt: skip
    for name, content in names.items():
        (place / name).write_bytes(content)


def _weights(place: Path) -> None:
    good = {name: value.clone() for name, value in net().state_dict().items()}
    first, last = next(iter(good)), list(good)[-1]
    tensors: dict[str, dict[str, Tensor]] = {
        "good": good, "other": {"other": torch.zeros(2)}, "missing": {k: v for k, v in good.items() if k != last},
        "extra": {**good, "more.weight": torch.zeros(3)}, "shape": {**good, first: torch.zeros(5, 3, 3, 3)},
        "nan": {**good, last: torch.full_like(good[last], torch.nan)}, "whole": {k: v.long() for k, v in good.items()},
        "complex": {**good, last: good[last].to(torch.complex64)}, "none": {},
        "float8": {k: v.to(torch.float8_e4m3fn) for k, v in good.items()},
        "half": {k: v.half() for k, v in good.items()},
        "renamed": {f"net.{k}x": v for k, v in good.items()},
    }  # fmt: skip
    for name, state in tensors.items():
        save_file(state, place / f"{name}.safetensors")
    circle: dict[str, Any] = {}
    circle["model"] = circle
    saves: dict[str, Any] = {
        "good": good, "evil": {"x": Evil()}, "list": list(good.values()), "tensor": torch.zeros(2), "number": 3,
        "empty": {},
        "optimiser": {"optimizer": {}, "epoch": 3}, "sparse": {**good, last: good[last].to_sparse()}, "circle": circle,
        "meta": {**good, last: good[last].to("meta")}, "texts": {**good, last: "x"}, "nested": {"a": {"b": good}},
        "model": {"model": good, "epoch": 3}, "whole_model": net(), "numbered": dict(enumerate(good.values())),
    }  # fmt: skip
    for name, held in saves.items():
        torch.save(held, place / f"{name}.pth")
    whole = (place / "good.safetensors").read_bytes()
    bytes_of = {
        "evil.bin": pickle.dumps(Evil()), "text.safetensors": b"hello, no weights", "nothing.safetensors": b"",
        "cut.safetensors": whole[:-9], "head.safetensors": whole[:20],
        "long.safetensors": struct.pack("<Q", 2**62) + whole[8:],
        "deep.safetensors": struct.pack("<Q", 100_000) + b"[" * 100_000, "text.pth": b"hello, no weights",
        "nothing.pth": b"",
        "cut.pth": (place / "good.pth").read_bytes()[:-300], "photo.pth": saved("png"),
        "pth.safetensors": _as_torch(good),
        "safetensors.pth": whole, "hostile.safetensors": whole.replace(b'"dtype":"F32"', b'"dtype":"Q99"'),
        "evil.pt": _as_torch({"x": Evil()}),
    }  # fmt: skip
    for name, content in bytes_of.items():
        (place / name).write_bytes(content)


def _as_torch(held: Any) -> bytes:
    out = io.BytesIO()
    torch.save(held, out)
    return out.getvalue()


def _runs(place: Path) -> None:
    """Folders that are no finished run."""
    configs = {"no json": b"{", "a list": b"[]", "a number": b"3", "empty": b"{}", "a bench": b'{"bench": "nothing"}',
               "claims": b'{"claims": 3}', "directions": b'{"directions": []}', "binary": bytes(range(256)),
               "deep": b"[" * 100_000}  # fmt: skip
    for name, content in configs.items():
        (place / "runs" / name).mkdir(parents=True)
        (place / "runs" / name / "config.json").write_bytes(content)
    (place / "runs" / "a folder" / "config.json").mkdir(parents=True)


@contextmanager
def current(place: Path) -> Iterator[None]:
    before = os.getcwd()
    os.chdir(place)
    try:
        yield
    finally:
        os.chdir(before)
