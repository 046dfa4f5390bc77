"""The contract of design.md, section 1, over every entry of METHODS; no method is named here."""

from __future__ import annotations

import pickle
import threading
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import heatproof as hp
from heatproof.types import spec_of
from nets import RELU_SPELLINGS, Net, PerLayer, fresh_input, targets

METHODS = pytest.mark.parametrize("explain", hp.METHODS.values(), ids=hp.METHODS)


def snapshot(model: nn.Module, x: Tensor) -> Any:
    """Everything a call could leave behind, by value and by identity."""
    return {
        "tensors": {
            k: (v.data_ptr(), v.detach().clone(), v.requires_grad) for k, v in model.state_dict(keep_vars=True).items()
        },
        "grads": {k: v.grad for k, v in model.named_parameters()},
        "modules": [(k, id(m), m.training, sorted(vars(m))) for k, m in model.named_modules()],
        "hooks": [
            (len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks), len(m._backward_pre_hooks))
            for m in model.modules()
        ],
        "input": (x.detach().clone(), x.requires_grad, x.grad, x._version),
        "rng": torch.get_rng_state(),
        "grad mode": torch.is_grad_enabled(),
        "threads": torch.get_num_threads(),
    }


def same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor):
        return isinstance(b, Tensor) and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


def noise(explain: Any, index: list[int]) -> dict[str, Any]:
    spec = spec_of(explain)
    return {"index": torch.tensor(index)} if spec and spec.noise else {}


@METHODS
def test_shape_dtype_and_finiteness(explain: Any) -> None:
    spec = spec_of(explain)
    maps = explain(Net(), fresh_input(), targets())
    assert maps.shape == ((3, 2, 8, 8) if spec.channels else (3, 1, 8, 8))
    assert maps.dtype == torch.float64
    assert maps.isfinite().all()
    assert not maps.requires_grad
    assert maps.any(), "a map of zeros on a random network"
    if not spec.signed:
        assert (maps >= 0).all()


@METHODS
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_lower_precision(explain: Any, dtype: torch.dtype) -> None:
    x = fresh_input(dtype=dtype)
    maps = explain(Net(dtype=dtype), x, targets())
    assert maps.dtype == dtype
    exact = explain(Net(dtype=dtype).double(), x.double(), targets())
    error = (maps.double() - exact).norm() / exact.norm()
    assert error < (1e-4 if dtype == torch.float32 else 0.35), "bfloat16 moves ReLU gates, not the picture"


@METHODS
def test_k_targets_equal_a_loop(explain: Any) -> None:
    rows = torch.stack([targets(), (targets() + 1) % 5, (targets() + 3) % 5])
    together = explain(Net(), fresh_input(), rows)
    alone = torch.stack([explain(Net(), fresh_input(), t) for t in rows])
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-14)


@METHODS
def test_sample_stands_alone(explain: Any) -> None:
    x, places = fresh_input(), [7, 2, 40]
    together = explain(Net(), x, targets(), **noise(explain, places))
    for i, place in enumerate(places):
        alone = explain(Net(), x[i : i + 1], targets()[i : i + 1], **noise(explain, [place]))
        torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-10, atol=1e-13)


@METHODS
def test_target_none_is_the_predicted_class(explain: Any) -> None:
    predicted = Net()(fresh_input()).argmax(1)
    assert len(predicted.unique()) > 1, "a test that needs different classes"
    assert torch.equal(explain(Net(), fresh_input()), explain(Net(), fresh_input(), predicted))


@METHODS
def test_same_call_same_map(explain: Any) -> None:
    torch.manual_seed(1)
    first = explain(Net(), fresh_input(), targets())
    torch.manual_seed(2)
    assert torch.equal(first, explain(Net(), fresh_input(), targets()))


@METHODS
@pytest.mark.parametrize("relu", RELU_SPELLINGS.values(), ids=RELU_SPELLINGS)
def test_every_spelling_agrees(explain: Any, relu: Any) -> None:
    want = explain(Net(F.relu), fresh_input(), targets())
    torch.testing.assert_close(explain(Net(relu), fresh_input(), targets()), want, rtol=1e-12, atol=1e-14)


