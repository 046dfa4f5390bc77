"""Bad input, systematically: every case is a correct result or a heatproof error; nothing is left changed.

    python tests/bad_input.py        # runs all cases, of files and commands too, and prints their count

A case here is a method on a form of input, target or model. Its judge is written another way than the engine: a form
that holds the same numbers must give the map of the plain tensor; for anything else an error of ours is due.
"""

from __future__ import annotations

import re
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


WANTED = targets()


@dataclass(frozen=True)
class Case:
    """run: gives what was found and what is right. wants: `CORRECT` or `ERROR`. says: what an error must name, a regex."""

    name: str
    model: nn.Module
    x: Any
    run: Callable[[], tuple[Any, Any]]
    wants: str
    says: str = ""


def outcome(case: Case) -> str:
    """`CORRECT`, `ERROR`, or what is wrong."""
    watched = _leaf(case.x) if isinstance(case.x, Tensor) and _can_be_watched(case.x) else torch.zeros(1)
    before = snapshot(case.model, watched)

    def right() -> bool:
        found, want = case.run()
        return want is not None and alike(found, want)

    said = outcome_of(right, case.wants, case.says)
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
        run: Callable[[], tuple[Any, Any]] = partial(_as_plain, explain, model, x, targets()[: len(x)])
        yield Case(f"{method} on {name}", model, x, run, CORRECT)
    for name, form in WRONG.items():
        model, x = PerLayer(), form(fresh_input())
        says = _named(x) + r"|expected int64 \(2,\)" * (name == "no batch axis")  # two images, by its first axis
        yield Case(f"{method} on {name}", model, x, partial(_no_result, explain, model, x), ERROR, says)


def _as_plain(explain: Any, model: nn.Module, x: Tensor, target: Tensor) -> tuple[Any, Tensor]:
    """The map of the form, and that of a plain tensor made of its numbers one by one."""
    plain = torch.from_numpy(np.array(x.detach().numpy(), order="C"))
    return explain(model, x, target), explain(model, plain, target)


def _named(given: Any) -> str:
    """What the text of an error may call it by: its shape, dtype, layout, device or bad values; else its type or itself."""
    if not isinstance(given, Tensor):
        return f"{type(given).__name__}|{re.escape(repr(given))}"
    names = [str(tuple(given.shape)), str(given.dtype), *(["meta"] if given.is_meta else [])]
    if given.layout != torch.strided:
        return re.escape(str(given.layout))
    if given.is_floating_point() and not given.is_meta and not given.isfinite().all():
        return "NaN|torch.float32"  # the dtype: of a target
    return "|".join(re.escape(name) for name in names)


def _no_result(explain: Any, model: Any, x: Any, target: Any = WANTED) -> tuple[Any, None]:
    return explain(model, x, target), None


CLASSES: dict[str, tuple[Any, str]] = {
    "none given": (None, CORRECT),
    "a list": (targets().tolist(), CORRECT),
    "a numpy array": (targets().numpy(), CORRECT),
    "int32": (targets().int(), ERROR),
    "float": (targets().float(), ERROR),
    "bool": (targets() > 0, ERROR),
    "one too few": (targets()[:2], ERROR),
    "one too many": (torch.cat([targets(), targets()[:1]]), ERROR),
    "too large": (torch.tensor([0, 5, 1]), "target 5 .*0 to 4"),
    "negative": (torch.tensor([0, -1, 1]), "target -1 .*0 to 4"),
    "NaN": (torch.full((3,), torch.nan), ERROR),
    "no classes": (targets()[:0], ERROR),
    "three axes": (targets()[None, None], ERROR),
    "one number": (torch.tensor(1), ERROR),
    "a Python number": (1, r"shape \(\)"),  # which image it is of is not said
    "a text": ("cat", "'cat'"),
    "0 rows": (targets()[None][:0], ERROR),
    "complex": (targets().to(torch.complex64), ERROR),
    "on the meta device": (targets().to("meta"), ERROR),
}
"""A target, and whether it is as good as a tensor (None: the predicted classes), an error, or one that says so."""


