"""Methods of ours in the form of captum and of Quantus."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .captum_forms import classes_of, single
from .combine import configure
from .engine.call import attribute as explained
from .engine.call import like_inputs
from .engine.model import output
from .errors import InputError
from .named import method_from_text
from .score import logit
from .types import Explain, Score, name_of, spec_of

F = TypeVar("F", bound=Callable[..., Any])


def _unlogged(function: F) -> F:
    """A function with ``__wrapped__``: captum's NoiseTunnel calls that, to pass over captum's log."""
    return wraps(function)(lambda *args, **options: function(*args, **options))  # type: ignore[return-value]


def captum(method: Explain | str, model: nn.Module | None = None, *, score: Score = logit) -> Captum:
    """A method of ours as captum and Quantus call one: ``captum("rectgrad(q=90)", model).attribute(inputs, target=3)``.

    Args:
        method: any method or callable, or its text.
        model: in evaluation mode, as captum's constructors take it; may come later: ``captum(method)(model)``.
        score: what is explained.

    Returns:
        An object for captum (``NoiseTunnel(...)``, ``captum.metrics``), which is also an ``explain_func`` of Quantus.

    Example:
        >>> import torch
        >>> model = nn.Linear(3, 2, bias=False).eval()
        >>> model.weight.data = torch.tensor([[2.0, -1.0, 3.0], [1.0, -3.0, 3.0]])
        >>> captum("gradient_x_input", model).attribute(torch.ones(1, 3), target=1)
        tensor([[ 1., -3.,  3.]])
    """
    return Captum(method_from_text(method) if isinstance(method, str) else method, model, score)


@dataclass(frozen=True)
class Captum:
    """A method in the form of ``captum.attr.Attribution``, which needs no captum; nothing stays behind on its model.

    Attributes:
        method: ours, or any callable.
        forward_func: the model, as captum calls it; None until it is known.
        score: what is explained.
    """

    method: Explain
    forward_func: nn.Module | None = None
    score: Score = logit

    def __call__(
        self,
        model: nn.Module,
        inputs: NDArray[Any] | Tensor | None = None,
        targets: Any = None,
        *,
        reduce_axes: Sequence[int] = (1,),
        method: str = "",
        device: Any = None,
        **options: Any,
    ) -> Any:
        """With a model alone, the same method on that model. With inputs and targets, what Quantus asks of an explain_func.

        Args:
            model: in evaluation mode; the one that is explained, whatever this object was made with.
            inputs: ``(B, C, H, W)``, in the dtype that the model's weights then give.
            targets: whole numbers ``(B,)``.
            reduce_axes: summed over and kept with size 1, as in ``quantus.explain``; () keeps the channels.
            method, device: come from Quantus: a row of its table, and a device, for which the model's own stands.
            **options: of the method.

        Returns:
            ``(B, 1, H, W)``, an array of numpy.
        """
        del method, device
        if inputs is None:
            return replace(self, forward_func=model)
        weight = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(()))
        x = torch.as_tensor(inputs).detach().to(weight.device, weight.dtype)
        found = replace(self, forward_func=model).attribute(x, torch.as_tensor(targets), **options)
        return _reduced(found.cpu().numpy(), tuple(reduce_axes))

    @_unlogged
    def attribute(
        self,
        inputs: Tensor | tuple[Tensor],
        target: Any = None,
        additional_forward_args: Any = None,
        return_convergence_delta: bool = False,
        **options: Any,
    ) -> Any:
        """Raw, signed maps, as the method gives them. ``(B, C, H, W) -> (B, C, H, W)`` or ``(B, 1, H, W)``.

        Args:
            inputs: as the method takes them, or a tuple of one, for which a tuple of one is returned.
            target: a class for all inputs, or one for each: a list, or int64 ``(B,)``. None only where score is
                `heatproof.value`, of a model that gives one number.
            additional_forward_args: None.
            return_convergence_delta: also return `compute_convergence_delta`, where the method is complete.
            **options: of the method.

        Raises:
            InputError: what only models of several inputs or outputs need, or a target of another form.
        """
        model, x = self._model(), single(inputs)
        if additional_forward_args is not None:
            raise InputError(
                f"{name_of(self)}.attribute(additional_forward_args=...): methods of ours explain a model of one input; "
                "wrap the model in a module whose forward takes the images alone"
            )
        explain = configure(self.method, **options)
        chosen = classes_of(target, x, self.score)
        maps: Any = explained(explain, model, x, chosen, score=self.score)
        found = (maps,) if isinstance(inputs, tuple) else maps
        if not return_convergence_delta:
            return found
        baseline = dict(getattr(explain, "options", ())).get("baseline", 0.0)
        return found, self.compute_convergence_delta(maps, baseline, x, chosen)

    def compute_convergence_delta(
        self, attributions: Any, start_point: Any, end_point: Any, target: Any = None
    ) -> Tensor:
        """By how much maps miss the change of the score from a baseline to the inputs, ``(B,)``: sum(maps) - change.

        Raises:
            InputError: the method is not complete, so that its maps sum to no change of score.
        """
        if not self.has_convergence_delta():
            raise InputError(f"{name_of(self)} has no convergence delta: its maps do not sum to a change of the score")
        maps, x = single(attributions), single(end_point)
        start = like_inputs(start_point[0] if isinstance(start_point, tuple) else start_point, x)
        chosen = classes_of(target, x, self.score)
        end, begin = (self.score(output(self._model(), each, self.score), chosen) for each in (x, start))
        return maps.flatten(1).sum(1) - (end - begin)

    def has_convergence_delta(self) -> bool:
        spec = spec_of(self.method)
        return spec is not None and spec.complete

    @property
    def multiplies_by_inputs(self) -> bool:
        """Whether maps are shares of a change of the score, and not slopes: of those that say so, complete ones."""
        return self.has_convergence_delta()

    def get_name(self) -> str:
        return name_of(self.method)

    @property
    def __name__(self) -> str:
        return f"captum({name_of(self.method)})"

    def _model(self) -> nn.Module:
        if self.forward_func is None:
            raise InputError(f"{name_of(self)} has no model yet; give it one: captum(method, model)")
        return self.forward_func


def _reduced(maps: NDArray[Any], axes: tuple[int, ...]) -> NDArray[Any]:
    return np.asarray(maps.sum(axis=axes, keepdims=True)) if axes and maps.ndim > 2 else maps
