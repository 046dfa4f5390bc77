"""Images from a folder, flat or with one folder per class; and the one door to all sources, `read_images`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..errors import InputError
from .batch import Progress
from .choice import Choice, Order, Split, check_split
from .classic import classic_format, read_classic
from .collect import collect
from .files import EXTENSIONS, STACKS, Found, class_folders, find_images, readable, reading, split_folders
from .images import ImageSet
from .mask_files import without_masks
from .preprocess import Preprocess
from .scenes import is_scenes, read_scenes
from .stack import read_stack


def read_images(
    path: str | Path,
    preprocess: Preprocess | None = None,
    limit: int | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
    *,
    split: Split | None = None,
    order: Order = "spread",
    most: int | None = None,
) -> ImageSet:
    """Images from any source. -> `ImageSet`

    Args:
        path: a folder of images (`read_folder`), one image, a stack (`read_stack`: .npy, .npz, .pt), a folder of IDX
            files (MNIST, Fashion-MNIST; also the folder with ``raw`` in it) or of CIFAR-10 as lossless sheets; where no
            such path exists, "digits", "digits:test" or "digits:train" for the built-in scenes (`read_scenes`).
        preprocess: None keeps every image's size and scales to [0, 1].
        limit, order: at most so many images; order "spread" takes them evenly over the whole source, "first" from its
            beginning.
        seed: with an even spread, draw which image of each stretch is taken; None takes the first.
        progress: called with (read, to read).
        split: "train" or "test", where the source has both; None reads "test" there.
        most: bytes of pixels, as float32, to hold in memory; image files and ``.npy`` beyond them are streamed:
            `ImageSet.held` reads them again where they are asked for. None holds all.

    Raises:
        InputError: a source that is missing, unclear, damaged or empty; a split of a source that has none.
    """
    if not str(path):
        raise InputError(
            "read_images('') got no name; expected a folder, an image or a stack ('.' is the current folder)"
        )
    path, choice = Path(path), Choice(limit, seed, order)
    check_split(split)
    with reading(path):
        return _read(path, preprocess, choice, progress, split, most)


def _read(
    path: Path,
    preprocess: Preprocess | None,
    choice: Choice,
    progress: Progress | None,
    split: Split | None,
    most: int | None,
) -> ImageSet:
    limit, seed, order = choice.limit, choice.seed, choice.order
    if not path.exists() and not is_scenes(path):
        raise InputError(f"there is no folder or file {path}; expected images, a folder of them, a stack, or digits")
    if split is not None and not has_splits(path):
        raise InputError(
            f"split={split!r}: {path} has no training and test parts (folders train and test or val, or the files of "
            "MNIST or CIFAR-10); leave split out to read all of it"
        )
    if is_scenes(path):
        return read_scenes(str(path), preprocess, limit, seed, split=split)
    if classic_format(path):
        return read_classic(path, split or "test", preprocess or Preprocess(), choice, progress)
    if path.is_dir():
        return read_folder(path, preprocess, limit, seed, progress, split=split, order=order, most=most)
    if path.suffix.lower() in STACKS:
        return read_stack(path, preprocess, limit, seed, progress, order=order, most=most)
    return collect([[Found(readable(path.name), path, None)]], [], preprocess or Preprocess(), str(path), progress)


def has_splits(path: Path) -> bool:
    """Whether a source has a training and a test part."""
    with reading(path):
        return (
            classic_format(path) is not None or bool(split_folders(path)) or (is_scenes(path) and ":" not in str(path))
        )


def read_folder(
    path: str | Path,
    preprocess: Preprocess | None = None,
    limit: int | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
    *,
    split: Split | None = None,
    order: Order = "spread",
    most: int | None = None,
) -> ImageSet:
    """The images below a folder, sorted by path; the first folder level is the label. -> `ImageSet`

    Where the folder holds ``train`` and ``test`` (or ``val``), one of them is read, and its first level is the label.
    Arguments as for `read_images`. Another file of the same stretch stands in for one that cannot be read, but none
    does with order="first".

    Files that cannot be read are listed in ``skipped`` with the reason, and the rest goes on. The mask of a photo
    (``photo.mask.png`` or ``photo_mask.png`` beside it) is no image; ``skipped`` says so, once. Where the preprocessing
    sets no channels, images stay grey only if all are; grey among colour is repeated.

    Raises:
        InputError: no such folder, no image in it, none that can be read, or sizes that differ and no size given.
    """
    root, choice = Path(path), Choice(limit, seed, order)
    if not root.is_dir():
        raise InputError(f"there is no folder {root}")
    parts = split_folders(root)
    part = parts.get(split or "test", root)
    everything, skipped = find_images(part)
    found, masks = without_masks(everything)
    skipped += masks
    if not found:
        raise InputError(f"no image in {part} or its folders: looked for {' '.join(EXTENSIONS)}{_hint(part)}")
    other = {name for folder in parts.values() if folder != part for name in class_folders(folder)}
    classes = tuple(sorted(other | {item.label for item in found if item.label is not None})) or None
    if parts:
        inside = f"{readable(part.name)}/"
        found = [replace(item, name=inside + item.name) for item in found]
        skipped = [(inside + name, reason) for name, reason in skipped]
    runs = [[found[i] for i in run] for run in choice.runs(len(found))]
    return collect(runs, skipped, preprocess or Preprocess(), str(root), progress, classes, most)


def _hint(root: Path) -> str:
    names = sorted(path.name for path in root.iterdir())
    if stacks := [name for name in names if Path(name).suffix.lower() in STACKS]:
        return f"; to read the stack {stacks[0]}, give that file"
    if "data_batch_1" in names:
        return (
            "; CIFAR's data_batch files are pickles, whose opening can run any code, and are never opened: save the "
            "images and labels as one file with numpy.savez('cifar.npz', images=..., labels=...)"
        )
    if held := next((path for path in sorted(root.iterdir()) if classic_format(path)), None):
        return f"; the data set in {held} is read when that folder is given"
    return ""
