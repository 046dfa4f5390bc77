"""Names, links, folders and rights: where a picture lies must not matter, and what is none is said to be none."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from bad_files import Case, alike, picture, written
from bad_outcome import CORRECT, ERROR
from heatproof.data.folder import read_images
from made_pictures import COLOUR, saved

PNG, RIGHT = saved("png"), COLOUR / 255
NOBODY = 65534
NAMES = (
    "ünïcödé ñ.png", "日本語.png", "\U0001f408.png", "\u05e2\u05d1\u05e8.png", "with space .png", " leading.png",
    "new\nline.png", "tab\t.png", "it's \"quoted\".png", "back\\slash.png", "$HOME $x_{1}$.png", "%s%d{0}.png",
    "-dash.png",
    "--help.png", "a#b?c&d.png",
    "<script>alert(1)</script>.png".replace("/", "_"), "a:b.png", "CON.png", "*.png", "[a].png", "~.png", "a..png",
    "a.png.png", "\x1b[31mred.png", "\u202egnp.png", "\u0301accent.png", "e\u0301.png", "x" * 251 + ".png",
    "ü" * 125 + ".png", os.fsdecode(b"\xff\xfe.png"), "digits.png", "photo.PNG", "photo.pNg",
)  # fmt: skip


def names() -> Iterator[Case]:
    """A file by its name, and in a folder of that name's class."""
    for name in NAMES:
        shown = ascii(name if len(name) < 40 else name[:10] + "...")
        yield picture(f"a file named {shown}", written(name, PNG), RIGHT)
        yield Case(f"a folder with {shown}", _folder({f"{name}/{name}": PNG}, [f"{name}/{name}"], [name]), CORRECT)
    yield Case("a name that is too long", lambda folder: read_images(folder / ("x" * 300 + ".png")), ERROR)
    yield Case("a path that is too long", lambda folder: read_images("/".join([str(folder), *["x" * 200] * 30])), ERROR)
    yield Case("a name with a zero byte", lambda folder: read_images(f"{folder}/a\0b.png"), ERROR)
    yield Case("no name", lambda folder: read_images(""), ERROR)
    yield Case("below a file", lambda folder: read_images(written("a.png", PNG)(folder) / "b.png"), ERROR)


def _folder(files: dict[str, bytes], read: list[str], labels: list[str | None] | None = None) -> Callable[[Path], bool]:
    """Writes the files, and tells whether these names and labels are read."""

    def run(folder: Path) -> bool:
        for name, content in files.items():
            written(name, content)(folder)
        return _reads(folder, read, labels)

    return run


def _reads(folder: Path, read: list[str], labels: list[str | None] | None = None) -> bool:
    found = read_images(folder)
    names = [os.fsencode(name).decode("utf-8", "replace") for name in read]
    known = [label and os.fsencode(label).decode("utf-8", "replace") for label in labels or []]
    fits = list(found.names) == names and (labels is None or list(found.labels) == known)
    return fits and all(alike(one.numpy(), RIGHT) for one in found.pixels)


def folders() -> Iterator[Case]:
    """Which files of a folder are read."""
    good: dict[str, bytes] = {"good.png": PNG}
    yield Case("an empty folder", _folder({}, []), ERROR, "no image")
    yield Case("a folder of texts", _folder({"a.txt": b"x", "b.csv": b"y"}, []), ERROR, "no image")
    yield Case("a folder of folders", _folder({"a/b/c/d/e/x.txt": b""}, []), ERROR, "no image")
    yield Case("nothing but hidden files", _folder({".a.png": PNG, ".b/c.png": PNG}, []), ERROR, "no image")
    hidden = {**good, ".a.png": PNG, "._good.png": b""}
    yield Case("hidden files beside a good one", _folder(hidden, ["good.png"]), CORRECT)
    yield picture("a hidden file by its name", written(".a.png", PNG), RIGHT)
    yield Case("a folder named like an image", _folder({"x.png/a.png": PNG}, ["x.png/a.png"], ["x.png"]), CORRECT)
    deep = "/".join("abcdefghij" * 5) + "/x.png"
    yield Case("fifty folders deep", _folder({deep: PNG}, [deep], ["a"]), CORRECT)
    bad = {f"bad {i}.png": content for i, content in enumerate((b"", b"text", PNG[:-30], PNG[:30], bytes(99)))}
    yield Case("a good one among bad ones", _folder({**bad, **good}, ["good.png"]), CORRECT)
    yield Case("nothing but bad ones", _folder(bad, []), ERROR, "none of the 5 files")
    yield Case("a folder named like a stack", _folder_as("x.npy"), CORRECT)
    yield Case("a folder named like a program", _folder_as("x.pt"), CORRECT)
    small = saved("png", "L")
    yield Case("grey among colour", lambda f: _grey_among_colour(f, small), CORRECT)


def _folder_as(name: str) -> Callable[[Path], bool]:
    return lambda folder: _folder({"a.png": PNG}, ["a.png"])(folder / name)


def _grey_among_colour(folder: Path, grey: bytes) -> bool:
    written("a.png", PNG)(folder)
    written("b.png", grey)(folder)
    found = read_images(folder)
    return found.pixels.shape == (2, 3, *COLOUR.shape[:2]) and alike(found.pixels[0].numpy(), RIGHT)


