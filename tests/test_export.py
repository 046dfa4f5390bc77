"""Maps and tables as files for other programs: every bit of them, under names that a disk takes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

import heatproof as hp
from heatproof.explain import explain
from heatproof.export import export
from heatproof.plots.visualise import colour
from nets import Net, fresh_input

METHODS = ("gradient", "gradcam", "integrated_gradients(steps=2)", "random_map")
NAMES = ["a/tench.jpg", "b/tench.jpg", "../=cmd|x.png", "\x1b[31m$\n.png", "photo ä.jpg", "p5", "p6", "p7", "p8"]


def net() -> Net:
    return Net(dtype=torch.float32)


def images() -> Tensor:
    return fresh_input(9, dtype=torch.float32)


def audited(folder: Path, **options: Any) -> hp.Audit:
    about = {"model": "net", "dataset": "made", "images": [{"name": name} for name in NAMES]}
    return hp.audit(
        net(), images(), methods=METHODS, seeds=2, nulls=2, faithfulness=False, about=about, out=folder, **options
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> hp.Audit:
    return audited(tmp_path_factory.mktemp("run") / "audit", keep_maps="all")


@pytest.fixture
def folder(run: hp.Audit, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run.folder, tmp_path / "run"))


# single maps


def odd_maps() -> dict[str, Tensor]:
    values = torch.tensor([0.1, -0.0, 0.0, 1e-45, -3e38, float("nan"), float("inf"), 1 / 3])
    return {"gradient": values.reshape(2, 1, 2, 2), "rectgrad(q=90)": -values.reshape(2, 1, 2, 2), "file": values[:2]}


def bits(values: Tensor) -> bytes:
    return values.contiguous().numpy().tobytes()


@pytest.mark.parametrize("ending", ["safetensors", "npz"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_raw_values_come_back_bit_for_bit(tmp_path: Path, ending: str, dtype: torch.dtype) -> None:
    held = {name: values.to(dtype) for name, values in odd_maps().items()}
    (path,) = hp.save_maps(tmp_path / "new" / f"maps.{ending}", held)
    found = hp.load_maps(path)
    assert sorted(found) == sorted(held)
    assert all(bits(found[name]) == bits(values) and found[name].dtype == dtype for name, values in held.items())


def test_one_tensor_and_views_of_one_storage(tmp_path: Path) -> None:
    maps = hp.gradient(net(), images())
    for ending in ("npy", "npz", "safetensors"):
        (path,) = hp.save_maps(tmp_path / f"maps.{ending}", maps)
        assert torch.equal(hp.load_maps(path)["maps"], maps)
    (path,) = hp.save_maps(tmp_path / "views.safetensors", {"a": maps[:2], "b": maps[1:].transpose(2, 3)})
    assert torch.equal(load_file(path)["b"], maps[1:].transpose(2, 3))
    assert np.array_equal(np.load(tmp_path / "maps.npy"), maps.numpy())


def test_the_same_maps_are_the_same_file(tmp_path: Path) -> None:
    for ending in ("npz", "safetensors", "png"):
        maps = {"gradient": hp.gradient(net(), images())}
        files = [hp.save_maps(tmp_path / f"{i}.{ending}", maps)[0].read_bytes() for i in range(2)]
        assert files[0] == files[1]


def test_bfloat16_is_kept_or_refused(tmp_path: Path) -> None:
    maps = hp.gradient(net(), images()).bfloat16()
    assert torch.equal(hp.load_maps(*hp.save_maps(tmp_path / "m.safetensors", maps))["maps"], maps)
    with pytest.raises(hp.InputError, match="bfloat16"):
        hp.save_maps(tmp_path / "m.npz", maps)
    assert not (tmp_path / "m.npz").exists()


@pytest.mark.parametrize(
    ("name", "maps", "says"),
    [
        ("m.tiff", torch.ones(1, 1, 2, 2), "expected a file .safetensors"),
        ("m.npy", {"a": torch.ones(1), "b": torch.ones(1)}, "one tensor, got 2"),
        ("m.png", torch.ones(2, 2), r"\(2, 2\).*\(B, C, H, W\)"),
        ("m.npz", {}, "nothing"),
        ("m.npz", {"a": np.ones(2)}, "ndarray"),
    ],
)
def test_what_cannot_be_saved_is_told(tmp_path: Path, name: str, maps: Any, says: str) -> None:
    with pytest.raises(hp.InputError, match=says):
        hp.save_maps(tmp_path / name, maps)


@pytest.mark.parametrize("ending", ["npz", "npy", "safetensors", "png"])
def test_damaged_files_and_pickles_are_refused(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"m.{ending}"
    with pytest.raises(hp.InputError, match="no file"):
        hp.load_maps(path)
    path.write_bytes(b"PK\x03\x04 nonsense")
    with pytest.raises(hp.InputError, match=r"damaged|no raw maps"):
        hp.load_maps(path)
    np.save(tmp_path / "p.npy", np.array([print], dtype=object), allow_pickle=True)
    with pytest.raises(hp.InputError, match="allow_pickle"):
        hp.load_maps(tmp_path / "p.npy")


def test_pictures_are_the_views_pixel_for_pixel(tmp_path: Path) -> None:
    maps = {"gradient": hp.gradient(net(), images()), "gradcam": hp.gradcam(net(), images())}
    files = hp.save_maps(tmp_path / "all.png", maps, ["one.jpg"], each=True)
    assert {path.parent for path in files} == {tmp_path / "all"}
    assert len(files) == 9 * 3, "gradcam has no negative values, so no diverging view"
    for view in ("absolute", "diverging"):
        with Image.open(tmp_path / "all" / f"one.jpg-gradient-{view}.png") as image:
            assert np.array_equal(np.asarray(image), colour(maps["gradient"][0].numpy(), view))  # type: ignore[arg-type]
    (sheet,) = hp.save_maps(tmp_path / "sheet.png", maps)
    with Image.open(sheet) as image:
        assert image.width > image.height, "nine images across, two methods down"


# runs


@pytest.mark.parametrize("form", ["safetensors", "npz"])
def test_maps_of_an_audit_are_those_of_its_methods(folder: Path, tmp_path: Path, form: str) -> None:
    files = export(folder, form, out=tmp_path / "out")
    assert len(files) == 9
    assert {path.parent for path in files} == {tmp_path / "out"}
    found = hp.load_maps(files[1])
    assert list(found) == list(METHODS) if form == "npz" else set(found) == set(METHODS)
    want = hp.gradient(net(), images())
    torch.testing.assert_close(found["gradient"], want[1])
    kept = [load_file(path) for path in (folder / "maps").glob("chain*")]
    (original,) = {bits(held["gradient|1|cascading|0"]) for held in kept if "gradient|1|cascading|0" in held}
    assert bits(found["gradient"]) == original


def test_stages_come_with_their_seed(folder: Path, tmp_path: Path) -> None:
    (file, *_) = export(folder, stages=True, methods=["gradient"], out=tmp_path / "out")
    found = hp.load_maps(file)
    config = json.loads((folder / "config.json").read_text())
    chains = {f"gradient|cascading|{stage}|{seed}" for stage in config["stages"] for seed in (0, 1)}
    nulls = {name for name in found if "|null|" in name}
    assert set(found) == {"gradient", *chains, *nulls}
    assert nulls
    assert not torch.equal(found["gradient|cascading|1|0"], found["gradient|cascading|1|1"])


def test_names_of_files_are_harmless(folder: Path) -> None:
    files = export(folder, "png", ["gradient"])
    assert {path.parent for path in files} == {folder / "export"}
    stems = {path.name.removesuffix("-gradient-absolute.png") for path in files if "absolute" in path.name}
    assert len(stems) == 9
    assert {"tench", "tench-1", "cmd_x", "31m", "photo_ä", "p5"} <= stems, stems
    assert {path.name for path in folder.parent.iterdir()} == {"run"}


def test_sheets_of_tiles_hold_eight_images_each(folder: Path) -> None:
    files = export(folder, "png", tiles=True)
    assert [path.name for path in files] == ["tiles-1.png", "tiles-2.png"]


def test_every_table_is_written(run: hp.Audit, tmp_path: Path) -> None:
    files = export(run.folder, "csv", out=tmp_path / "out")
    assert {path.stem for path in files} >= {"table", "curves", "floors", "verdicts", "by_check", "changed"}
    assert (tmp_path / "out" / "table.csv").read_bytes() == (run.folder / "table.csv").read_bytes()
    again = run.to_csv(tmp_path / "again")
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in files]
    floors = pd.read_csv(tmp_path / "out" / "floors.csv")
    np.testing.assert_array_equal(floors["floor"], run.results.floors["floor"])


def test_a_bench_has_tables_and_no_maps(tmp_path: Path) -> None:
    bench = hp.bench("pixel", net(), images(), methods=("gradient",), fractions=(0.5,), out=tmp_path / "bench")
    files = export(bench.folder, "csv", out=tmp_path / "out")
    assert {path.stem for path in files} >= {"table", "summary", "curves"}
    assert len(bench.to_csv(tmp_path / "again")) == len(files)
    with pytest.raises(hp.InputError, match="--to csv"):
        export(bench.folder, "npz")


def test_maps_of_explain(tmp_path: Path) -> None:
    done = explain(net(), images()[:2], methods=["gradient", "gradcam"], out=tmp_path / "maps", names=NAMES)
    files = export(tmp_path / "maps", "npz")
    assert [path.name for path in files] == ["tench-1.npz", "tench.npz"]
    want = load_file(done.maps[0])
    found = hp.load_maps(tmp_path / "maps" / "export" / "tench.npz")
    assert all(bits(found[name]) == bits(values) for name, values in want.items())
    with pytest.raises(hp.InputError, match="no tables"):
        export(tmp_path / "maps", "csv")


def test_what_cannot_be_exported_is_told(folder: Path, tmp_path: Path) -> None:
    for options, says in (
        ({"to": "tiff"}, "expected one of safetensors"),
        ({"methods": ["lrp"]}, "no maps of 'lrp'; expected some of gradient, gradcam"),
        ({"out": folder}, "own folder"),
    ):
        with pytest.raises(hp.InputError, match=says):
            export(folder, **options)  # type: ignore[arg-type]
    with pytest.raises(hp.InputError, match="no maps"):
        export(tmp_path)
    next((folder / "maps").glob("chain*")).write_bytes(b"damaged")
    with pytest.raises(hp.RunError, match=r"1 of .* jobs .* not finished"):
        export(folder)


def test_the_command(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from heatproof.cli import main; main()", "export", str(folder), "--to", "npz",
         "--methods", "gradient, integrated_gradients(steps=2)"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "9 files in" in done.stdout
    with np.load(folder / "export" / "p5.npz") as archive:
        assert archive.files == ["gradient", "integrated_gradients(steps=2)"]
