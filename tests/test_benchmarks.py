"""The benchmarks' own logic: their rows can be listed without peers, and the table says what was kept. Nothing is timed."""

import subprocess
import sys
from pathlib import Path
from time import sleep

import pytest
from benchmarks.measure import Found, mark, measured
from benchmarks.row import Growth, Pair, Row, close, require
from benchmarks.rows import ROWS
from benchmarks.table import line, markdown, table
from benchmarks.timing import Timed, alternating, exponent
from rich.console import Console

PEERS = ("captum", "quantus", "scipy", "skimage", "torchvision", "timm")
RECORD = Found(id="one", what="work", against="a peer", target=1.0, agree="equal", ours=[1.0, 1.0], theirs=[2.0, 2.0])
RECORD |= {"ratio": 0.5, "ratios": [0.5, 0.5]}


def row(make: object, time: float | None = 1e9) -> Row:
    return Row("one", "work", "a peer", make, time)  # type: ignore[arg-type]


def fails() -> None:
    raise RuntimeError("no such network")


def unequal(mine: int, other: int) -> str:
    require(mine == other, "3 and 4")
    return "equal"


def test_rows_are_listed_without_any_peer() -> None:
    code = f"import sys; sys.modules.update(dict.fromkeys({PEERS!r})); import benchmarks.rows, benchmarks.__main__"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])


def test_every_row_has_its_own_id_and_a_target() -> None:
    assert len({r.id for r in ROWS}) == len(ROWS)
    assert [r.id for r in ROWS if r.time is None] == ["map/resnet18/deeplift", "map/resnet18/lrp"], "what captum cannot"
    assert all(target > 0 for r in ROWS for target in (r.time, r.memory, r.minutes) if target is not None)
    assert sum(r.minutes for r in ROWS) < 60


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({}, "kept"),
        ({"ratio": 1.01}, "missed"),
        ({"memory": (3, 2), "memory ratio": 1.5, "memory target": 1.6}, "kept"),
        ({"memory": (3, 2), "memory ratio": 1.5, "memory target": 1.1}, "missed"),
        ({"failed": "ValueError: the sides disagree"}, "failed"),
        ({"cannot": "RuntimeError: reused ReLU", "target": None}, "peer cannot"),
    ],
)
def test_the_table_says_what_was_kept(changed: dict[str, object], word: str) -> None:
    found = RECORD | changed
    console = Console(width=200)
    with console.capture() as printed:
        console.print(table([found]))
    assert mark(found) == word
    assert printed.get().splitlines()[-1].rstrip().endswith(word)
    assert f"one: {word}" in line(found)


def test_sides_that_agree_are_timed() -> None:
    found = measured(row(lambda: Pair(lambda: 3, lambda: 3, unequal)))
    assert mark(found) == "kept"
    assert found["agree"] == "equal"
    assert len(found["ours"]) == len(found["theirs"]) == 5


@pytest.mark.parametrize(
    "make", [fails, lambda: Pair(lambda: 3, lambda: 4, unequal), lambda: Pair(fails, fails, unequal)]
)
def test_a_wrong_side_gives_no_number(make: object) -> None:
    found = measured(row(make))
    assert mark(found) == "failed"
    assert "ratio" not in found


def test_a_peer_that_cannot_leaves_ours_alone_until_it_can() -> None:
    for theirs in (fails, lambda: 4):
        found = measured(row(lambda theirs=theirs: Pair(lambda: 3, theirs, unequal), None))
        assert mark(found) == "peer cannot"
        assert len(found["ours"]) == 5
    assert mark(measured(row(lambda: Pair(lambda: 3, lambda: 3, unequal), None))) == "failed"


def test_a_run_of_theirs_counts_for_those_that_are_left_out() -> None:
    once, thrice = (alternating(Pair(lambda: 3, lambda: sleep(0.02) or 3, unequal, n))[1] for n in (1, 3))
    assert min(thrice.theirs) >= 0.06 > max(once.ours)
    assert Timed([1.0, 3.0], [4.0, 6.0]).ratio == pytest.approx(0.4)
    assert Timed([1.0, 3.0], [4.0, 6.0]).ratios == pytest.approx([0.25, 0.5])


def test_growth_is_the_exponent_of_the_size() -> None:
    assert exponent({1: 2.0, 4: 8.0, 16: 32.0}) == pytest.approx(1.0)
    assert exponent({1: 1.0, 4: 16.0, 16: 256.0}) == pytest.approx(2.0)
    assert exponent({1: 101.0, 4: 116.0, 16: 356.0}) == pytest.approx(2.0), "what any size takes does not count"
    with pytest.raises(ValueError, match="no power"):
        exponent({1: 2.0, 4: 1.0, 16: 3.0})
    calls = {n: lambda n=n: sleep(0.01 * n) or n for n in (1, 4, 16)}
    found = measured(row(lambda: Growth(calls, lambda largest: unequal(largest, 16))))
    assert mark(found) == "kept"
    assert set(found["seconds"]) == {1, 4, 16}


def test_values_apart_and_values_that_are_none_are_refused() -> None:
    import torch

    assert close(torch.ones(2), torch.ones(2)) == "0e+00 apart"
    for other in (torch.tensor([1.0, 1.1]), torch.tensor([1.0, torch.nan]), torch.ones(3)):
        with pytest.raises(ValueError, match="disagree"):
            close(torch.ones(2), other)


def test_the_page_has_a_row_for_every_row() -> None:
    """docs/performance.md holds what `make bench` measured; a new row must be measured for it."""
    page = (Path(__file__).parents[1] / "docs" / "performance.md").read_text()
    assert [text.split("`")[1] for text in page.splitlines() if text.startswith("| `")] == [r.id for r in ROWS]
    assert markdown([RECORD]).splitlines()[-1] == (
        "| `one` | work | a peer | 1.00x | 0.50x (0.50, 0.50) |  | kept | equal; 1.000 s against 2.000 s |"
    )
