"""The one place where calls of a running model are seen and answered: a single ``TorchFunctionMode``.

Seen: modules, functionals, tensor methods, in-place calls, ``aten`` overloads of ``torch.export`` programs, FX graphs.
Not seen: TorchScript, compiled graphs, other threads (`guard` finds out). Nested modes hide calls from each other, so a
pass has exactly one, with everything that it answers and watches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .attention import PLAIN
from .ops import op_name


@dataclass(frozen=True)
class Call:
    """One intercepted call. `index` counts the calls of this pass; `module` is the path of the module that runs."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    index: int
    module: str

    @property
    def op(self) -> str:
        return op_name(self.function)

    def tensors(self) -> Iterator[Tensor]:
        yield from tensors_in((self.args, self.kwargs))

    def run(self) -> Any:
        return self.function(*self.args, **self.kwargs)

    def __str__(self) -> str:
        return f"{self.op} in module {self.module!r}" if self.module else f"{self.op} (op:{self.index})"


@dataclass(frozen=True)
class Tap:
    """What was seen at a place: its name, the value, the gradient edge, which dimension is the channel, and the height and
    width that its tokens form, None where it has none. version: of the value as it was seen, where it is no copy."""

    name: str
    value: Tensor
    edge: Any
    channel: int = 1
    grid: tuple[int, int] | None = None
    version: int | None = None


Answer = Callable[[Call], Any]
"""Answers a call in the operation's place, or returns NotImplemented."""


Answered = Callable[[Call, Any], Any]
"""Gives a call's outputs another form before anyone sees them."""


class Observer(Protocol):
    """Watches calls; `before` may still copy what an in-place call is about to overwrite."""

    def before(self, call: Call) -> None: ...

    def after(self, call: Call, out: Any) -> None: ...


@dataclass(frozen=True)
class RuleSet:
    """Backward rules under one name.

    Attributes:
        name: names the pass in `Spec.needs` and in errors.
        answer: gives the calls that a rule replaces.
        functions: the autograd Functions of these rules, which the guard lets stand in the graph.
        needs_rule: what must have met a rule in the forward, or it is an error (guided backprop without a ReLU).
        plain_attention: attention is run as plain operations, so that `answer` sees its softmax and products.
        covers_score: the score's own operations are under the rules too (a softmax head), not only the model's.
        key: what the rules depend on (options); rule sets of one name and key may share a pass. None: none may.
        state: what the rules remember of their pass, for the method to read from ``Pass.rules``.
        places: called after the forward, further places where the answers put gradients to be read.
        through: of a rule that changes nothing but the gradient of ReLUs: the same on the plain pass (`engine.rectified`).
    """

    name: str
    answer: Answer
    functions: tuple[type, ...]
    needs_rule: str | None = None
    plain_attention: bool = False
    covers_score: bool = False
    key: Any = None
    state: Any = None
    places: Callable[[], dict[str, Tap]] = dict
    through: Callable[[Tensor, Tensor], Tensor] | None = None


def odd_batch_norm(call: Call) -> Tensor | None:
    """The input of a batch norm that torch 2.13 differentiates wrongly on the CPU: one sample, with the strides that tokens
    have after ``transpose(1, 2).reshape(-1, C, h, w)``; None for any other call."""
    if "batch_norm" not in call.op:
        return None
    x = next(call.tensors(), None)
    return x if x is not None and x.requires_grad and has_odd_strides(x) else None


def has_odd_strides(x: Tensor) -> bool:
    return x.dim() > 2 and len(x) == 1 and x.stride(0) != x[0].numel()


class Shapes:
    """Observer: the shape of what each call gives, by its number."""

    def __init__(self) -> None:
        self.of: dict[int, torch.Size] = {}

    def before(self, call: Call) -> None:
        del call

    def after(self, call: Call, out: Any) -> None:
        first = next(tensors_in(out), None)
        if first is not None and first.dim():
            self.of[call.index] = first.shape


class Interpose(TorchFunctionMode):
    """Every call: answered by the first of `answers` that takes it (replay, then rule), else run; then observed
    (residual, tap, taint), in this order."""

    def __init__(
        self,
        answers: Sequence[Answer] = (),
        observers: Sequence[Observer] = (),
        *,
        plain_attention: bool = False,
        separate: Answered | None = None,
    ) -> None:
        super().__init__()
        self.plain_attention = plain_attention
        self.separate = separate
        self.answers = answers
        self.observers = observers
        self.calls = 0
        self.answered = 0
        self.path: list[str] = [""]

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        call = Call(func, args, kwargs or {}, self.calls, self.path[-1])
        plain = PLAIN.get(call.op) if self.plain_attention else None
        if plain is not None and any(t.requires_grad for t in call.tensors()):
            with self:  # each of its operations is a call of its own
                out = plain(*args, **call.kwargs)
            if out is not NotImplemented:
                return out
        if (odd := odd_batch_norm(call)) is not None:
            with self:
                plainly = odd.clone(memory_format=torch.contiguous_format)
            call = replace(
                call,
                args=tuple(plainly if a is odd else a for a in call.args),
                kwargs={k: plainly if a is odd else a for k, a in call.kwargs.items()},
                index=self.calls,
            )
        self.calls += 1
        for observer in self.observers:
            observer.before(call)
        out = self._answer(call)
        if self.separate is not None:
            out = self.separate(call, out)
        for observer in self.observers:
            observer.after(call, out)
        return out

    def _answer(self, call: Call) -> Any:
        for answer in self.answers:
            out = answer(call)
            if out is not NotImplemented:
                self.answered += 1
                return out
        return call.run()

    def follow(self, private: nn.Module) -> None:
        """Keep track of the module that runs, by hooks on a twin of our own."""
        for path, module in private.named_modules():
            if isinstance(module, torch.jit.ScriptModule):  # takes no hooks; its calls are out of sight anyway
                continue
            module.register_forward_pre_hook(lambda _m, _a, path=path: self.path.append(path))
            module.register_forward_hook(lambda _m, _a, _o: self._leave(), always_call=True)

    def _leave(self) -> None:
        self.path.pop()


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Every tensor in nested tuples, lists, dicts and dataclasses."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors_in(item)
    elif is_dataclass(value) and not isinstance(value, type):
        for item in fields(value):
            yield from tensors_in(getattr(value, item.name))