def links() -> Iterator[Case]:
    """Symbolic links: to a file, through others, to nothing, in circles."""

    def linked(links: dict[str, str], read: str, files: dict[str, bytes] | None = None) -> Callable[[Path], bool]:
        def run(folder: Path) -> bool:
            for name, content in (files or {}).items():
                written(name, content)(folder)
            for name, target in links.items():
                (folder / name).symlink_to(target)
            path = folder / read
            if path.is_dir():
                return _reads(path, ["good.png"])
            return alike(read_images(path).pixels[0].numpy(), RIGHT)

        return run

    good = {"good.png": PNG}
    yield Case("a link to a file", linked({"a.png": "good.png"}, "a.png", good), CORRECT)
    chain = {f"{i}.png": f"{i + 1}.png" for i in range(10)} | {"10.png": "good.png"}
    yield Case("a chain of links", linked(chain, "0.png", good), CORRECT)
    yield Case("a link to nothing", linked({"a.png": "nowhere.png"}, "a.png"), ERROR)
    yield Case("a link to itself", linked({"a.png": "a.png"}, "a.png"), ERROR)
    yield Case("two links in a circle", linked({"a.png": "b.png", "b.png": "a.png"}, "a.png"), ERROR)
    circle = {"a.png": "b.png", "b.png": "a.png", "c.png": "nowhere", "d": "d", "e": ".", "f": ".."}
    files = {"inside/good.png": PNG}
    inside = {f"inside/{name}": target for name, target in circle.items() if name != "f"}
    yield Case("links in circles beside a good file", linked(inside, "inside", files), CORRECT)
    yield Case("a link to the folder above", linked({"inside/up": ".."}, "inside", files), CORRECT)
    yield Case("a folder that is a link", linked({"here": "inside"}, "here", files), CORRECT)
    yield Case("a folder that is a link to itself", linked({"here": "here"}, "here"), ERROR)


def special() -> Iterator[Case]:
    """Files that are none: pipes, sockets and devices, which must neither be waited for nor read for ever."""
    for name in ("x.png", "x.npy", "x.pt"):
        yield Case(f"a pipe named {name}", lambda f, n=name: read_images(_pipe(f / n)), ERROR)  # type: ignore[misc]
    yield Case("a socket", lambda folder: read_images(_socket(folder / "x.png")), ERROR)
    for device in ("/dev/null", "/dev/zero", "/dev/full"):
        yield Case(device, lambda folder, d=device: read_images(d), ERROR)  # type: ignore[misc]
    yield Case("a pipe in a folder", _beside_a_pipe, CORRECT)


def _beside_a_pipe(folder: Path) -> bool:
    _pipe(folder / "x.png")
    return _folder({"good.png": PNG}, ["good.png"])(folder)


def _pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def _socket(path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as held:
        held.bind(str(path))
    return path


def rights() -> Iterator[Case]:
    """Files and folders that may not be read. As root, rights are lost for a case; see `can_lose_rights`."""
    if not can_lose_rights():
        return

    def closed(files: dict[str, bytes], shut: str, mode: int, read: str) -> Callable[[Path], bool]:
        def run(folder: Path) -> bool:
            for name, content in files.items():
                written(name, content)(folder)
            for path in folder.rglob("*"):
                path.chmod(0o755)
            (folder / shut).chmod(mode)
            try:
                with without_rights():
                    path = folder / read
                    return alike(read_images(path).pixels[0].numpy(), RIGHT)
            finally:
                (folder / shut).chmod(0o755)

        return run

    one, two = {"in/a.png": PNG}, {"in/a.png": PNG, "in/b/c.png": PNG}
    yield Case("an open file, without rights of root", closed(one, "in/a.png", 0o444, "in/a.png"), CORRECT)
    yield Case("a file that may not be read", closed(one, "in/a.png", 0o000, "in/a.png"), ERROR)
    yield Case("a folder whose file may not be read", closed(one, "in/a.png", 0o000, "in"), ERROR)
    for mode, said in ((0o000, "neither listed nor entered"), (0o444, "not entered"), (0o111, "not listed")):
        yield Case(f"a folder that may be {said}", closed(one, "in", mode, "in"), ERROR)
        yield Case(f"a class folder that may be {said}", closed(two, "in/b", mode, "in"), CORRECT)
        wants = CORRECT if mode == 0o111 else ERROR
        yield Case(f"a file in a folder that may be {said}", closed(one, "in", mode, "in/a.png"), wants)
    yield Case("a folder that may not be written to", closed(one, "in", 0o555, "in"), CORRECT)
    yield Case("a stack that may not be read", closed({"x.npy": b"", **one}, "x.npy", 0o000, "x.npy"), ERROR)
    parts = {"in/train/a/1.png": PNG, "in/test/a/1.png": PNG}
    yield Case("a part of a split that may not be entered", closed(parts, "in/train", 0o000, "in"), ERROR)


def can_lose_rights() -> bool:
    """Whether a file without rights is closed to this process, or to it in the place of nobody."""
    try:
        with without_rights():
            return os.geteuid() != 0
    except PermissionError:
        return False


@contextmanager
def without_rights() -> Iterator[None]:
    """Within: root is nobody, whom files without rights are closed to; other users are it already."""
    Image.init()  # what is imported on the way may lie where nobody may look
    before = os.geteuid()
    if before:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


PARTS = (names, folders, links, special, rights)
