"""The tutorial: it runs from nothing as it stands, quietly, and what is kept with it is what its cells show."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from heatproof.checks.verdict import WORST_FIRST

nbformat = pytest.importorskip("nbformat", reason="needs nbclient")
nbclient = pytest.importorskip("nbclient", reason="needs nbclient")
pytest.importorskip("ipykernel", reason="needs heatproof[notebook]")
pytest.importorskip("sklearn", reason="needs heatproof[demo]")

PATH = Path(__file__).parent.parent / "docs" / "tutorial.ipynb"
LARGEST = 1_500_000
CHANGING = re.compile(f"{'|'.join(WORST_FIRST)}|[-−+]?[0-9.]+(e[-+][0-9]+)?|NaN|…|\\s+")
"""Numbers and verdicts, which another machine's last digits may change, and spaces, which the width of numbers changes."""

pytestmark = pytest.mark.xdist_group("notebook")  # what takes long is done in one process


@pytest.fixture(scope="module")
def kept() -> Any:
    return nbformat.read(PATH, as_version=4)


@pytest.fixture(scope="module")
def ran(kept: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """The same cells, run in an empty folder by a kernel of this environment; an error in one of them ends it."""
    folder = tmp_path_factory.mktemp("tutorial")
    fresh = nbformat.from_dict(json.loads(json.dumps(kept)))
    for cell in cells(fresh):
        cell.outputs, cell.execution_count = [], None
    nbclient.NotebookClient(
        fresh, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    return fresh, folder


def cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(cell: Any) -> list[tuple[str, list[str], str, list[str]]]:
    """Of every output its kind, its formats, its text without what another machine may change, and the heads of tables."""
    found = []
    for out in cell.outputs:
        data = out.get("data", {})
        heads = re.findall(r'<th scope="col">(.*?)</th>', data.get("text/html", ""))
        found.append((out.output_type, sorted(data), CHANGING.sub("", text_of(out)), heads))
    return found


def text_of(output: Any) -> str:
    return str(output.get("text") or output.get("data", {}).get("text/plain", ""))


def html_of(notebook: Any, words: str) -> str:
    """What the cell that holds these words shows in the end."""
    (cell,) = [cell for cell in cells(notebook) if words in cell.source]
    return str(cell.outputs[-1].data["text/html"])


def test_the_kept_notebook_is_whole_small_and_run_in_order(kept: Any) -> None:
    nbformat.validate(kept)
    assert [cell.execution_count for cell in cells(kept)] == list(range(1, len(cells(kept)) + 1))
    assert len({cell.id for cell in kept.cells}) == len(kept.cells)
    text = PATH.read_text(encoding="utf-8")
    assert len(text) < LARGEST
    assert not re.search(r"/(tmp|work|home|root)/", text), "a path of the machine that it was run on"


def test_it_runs_without_errors_or_warnings(ran: tuple[Any, Path]) -> None:
    for cell in cells(ran[0]):
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.text


def test_what_is_kept_is_what_its_cells_show(kept: Any, ran: tuple[Any, Path]) -> None:
    for old, new in zip(cells(kept), cells(ran[0]), strict=True):
        assert shown(old) == shown(new), f"{old.source}\n\nrun make notebook"


def test_its_results_are_those_that_the_text_speaks_of(ran: tuple[Any, Path]) -> None:
    notebook, folder = ran
    verdicts = html_of(notebook, "\naudit = hp.audit")
    for method, verdict in (("guided_<wbr>backprop", "insensitive"), ("edge_<wbr>map", "input-dominated"),
                            ("random_<wbr>map", "sensitive")):  # fmt: skip
        assert re.search(rf'{method}.{{0,200}}?<span class="hp-mark v-{verdict}">', verdicts, re.DOTALL), method
    assert "v-input-dominated" in html_of(notebook, "def blurred_gradient")
    assert "Localisation" in html_of(notebook, 'hp.bench("localise"')
    assert html_of(notebook, "maps = {").count("<img") == 20
    assert "gradient x input" in html_of(notebook, "hp.full_gradient")
    assert (folder / "runs/tutorial/audit/report.html").exists()
    assert (folder / "runs/tutorial/maps.png").exists()


def test_bars_of_progress_leave_nothing(ran: tuple[Any, Path]) -> None:
    for words in ("train(model", "audit = hp.audit", 'hp.bench("localise"'):
        (cell,) = [cell for cell in cells(ran[0]) if words in cell.source]
        assert cell.outputs[0].data == {"text/plain": "", "text/html": ""}, (
            "a bar was there, and it is empty in the end"
        )
