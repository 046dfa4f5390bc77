"""The global random generators under a seed, for code that knows no other: factories of networks, methods of captum."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator

import numpy as np
import torch

_ONE_AT_A_TIME = threading.RLock()


@contextlib.contextmanager
def global_seed(seed: int) -> Iterator[None]:
    """Within: the global generators of torch, numpy and Python are seeded, for initialisers that know no other; one thread
    at a time, and put back as they were."""
    with _ONE_AT_A_TIME, _all_seeded(seed):
        yield


@contextlib.contextmanager
def _all_seeded(seed: int) -> Iterator[None]:
    held = np.random.get_state(), random.getstate()  # noqa: NPY002  (factories may draw from the old generator)
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(seed)
        if devices:
            torch.cuda.manual_seed_all(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(held[0])  # noqa: NPY002
            random.setstate(held[1])
