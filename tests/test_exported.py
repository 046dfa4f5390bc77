"""Files of torch.export that attack: none runs as it is opened, each is refused with the reason; good ones still open."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from heatproof.errors import WeightsError
from heatproof.models.exported import FORCED, REFUSED, open_exported
from heatproof.models.sizes import is_size
from heatproof.models.spec import load_model
from heatproof.models.texts import OPERATION, is_guard, is_tree

CANARY = "executed"
Members = dict[str, bytes]


class Bomb:
    def __reduce__(self) -> Any:
        return os.mkdir, (CANARY,)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)).eval()


def exported(path: Path, dynamic: bool = True) -> Members:
    """A good program, and the members of its file."""
    sizes = ({0: torch.export.Dim("batch")},) if dynamic else None
    torch.export.save(torch.export.export(net(), (torch.randn(2, 3, 8, 8),), dynamic_shapes=sizes), path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written(path: Path, members: Members) -> None:
    """As torch writes archives: stored, and aligned as far as its reader asks."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def bomb(how: Callable[[Any, Any], None]) -> bytes:
    held = io.BytesIO()
    how(Bomb(), held)
    return held.getvalue()


def member(members: Members, part: str) -> str:
    return next(name for name in members if part in name)


def in_sample_inputs(members: Members) -> None:
    members[member(members, "data/sample_inputs/")] = bomb(torch.save)


def in_old_pickle_of_inputs(members: Members) -> None:
    members[member(members, "data/sample_inputs/")] = bomb(pickle.dump)


def in_a_weight(members: Members) -> None:
    name = member(members, "weights_config.json")
    config = json.loads(members[name])
    first = next(iter(config["config"].values()))
    first["use_pickle"] = True
    members[name] = json.dumps(config).encode()
    members[name.rpartition("/")[0] + "/" + first["path_name"]] = bomb(torch.save)


def in_a_constant(members: Members) -> None:
    name = member(members, "constants_config.json")
    config = {
        "config": {"c": {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}}
    }
    members[name] = json.dumps(config).encode()
    members[name.rpartition("/")[0] + "/opaque_obj_0"] = pickle.dumps(Bomb())


def in_old_weights(members: Members) -> None:
    name = member(members, "weights_config.json")
    members[name.replace("_weights_config.json", ".pt")] = bomb(torch.save)


def in_a_library(members: Members) -> None:
    root = member(members, "data/weights/").partition("/")[0]
    members[f"{root}/data/aotinductor/model/a.so"] = b"\x7fELF"


def in_a_size(members: Members) -> None:
    name = member(members, "models/")
    text = members[name].decode()
    found = json.loads(text)

    def changed(held: Any) -> Any:
        if isinstance(held, dict):
            return {
                k: f"__import__('os').mkdir('{CANARY}')" if k == "expr_str" else changed(v) for k, v in held.items()
            }
        return [changed(v) for v in held] if isinstance(held, list) else held

    assert changed(found) != found, "a program without a size that depends on the batch"
    members[name] = json.dumps(changed(found)).encode()


def described(members: Members, change: Callable[[dict[str, Any]], None]) -> None:
    """The description of the program, changed in place."""
    name = member(members, "models/")
    found = json.loads(members[name])
    change(found)
    members[name] = json.dumps(found).encode()


MKDIR = f"__import__('os').mkdir('{CANARY}')"


def in_a_guard(members: Members) -> None:
    described(members, lambda d: d.update(guards_code=[f"L['input'].size()[0] == {MKDIR}"]))


def after_a_guard(members: Members) -> None:
    described(members, lambda d: d.update(guards_code=[f'1#\n,"")\n{MKDIR}\ndef f():\n  (1']))


