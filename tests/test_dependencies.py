"""What heatproof asks for: no version with a known vulnerability. `make audit-dependencies` asks the database of PyPI."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import tomllib
from importlib import metadata, util
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
FIXED = {
    # torch.load(weights_only=True) ran code: CVE-2025-32434 (2.6), CVE-2026-24747 (2.10). Files of torch.export do up to
    # 2.10 (CVE-2026-4538) and later: models/exported.py looks through them whatever the version
    "torch": "2.10",
    # heap overflows of readers of images: CVE-2024-28219 (10.3), CVE-2026-25990 (12.1.1)
    "pillow": "12.1.1",
    "jinja2": "3.1.6",  # CVE-2025-27516; of templates of others, which nobody has here
    "scikit-learn": "1.5",  # CVE-2024-5206
    "ray": "2.56",  # CVE-2025-62593 (2.52), CVE-2026-41486 (2.55), CVE-2026-57516 (2.56)
    "pytest": "9.0.3",  # CVE-2025-71176
}
"""The first version without the vulnerabilities that were known on 2026-11-22."""


def requirements() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"].values()
    return [Requirement(text) for text in (*PROJECT["dependencies"], *(text for extra in extras for text in extra))]


def lowest(requirement: Requirement) -> Version:
    (bound,) = [found for found in requirement.specifier if found.operator == ">="]
    return Version(bound.version)


@pytest.mark.parametrize("requirement", requirements(), ids=str)
def test_every_requirement_begins_where_no_vulnerability_is_known(requirement: Requirement) -> None:
    assert lowest(requirement) >= Version(FIXED.get(requirement.name, "0"))


def test_every_known_vulnerability_is_of_something_asked_for() -> None:
    assert {requirement.name for requirement in requirements()} >= set(FIXED)


def test_what_make_installs_is_among_what_is_asked_for() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pinned = {Requirement(line).name: next(iter(Requirement(line).specifier)).version for line in lines}
    asked = {requirement.name: requirement for requirement in requirements()}
    assert all(asked[name].specifier.contains(version) for name, version in pinned.items())


def test_what_is_installed_fits_together() -> None:
    """As `pip check`; and what is installed of the requirements is as new as asked for."""
    for requirement in requirements():
        with contextlib.suppress(metadata.PackageNotFoundError):  # extras that this environment does not have
            assert requirement.specifier.contains(metadata.version(requirement.name)), requirement
    if util.find_spec("pip") is None:
        pytest.skip("pip is not in this environment; uv pip check does the same")
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_actions_of_ci_are_pinned_and_may_only_read() -> None:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    used = re.findall(r"uses: (\S+)", text)
    assert len(used) >= 4
    assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", action) for action in used)
    assert re.findall(r"^permissions:\n(?:  .*\n)+", text, re.M) == ["permissions:\n  contents: read\n"]
    assert text.count("permissions:") == 1
    assert {line.strip() for line in re.findall(r"run: (.*)", text)} == {
        "make test PYTHON=python", "make audit-dependencies PYTHON=python",
    }  # fmt: skip
