"""What a result depends on: a change of any code that it runs gives another identity, or there is none at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
import torch
from torch import nn

import heatproof as hp
from heatproof.experiment.identity import function_identity, method_identity, model_fingerprint
from heatproof.score import SCORES
from nets import Net, fresh_input
from test_audit import audited

HEAD = "import functools\nimport torch\nimport numpy as np\nimport torch.nn.functional as F\nimport heatproof as hp\n"


def module(source: str, name: str = "users") -> Any:
    """A module of a user's, as after a reload: the same name, whatever the source."""
    made = ModuleType(name)
    exec(compile(HEAD + source, f"{name}.py", "exec", dont_inherit=True), made.__dict__)
    return made


def identity(source: str, **extra: str) -> str | None:
    """Identity of ``mine``; extra: other modules that it finds under their names."""
    made = module(source)
    for name, text in extra.items():
        setattr(made, name, module(text, name))
    return function_identity(made.mine)


FOLLOWED = {
    "helper": "def helper(m): return m * {k}\ndef mine(m, x, t): return helper(hp.gradient(m, x, t))",
    "helper's helper": "def deep(m): return m * {k}\ndef helper(m): return deep(m)\ndef mine(m, x, t): return helper(x)",
    "inside a lambda": "def helper(m): return m * {k}\ndef mine(m, x, t): return (lambda y: helper(y))(x)",
    "inside a comprehension": "def helper(m): return m * {k}\ndef mine(m, x, t): return [helper(y) for y in x]",
    "as a value": "def helper(m): return m * {k}\ndef mine(m, x, t): return sum(map(helper, x))",
    "as a default": "def helper(m): return m * {k}\ndef mine(m, x, t, f=helper): return f(x)",
    "closed over": "def make(f):\n def mine(m, x, t): return f(x)\n return mine\nmine = make(lambda y: y * {k})",
    "decorated": "def twice(f):\n @functools.wraps(f)\n def g(*a): return f(*a) * 2\n return g\n"
    "@twice\ndef mine(m, x, t): return x * {k}",
    "method of a class": "class A:\n def run(self, x): return x * {k}\ndef mine(m, x, t): return A().run(x)",
    "static method": "class A:\n @staticmethod\n def run(x): return x * {k}\ndef mine(m, x, t): return A.run(x)",
    "property": "class A:\n @property\n def k(self): return {k}\ndef mine(m, x, t): return A().k",
    "base of a class": "class B:\n def run(self, x): return x * {k}\nclass A(B): pass\n"
    "def mine(m, x, t): return A().run(x)",
    "super": "class B:\n def f(self): return {k}\nclass A(B):\n def f(self): return super().f()\n"
    "def mine(m, x, t): return A().f()",
    "attribute of a class": "class A:\n k = {k}\ndef mine(m, x, t): return x * A.k",
    "literal": "K = {k}\ndef mine(m, x, t): return x * K",
    "literals": "K = dict(a=[1, ({k}, 'b')])\ndef mine(m, x, t): return x * K['a'][1][0]",
    "functions in a table": "def helper(m): return m * {k}\nT = dict(a=helper)\ndef mine(m, x, t): return T['a'](x)",
    "tensor": "K = torch.full((2000,), 1.0)\nK[1000] = {k}\ndef mine(m, x, t): return x * K.sum()",
    "composed": "def helper(m, x, t): return x * {k}\nK = hp.smooth(helper, n=2)\ndef mine(m, x, t): return K(m, x, t)",
    "keyword default": "def mine(m, x, t, *, k={k}): return x * k",
    "class in a function": "K = {k}\ndef mine(m, x, t):\n class A:\n  a = K\n  b = a\n return A.b",
    "data class": "import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass A:\n k: int = {k}\n"
    "def mine(m, x, t): return A().k * x",
    "cycle": "def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n != 0 and even(n - {k})\n"
    "def mine(m, x, t): return even(len(x))",
}
"""Ways in which ``mine`` depends on ``{k}``."""


@pytest.mark.parametrize("way", FOLLOWED)
def test_what_a_function_reads_is_part_of_it(way: str) -> None:
    one, same, two = (identity(FOLLOWED[way].replace("{k}", k)) for k in ("1", "1", "2"))
    assert one is not None
    assert one == same
    assert one != two


