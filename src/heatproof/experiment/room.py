"""What happens where memory runs out within a job: its images go through in smaller groups, and its file says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from ..checks.subject import Record, Subject
from ..engine.chunks import chunk_slices
from ..engine.guard import fixed_batch
from ..engine.rows import at_most
from ..errors import out_of_memory
from .jobs import Job, job

Do = Callable[[Job, Subject], Record]


def with_room(j: Job, subject: Subject, do: Do) -> Record:
    """Do a job; with half the chunk where there is no room for it, and again half, down to single images.

    Methods that make many rows of an image take as many fewer. A smaller chunk may round differently: `Record.chunk` says
    which it was, and the report which jobs. A program of one batch size cannot go in halves.

    Raises:
        Exception: what memory that ran out raised, where there is no room for one image; any other error as it is.
    """
    images = list(dict(j.params).get("shard", ()))
    try:
        return do(j, subject)
    except Exception as error:
        if not out_of_memory(error) or subject.chunk == 1 or not images or fixed_batch(subject.model):
            raise
    # out here, where the error holds no tensors any more
    if subject.images.device.type == "cuda":
        torch.cuda.empty_cache()
    smaller = replace(subject, chunk=subject.chunk // 2)
    whole = Record(chunk=smaller.chunk)
    for part in chunk_slices(len(images), smaller.chunk):
        with at_most(smaller.chunk):
            found = with_room(job(j.kind, **{**dict(j.params), "shard": images[part]}), smaller, do)
        whole.rows += found.rows
        whole.maps |= found.maps
        whole.chunk = min(whole.chunk or smaller.chunk, found.chunk or smaller.chunk)
    return whole
