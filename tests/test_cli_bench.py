"""The commands ``bench NAME``: what each writes and prints on a tiny network, and what it says of bad input."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console

from heatproof.cli import tables
from heatproof.cli.generated import with_options
from heatproof.faithfulness.kinds import KINDS
from test_cli import place as place
from test_cli import run as run_cli

METHODS = ("--methods", "gradient, edge_map")
UNITS = ("--mean", "0.5", "--std", "0.25")
KINDS_RUN = ("pixel", "noise", "adversarial", "infidelity", "sensitivity", "complexity")


def bench(place: Path, name: str, *arguments: Any, factory: str = "net") -> Any:
    module = (place / "name.txt").read_text()
    shared = ["--model", f"{module}:{factory}", "--data", place / "photos", "--size", 16, "--threads", 1]
    methods = () if KINDS[name].rows else METHODS
    return run_cli(place, "bench", name, *shared, *UNITS, "--chunk", 4, "-o", "run", *methods, *arguments)


def boxes(place: Path, *rows: str) -> Path:
    path = place / "boxes.csv"
    path.write_text("file,boxes_xyxy\n" + "\n".join(rows) + "\n")
    return path


def all_boxes(place: Path) -> Path:
    names = [p.relative_to(place / "photos") for p in sorted((place / "photos").rglob("*.png"))]
    return boxes(place, *(f"{name},12 8 36 30" for name in names))


@pytest.mark.parametrize("name", KINDS_RUN)
def test_a_bench_writes_tables_and_a_report(place: Path, name: str) -> None:
    result = bench(place, name, *(("--fractions", "0.1,0.5") if name == "pixel" else ()))
    assert result.exit_code == 0, result.text
    table = pd.read_csv("run/table.csv")
    kind = KINDS[name]
    assert set(table["method"]) == {"gradient", "edge_map", "random_map"}  # the control joins by itself
    options = json.loads(Path("run/config.json").read_text())["options"]
    without_masks = {"outside", "outside_share", "outside_times"}
    assert set(table["metric"]) == set(kind.measures(kind.options(**options))) - without_masks
    assert "run/report.html" in result.text
    assert kind.title in Path("run/report.html").read_text()


def test_every_bench_has_help_that_names_its_source(place: Path) -> None:
    for name, kind in KINDS.items():
        text = run_cli(place, "bench", name, "--help").text
        assert kind.title in text
        assert kind.source.split(",")[0] in text
    assert all(name in run_cli(place, "bench", "--help").text for name in (*KINDS, "roar", "kar"))


def test_the_same_command_resumes_and_another_one_is_refused(place: Path) -> None:
    first = bench(place, "complexity")
    before = {p.name: p.read_bytes() for p in Path("run").glob("*.csv")}
    jobs = sorted(Path("run/jobs").glob("*.json"))
    stamps = [p.stat().st_mtime_ns for p in jobs[1:]]
    jobs[0].unlink()
    again = bench(place, "complexity")
    assert first.exit_code == again.exit_code == 0
    assert "1 of them finished" in again.text
    assert [p.stat().st_mtime_ns for p in jobs[1:]] == stamps
    assert {p.name: p.read_bytes() for p in Path("run").glob("*.csv")} == before
    other = bench(place, "complexity", "--mass", "0.5")
    assert other.exit_code == 1
    assert "holds another run" in other.text
    assert "options" in other.text


def test_psi_all_is_a_table_of_fullgrad(place: Path) -> None:
    result = bench(place, "pixel", "--psi", "all", "--fractions", "0.5", "--limit", 2)
    assert result.exit_code == 0, result.text
    found = pd.read_csv("run/summary.csv")
    assert found["method"].str.startswith("fullgrad(").groupby(found["method"]).first().sum() == 12


def test_masks_of_boxes_of_png_and_of_grids(place: Path) -> None:
    by_box = bench(place, "localise", "--masks", all_boxes(place))
    assert by_box.exit_code == 0, by_box.text
    area = pd.read_csv("run/summary.csv").set_index(["metric", "method"])["mean"]["area"]["gradient"]
    masks = place / "masks"
    for photo in (place / "photos").rglob("*.png"):
        target = masks / photo.relative_to(place / "photos")
        target.parent.mkdir(parents=True, exist_ok=True)
        drawn = np.zeros((40, 48), dtype=np.uint8)
        drawn[8:30, 12:36] = 255
        Image.fromarray(drawn).save(target)
    by_png = bench(place, "localise", "--masks", masks, "-o", "png")
    assert by_png.exit_code == 0, by_png.text
    drawn_area = pd.read_csv("png/summary.csv").set_index(["metric", "method"])["mean"]["area"]["gradient"]
    assert area == pytest.approx(drawn_area, abs=0.07)  # nearest pixels of a mask against the box's own edges
    by_grid = bench(place, "localise", "--grids", 5, "-o", "grid")
    assert by_grid.exit_code == 1
    assert "four classes" in by_grid.text


def test_noise_without_masks_has_no_numbers_of_masks(place: Path) -> None:
    assert bench(place, "noise").exit_code == 0
    assert "outside" not in set(pd.read_csv("run/summary.csv").dropna(subset="mean")["metric"])


def test_feature_occlusion_has_rows_instead_of_methods(place: Path) -> None:
    result = bench(place, "feature-occlusion", "--masks", all_boxes(place), "--trials", 2, "--steps", 2)
    assert result.exit_code == 0, result.text
    assert set(pd.read_csv("run/table.csv")["method"]) == {"background", "object"}


def test_flip_takes_images_of_the_first_class(place: Path) -> None:
    predicted = json.loads((bench(place, "complexity"), Path("run/config.json").read_text())[1])["images"]
    of = predicted[0]["target"]
    result = bench(place, "flip", "--pairs", f"{of}-{(of + 1) % 3}", "-o", "flip")
    assert result.exit_code == 0, result.text
    shown = json.loads(Path("flip/config.json").read_text())["images"]
    assert [row["name"] for row in shown] == [row["name"] for row in predicted if row["target"] == of]


def test_patch_trains_its_network_once(place: Path) -> None:
    arguments = ("--train", place / "photos", "--epochs", 1, "--side", 4, "--margin", 1)
    (place / "photos" / "owl").mkdir()
    for i in range(3):
        Image.fromarray(np.full((40, 48, 3), 60 * i, dtype=np.uint8)).save(place / "photos" / "owl" / f"owl {i}.png")
    first = bench(place, "patch", *arguments)
    assert first.exit_code == 0, first.text
    network = Path("run/patched/network.safetensors").stat().st_mtime_ns
    again = bench(place, "patch", *arguments)
    assert again.exit_code == 0
    assert Path("run/patched/network.safetensors").stat().st_mtime_ns == network
    table = pd.read_csv("run/summary.csv")
    assert {"times", "share", "inside", "inside_signed"} <= set(table["metric"])
    other = bench(place, "patch", "--train", place / "photos", "--epochs", 2, "--side", 4, "--margin", 1)
    assert other.exit_code == 1
    assert "of another training" in other.text
    assert "epochs" in other.text


def retrain(place: Path, name: str, *arguments: Any) -> Any:
    module = (place / "name.txt").read_text()
    given = [
        "--model",
        f"{module}:net",
        "--data",
        place / "photos",
        "--size",
        16,
        *UNITS,
        "--epochs",
        1,
        "--networks",
        2,
    ]
    return run_cli(place, "bench", name, *given, "--fractions", "0.5", "--methods", "gradient", "--workers", 1, "-o", "run",
                   *arguments)  # fmt: skip


def more_photos(place: Path) -> None:
    draw = np.random.default_rng(1)
    for kind in ("cat", "dog", "owl"):
        (place / "photos" / kind).mkdir(exist_ok=True)
        for i in range(6):
            pixels = draw.integers(0, 255, (20, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((48, 40)).save(place / "photos" / kind / f"more {i}.png")


def test_roar_and_kar_on_a_folder_of_images(place: Path) -> None:
    more_photos(place)
    result = retrain(place, "roar", "--both")
    assert result.exit_code == 0, result.text
    areas = pd.read_csv("run/areas.csv")
    assert set(areas["direction"]) == {"roar", "kar"}
    assert set(areas["method"]) == {"gradient", "random", "edge"}
    assert "every fifth image" in result.text
    assert "run/report.html" in result.text
    before = {p.name: p.read_bytes() for p in Path("run").glob("*.csv")}
    again = run_cli(place, "report", "run")
    assert again.exit_code == 0
    assert {p.name: p.read_bytes() for p in Path("run").glob("*.csv")} == before


def test_a_dry_run_trains_nothing(place: Path) -> None:
    (place / "photos" / "owl").mkdir()
    Image.fromarray(np.zeros((40, 48, 3), dtype=np.uint8)).save(place / "photos" / "owl" / "owl.png")
    result = bench(place, "patch", "--train", place / "photos", "--side", 4, "--margin", 1, "--dry-run")
    assert result.exit_code == 0, result.text
    assert "would first be trained" in result.text
    assert not Path("run").exists()


def test_report_makes_a_bench_anew(place: Path) -> None:
    bench(place, "complexity")
    before = Path("run/summary.csv").read_bytes()
    Path("run/summary.csv").unlink()
    assert run_cli(place, "report", "run", "--figures", "svg").exit_code == 0
    assert Path("run/summary.csv").read_bytes() == before
    assert list(Path("run/figures").glob("*.svg"))


BAD: dict[str, tuple[str, tuple[Any, ...], str]] = {
    "no masks": ("localise", (), "give --masks"),
    "no such masks": ("localise", ("--masks", "nowhere.csv"), "no such file"),
    "colour photos have no black background": ("localise", ("--masks", "nonzero"), "colour"),
    "grids and masks": ("localise", ("--grids", 3, "--masks", "nonzero"), "leave --masks"),
    "an unknown fill": ("pixel", ("--fills", "green"), "expected one or more of"),
    "fractions that are no numbers": ("pixel", ("--fractions", "half"), "expected numbers by commas"),
    "fractions over 1": ("pixel", ("--fractions", "0.5,2"), "2"),
    "another psi": ("pixel", ("--psi", "some"), "expected all"),
    "no network for the patch": ("patch", ("--side", "4", "--margin", "1"), "--train"),
    "a patch that fills the image": ("patch", ("--train", "photos", "--side", "16"), "smaller"),
    "a pair of no classes": ("flip", ("--pairs", "8-3"), "classes"),
    "a pair that is none": ("flip", ("--pairs", "eight"), "eight"),
    "no method runs": ("pixel", ("--methods", "lrp(rule=none)"), "rule"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_readable_text(place: Path, case: str) -> None:
    name, arguments, said = BAD[case]
    result = bench(place, name, *(all_boxes(place) if a == "BOXES" else a for a in arguments))
    assert result.exit_code == 1, result.text
    assert said in result.text
    assert "Traceback" not in result.text


BAD_RETRAIN: dict[str, tuple[tuple[Any, ...], str]] = {
    "an unknown preset": (("--preset", "half"), "expected paper or reduced"),
    "fractions of nothing": (("--fractions", "0,0.5"), "over 0"),
    "a control that is none": (("--controls", "blue"), "blue"),
    "too few images to hold out": ((), "can be held out"),
}


@pytest.mark.parametrize(
    ("name", "option"), [("pixel", "--masks"), ("feature-occlusion", "--methods"), ("flip", "--target")]
)
def test_an_option_that_means_nothing_is_none(place: Path, name: str, option: str) -> None:
    assert option not in run_cli(place, "bench", name, "--help").text
    result = bench(place, name, option, "x")
    assert result.exit_code == 2
    assert "No such option" in result.text


@pytest.mark.parametrize(("wrong", "said"), [(("--methods", "gradiant"), "gradiant"), (("--margin", "4"), "margin")])
def test_nothing_is_trained_before_the_rest_is_checked(place: Path, wrong: tuple[str, str], said: str) -> None:
    more_photos(place)
    result = bench(place, "patch", "--train", place / "photos", "--side", 4, "--margin", 1, *wrong)
    assert result.exit_code == 1, result.text
    assert said in result.text
    assert not Path("run").exists()


@pytest.mark.parametrize("case", BAD_RETRAIN)
def test_bad_input_of_roar(place: Path, case: str) -> None:
    arguments, said = BAD_RETRAIN[case]
    if arguments:
        more_photos(place)
    result = retrain(place, "roar", *arguments)
    assert result.exit_code == 1, result.text
    assert said in result.text


def test_options_of_the_same_name_are_an_error_of_the_programmer() -> None:
    with pytest.raises(ValueError, match="duplicate"):
        with_options(lambda rank, chosen: None, {"chosen": KINDS["pixel"].options}, "x", "")


WIDE = (
    ["method", "attribution outside the mask, in the units of the map", "95 % interval", "gain", ""],
    [
        [f"method_{i}(option=1)", f"{5022.6 * 10**i:.1f}", "-9.95e-04 to 5.84e-04", "0.12345", "word one"]
        for i in range(3)
    ],
)
MANY = (
    ["method", "0.001", "0.005", "0.025", "0.1", "0.3", "0.5", "0.7", "0.9"],
    [[f"fullgrad(values='{'abs'}', n={i}000)", *(f"0.{i}{k}8" for k in range(8))] for i in range(1, 4)],
)


@pytest.mark.parametrize("width", [50, 60, 79, 80, 81, 100])
@pytest.mark.parametrize("table", [WIDE, MANY])
def test_no_number_loses_a_digit_in_a_narrow_terminal(
    table: tuple[list[str], list[list[str]]], width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = StringIO()
    monkeypatch.setattr(tables, "console", Console(width=width, file=printed, highlight=False))
    heads, rows = table
    tables.print_tables([("a title", heads, rows)])
    lines = printed.getvalue().splitlines()
    assert all(len(line) <= width for line in lines)
    for row in rows:
        found = " ".join(line for line in lines if line.startswith(row[0])).split()
        assert set(" ".join(row[1:]).split()) <= set(found), printed.getvalue()
    assert all(any(head in line.split() for line in lines) for head in MANY[0]) or table is WIDE