def test_a_function_of_another_module_is_followed() -> None:
    mine = "def mine(m, x, t): return cfg.helper(x)"
    one, two = (identity(mine, cfg=f"K = {k}\ndef helper(x): return x * K") for k in (1, 2))
    assert one is not None
    assert one != two


@pytest.mark.parametrize(
    "source",
    [
        "def mine(m, x, t): return x * cfg.K",
        "def mine(m, x, t): return x * getattr(cfg, 'K')",
        "def mine(m, x, t): return (lambda: cfg.K)()",
        "def helper(): return cfg.K\ndef mine(m, x, t): return x * helper()",
        "def make(c):\n def mine(m, x, t): return x * c.K\n return mine\nimport test_identity as c\nmine = make(c)",
        "class A: pass\na = A()\na.k = 2\ndef mine(m, x, t): return x * a.k",
        "class A:\n def f(self, m, x, t): return x\nmine = A().f",
        "net = torch.nn.Linear(2, 2)\ndef mine(m, x, t): return net(x)",
        "def mine(m, x, t): return later(x)",
        "def mine(m, x, t):\n import nets\n return nets.Net",
        "def mine(m, x, t):\n from . import other\n return other",
        "K = 0\ndef mine(m, x, t):\n global K\n K += 1\n return x * K",
        "def make():\n n = 0\n def mine(m, x, t):\n  nonlocal n\n  n += 1\n  return x * n\n return mine\nmine = make()",
        "mine = functools.partial(hp.gradcam, layer='conv2')",
        "def mine(m, x, t, k=object()): return x",
    ],
)
def test_what_cannot_be_identified_is_not(source: str) -> None:
    assert identity(source, cfg="K = 2") is None


def test_installed_packages_count_by_their_version() -> None:
    source = """
from math import sqrt
from numpy import exp
from torch import Tensor, relu
from torch.nn.functional import conv2d, max_pool2d, softmax
from heatproof import gradient, smoothgrad
import os.path
def mine(m, x, t):
    import json
    from scipy import ndimage
    from PIL import Image
    y = max_pool2d(softmax(relu(conv2d(x, x)), 1), 2) + F.relu(x) * np.pi + hp.gradient(m, x, t) + smoothgrad(m, x, t)
    return y * sqrt(2) * exp(1), os.path.sep, isinstance(y, Tensor), gradient, torch, len(y)
"""
    assert identity(source) is not None


def test_a_users_module_named_as_one_of_pythons_is_the_users() -> None:
    made = module("def helper(x): return x", "profile")
    made.__file__ = "/home/user/profile.py"
    users = module("def mine(m, x, t): return profile.K")
    users.profile = made
    made.K = 3
    held, sys.modules["profile"] = sys.modules.get("profile"), made
    try:
        assert function_identity(users.mine) is None
    finally:
        del sys.modules["profile"]
        if held is not None:
            sys.modules["profile"] = held


def test_our_methods_and_scores_are_identified_and_differ() -> None:
    found = [method_identity(m) for m in hp.METHODS.values()] + [function_identity(s) for s in SCORES.values()]
    assert None not in found
    assert len(set(found)) == len(found)
    assert method_identity(hp.smooth(hp.gradient, n=3)) != method_identity(hp.smooth(hp.gradient, n=4))


MODELS = {
    "method": "def f(self, x): return x * {k}\n def forward(self, x): return self.f(x)",
    "property": "@property\n def k(self): return {k}\n def forward(self, x): return x * self.k",
    "base": "def forward(self, x): return self.base(x)",
    "helper": "def forward(self, x): return helper(x)",
}


@pytest.mark.parametrize("way", MODELS)
def test_fingerprint_holds_all_code_of_a_model(way: str) -> None:
    def fingerprint(k: str) -> str:
        bases = "def helper(x): return x * {k}\nclass B(torch.nn.Module):\n def base(self, x): return x * {k}\n"
        made = module(f"{bases}class M(B):\n {MODELS[way]}".replace("{k}", k))
        return model_fingerprint(nn.Sequential(made.M(), nn.Linear(2, 2)))

    assert fingerprint("1") == fingerprint("1") != fingerprint("2")