@METHODS
@pytest.mark.parametrize("form", ["per layer", "per layer in place", "export", "fx", "compiled wrapper"])
def test_every_form_agrees(explain: Any, form: str) -> None:
    x = fresh_input()
    model: Any = Net()
    if form.startswith("per layer"):
        model = PerLayer(inplace="in place" in form)
    elif form == "export":
        model = torch.export.export(model, (x,)).module()
    elif form == "fx":
        model = torch.fx.symbolic_trace(model).eval()
    else:
        model = torch.compile(model)
    want = explain(Net(), x, targets())
    torch.testing.assert_close(explain(model, x, targets()), want, rtol=1e-12, atol=1e-14)


@METHODS
def test_leaves_nothing_behind(explain: Any) -> None:
    model, x = Net(nn.ReLU(inplace=True)), fresh_input()
    before = snapshot(model, x)
    explain(model, x, targets())
    assert same(before, snapshot(model, x))


@METHODS
def test_leaves_nothing_behind_after_an_error(explain: Any) -> None:
    class Broken(Net):
        def forward(self, x: Tensor) -> Tensor:
            super().forward(x)
            raise RuntimeError("broken on purpose")

    model, x = Broken(nn.ReLU(inplace=True)), fresh_input()
    before = snapshot(model, x)
    if spec_of(explain).uses_model:
        with pytest.raises(hp.ModelError, match="broken on purpose"):
            explain(model, x, targets())
    assert same(before, snapshot(model, x))
    good = Net(nn.ReLU(inplace=True))
    before = snapshot(good, x)
    with pytest.raises(hp.InputError):
        explain(good, x, targets().float())
    assert same(before, snapshot(good, x))


@METHODS
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_works_in_the_callers_grad_mode(explain: Any, mode: Any) -> None:
    want = explain(Net(), fresh_input(), targets())
    with mode():
        assert torch.equal(explain(Net(), fresh_input(), targets()).clone(), want)


@METHODS
def test_input_that_requires_grad_is_left_alone(explain: Any) -> None:
    x = fresh_input().requires_grad_()
    maps = explain(Net(), x, targets())
    assert x.grad is None
    assert x.requires_grad
    assert not maps.requires_grad


@METHODS
def test_training_mode_is_an_error(explain: Any) -> None:
    model = Net()
    model.norm1.train()
    with pytest.raises(hp.ModelError, match=r"training mode.*norm1"):
        explain(model, fresh_input(), targets())
    assert model.norm1.training


@METHODS
@pytest.mark.parametrize("bad", [torch.tensor([0, 1]), torch.tensor([0.0, 1.0, 2.0]), torch.tensor(1), "dog"])
def test_bad_target(explain: Any, bad: Any) -> None:
    with pytest.raises((hp.InputError, TypeError, ValueError)):
        explain(Net(), fresh_input(), bad)


@METHODS
def test_target_out_of_range(explain: Any) -> None:
    if spec_of(explain).uses_model:
        for bad in (torch.tensor([0, 1, 5]), torch.tensor([0, -1, 2])):
            with pytest.raises(hp.InputError, match="out of range"):
                explain(Net(), fresh_input(), bad)


@METHODS
@pytest.mark.parametrize("bad", ["nan", "inf", "int", "empty", "no batch"])
def test_bad_input(explain: Any, bad: str) -> None:
    x = fresh_input()
    if bad in ("nan", "inf"):
        x[1, 0, 0, 0] = float(bad)
    inputs = {"int": x.long(), "empty": x[:0], "no batch": x[0, 0, 0]}.get(bad, x)
    with pytest.raises(hp.InputError):
        explain(Net(), inputs, targets(len(inputs)))


@METHODS
def test_model_without_parameters(explain: Any) -> None:
    class Fixed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.conv2d(x, torch.linspace(-1, 1, 36, dtype=x.dtype).view(2, 2, 3, 3)).relu().mean((2, 3))

    maps = explain(Fixed().eval(), fresh_input(), targets() % 2)
    assert maps.isfinite().all()


@METHODS
def test_pickles_by_value(explain: Any) -> None:
    again = pickle.loads(pickle.dumps(explain))
    assert again == explain
    assert torch.equal(again(Net(), fresh_input(), targets()), explain(Net(), fresh_input(), targets()))


@METHODS
def test_two_threads_on_one_model(explain: Any) -> None:
    model, x = Net(nn.ReLU(inplace=True)), fresh_input()
    want = explain(model, x, targets())
    found: list[Tensor] = []
    threads = [threading.Thread(target=lambda: found.append(explain(model, x, targets()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(torch.equal(f, want) for f in found)


@METHODS
def test_docstring_gives_shapes_and_source(explain: Any) -> None:
    text = explain.__doc__
    assert "(B, " in text
    assert spec_of(explain).source
