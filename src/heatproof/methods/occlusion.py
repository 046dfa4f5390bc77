"""Occlusion (Zeiler & Fergus 2014, arXiv:1311.2901, section 4.2): how much of the score a hidden window takes away."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..engine.call import check_image, like_inputs
from ..engine.chunks import chunk_slices
from ..engine.guard import fixed_batch
from ..engine.interpose import Call, Interpose
from ..engine.model import output, own
from ..engine.rows import ROWS, rows_at_once
from ..errors import InputError, ModelError
from ..perturb import chosen, scores
from ..score import check_target, logit
from ..types import Score, method

Size = int | tuple[int, int]
Window = tuple[slice, slice]


@method(source="arXiv:1311.2901, section 4", channels=False, linear_in_target=True, image=True)
def occlusion(
    model: nn.Module,
    inputs: Tensor,
    target: Any = None,
    *,
    score: Score = logit,
    window: Size | None = None,
    stride: Size | None = None,
    fill: float | Tensor = 0.0,
    batch_size: int = ROWS,
) -> Tensor:
    """Mean drop of the score over the windows that hide a pixel. ``(B, C, H, W) -> (B, 1, H, W)``.

    Source: Zeiler & Fergus 2014, section 4: the score as a function of the place of a square that hides a part of the
    image. Deviations: the drop, so that evidence is positive; the last window of a row or column is moved back to end at
    the border, so that every pixel is covered; overlapping windows are averaged, as captum does.

    Args:
        model, inputs, target, score: as in `gradient`; all K classes share one set of forward passes.
        window: height and width of the window in pixels, or one number for both; default an eighth of the shorter side.
        stride: step between windows, at most the window; default half of it.
        fill: what hides: a number, or a tensor that broadcasts to the inputs, in the model's units.
        batch_size: samples in one pass; bounds the memory and changes nothing else.

    Returns:
        Score units; positive = hiding this place lowers the score. With stride = window and exact tiling, a linear
        model's map holds in every pixel the sum over its window of w (x - fill).

    Raises:
        InputError: a window larger than the image, a stride larger than the window, a fill of another shape.
        ModelError: a batch norm without running statistics. The model needs no gradient.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False)).eval()
        >>> model[1].weight.data = torch.tensor([[1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 0.0]])
        >>> occlusion(model, torch.ones(1, 1, 2, 2), torch.tensor([0]), window=1)
        tensor([[[[1., 2.],
                  [3., 4.]]]])
    """
    check_image(inputs, "occlusion")
    windows = _windows(inputs, window, stride)
    if not isinstance(batch_size, int) or batch_size < 1:
        raise InputError(f"batch_size={batch_size!r}; expected a whole number of 1 or more")
    private, x = own(model), inputs.detach()
    hidden = like_inputs(fill, x, "fill")
    target = None if target is None else check_target(target, len(x), x.device, None)
    batch_size = rows_at_once(batch_size)
    per_pass = 1 if fixed_batch(private) else max(1, batch_size // len(x))
    maps = []
    with Interpose([], [_NoBatchStatistics()]):
        for rows in chunk_slices(len(x), fixed_batch(private) or batch_size):
            out = output(private, x[rows], score)
            part = chosen(out, score, target, rows)
            drops = _drops(private, x[rows], hidden[rows], part, score, scores(out, score, part), windows, per_pass)
            maps.append(drops)
    return torch.cat(maps, -4).to(x.dtype)


def _drops(
    private: nn.Module,
    x: Tensor,
    hidden: Tensor,
    target: Tensor,
    score: Score,
    clean: Tensor,
    windows: list[Window],
    per_pass: int,
) -> Tensor:
    """Mean drop from the clean scores in every pixel, `per_pass` windows in one pass. ``(B, 1, H, W)``."""
    total = clean.new_zeros(*clean.shape, 1, *x.shape[2:])
    count = total.new_zeros(x.shape[2:])
    for first in range(0, len(windows), per_pass):
        part = windows[first : first + per_pass]
        out = output(private, torch.cat([_hide(x, hidden, place) for place in part]), score)
        left = scores(out, score, target.repeat(*[1] * (target.dim() - 1), len(part)))
        for (down, across), after in zip(part, torch.split(left, len(x), -1), strict=True):
            total[..., down, across] += (clean - after)[..., None, None, None]
            count[down, across] += 1
    return total / count


class _NoBatchStatistics:
    """Observer that refuses a batch norm which would normalise windows by each other, also where nothing has a gradient."""

    def before(self, call: Call) -> None:
        trains = any(given is True for given in (*call.args[3:6], call.kwargs.get("training")))
        if trains and "batch_norm" in call.op and len(next(call.tensors())) > 1:  # instance norm runs as one of batch 1
            raise ModelError(
                "a batch norm without running statistics normalises each window by the others in its batch; train it "
                "with track_running_stats=True"
            )

    def after(self, call: Call, out: Any) -> None:
        del call, out


def _hide(x: Tensor, hidden: Tensor, place: Window) -> Tensor:
    down, across = place
    x = x.clone()
    x[..., down, across] = hidden[..., down, across]
    return x


def _windows(x: Tensor, window: Size | None, stride: Size | None) -> list[Window]:
    """Every window as (rows, columns), row by row."""
    height, width = x.shape[2:]
    h, w = _pair(max(1, min(height, width) // 8) if window is None else window, "window")
    if h > height or w > width:
        raise InputError(f"window={window!r} is larger than the image of {height} x {width}; give a smaller one")
    down, across = (max(1, h // 2), max(1, w // 2)) if stride is None else _pair(stride, "stride")
    if down > h or across > w:
        raise InputError(f"stride={stride!r} is larger than the window of {h} x {w}, so that pixels would be left out")
    return [(slice(i, i + h), slice(j, j + w)) for i in _starts(height, h, down) for j in _starts(width, w, across)]


def _starts(side: int, window: int, stride: int) -> list[int]:
    """Where the windows begin; the last one ends at the border."""
    starts = list(range(0, side - window + 1, stride))
    return starts if starts[-1] == side - window else [*starts, side - window]


def _pair(size: Any, name: str) -> tuple[int, int]:
    pair = (size, size) if isinstance(size, int) else tuple(size) if isinstance(size, (tuple, list)) else ()
    if len(pair) != 2 or not all(isinstance(n, int) and n > 0 for n in pair):
        raise InputError(f"{name}={size!r}; expected a whole number of pixels of 1 or more, or (height, width)")
    return pair[0], pair[1]