def test_fingerprint_outlives_a_run() -> None:
    """Counters and caches outside a model change as it runs; another fingerprint would refuse the folder."""
    made = module(
        "CACHE = {}\nCALLS = 0\nclass M(torch.nn.Module):\n def forward(self, x):\n  global CALLS\n  CALLS += 1\n"
        "  return self.add(x)\n def add(self, x):\n  return x + CACHE.setdefault(x.shape, torch.rand(()))"
    )
    before = model_fingerprint(made.M())
    made.M()(torch.zeros(2))
    assert model_fingerprint(made.M()) == before


def test_what_is_known_about_a_method_is_part_of_it() -> None:
    one, two = (module(f"@hp.method({facts})\ndef mine(m, x, t): return x").mine for facts in ("", "noise=True"))
    hp.METHODS.pop("mine")
    assert function_identity(one) == function_identity(two)
    assert method_identity(one) != method_identity(two)


def test_fingerprint_of_what_is_no_plain_module() -> None:
    models = [Net(dtype=torch.float32), torch.fx.symbolic_trace(Net(dtype=torch.float32))]
    models += [torch.jit.trace(models[0], fresh_input(2, dtype=torch.float32))]
    models += [nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))]
    assert len({model_fingerprint(m) for m in models}) == 4


@pytest.mark.parametrize("what", ["methods", "score"])
def test_a_changed_helper_is_computed_again(tmp_path: Path, what: str) -> None:
    sources = {
        "methods": "def helper(m, x): return m * {k} + x * ({k} - 1)\n"
        "def mine(m, x, t): return helper(hp.gradient(m, x, t), x)",
        "score": "def helper(o): return o * {k} - o.logsumexp(1, True) * ({k} - 1)\n"
        "def mine(o, t): return hp.logit(helper(o), t)",
    }

    def run(k: str, out: str) -> pd.DataFrame:
        mine = module(sources[what].replace("{k}", k)).mine
        options = {"methods": {"m": mine}} if what == "methods" else {"methods": ("gradient",), "score": mine}
        return audited(tmp_path / out, nulls=2, seeds=1, **options).table

    first, fresh = run("1", "same"), run("2", "fresh")
    assert not first["value"].equals(fresh["value"]), "a change that shows"
    pd.testing.assert_frame_equal(run("2", "same"), fresh, check_exact=True)


KEYS = """
import sys; sys.path[:0] = [{tests!r}, {here!r}]
import users
from heatproof.experiment.identity import function_identity, model_fingerprint
print(function_identity(users.mine), model_fingerprint(users.Net()))
"""


def test_identities_are_the_same_in_every_process(tmp_path: Path) -> None:
    """First compiled, then read from its .pyc: constants are shared otherwise, and no address or order may count."""
    (tmp_path / "users.py").write_text(
        HEAD + "from nets import Net\nPAIRS = {'a': (1, 2), 'b': {3, 'c', 'd', 'e'}}\n"
        "def helper(x): return x in {'f', 'g', (1, 2)}\n"
        "class A:\n k = (1, 2)\n def f(self, x): return [helper(y) for y in x]\n"
        "def mine(m, x, t, p=(1, 2)): return A().f(x), PAIRS, p, (1, 2), hp.gradient, Net\n"
    )
    code = KEYS.format(tests=str(Path(__file__).parent), here=str(tmp_path))
    found = [
        subprocess.run(
            [sys.executable, "-c", f"x = [object()] * {n}\n{code}"], env={**os.environ, "PYTHONHASHSEED": str(n)},
            capture_output=True, text=True, check=True,
        ).stdout
        for n in (1, 20000)
    ]  # fmt: skip
    assert found[0] == found[1]
    assert "None" not in found[0]


@pytest.mark.parametrize(
    "tensor",
    ["torch.zeros(0)", "torch.eye(2).to_sparse()", "torch.zeros(2, device='meta')", "torch.ones(2).bfloat16().t()"],
)
def test_a_tensor_of_any_kind_is_no_crash(tensor: str) -> None:
    found = identity(f"K = {tensor}\ndef mine(m, x, t): return x * K")
    assert (found is None) == ("sparse" in tensor or "meta" in tensor)
