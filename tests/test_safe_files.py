"""Files that others made: nothing in one runs as it is read, and nothing is written outside of a run's folder."""

from __future__ import annotations

import ast
import dataclasses
import os
import pickle
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import heatproof as hp
import synthetic_results
from heatproof.errors import RunError, WeightsError
from heatproof.experiment import files
from heatproof.experiment.file_names import LONGEST
from heatproof.explain import explain
from heatproof.models import saved
from heatproof.models.spec import load_model
from heatproof.report import figures
from heatproof.training import resume
from test_audit import images, net

SOURCE = Path(hp.__file__).parent
CANARY = "executed"

# name of a call -> the keyword that makes it safe, None where nothing does
READERS = {
    "torch.load": "weights_only=True", "np.load": "allow_pickle=False", "numpy.load": "allow_pickle=False",
    "pickle.load": None, "pickle.Unpickler": None, "marshal.loads": None, "shelve.open": None, "joblib.load": None,
    "yaml.load": None, "pd.read_pickle": None, "pandas.read_pickle": None, "eval": None, "exec": None, "os.system": None,
    "os.popen": None, "shutil.unpack_archive": None, "tarfile.open": None, "urllib.request.urlopen": None,
    "torch.hub.load": None, "torch.hub.load_state_dict_from_url": None,
}  # fmt: skip
OWN = {
    (
        "experiment/pool_worker.py",
        "pickle.loads(pickle.dumps(error))",
    ): "an exception of ours, to see whether it can be sent",
    ("models/exported.py", "torch.export.load(path)"): "after `_check_members`, and within `_without_code`",
}
"""Calls that may stand there, and why."""


def calls() -> Iterator[tuple[str, ast.Call]]:
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                yield path.relative_to(SOURCE).as_posix(), node


def test_no_reader_of_files_runs_what_is_in_them() -> None:
    found = 0
    for place, call in calls():
        name, text = ast.unparse(call.func), ast.unparse(call)
        known = name in READERS or name.endswith((".extract", ".extractall")) or name == "torch.export.load"
        if (known or name.startswith("pickle.loads")) and (place, text) not in OWN:
            found += 1
            safe = READERS.get(name)
            assert safe is not None, f"{place}: {text}"
            assert safe in text, f"{place}: {text}"
    assert found >= 4, "the names of the readers have changed"


def test_every_call_that_may_stand_there_does() -> None:
    texts = {(place, ast.unparse(call)) for place, call in calls()}
    assert set(OWN) <= texts


class Bomb:
    def __reduce__(self) -> Any:
        return os.mkdir, (CANARY,)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_bomb_is_real(here: Path) -> None:
    pickle.loads(pickle.dumps(Bomb()))
    assert (here / CANARY).exists()


def test_the_state_of_a_training_is_read_without_code(here: Path) -> None:
    for held in (Bomb(), {"kind": resume.KIND, "identity": Bomb()}):
        torch.save(held, "state.training")
        with pytest.raises(RunError, match="cannot be read"):
            resume.read(Path("state.training"), {})
    assert not (here / CANARY).exists()


def test_a_torchscript_archive_is_read_without_python_pickles(here: Path) -> None:
    with zipfile.ZipFile("evil.pt", "w", zipfile.ZIP_STORED) as archive:
        for name in ("evil/constants.pkl", "evil/data.pkl"):
            archive.writestr(name, pickle.dumps(Bomb(), protocol=2))
        archive.writestr("evil/version", "3\n")
    with pytest.raises(WeightsError, match="cannot be read"):
        load_model("evil.pt")
    assert not (here / CANARY).exists()


@pytest.mark.parametrize(
    "write", [files.write_text, lambda path, text: saved.write_whole(path, lambda t: t.write_text(text))]
)
def test_a_link_in_the_place_of_a_file_is_replaced_and_not_followed(
    here: Path, write: Callable[[Path, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where somebody foresaw the name that a file has while it is written, which is drawn."""
    monkeypatch.setattr("uuid.uuid4", lambda: uuid.UUID(int=0))
    (here / "outside").write_text("untouched")
    (here / "run").mkdir()
    for name in ("report.html", f".report.html.{os.getpid()}.00000000.tmp"):
        (here / "run" / name).symlink_to(here / "outside")
    write(here / "run" / "report.html", "ours")
    assert (here / "outside").read_text() == "untouched"
    assert (here / "run" / "report.html").read_text() == "ours"
    assert [path.name for path in (here / "run").iterdir()] == ["report.html"]


NAMES = ("../../up.png", "/abs/olute.png", "..", ".", "", "/", "a\x00b", "con:*?.png", "\x1b[31m.jpg", "x" * 300 + ".png",
         "ä" * 120 + ".png", "../../up.png")  # fmt: skip


def test_sheets_are_written_into_their_folder_whatever_the_photos_are_called(here: Path) -> None:
    x = images(len(NAMES))
    done = explain(net(), x, methods=("gradient",), out=here / "maps", names=NAMES, class_names=["../x"] * 5)
    assert [path.name for path in here.iterdir()] == ["maps"]
    assert len({path.name for path in done.sheets}) == len(NAMES)
    assert all(path.is_file() and path.parent == here / "maps" for path in (*done.sheets, *done.maps))
    assert max(len(path.name.encode()) for path in done.maps) < LONGEST + 30


def test_figures_are_written_into_their_folder_whatever_is_measured(here: Path) -> None:
    run = synthetic_results.results(here / "run", size=8, photos=1)
    odd = "../../../up $x$ \x1b[31m"
    strips = [dataclasses.replace(strip, check=odd, image=odd) for strip in run.strips]  # as a config.json may have it
    evil = dataclasses.replace(run, strips=strips, curves=run.curves.replace({"ssim": odd, "cascading": odd}))
    drawn = figures(evil, "svg")
    assert len(drawn) > 4
    assert all(path.parent == here / "run" / "figures" and path.is_file() for path in drawn)
    assert [path.name for path in here.iterdir()] == ["run"]


def test_safetensors_hold_no_code(here: Path) -> None:
    """A header that claims too much is an error and no crash."""
    save_file({"a": torch.zeros(2)}, "good.safetensors")
    content = bytearray(Path("good.safetensors").read_bytes())
    content[:8] = (2**62).to_bytes(8, "little")
    Path("evil.safetensors").write_bytes(bytes(content))
    with pytest.raises(WeightsError, match="cannot be read"):
        load_model("heatproof.models.nets.small_cnn:SmallCNN", "evil.safetensors")
