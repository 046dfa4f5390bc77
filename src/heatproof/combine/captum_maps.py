"""Maps of a method of captum under the contract of ours."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..engine.chunks import generator, sample_places, whole_seed
from ..engine.global_seed import global_seed
from ..engine.model import output, own
from ..engine.twin import twin
from ..errors import HeatproofError, InputError, ModelError, NotApplicable, out_of_memory
from ..score import check_target, classes, logit, predicted
from ..types import Score, name_of


def captum_attr() -> Any:
    """The module captum.attr."""
    try:
        import captum.attr
    except ImportError as error:
        raise HeatproofError(f"captum cannot be imported ({error}); install it with: pip install captum") from error
    return captum.attr


def captum_maps(
    explain: Callable[..., Any],
    model: nn.Module,
    inputs: Tensor,
    target: Any = None,
    *,
    score: Score = logit,
    layer: str | None = None,
    seed: int = 0,
    index: Tensor | None = None,
    **options: Any,
) -> Tensor:
    """A method of captum. ``(B, C, H, W) -> (B, C, H, W)``, or ``(B, 1, H, W)`` for one of a layer.

    Source: captum; deviations: scores other than the logit are computed in a module around the model. A method that draws
    random numbers is given the images one by one, each under a random state of its own from (seed, index).

    Args:
        model, inputs, target, score: as in `gradient`.
        layer, options: as in `heatproof.from_captum`.
        seed, index: of a method that draws.

    Raises:
        ModelError: captum failed, or gave maps of another shape; with what it said.
    """
    captum_attr()
    private, places, seed = own(model), sample_places(index, len(inputs)), whole_seed(seed)
    out = output(private, inputs, score)
    limit = classes(out, score)
    chosen = predicted(out, score) if target is None else check_target(target, len(inputs), inputs.device, limit)
    explained = partial(_maps, explain, private, score, layer, options)
    rows = [_apart(explained, inputs, row, seed, places) for row in chosen.reshape(-1, len(inputs))]
    return torch.stack(rows) if chosen.dim() == 2 else rows[0]


def _apart(explained: Callable[..., Tensor], inputs: Tensor, target: Tensor, seed: int, places: Tensor) -> Tensor:
    """The maps of a batch; where captum drew random numbers, once more one by one, since noise of a batch hangs on it."""
    with global_seed(0):
        before = _state(inputs)
        maps = explained(inputs, target)
        if before == _state(inputs):
            return maps
    alone = []
    for i, place in enumerate(places.tolist()):
        with global_seed(generator("captum", seed, place).initial_seed()):
            alone.append(explained(inputs[i : i + 1], target[i : i + 1]))
    return torch.cat(alone)


def _state(inputs: Tensor) -> list[Any]:
    """Of the generators that captum draws from."""
    state = torch.cuda.get_rng_state(inputs.device) if inputs.device.type == "cuda" else torch.get_rng_state()
    held: Any = np.random.get_state()  # noqa: NPY002
    return [state.numpy().tobytes(), held[1].tobytes(), held[2]]


def _maps(
    explain: Callable[..., Any],
    private: nn.Module,
    score: Score,
    layer: str | None,
    options: dict[str, Any],
    inputs: Tensor,
    target: Tensor,
) -> Tensor:
    with torch.inference_mode(False), torch.enable_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module="captum")  # on hooks, which a twin takes with it
        work = twin(private, own_buffers=True)
        given: dict[str, Any] = {"target": target.clone()}  # what was made in inference mode enters no graph
        if score is not logit:
            work, given = _Scored(work, score).eval(), {"additional_forward_args": (target.clone(),)}
        try:
            made = _made(explain, work, layer)
            found = made.attribute(inputs.detach().clone().requires_grad_(), **given, **options)
        except (HeatproofError, torch.OutOfMemoryError):
            raise
        except Exception as error:  # of anything that captum meets in a model that it was not made for
            if out_of_memory(error):
                raise
            raise ModelError(
                f"{name_of(explain)} failed on inputs of shape {tuple(inputs.shape)} with {options}: "
                f"{type(error).__name__}: {error}; see what captum asks of a model"
            ) from error
        return _fitted(found, inputs, made, name_of(explain)).detach()


class _Scored(nn.Module):
    """A model whose output is the score of a class, ``(B,)``."""

    def __init__(self, model: nn.Module, score: Score) -> None:
        super().__init__()
        self.model, self.score = model, score

    def forward(self, inputs: Tensor, target: Tensor) -> Tensor:
        return self.score(self.model(inputs), target)


def _made(explain: Callable[..., Any], work: nn.Module, layer: str | None) -> Any:
    """The object of captum, bound to the twin."""
    wants = "layer" in signature(explain).parameters
    if wants != (layer is not None):
        advice = "give layer=, the path of a module" if wants else "leave layer= out"
        raise InputError(f"{name_of(explain)} is {'' if wants else 'not '}a method of a layer; {advice}")
    if layer is None:
        return explain(work)
    model = work.model if isinstance(work, _Scored) else work
    paths = dict(model.named_modules())
    if layer not in paths:
        raise NotApplicable(f"the model has no module {layer!r}; expected one of {', '.join(list(paths)[1:40])}")
    return explain(work, paths[layer])


def _fitted(found: Any, inputs: Tensor, made: Any, name: str) -> Tensor:
    """Maps of the size of the images; those of a layer summed over its channels."""
    if isinstance(found, tuple) and len(found) == 1:
        (found,) = found
    if not isinstance(found, Tensor):
        raise ModelError(
            f"{name} returned a {type(found).__name__}; expected one tensor of maps: leave out what adds more"
        )
    if not isinstance(made, captum_attr().LayerAttribution):
        if found.shape in (inputs.shape, (len(inputs), 1, *inputs.shape[2:])):
            return found
        raise ModelError(f"{name} returned {tuple(found.shape)} for inputs {tuple(inputs.shape)}; expected their shape")
    if found.dim() != 4 or inputs.dim() != 4 or len(found) != len(inputs):
        raise NotApplicable(
            f"{name} returned {tuple(found.shape)} for inputs {tuple(inputs.shape)}; expected a layer with channels, "
            "height and width (B, C, h, w)"
        )
    return interpolate(found.sum(1, keepdim=True), size=inputs.shape[2:], mode="bilinear", align_corners=False)
