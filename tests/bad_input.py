"""Bad input, systematically: every case is a correct result or a heatproof error; nothing is left changed.

    python tests/bad_input.py        # runs all cases, of files and commands too, and prints their count

A case here is a method on a form of input, target or model. Its judge is written another way than the engine: a form
that holds the same numbers must give the map of the plain tensor; for anything else an error of ours is due.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import heatproof as hp
from bad_outcome import CORRECT, ERROR, outcome_of
from nets import Net, PerLayer, fresh_input, targets
from test_contract import same, snapshot

METHODS = (
    "gradient", "gradient_x_input", "guided_backprop", "gradcam", "guided_gradcam", "fullgrad", "integrated_gradients",
    "smoothgrad", "lrp", "deeplift", "rectgrad", "cgi", "occlusion",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """run: gives what was found and what is right, None where only an error is."""

    name: str
    model: nn.Module
    x: Any
    run: Callable[[], tuple[Any, Any]]


def outcome(case: Case) -> str:
    """`CORRECT`, `ERROR`, or what is wrong."""
    watched = _leaf(case.x) if isinstance(case.x, Tensor) and _can_be_watched(case.x) else torch.zeros(1)
    before = snapshot(case.model, watched)

    def right() -> bool:
        found, want = case.run()
        return want is not None and alike(found, want)

    said = outcome_of(right)
    changed = not same(before, snapshot(case.model, watched))
    return f"{said}, and the model or the input was changed" if changed else said


def _leaf(x: Tensor) -> Tensor:
    """The tensor, or where it is a part of a graph, which has no gradient to look at, its numbers."""
    return x if x.is_leaf else x.detach()


def _can_be_watched(x: Tensor) -> bool:
    """Whether it has numbers to compare, equal to themselves, and counts its changes."""
    return x.layout == torch.strided and not x.is_meta and not x.is_inference() and not bool(x.isnan().any())


def alike(found: Any, want: Any) -> bool:
    return (
        isinstance(found, Tensor)
        and found.shape == want.shape
        and torch.allclose(found, want, rtol=1e-9, atol=1e-12, equal_nan=True)
    )


def cases(method: str) -> Iterator[Case]:
    for part in (inputs, wanted_classes, models):
        yield from part(method)


def _expanded(x: Tensor) -> Tensor:
    return x[:1].expand(3, -1, -1, -1)


def _inference(x: Tensor) -> Tensor:
    with torch.inference_mode():
        return x.clone()


SAME: dict[str, Callable[[Tensor], Tensor]] = {
    "not contiguous": lambda x: x.transpose(2, 3).contiguous().transpose(2, 3),
    "channels last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "a view with an offset": lambda x: torch.cat([x, x])[3:],
    "expanded, stride 0": _expanded,
    "every second of a larger one": lambda x: x.repeat_interleave(2, 0)[::2],
    "with requires_grad": lambda x: x.clone().requires_grad_(),
    "part of a graph": lambda x: x.clone().requires_grad_() * 1,
    "an inference tensor": _inference,
    "a Parameter": lambda x: nn.Parameter(x.clone()),
    "one image": lambda x: x[:1],
    "flipped": lambda x: x.flip(3).flip(3),
}
"""Forms that hold the numbers of a plain tensor."""

WRONG: dict[str, Callable[[Tensor], Any]] = {
    "no images": lambda x: x[:0],
    "height 0": lambda x: x[:, :, :0],
    "width 0": lambda x: x[:, :, :, :0],
    "no channels": lambda x: x[:, :0],
    "no batch axis": lambda x: x[0],
    "five axes": lambda x: x[..., None],
    "a number": lambda x: x.sum(),
    "one axis": lambda x: x.flatten(),
    "three channels for two": lambda x: torch.cat([x, x[:, :1]], 1),
    "one channel for two": lambda x: x[:, :1],
    "four channels for two": lambda x: torch.cat([x, x], 1),
    "another size": lambda x: x[:, :, :5, :5],
    "much larger": lambda x: F.interpolate(x, size=(64, 64)),
    "int64": lambda x: x.long(),
    "uint8": lambda x: (x.abs() * 50).byte(),
    "bool": lambda x: x > 0,
    "complex": lambda x: x.to(torch.complex128),
    "float32 for a float64 network": lambda x: x.float(),
    "float16 for a float64 network": lambda x: x.half(),
    "bfloat16 for a float64 network": lambda x: x.bfloat16(),
    "NaN in one pixel": lambda x: x.index_put((torch.tensor(0),) * 4, torch.tensor(torch.nan).to(x)),
    "infinity in one pixel": lambda x: x.index_put((torch.tensor(1),) * 4, torch.tensor(torch.inf).to(x)),
    "minus infinity everywhere": lambda x: torch.full_like(x, -torch.inf),
    "on the meta device": lambda x: x.to("meta"),
    "sparse": lambda x: x.to_sparse(),
    "a list": lambda x: x.tolist(),
    "a numpy array": lambda x: x.numpy(),
    "None": lambda x: None,
    "a text": lambda x: "photo.png",
    "a list of tensors": list,
}  # fmt: skip


def inputs(method: str) -> Iterator[Case]:
    """The method on every form of input."""
    explain = getattr(hp, method)
    for name, form in SAME.items():
        model, x = PerLayer(), form(fresh_input())
        yield Case(f"{method} on {name}", model, x, partial(_as_plain, explain, model, x, targets()[: len(x)]))
    for name, form in WRONG.items():
        model, x = PerLayer(), form(fresh_input())
        yield Case(f"{method} on {name}", model, x, partial(_no_result, explain, model, x))


def _as_plain(explain: Any, model: nn.Module, x: Tensor, target: Tensor) -> tuple[Any, Tensor]:
    """The map of the form, and that of a plain tensor made of its numbers one by one."""
    plain = torch.from_numpy(np.array(x.detach().numpy(), order="C"))
    return explain(model, x, target), explain(model, plain, target)


def _no_result(explain: Any, model: Any, x: Any) -> tuple[Any, None]:
    return explain(model, x, targets()), None


CLASSES: dict[str, tuple[Any, Any]] = {
    "none given": (None, "predicted"),
    "int32": (targets().int(), None),
    "float": (targets().float(), None),
    "bool": (targets() > 0, None),
    "one too few": (targets()[:2], None),
    "one too many": (torch.cat([targets(), targets()[:1]]), None),
    "too large": (torch.tensor([0, 5, 1]), None),
    "negative": (torch.tensor([0, -1, 1]), None),
    "NaN": (torch.full((3,), torch.nan), None),
    "no classes": (targets()[:0], None),
    "three axes": (targets()[None, None], None),
    "one number": (torch.tensor(1), None),
    "a Python number": (1, None),
    "a text": ("cat", None),
    "a list": (targets().tolist(), None),
    "a numpy array": (targets().numpy(), None),
    "0 rows": (targets()[None][:0], None),
    "complex": (targets().to(torch.complex64), None),
    "on the meta device": (targets().to("meta"), None),
}
"""A target, and whether another way of giving it is right."""


def wanted_classes(method: str) -> Iterator[Case]:
    """The method for every form of target."""
    explain = getattr(hp, method)
    for name, (target, right) in CLASSES.items():
        model, x = PerLayer(), fresh_input()
        yield Case(f"{method} for target {name}", model, x, partial(_for_class, explain, model, x, target, right))


def _for_class(explain: Any, model: nn.Module, x: Tensor, target: Any, right: Any) -> tuple[Any, Tensor | None]:
    found = explain(model, x, target)
    if right is None and not isinstance(target, (int, list, np.ndarray)):
        return found, None
    plain = model(x).argmax(1) if right else torch.as_tensor(target).expand(3)  # what else could be meant
    return found, explain(model, x, plain)


class Returns(Net):
    """A network that returns something else than its logits."""

    def __init__(self, form: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.form = form

    def forward(self, x: Tensor) -> Any:
        return self.form(super().forward(x))


class Takes(Net):
    """A network that does something to its input first."""

    def __init__(self, form: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.form = form

    def forward(self, x: Tensor) -> Any:
        return super().forward(self.form(x))


def _raises(_: Tensor) -> Tensor:
    raise KeyError("inner")


MODELS: dict[str, Callable[[], Any]] = {
    "returns a tuple": lambda: Returns(lambda out: (out, out)),
    "returns a dictionary": lambda: Returns(lambda out: {"logits": out}),
    "returns a list": lambda: Returns(lambda out: [out]),
    "returns None": lambda: Returns(lambda out: None),
    "returns a number": lambda: Returns(lambda out: float(out.detach().sum())),
    "returns a text": lambda: Returns(str),
    "returns a numpy array": lambda: Returns(lambda out: out.detach().numpy()),
    "returns one axis": lambda: Returns(lambda out: out.sum(1)),
    "returns three axes": lambda: Returns(lambda out: out[:, :, None]),
    "returns another batch": lambda: Returns(lambda out: out[:1]),
    "returns no classes": lambda: Returns(lambda out: out[:, :0]),
    "returns whole numbers": lambda: Returns(lambda out: out.long()),
    "returns NaN": lambda: Returns(lambda out: out * torch.nan),
    "returns infinity": lambda: Returns(lambda out: out / 0),
    "detaches": lambda: Returns(lambda out: out.detach()),
    "ignores the input": lambda: Returns(torch.zeros_like),
    "detaches its input": lambda: Takes(lambda x: x.detach()),
    "goes through numpy": lambda: Takes(lambda x: torch.from_numpy(x.detach().numpy())),
    "raises": lambda: Takes(_raises),
    "is in training mode": lambda: Net().train(),
    "is in training mode in one layer": lambda: (lambda m: (m.norm1.train(), m)[1])(Net()),
    "is no module": lambda: lambda x: x.flatten(1),
    "is a class": lambda: Net,
    "is None": lambda: None,
    "is a state dict": lambda: Net().state_dict(),
}


FORWARD_ONLY: dict[str, Callable[[], nn.Module]] = {
    "returns whole numbers": lambda: Returns(lambda out: out.trunc()),
    "detaches": Net,
    "ignores the input": lambda: Returns(lambda out: 0 * out),
    "detaches its input": Net,
    "goes through numpy": Net,
}
"""What a method without gradients may take, and a model of the same numbers that has gradients."""


def models(method: str) -> Iterator[Case]:
    """The method of every kind of model."""
    explain = getattr(hp, method)
    for name, make in MODELS.items():
        model, x = make(), fresh_input()
        watched = model if isinstance(model, nn.Module) else Net()
        run: Callable[[], tuple[Any, Any]] = partial(_no_result, explain, model, x)
        if method == "occlusion" and name in FORWARD_ONLY:
            run = partial(_as_model, explain, model, FORWARD_ONLY[name](), x)
        yield Case(f"{method} of a model that {name}", watched, x, run)


def _as_model(explain: Any, model: nn.Module, plain: nn.Module, x: Tensor) -> tuple[Any, Tensor]:
    return explain(model, x, targets()), explain(plain, x, targets())


def tried() -> Iterator[tuple[str, str]]:
    """Every case of inputs, files and commands by its name, and what came of it."""
    import bad_commands
    import bad_files

    for method in METHODS:
        yield from ((case.name, outcome(case)) for case in cases(method))
    yield from ((case.name, bad_files.outcome(case)) for case in bad_files.cases())
    with bad_commands.place() as here:
        yield from ((case.name, bad_commands.outcome(case, here)) for case in bad_commands.cases())


def failed(outcomes: Iterable[tuple[str, str]]) -> list[str]:
    """What neither is right nor says so: a line each."""
    return [f"{name}: {said}" for name, said in outcomes if said not in (CORRECT, ERROR)]


def main() -> int:
    start, outcomes = time.monotonic(), []
    for name, said in tried():
        outcomes.append((name, said))
        for line in failed([(name, said)]):
            print(line, flush=True)
    counted, wrong = Counter(said for _, said in outcomes), failed(outcomes)
    print(
        f"{len(outcomes)} cases in {time.monotonic() - start:.0f} s: {counted[CORRECT]} correct results, "
        f"{counted[ERROR]} errors of ours, {len(wrong)} silent failures or foreign errors"
    )
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
