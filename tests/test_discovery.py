"""A new method costs one file: found, listed, parsed, audited, without another edit."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import heatproof as hp
from heatproof.combine import configure
from heatproof.named import method_from_text, named_methods
from heatproof.types import Explain
from nets import Net, fresh_input, targets

TOY = '''
"""A toy (nobody 2026)."""
from ..engine.passes import INPUT, forward
from ..score import logit
from ..types import method

@method(source="nobody 2026", needs=frozenset({("plain", INPUT)}))
def toy(model, inputs, target=None, *, score=logit, power: int = 2):
    """Gradient to a power. ``(B, ...) -> (B, ...)``."""
    run = forward(model, inputs, score)
    return run.gradients(score, run.target(score, target), INPUT)[0] ** power
'''

CHECK = """
import sys; sys.path.insert(0, {tests!r})
import torch; torch.set_num_threads(1)
import heatproof as hp
from nets import Net, fresh_input
audit = hp.audit(Net(dtype=torch.float32), fresh_input(4, dtype=torch.float32), methods=["toy(power=3)", "toy"], seeds=1,
                 nulls=2, out={out!r}, faithfulness=False)
print(sorted(audit.verdicts.method))
"""


def test_a_toy_method_in_one_file(tmp_path: Path) -> None:
    package = Path(hp.__file__).parent
    shutil.copytree(package, tmp_path / "heatproof", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "heatproof" / "methods" / "toy.py").write_text(TOY)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "200"}

    def run(code: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "nobody 2026" in run("from heatproof.cli import app; app(['methods'])")
    tests = Path(__file__).parent
    assert "['toy', 'toy(power=3)']" in run(CHECK.format(tests=str(tests), out=str(tmp_path / "run")))
    contract = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests / "test_contract.py"), "-k", "toy"],
        env=environment, capture_output=True, text=True, check=False, cwd=tests.parent,
    )  # fmt: skip
    assert contract.returncode == 0, contract.stdout[-2000:]
    assert " passed" in contract.stdout or "[100%]" in contract.stdout


def test_two_methods_of_one_name_are_refused() -> None:
    with pytest.raises(hp.HeatproofError, match="two methods"):

        @hp.method(source="x")
        def gradient(model, inputs, target=None):  # type: ignore[no-untyped-def]
            return inputs


@pytest.mark.parametrize(
    "text",
    ["gradient", "smoothgrad", "smoothgrad(n=7)", "gradcam(layer='a.b')", "smooth(guided_backprop, n=3)",
     "integrated_gradients(baseline=0.5, steps=3)", "smooth(smooth(gradient, n=2), n=2)"],
)  # fmt: skip
def test_text_there_and_back(text: str) -> None:
    explain = method_from_text(text)
    (name,) = named_methods([text])
    assert name == text
    assert method_from_text(name) == explain
    assert pickle.loads(pickle.dumps(explain)) == explain


def mine(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    return inputs * 2


FILE = f"{__file__}:mine"


@pytest.mark.parametrize(
    "text",
    [f"smooth({FILE}, n=2)", f"compete(smooth( {FILE}, sigma=0.1, n=2), classes=3)", f"times_input({FILE})"],
)  # fmt: skip
def test_a_callable_inside_a_combinator(text: str) -> None:
    explain = method_from_text(text)
    assert explain(Net(), fresh_input(), targets()).shape == (3, 2, 8, 8)
    assert "mine" in repr(explain)


def test_a_path_with_spaces(tmp_path: Path) -> None:
    file = tmp_path / "a b" / "my maps.py"
    file.parent.mkdir()
    file.write_text("def f(model, inputs, target, k=1):\n    return inputs * k\n")
    for text in (f"{file}:f", f"{file}:f(k=1)", f"smooth({file}:f, n=2, sigma=0.0)"):
        torch.testing.assert_close(method_from_text(text)(Net(), fresh_input(), targets()), fresh_input())


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("smooth(gradient, n=50)", hp.smooth(hp.gradient)),
        ("vargrad(gradient, n=25, sigma=0.15)", hp.vargrad(hp.gradient)),
        ("compete(gradient, classes=[0, 1], chunk=16)", hp.compete(hp.gradient, classes=(0, 1))),
        ("compete(gradient, classes=None)", hp.compete(hp.gradient)),
        ("integrated_gradients(baseline=[0.0, 1.0])", configure(hp.integrated_gradients, baseline=(0.0, 1.0))),
        ("gradcam(layer='a:b')", configure(hp.gradcam, layer="a:b")),
    ],
)
def test_equal_methods_have_equal_text(text: str, same: Explain) -> None:
    explain = method_from_text(text)
    assert explain == same
    assert hash(explain) == hash(same)
    assert repr(explain) == repr(same)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gradeint", "did you mean gradient"),
        ("gradient(n=3)", "no option 'n'"),
        ("smooth(gradeint)", "gradient"),
        ("smooth", "there is no method"),
        ("gradient(", "cannot be read"),
        ("gradient; import os", "cannot be read"),
        ("gradcam(layer=__import__('os'))", "not a plain value"),
        ("no.such.module:thing", "no module"),
        ("os:nothing", "has no"),
        ("os:name", "callable"),
        ("gradient[0]", "cannot be read"),
        ("clrp(rule='gamma')", r"compete\(lrp\(rule='gamma'\)\)"),
        ("compete(lrp, rule='gamma')", r"compete\(lrp\(rule='gamma'\)\)"),
        ("ig_smoothgrad(steps=5)", r"smooth\(integrated_gradients\(steps=5\)\)"),
        ("lrp(rule='gamma', epsilon=0.1)(gamma=2)", "cannot be read"),
        ("lrp(rule={[]:1})", "not a plain value"),
        ("lrp(rule={'a': 1})", "not a plain value"),
        ("lrp(rule={1, 2})", "not a plain value"),
        ("lrp(**{'rule': 'gamma'})", "cannot be read"),
        ("lrp(return_residual=True)", "leave it out"),
        ("smooth(deeplift(return_residual=True))", "leave it out"),
        ("smooth(gradient, n=0)", "n >= 1"),
        ("smoothgrad(n=0)", "n >= 1"),
        ("vargrad(gradient, sigma='a')", "sigma"),
        ("compete(gradient, chunk=0)", "chunk"),
        ("cgi(chunk=0)", "chunk"),
        ("cgi(classes=())", "classes"),
        ("smooth(gradient, seed='x')", "seed"),
        ("smooth(no.such.module:thing, n=2)", "no module"),
        ("smooth(os:name)", "callable"),
        ("gradcam(layer=a:b)", "cannot be read"),
        ("smooth(gradient, gradient)", "takes 1 method"),
        ("smooth()", "takes 1 method"),
    ],
)
def test_bad_text(text: str, message: str) -> None:
    with pytest.raises(hp.InputError, match=message):
        method_from_text(text)


def test_options_of_a_configured_method_are_checked_again() -> None:
    explain = method_from_text("lrp(rule='gamma')")
    assert configure(explain, epsilon=0.1) == configure(hp.lrp, rule="gamma", epsilon=0.1)
    with pytest.raises(hp.InputError, match="no option 'nonsense'"):
        configure(explain, nonsense=1)


def test_names_that_clash() -> None:
    with pytest.raises(hp.InputError, match="two methods are called"):
        named_methods([hp.gradient, type("X", (), {"__name__": "gradient", "__call__": lambda s, *a: a})()])
