"""What is imported when: public names are there in every order of imports, and heavy libraries only when they are used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import heatproof as hp

HEAVY = ("pandas", "matplotlib", "jinja2", "PIL", "scipy", "skimage", "sklearn", "torchvision")
FUNCTIONS = ("audit", "bench", "full_gradient", "roar", "kar")
"""Public functions, most of which have the name of the module that holds them."""


def fresh(code: str) -> str:
    """What a new process prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def imported(body: list[ast.stmt]) -> dict[str, str]:
    """Names of relative imports, with their modules."""
    froms = [node for node in body if isinstance(node, ast.ImportFrom) and node.level]
    return {alias.asname or alias.name: str(node.module) for node in froms for alias in node.names}


def test_every_public_name_is_written_in_all_three_places() -> None:
    tree = ast.parse(Path(hp.__file__).read_text(encoding="utf-8"))
    (checked,) = [imported(node.body) for node in tree.body if isinstance(node, ast.If)]
    assert checked == vars(hp)["_homes"]
    assert sorted(hp.__all__) == sorted({*imported(tree.body), *checked} - {"make_lazy"})


def test_every_method_is_public() -> None:
    assert {name: getattr(hp, name) for name in hp.METHODS} == hp.METHODS


def test_an_unknown_name_is_refused_and_every_known_one_is_listed() -> None:
    with pytest.raises(AttributeError, match="'heatproof' has no attribute 'nonsense'"):
        hp.nonsense  # type: ignore[attr-defined] # noqa: B018
    assert set(hp.__all__) <= set(dir(hp))


@pytest.mark.parametrize(
    "order",
    [
        "import heatproof",
        "import heatproof.audit, heatproof.bench, heatproof.full_gradient, heatproof.roar",
        "import heatproof; heatproof.audit; import heatproof.audit, heatproof.roar; heatproof.bench",
        "from heatproof.bench import plan_bench; from heatproof.demo import demo_network; from heatproof import explain",
        "from heatproof.cli import app; import heatproof.roar; from heatproof import *",
    ],
)
def test_functions_win_over_modules_of_their_name(order: str) -> None:
    check = f"""
import sys
import heatproof as hp
for name in {FUNCTIONS}:
    print(name, type(getattr(hp, name)).__name__)
from heatproof import audit, bench, full_gradient, roar, kar
import heatproof.audit, heatproof.roar
assert [audit, bench, full_gradient, roar, kar] == [getattr(hp, name) for name in {FUNCTIONS}]
assert hp.audit is sys.modules["heatproof.audit"].audit
"""
    assert fresh(order + check).splitlines() == [f"{name} function" for name in FUNCTIONS]


def test_a_name_can_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hp, "audit", len)
    assert hp.audit is len


def test_importing_and_asking_for_help_brings_no_heavy_library() -> None:
    found = fresh(f"""
import contextlib, io, sys
import heatproof as hp
def heavy(): return [name for name in {HEAVY} if name in sys.modules]
print(len(hp.METHODS) > 20, heavy())
from heatproof.cli import app
from heatproof.cli.bench import app as benches
def shown(*words):
    with contextlib.redirect_stdout(io.StringIO()) as text:
        app([*words, "--help"], standalone_mode=False)
    return text.getvalue()
print("Usage" in shown(), heavy())
kinds = [("bench", made.name) for made in benches.registered_commands]
for words in [("methods",), ("explain",), ("serve",), ("audit",), ("report",), ("demo",), ("bench",), ("paper",),
              ("paper", "list"), ("paper", "run"), *kinds]:
    assert "Usage" in shown(*words), words
print(len(kinds) > 10, heavy())
""")
    assert found.splitlines() == ["True []"] * 3
