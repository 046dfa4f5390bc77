"""What one server holds: its models, the photos that were dropped in, and their maps."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ..data.images import ImageSet
from ..data.uploaded import read_uploaded
from ..errors import InputError
from ..named import method_from_text
from ..types import Explain, name_of
from .kept import Kept
from .served import Served

PHOTOS, MAPS = 200 * 2**20, 300 * 2**20
"""Bytes of pixels of photos, and of maps, that are held; older ones are forgotten."""
LARGEST = 64 * 2**20
"""Bytes of one photo as a model takes it."""
MOST_CLASSES, MOST_METHODS, LONGEST = 3, 60, 300
"""Classes that are compared, methods asked for at once, letters of a method's text."""


@dataclass(frozen=True)
class Photo:
    """A photo as every model takes it, in the order of the models."""

    name: str
    inputs: tuple[ImageSet, ...]

    @property
    def bytes(self) -> int:
        return sum(one.pixels.numel() * 4 for one in self.inputs)


@dataclass(frozen=True)
class Asked:
    """What a request is about, looked up and checked."""

    model: int
    served: Served
    photo_id: str
    photo: Photo
    classes: tuple[int, ...] = ()
    methods: Mapping[str, Explain] = field(default_factory=dict)

    @property
    def image(self) -> ImageSet:
        return self.photo.inputs[self.model]

    def key(self, method: str, number: int) -> tuple[str, int, str, int]:
        """Of the map of a class."""
        return self.photo_id, self.model, method, number


class Session:
    """Models, photos and maps of a server.

    Attributes:
        maps: those of `Asked.key`, ``(C, H, W)`` float32 on the CPU.
    """

    def __init__(self, models: Sequence[Served]) -> None:
        self.models = tuple(models)
        self.photos = Kept[Photo](PHOTOS, lambda photo: photo.bytes)
        self.maps = Kept[Tensor](MAPS, lambda saliency: saliency.numel() * 4)

    def add_photo(self, data: bytes, name: str) -> str:
        """The number of a photo from the bytes of its file.

        Raises:
            InputError: it is no image, damaged, or too large.
        """
        photo = Photo(name, tuple(read_uploaded(data, name, served.preprocess) for served in self.models))
        if photo.bytes > LARGEST * len(self.models):
            raise InputError(f"{name} is too large for a model without a size of its own; start again with --size")
        number = secrets.token_urlsafe(9)
        self.photos.put(number, photo)
        return number

    def asked(self, body: Any) -> Asked:
        """What a request asks for.

        Args:
            body: ``{"model": 0, "photo": "...", "classes": [1, 2], "methods": ["gradient"]}``; the last two may be missing.

        Raises:
            InputError: anything that is not there or not of its type.
        """
        if not isinstance(body, dict):
            raise InputError(f"a request holds a {type(body).__name__}; expected an object with model and photo")
        model, photo_id = body.get("model"), body.get("photo")
        if type(model) is not int or not 0 <= model < len(self.models):
            raise InputError(f"model {model!r}; expected 0 to {len(self.models) - 1}")
        photo = self.photos.get(photo_id) if isinstance(photo_id, str) else None
        if photo is None:
            raise InputError("this photo is not held any more (only the last ones are); drop it in again")
        served = self.models[model]
        classes = _classes(body.get("classes", []), served.count)
        return Asked(model, served, str(photo_id), photo, classes, _methods(body.get("methods", [])))


def safe_method(text: Any) -> Explain:
    """The method that a request names, never code of a module or file.

    Raises:
        InputError: no such method.
    """
    if not isinstance(text, str) or len(text) > LONGEST:
        raise InputError(f"a method is a text of at most {LONGEST} letters, such as rectgrad(q=90)")
    return method_from_text(text, code=False)


def _methods(texts: Any) -> dict[str, Explain]:
    if not isinstance(texts, list) or len(texts) > MOST_METHODS:
        raise InputError(f"methods are a list of at most {MOST_METHODS} texts")
    return {name_of(method): method for method in map(safe_method, texts)}


def _classes(numbers: Any, count: int) -> tuple[int, ...]:
    good = isinstance(numbers, list) and all(type(n) is int and 0 <= n < count for n in numbers)
    if not good or len(numbers) > MOST_CLASSES:
        raise InputError(f"classes {numbers!r}; expected at most {MOST_CLASSES} numbers from 0 to {count - 1}")
    return tuple(dict.fromkeys(numbers))
