"""The doctor finds what is broken: each fault is planted, and must be named with what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
import torch
from typer.testing import CliRunner

from heatproof.cli import app
from heatproof.cli.console import console
from heatproof.doctor import installed, machine, selftest
from heatproof.doctor.finding import Finding
from heatproof.types import METHODS

CPU = torch.device("cpu")


def doctor(*arguments: str) -> Any:
    with patch.multiple(console, _width=200, _height=50):  # whatever other tests left in the environment
        return CliRunner().invoke(app, ["doctor", *arguments])


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages are not imported for real: it takes seconds and says nothing of the doctor."""
    monkeypatch.setattr(installed, "import_module", lambda name: None)


def test_everything_works_here(tmp_path: Path, quick: None) -> None:
    result = doctor("--out", str(tmp_path / "runs"))
    assert result.exit_code == 0, result.output
    assert "everything works" in result.output
    for trial in selftest.TRIALS:
        assert f"{trial.name}, cpu" in result.output
    assert not (tmp_path / "runs").exists()


def test_json_has_every_finding(tmp_path: Path, quick: None) -> None:
    result = doctor("--no-test", "--json", "--out", str(tmp_path))
    found = json.loads(result.stdout)
    assert {f["area"] for f in found["findings"]} == {"installed", "machine"}
    assert {f["state"] for f in found["findings"]} <= {"ok", "note"}
    assert (found["command"], found["exit"]) == ("doctor", {"code": 0, "reason": "done"})
    assert doctor("--no-test", "--quiet", "--out", str(tmp_path)).stdout == ""


def test_a_package_that_does_not_import_is_a_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(name: str) -> None:
        if name == "torchvision":
            raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(installed, "import_module", broken)
    monkeypatch.setattr(installed.metadata, "version", lambda package: "2.99")
    result = doctor("--no-test", "--out", str(tmp_path))
    assert result.exit_code == 1
    assert "2.99 does not import: RuntimeError: operator torchvision::nms does not exist" in result.output
    assert "torchvision must be built for torch" in result.output
    assert "1 problem: torchvision" in result.output


def test_without_an_optional_package_there_is_a_note_and_without_torch_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(package: str) -> str:
        if package in ("timm", "torch"):
            raise installed.metadata.PackageNotFoundError(package)
        return "1.0"

    monkeypatch.setattr(installed.metadata, "version", missing)
    monkeypatch.setattr(installed, "import_module", lambda name: None)
    found = {f.name: f for f in installed.installed()}
    assert (found["timm"].state, found["timm"].advice) == ("note", 'pip install "heatproof[vision]"')
    assert found["torch"].state == "problem"
    result = doctor()
    assert result.exit_code == 1
    assert "machine" not in result.output


def test_an_old_torch_is_a_problem(monkeypatch: pytest.MonkeyPatch, quick: None) -> None:
    monkeypatch.setattr(installed.metadata, "version", lambda package: "2.9.1+cu128")
    assert next(f for f in installed.installed() if f.name == "torch").state == "problem"
    monkeypatch.setattr(installed.metadata, "version", lambda package: "2.10.0")
    assert next(f for f in installed.installed() if f.name == "torch").state == "ok"


def test_a_folder_that_cannot_be_written(tmp_path: Path, quick: None) -> None:
    (tmp_path / "file").touch()
    result = doctor("--no-test", "--out", str(tmp_path / "file" / "runs"))
    assert result.exit_code == 1
    assert "1 problem: results" in result.output


def test_a_driver_without_a_torch_for_it_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert [f.state for f in machine._gpus()] == ["note"]


def test_devices_are_all_that_torch_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert machine.devices() == ["cpu", "cuda:0", "cuda:1", "mps"]
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2e9, 8e9))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"card {device}")
    assert next(f.detail for f in machine._gpus()) == "card cuda:0, 2.0 of 8.0 GB free"


def states(device: str = "cpu") -> dict[str, Finding]:
    return {f.name.split(",")[0]: f for f in selftest.self_test(device)}


def test_a_method_that_gives_no_finite_map_fails_the_self_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "occlusion", lambda model, x, target: x[:, :1] / 0)
    with pytest.raises(selftest.Wrong, match="occlusion"):
        selftest.every_method(CPU)
    monkeypatch.setitem(METHODS, "occlusion", lambda model, x, target: x[:, :, 1:])
    with pytest.raises(selftest.Wrong, match="occlusion"):
        selftest.every_method(CPU)


def test_a_wrong_gradient_and_lost_parts_fail_the_self_test(monkeypatch: pytest.MonkeyPatch) -> None:
    right, whole = selftest.gradient, selftest.full_gradient
    monkeypatch.setattr(selftest, "gradient", lambda *given: right(*given) * (1 + 1e-5))
    with pytest.raises(selftest.Wrong, match="finite differences differ by 1"):
        selftest.differences(CPU)

    def without_one(*given: Any) -> Any:
        found = whole(*given)
        return SimpleNamespace(output=found.output, input_term=found.input_term, terms=found.terms[1:])

    monkeypatch.setattr(selftest, "full_gradient", without_one)
    with pytest.raises(selftest.Wrong, match="parts of FullGrad"):
        selftest.complete(CPU)


def test_an_audit_that_resumes_to_another_table_fails_the_self_test(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = iter([b"first", b"second"])

    def audit(*given: Any, out: Path, **more: Any) -> None:
        (out / "jobs").mkdir(exist_ok=True)
        (out / "jobs" / "a.json").touch()
        (out / "table.csv").write_bytes(next(tables))

    monkeypatch.setattr(selftest, "audit", audit)
    with pytest.raises(selftest.Wrong, match="another table"):
        selftest.resumed(CPU)


def test_whatever_breaks_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(device: torch.device) -> str:
        raise RuntimeError("no kernel image is available")

    monkeypatch.setattr(selftest, "TRIALS", (selftest.Trial("kernels", broken),))
    (found,) = selftest.self_test("cuda:0")
    assert (found.state, found.name) == ("problem", "kernels, cuda:0")
    assert "no kernel image" in found.detail


@pytest.mark.parametrize("module", ["torch", "numpy", "pandas", "matplotlib", "PIL", "jinja2", "safetensors"])
def test_the_doctor_answers_where_a_package_that_is_needed_does_not_import(module: str) -> None:
    code = f"import sys; sys.modules['{module}'] = None; from heatproof.cli import app; app(['doctor', '--json'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    found = {f["name"]: f for f in json.loads(done.stdout)["findings"]}
    package = "pillow" if module == "PIL" else module
    assert found[package]["state"] == "problem"
    assert found[package]["advice"] == f"pip install --force-reinstall {package}"
    assert "cores" not in found


def test_control_characters_of_an_error_cost_no_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(name: str) -> None:
        if name == "ray":
            raise ImportError("odd \x1b[31m\x1b[0m library.so")

    monkeypatch.setattr(installed, "import_module", broken)
    assert r"odd \x1b[31m\x1b[0m library.so (for --engine ray)" in doctor("--no-test", "--out", str(tmp_path)).output