def in_the_name_of_an_input(members: Members) -> None:
    def changed(held: Any) -> Any:
        if isinstance(held, dict):
            parameter = "kind" in held  # of an operation: no name of the program's
            return {k: v if k == "name" and parameter else changed(v) for k, v in held.items()}
        return [changed(v) for v in held] if isinstance(held, list) else f"input={MKDIR}" if held == "input" else held

    def change(held: dict[str, Any]) -> None:
        module = changed(held["graph_module"])
        values = module["graph"]["tensor_values"]
        values[f"input={MKDIR}"] = values.pop("input")
        held["graph_module"] = module

    described(members, change)


def in_the_name_of_a_weight(members: Members) -> None:
    weight = f"""w", exec("from os import mkdir; mkdir('{CANARY}')")) #"""  # a dot would part it
    for held in (member(members, "models/"), member(members, "weights_config.json")):
        members[held] = members[held].replace(b'"0.bias"', json.dumps(weight).encode())


def in_the_name_of_an_argument(members: Members) -> None:
    def change(held: dict[str, Any]) -> None:
        signature = held["graph_module"]["module_call_graph"][0]["signature"]
        signature["forward_arg_names"] = [f"input={MKDIR}"]

    described(members, change)


def in_a_function(members: Members) -> None:
    def change(held: dict[str, Any]) -> None:
        node = held["graph_module"]["graph"]["nodes"][-1]
        node["target"] = "torch.ops.higher_order.wrap"
        arguments = ({"as_operator": "torch.os.mkdir"}, {"as_string": CANARY})
        node["inputs"] = [{"name": "", "arg": argument, "kind": 1} for argument in arguments]

    described(members, change)


def with_tree(members: Members, kind: str, context: Any) -> None:
    def change(held: dict[str, Any]) -> None:
        signature = held["graph_module"]["module_call_graph"][0]["signature"]
        signature["out_spec"] = json.dumps([1, {"type": kind, "context": context, "children_spec": []}])

    described(members, change)


def in_a_factory(members: Members) -> None:
    context = {"default_factory_module": "importable", "default_factory_name": "f", "dict_context": []}
    with_tree(members, "collections.defaultdict", context)


def in_an_enum(members: Members) -> None:
    with_tree(members, "builtins.dict", json.dumps([{"__enum__": True, "fqn": "importable:E", "name": "A"}]))


ATTACKS = {
    in_sample_inputs: "a pickle of more than tensors",
    in_old_pickle_of_inputs: "a pickle of more than tensors",
    in_a_weight: "a pickle of more than tensors",
    in_a_constant: "a pickled object",
    in_old_weights: "a pickle of more than tensors",
    in_a_library: "a compiled library",
    in_a_size: "a size that is no arithmetic",
    in_a_guard: "a guard that compares no sizes",
    after_a_guard: "a guard that compares no sizes",
    in_the_name_of_an_input: "a name that is none",
    in_the_name_of_a_weight: "a name that is none",
    in_the_name_of_an_argument: "a name that is none",
    in_a_function: "an operation that is none of torch's",
    in_a_factory: "a tree of more than plain containers",
    in_an_enum: "a tree of more than plain containers",
}


