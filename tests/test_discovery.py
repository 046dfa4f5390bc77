"""A new method costs one file: found, listed, parsed, audited, without another edit."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import heatproof as hp
from heatproof.named import method_from_text, named_methods

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
    ],
)
def test_bad_text(text: str, message: str) -> None:
    with pytest.raises(hp.InputError, match=message):
        method_from_text(text)


def test_names_that_clash() -> None:
    with pytest.raises(hp.InputError, match="two methods are called"):
        named_methods([hp.gradient, type("X", (), {"__name__": "gradient", "__call__": lambda s, *a: a})()])
