"""The library transformers, asked for files of one folder alone: no network, no code of the folder, no pickle."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from safetensors import SafetensorError

from ..errors import HeatproofError, ModelError, WeightsError

LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
ABSENT = "give a folder with config.json and model.safetensors; from the hub: hf download OWNER/NAME --local-dir FOLDER"


def config_of(folder: str) -> Any:
    """What a folder says of its architecture."""
    return library().AutoConfig.from_pretrained(folder, **LOCAL)


@contextlib.contextmanager
def told(folder: str) -> Iterator[None]:
    """What transformers raises over a folder's content, told as ours."""
    try:
        yield
    except SafetensorError as error:
        raise WeightsError(
            f"the weights in {folder} cannot be read, they may be cut short: {error}; copy them again"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, RuntimeError) as error:
        raise ModelError(
            f"hf:{folder} cannot be read as an image classifier of transformers: {type(error).__name__}: "
            f"{(str(error).strip().splitlines() or [''])[0]}; {ABSENT}"
        ) from error


@contextlib.contextmanager
def quiet() -> Iterator[Any]:
    """transformers, without its bars of progress for a while."""
    transformers = library()
    logging = transformers.utils.logging
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield transformers
    finally:
        if shown:
            logging.enable_progress_bar()


def library() -> Any:
    """The module, where it is installed."""
    try:
        import transformers
    except ImportError as error:
        raise HeatproofError(
            f"transformers cannot be imported ({error}); install it with: pip install 'heatproof[hf]'"
        ) from error
    return transformers