@pytest.mark.parametrize(("attack", "reason"), ATTACKS.items(), ids=[attack.__name__ for attack in ATTACKS])
def test_a_program_that_would_run_as_it_is_opened_is_refused(
    here: Path, attack: Callable[[Members], None], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = exported(here / "net.pt2")
    attack(members)
    (here / "importable.py").write_text(f"import os; os.mkdir({CANARY!r})\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(here))
    written(here / "evil.pt2", members)
    with pytest.raises(WeightsError, match=f"evil.pt2 was not opened: it holds {reason}.*would run"):
        load_model("evil.pt2")
    assert not (here / CANARY).exists()


UNPROVEN = (
    in_old_pickle_of_inputs, in_a_constant, in_old_weights, in_a_library, in_the_name_of_an_argument, in_a_function,
)  # fmt: skip
"""Refused to be sure: torch did not run these as they are written here."""
RUN = [attack for attack in ATTACKS if attack not in UNPROVEN]


@pytest.mark.parametrize("attack", RUN, ids=lambda a: a.__name__)
def test_torch_itself_runs_them(here: Path, attack: Callable[[Members], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """The attacks are real: what is refused above would have been run."""
    monkeypatch.syspath_prepend(str(here))
    (here / "importable.py").write_text(f"import os; os.mkdir({CANARY!r})\n", encoding="utf-8")
    members = exported(here / "net.pt2")
    attack(members)
    written(here / "evil.pt2", members)
    with contextlib.suppress(Exception):  # by then it has run
        torch.export.load("evil.pt2").module()(torch.randn(2, 3, 8, 8))
    sys.modules.pop("importable", None)
    assert (here / CANARY).exists()


@pytest.mark.parametrize("dynamic", [True, False])
def test_a_good_program_opens(here: Path, monkeypatch: pytest.MonkeyPatch, dynamic: bool) -> None:
    members = exported(here / "net.pt2", dynamic)
    written(here / "again.pt2", members)
    monkeypatch.setenv(REFUSED, "1")
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(load_model("again.pt2").model(x), load_model("net.pt2").model(x))
    assert os.environ[REFUSED] == "1", "what the user set is back"
    assert FORCED not in os.environ


def test_a_program_of_an_old_torch_is_refused_with_advice(here: Path) -> None:
    written(here / "old.pt2", {"version": b"8.1", "serialized_state_dict.pt": bomb(torch.save)})
    with pytest.raises(WeightsError, match=r"torch before 2\.8 wrote it; export the model again"):
        open_exported(Path("old.pt2"))
    assert not (here / CANARY).exists()


HARMLESS = (
    "Symbol('s77', positive=True, integer=True)", "Mul(Integer(2), Symbol('s0'))", "s0", "2*s0 + 1", "s0 // 2", "-1",
    "Max(1, s0)", "Eq(Mod(s0, 8), 0)", "Float('1.5', precision=53)", "Pow(s0, Integer(-1))", "FloorDiv(s0, 2) >= 1",
)  # fmt: skip
HARMFUL = (
    "__import__('os').mkdir('executed')", "exec('x')", "Symbol('x').__class__", "S('exit()')", "Add('exit()', 1)",
    "sympify('1')", "(lambda: 1)()", "[x for x in ()]", "Max(*exit)", "f'{exit()}'", "s0[0]", "x if y else z",
    "getattr(s0, 'x')", "__builtins__", "Max(1)(2)", "Symbol(**s0)", "", "1 +", "a" * 10 + "(", 3, None, "x := 1", "'a b'",
)  # fmt: skip


@pytest.mark.parametrize("text", HARMLESS)
def test_arithmetic_is_a_size(text: str) -> None:
    assert is_size(text)


@pytest.mark.parametrize("text", HARMFUL)
def test_anything_else_is_none(text: Any) -> None:
    assert not is_size(text)


class Keyed(nn.Module):
    """Takes a dict and words, and has all torch writes of guards, trees and names."""

    def __init__(self) -> None:
        super().__init__()
        self.by = nn.ModuleDict({"a b-c": nn.Linear(3, 3)})

    def forward(self, x: dict[str, torch.Tensor], *, how: str = "bc,bd->bcd", scale: float = 1.0) -> dict[str, Any]:
        image = x["pixel values"]
        image = image * 2 if image.shape[2] % 2 == 0 and image.shape[2] * image.shape[3] > 20 else image
        y = self.by["a b-c"](image.mean((2, 3)))
        return {"logits": y * scale, "more": (torch.einsum(how, y, y), [y])}


def test_a_program_with_guards_and_dicts_opens(here: Path) -> None:
    auto = torch.export.Dim.AUTO
    sizes = {"x": {"pixel values": {0: auto, 2: auto, 3: auto}}, "how": None, "scale": None}
    given = {"how": "bc,bd->bcd", "scale": 2.5}
    program = torch.export.export(Keyed(), ({"pixel values": torch.randn(2, 3, 8, 8)},), given, dynamic_shapes=sizes)
    assert program._guards_code, "a program without guards"
    torch.export.save(program, here / "keyed.pt2")
    x = {"pixel values": torch.randn(3, 3, 6, 10)}
    opened = open_exported(Path("keyed.pt2")).module()
    torch.testing.assert_close(opened(x, **given)["logits"], program.module()(x, **given)["logits"])


def test_a_key_of_the_example_inputs_that_would_run_is_refused(here: Path) -> None:
    """Torch repeats the key in the message of a guard, as source."""
    members = exported(here / "net.pt2")
    evil = {f'", __import__("os").mkdir("{CANARY}")) #': torch.randn(2, 3, 8, 8)}
    held = io.BytesIO()
    torch.save(((evil,), {}), held)
    members[member(members, "data/sample_inputs/")] = held.getvalue()
    written(here / "evil.pt2", members)
    with pytest.raises(WeightsError, match="a name that is none"):
        load_model("evil.pt2")
    assert not (here / CANARY).exists()
    with contextlib.suppress(Exception):
        torch.export.load("evil.pt2").module()(torch.randn(2, 3, 8, 8))
    assert (here / CANARY).exists(), "torch itself runs it"


GUARDS = (
    "L['x'].size()[0] == 3", "(1 + (((-1) + L['flat_args'][0].size()[2]) // 2)) != 1",
    "L['d']['pixel values'].size()[2] > 20",
    "L['x'].shape[0] <= 8 and not L['x'].stride()[1] == 2", "Max(1, L['x'].size()[0]) < 9", "L['k'] == 'hello'",
    "math.isnan(L['x'])", "L['x'].dtype == torch.float32",
)  # fmt: skip
NO_GUARDS = (
    MKDIR, "L['x'].__class__ == 1", "L['x'].size().__class__", "1\n2", "1 # x", "exit()", "L['x']()", "1, 2", "(x := 1)",
    "L['x'].data", "f'{1}'", "L[exit()]", "[x for x in L]", "lambda: 1", "L['\\x22']", 'L["x"]', "torch.os.system", "",
    "torch.manual_seed(1)", "math.__loader__", "L['(']", "SYMPY_INTERP",
)  # fmt: skip


@pytest.mark.parametrize("text", GUARDS)
def test_comparisons_are_guards(text: str) -> None:
    assert is_guard(text)


@pytest.mark.parametrize("text", NO_GUARDS)
def test_anything_else_guards_nothing(text: str) -> None:
    assert not is_guard(text)


def test_trees_of_named_tuples_and_dicts_are_plain() -> None:
    leaf = {"type": None, "context": None, "children_spec": []}
    for kind, context in (
        ("builtins.dict", '["a b", 1]'),
        ("collections.namedtuple", "my.Point"),
        ("builtins.tuple", "null"),
    ):
        assert is_tree(json.dumps([1, {"type": kind, "context": context, "children_spec": [leaf]}]))
    for text in ("", "1", "[1, {}]", json.dumps([1, {"type": "x", "context": '["a\\"b"]', "children_spec": []}])):
        assert not is_tree(text)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("torch.ops.aten.conv2d.default", True), ("torch.ops.aten.__and__.Tensor", True), ("_operator.floordiv", True),
        ("torch.ops.higher_order.cond", True), ("torch.sym_max", True), ("torch.ops.torchvision.nms.default", True),
        ("torch.os.system", False), ("torchx.os.system", False), ("torch.ops.load_library", False),
        ("torch.ops.load_library.__call__", False), ("torch.ops.aten.__init__.__globals__", False),
        ("_operator.attrgetter", False), ("_operator.call", False), ("torch.hub.load", False),
    ],
)  # fmt: skip
def test_operations_are_those_of_torch(name: str, known: bool) -> None:
    assert bool(OPERATION.fullmatch(name)) is known