def wanted_classes(method: str) -> Iterator[Case]:
    """The method for every form of target."""
    explain = getattr(hp, method)
    for name, (target, due) in CLASSES.items():
        model, x = PerLayer(), fresh_input()
        run: Callable[[], tuple[Any, Any]] = partial(_no_result, explain, model, x, target)
        if due == CORRECT:
            run = partial(_for_class, explain, model, x, target)
        wants, says = (due, _named(target)) if due in (CORRECT, ERROR) else (ERROR, due)
        yield Case(f"{method} for target {name}", model, x, run, wants, says)


def _for_class(explain: Any, model: nn.Module, x: Tensor, target: Any) -> tuple[Any, Tensor]:
    plain = model(x).argmax(1) if target is None else targets()
    return explain(model, x, target), explain(model, x, plain)


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


MODELS: dict[str, tuple[Callable[[], Any], str]] = {
    "returns a tuple": (lambda: Returns(lambda out: (out, out)), "a tuple"),
    "returns a dictionary": (lambda: Returns(lambda out: {"logits": out}), "a dict with keys"),
    "returns a list": (lambda: Returns(lambda out: [out]), "a list"),
    "returns None": (lambda: Returns(lambda out: None), "NoneType"),
    "returns a number": (lambda: Returns(lambda out: float(out.detach().sum())), "a float"),
    "returns a text": (lambda: Returns(str), "a str"),
    "returns a numpy array": (lambda: Returns(lambda out: out.detach().numpy()), "ndarray"),
    "returns one axis": (lambda: Returns(lambda out: out.sum(1)), r"\(\d,\)"),
    "returns three axes": (lambda: Returns(lambda out: out[:, :, None]), r"\(\d, 5, 1\)"),
    "returns another batch": (lambda: Returns(lambda out: out[:1]), r"\(1, 5\) for \d"),
    "returns no classes": (lambda: Returns(lambda out: out[:, :0]), r"\(\d, 0\)"),
    "returns whole numbers": (lambda: Returns(lambda out: out.long()), "torch.int64.*no gradient"),
    "returns NaN": (lambda: Returns(lambda out: out * torch.nan), "NaN or infinite"),
    "returns infinity": (lambda: Returns(lambda out: out / 0), "NaN or infinite"),
    "detaches": (lambda: Returns(lambda out: out.detach()), "no gradient"),
    "ignores the input": (lambda: Returns(torch.zeros_like), "no gradient"),
    "detaches its input": (lambda: Takes(lambda x: x.detach()), "no gradient"),
    "goes through numpy": (lambda: Takes(lambda x: torch.from_numpy(x.detach().numpy())), "no gradient"),
    "raises": (lambda: Takes(_raises), "'inner'"),
    "is in training mode": (lambda: Net().train(), r"training mode.*eval\(\)"),
    "is in training mode in one layer": (lambda: (lambda m: (m.norm1.train(), m)[1])(Net()), "norm1"),
    "is no module": (lambda: lambda x: x.flatten(1), "function"),
    "is a class": (lambda: Net, "type"),
    "is None": (lambda: None, "NoneType"),
    "is a state dict": (lambda: Net().state_dict(), "OrderedDict"),
    "drops at random": (lambda: Takes(lambda x: F.dropout(x, training=True)), "says something else each time"),
}
"""A model, and what an error must say. What draws elsewhere, or counts, is seen by commands alone: `bad_command_lines`."""


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
    for name, (make, says) in MODELS.items():
        model, x = make(), fresh_input()
        watched = model if isinstance(model, nn.Module) else Net()
        run: Callable[[], tuple[Any, Any]] = partial(_no_result, explain, model, x)
        has_one = method == "occlusion" and name in FORWARD_ONLY
        if has_one:
            run = partial(_as_model, explain, model, FORWARD_ONLY[name](), x)
        if name == "drops at random":
            run = partial(_with_own_draws, run)
        yield Case(f"{method} of a model that {name}", watched, x, run, CORRECT if has_one else ERROR, says)


def _with_own_draws(run: Callable[[], tuple[Any, Any]]) -> tuple[Any, Any]:
    """The model draws from the global generator, which is then none of ours to keep."""
    with torch.random.fork_rng(devices=[]):
        return run()


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
