"""Files of torch.export that attack: none runs as it is opened, each is refused with the reason; good ones still open."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
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


ATTACKS = {
    in_sample_inputs: "a pickle of more than tensors",
    in_old_pickle_of_inputs: "a pickle of more than tensors",
    in_a_weight: "a pickle of more than tensors",
    in_a_constant: "a pickled object",
    in_old_weights: "a pickle of more than tensors",
    in_a_library: "a compiled library",
    in_a_size: "a size that is no arithmetic",
}


@pytest.mark.parametrize(("attack", "reason"), ATTACKS.items(), ids=[attack.__name__ for attack in ATTACKS])
def test_a_program_that_would_run_as_it_is_opened_is_refused(
    here: Path, attack: Callable[[Members], None], reason: str
) -> None:
    members = exported(here / "net.pt2")
    attack(members)
    written(here / "evil.pt2", members)
    with pytest.raises(WeightsError, match=f"evil.pt2 was not opened: it holds {reason}.*would run"):
        load_model("evil.pt2")
    assert not (here / CANARY).exists()


@pytest.mark.parametrize("attack", [in_sample_inputs, in_a_weight, in_a_constant, in_a_size], ids=lambda a: a.__name__)
def test_torch_itself_runs_them(here: Path, attack: Callable[[Members], None]) -> None:
    """The attacks are real: what is refused above would have been run."""
    members = exported(here / "net.pt2")
    attack(members)
    written(here / "evil.pt2", members)
    with contextlib.suppress(Exception):  # by then it has run
        torch.export.load("evil.pt2")
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
