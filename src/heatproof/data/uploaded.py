"""One photo from the bytes of a file that never was on this disk."""

from __future__ import annotations

from .decode import pixels_of
from .images import ImageSet, image_set
from .preprocess import Preprocess, known_scales, prepare


def read_uploaded(data: bytes, name: str, preprocess: Preprocess) -> ImageSet:
    """A photo as `read_images` reads it from a file, a set of one.

    Raises:
        InputError: no image, damaged, too large, or of channels that do not fit.
    """
    image = prepare(pixels_of(data), preprocess, name)
    mean, std = known_scales(preprocess, len(image), name)
    return image_set(image[None], [name], mean=mean, std=std, source=name)
