"""The command line: what it prints, writes and returns; ten kinds of bad input."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from heatproof.cli import app
from heatproof.cli.audit import failures
from heatproof.types import METHODS

MODULE = """
import torch
from torch import nn

def net():
    return nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 6, 3), nn.ReLU(), nn.Flatten(),
                         nn.Linear(6 * 144, 8), nn.ReLU(), nn.Linear(8, 3))

def smooth_net():
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 256, 4), nn.Tanh(), nn.Linear(4, 3))

def training_net():
    class Stubborn(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = net()
        def eval(self):
            return self
        def forward(self, x):
            return self.inner(x)
    return Stubborn()

def odd_output():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = net()
        def forward(self, x):
            return [self.inner(x)]
    return Odd()

def one_logit():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 196, 1))

def wide_net():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 196, 64), nn.ReLU(), nn.Linear(64, 2))

def wide_net_3():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 196, 64), nn.ReLU(), nn.Linear(64, 3))

def grey_net():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 196, 64), nn.ReLU(), nn.Linear(64, 2))

def mine(model, inputs, target):
    return inputs.abs()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model module and 6 photos, made the current one."""
    monkeypatch.chdir(tmp_path)
    name = f"mymodels_{abs(hash(str(tmp_path)))}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "name.txt").write_text(name)
    draw = np.random.default_rng(0)
    for i, kind in enumerate(["cat", "cat", "cat", "dog", "dog", "dog"]):
        folder = tmp_path / "photos" / kind
        folder.mkdir(parents=True, exist_ok=True)
        pixels = draw.integers(0, 255, (20, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((48, 40)).save(folder / f"{kind} {i}.png")
    return tmp_path


def run(place: Path, *arguments: Any, factory: str = "net") -> Any:
    module = (place / "name.txt").read_text()
    texts = [str(a).replace("MODULE", module) for a in arguments]
    if texts[0] in ("audit", "explain"):
        texts += [] if "--model" in texts else ["--model", f"{module}:{factory}"]
        texts += [] if "--images" in texts else ["--images", str(place / "photos")]
        texts += [] if "--size" in texts else ["--size", "16"]
        texts += ["--threads", "1"]
    result = CliRunner().invoke(app, texts, env={"COLUMNS": "200"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    result.text = " ".join(result.output.split())
    return result


FAST = ("--methods", "gradient, edge_map, random_map", "--seeds", "3", "--budget", "full")


def test_methods_lists_every_method(place: Path) -> None:
    result = run(place, "methods")
    assert result.exit_code == 0
    assert all(name in result.text for name in METHODS)


def test_help_teaches(place: Path) -> None:
    text = run(place, "--help").text
    assert all(word in text for word in ("explain", "audit", "report", "demo", "methods", "Exit codes"))
    assert "torchvision:NAME" in run(place, "audit", "--help").text


def test_explain_writes_sheets_and_raw_maps(place: Path) -> None:
    result = run(place, "explain", "--out", "maps", "--methods", "gradient, integrated_gradients(steps=3), MODULE:mine")
    assert result.exit_code == 0, result.text
    assert sorted(p.name for p in (place / "maps").iterdir())[:2] == ["cat_0.png", "cat_0.safetensors"]
    assert len(list((place / "maps").glob("*.png"))) == 6
    maps = load_file(place / "maps" / "dog_5.safetensors")
    assert set(maps) == {"gradient", "integrated_gradients(steps=3)", "mine"}
    assert maps["gradient"].shape == (3, 16, 16)


def test_explain_names_what_does_not_apply(place: Path) -> None:
    result = run(
        place, "explain", "--methods", "gradient, guided_backprop, gradcam", "--limit", 1, factory="smooth_net"
    )
    assert result.exit_code == 0, result.text
    assert "not drawn: guided_backprop" in result.text
    assert "not drawn: gradcam" in result.text


def test_audit_from_plan_to_report(place: Path) -> None:
    plan = run(place, "audit", *FAST, "--out", "run", "--dry-run")
    assert "jobs, about" in plan.text
    assert not (place / "run").exists()
    result = run(place, "audit", *FAST, "--out", "run", "--figures", "svg")
    assert result.exit_code == 0, result.text
    assert str(Path("run/report.html")) in result.text
    assert "random weights" in result.text
    assert {v["method"] for v in json.loads((place / "run/verdicts.json").read_text())} == {
        "gradient",
        "edge_map",
        "random_map",
    }
    assert list((place / "run" / "figures").glob("*.svg"))
    again = run(place, "audit", *FAST, "--out", "run")
    assert "of them finished, about 0 s" in again.text
    report = run(place, "report", "run", "--figures", "pdf")
    assert report.exit_code == 0
    assert list((place / "run" / "figures").glob("*.pdf"))


def bright_or_dark(place: Path, name: str, count: int, seed: int) -> None:
    """Two classes that a network can tell, with enough noise in each picture to learn any labels by heart."""
    draw = np.random.default_rng(seed)
    y = np.arange(count) % 2
    x = draw.integers(0, 160, (count, 16, 16, 3)) + 90 * y[:, None, None, None]
    np.savez(place / name, x=x.astype(np.uint8), y=y)


LABELS = ("--check", "labels, cascading", "--images", "test.npz", "--methods", "gradient, edge_map", "--seeds", "2",
          "--budget", "full", "--out", "run", "--no-faithfulness")  # fmt: skip


def test_labels_trains_the_pair_and_resumes(place: Path) -> None:
    bright_or_dark(place, "train.npz", 40, 0)
    bright_or_dark(place, "test.npz", 30, 1)
    options = (*LABELS, "--train", "train.npz", "--lr", "0.002", "--epochs", "300")
    plan = run(place, "audit", *options, "--dry-run", factory="wide_net")
    assert "two networks would first be trained" in plan.text
    assert "jobs, about" in plan.text
    assert not (place / "run").exists()
    result = run(place, "audit", *options, factory="wide_net")
    assert result.exit_code == 0, result.text
    assert "permuted network 1: training accuracy on its permuted labels" in result.text
    assert "learned their labels" in result.text
    assert "random weights" not in result.text, "the network was trained here"
    table = (place / "run" / "table.csv").read_text()
    assert ",labels,1,spearman," in table
    again = run(place, "audit", *options, factory="wide_net")
    assert "of them finished, about 0 s" in again.text
    assert (place / "run" / "table.csv").read_text() == table

    networks = place / "run" / "labels"
    own = ("--weights", networks / "true.safetensors", "--permuted-weights", networks / "permuted-1.safetensors")
    given = run(place, "audit", *LABELS[:-3], "--out", "own", "--no-faithfulness", *own, factory="wide_net")
    assert given.exit_code == 0, given.text
    assert "learned their labels" in given.text, "their cards say so"
    assert "(by its card)" in given.text
    rows = [line.split(",")[2:] for line in table.splitlines() if ",labels,1,spearman," in line]
    mine = (place / "own" / "table.csv").read_text()
    assert rows == [line.split(",")[2:] for line in mine.splitlines() if ",labels,1,spearman," in line]


def pictures(place: Path, name: str, classes: str, count: int, seed: int, channels: int = 3) -> None:
    """A folder for each class: pictures of noise, brighter from class to class."""
    draw = np.random.default_rng(seed)
    for number, label in enumerate(classes.split()):
        (place / name / label).mkdir(parents=True)
        for i in range(count):
            pixels = draw.integers(0, 120, (16, 16, channels)) + 60 * number
            Image.fromarray(pixels.astype(np.uint8).squeeze()).save(place / name / label / f"{i}.png")


TINY = ("--check", "labels", "--methods", "gradient", "--seeds", "1", "--nulls", "2", "--out", "run", "--budget", "full",
        "--no-faithfulness")  # fmt: skip
LEARN = ("--lr", "0.002", "--epochs", "300")


def test_trained_networks_have_the_class_names_of_their_training_images(place: Path) -> None:
    """The test folder lacks the first class, so its own numbering is another one."""
    pictures(place, "train", "ant bee cow", 8, 0)
    pictures(place, "test", "bee cow", 8, 1)
    options = (*TINY, *LEARN, "--train", "train", "--images", "test", "--target", "cow", "--limit", "2")
    result = run(place, "audit", *options, factory="wide_net_3")
    assert result.exit_code == 0, result.text
    config = json.loads((place / "run" / "config.json").read_text())
    assert {(i["target"], i["target_name"]) for i in config["images"]} == {(2, "cow")}
    (place / "names.txt").write_text("ant\ncow\nbee\n")
    named = run(place, "audit", *options[:-4], "--out", "named", "--target", "cow", "--class-names", "names.txt",
                factory="wide_net_3")  # fmt: skip
    assert named.exit_code == 0, named.text
    config = json.loads((place / "named" / "config.json").read_text())
    assert {(i["target"], i["target_name"]) for i in config["images"]} == {(1, "cow")}


def test_checkpoints_are_tested_in_the_numbering_of_the_class_names(place: Path) -> None:
    bright_or_dark(place, "train.npz", 40, 0)
    pictures(place, "test", "bright dark", 20, 3)  # the second folder is the brighter one, as class 1 of the stack
    bright_or_dark(place, "test.npz", 30, 1)
    made = run(place, "audit", *TINY, *LEARN, "--train", "train.npz", "--images", "test.npz", factory="wide_net")
    assert made.exit_code == 0, made.text
    networks = place / "run" / "labels"
    own = (*TINY, "--images", "test", "--weights", networks / "true.safetensors", "--permuted-weights",
           networks / "permuted-1.safetensors")  # fmt: skip

    def accuracy(*more: Any) -> float:
        result = run(place, "audit", *own, *more, factory="wide_net")
        assert result.exit_code == 0, result.text
        config = json.loads((place / more[1] / "config.json").read_text())
        return float(next(g["value"] for g in config["labels"]["gates"] if g["name"] == "true network: test accuracy"))

    (place / "names.txt").write_text("dark\nbright\n")
    assert accuracy("--out", "plain") + accuracy("--out", "named", "--class-names", "names.txt") == pytest.approx(1)
    (place / "names.txt").write_text("dark\nlight\n")
    refused = run(place, "audit", *own, "--out", "x", "--class-names", "names.txt", factory="wide_net")
    assert "has the class 'bright', which is not one of classes=(dark, light)" in refused.text
    pictures(place, "three", "a b c", 2, 3)
    unknown = run(place, "audit", *own, "--images", "three", "--out", "x", factory="wide_net")
    assert "3 classes and the network 2 outputs" in unknown.text
    assert "--class-names" in unknown.text
    assert not (place / "x").exists()


def test_an_unfinished_training_goes_on_with_more_epochs_in_the_same_folder(place: Path) -> None:
    bright_or_dark(place, "train.npz", 40, 0)
    bright_or_dark(place, "test.npz", 30, 1)
    options = (*TINY, "--train", "train.npz", "--images", "test.npz", "--lr", "0.002")
    short = run(place, "audit", *options, "--epochs", "1", factory="wide_net")
    assert short.exit_code == 1
    assert "The same command with more --epochs goes on from here" in short.text
    assert [p.name for p in (place / "run").iterdir()] == ["labels"]
    longer = run(place, "audit", *options, "--epochs", "300", factory="wide_net")
    assert longer.exit_code == 0, longer.text
    other = run(place, "audit", *options, "--epochs", "300", "--chunk", "4", "--seed", "1", factory="wide_net")
    assert other.exit_code == 1
    assert "run holds another run (its chunk, " in other.text
    assert "Nothing was trained" in other.text


def test_audited_images_that_were_trained_on_are_named(place: Path) -> None:
    pictures(place, "both/train", "ant bee", 20, 0)
    pictures(place, "both/test", "ant bee", 20, 1)
    options = (*TINY, *LEARN, "--train", "both", "--images", "both", "--split", "train", "--limit", "4")
    plan = run(place, "audit", *options, "--dry-run", factory="wide_net")
    assert "jobs, about" in plan.text, "the check alone has a plan too"
    assert not (place / "run").exists()
    result = run(place, "audit", *options, factory="wide_net")
    assert result.exit_code == 0, result.text
    assert "4 of the 4 audited images were trained on" in result.text


UNFIT: dict[str, tuple[tuple[Any, ...], str, str]] = {
    "test images of the training": (("--images", "train"), "wide_net", "32 of 32 test images are training images"),
    "more classes than outputs": (("--train", "four"), "wide_net", "2 outputs, and classes go from 0 to 3"),
    "another size": (("--size", "20"), "wide_net", "3, 20, 20)"),
    "grey training images": (("--train", "grey"), "wide_net", "training images have 1 channels and test images 3"),
    "a network for grey images": ((), "grey_net", "3, 16, 16)"),
    "training images of other channels and classes": (
        ("--train", "greys"),
        "wide_net",
        "training images have 1 channels and test images 3",
    ),
    "numbers of other classes": (("--images", "numbers.npz"), "wide_net", "has the classes ant, bee"),
    "names for other classes": (("--class-names", "names.txt"), "wide_net", "--class-names names 3 classes"),
    "unknown class": (("--target", "unicorn"), "wide_net", "neither a number nor a class name"),
    "unknown block": (("--blocks", "nowhere"), "wide_net", "is in no block"),
    "bad budget": (("--budget", "soon"), "wide_net", "budget"),
    "unknown metric": (("--metrics", "hogg"), "wide_net", "hog"),
    "unknown method": (("--methods", "gradcma"), "wide_net", "gradcam"),
    "unknown check": (("--check", "labels, cascade"), "wide_net", "cascading"),
    "a folder with other files": (("--out", "photos"), "wide_net", "photos is not empty and holds no run"),
}


@pytest.mark.parametrize(("arguments", "factory", "message"), UNFIT.values(), ids=UNFIT)
def test_what_does_not_fit_is_said_before_anything_is_trained(
    place: Path, arguments: tuple[Any, ...], factory: str, message: str
) -> None:
    pictures(place, "train", "ant bee", 16, 0)
    pictures(place, "test", "ant bee", 4, 1)
    pictures(place, "four", "ant bee cow dog", 4, 2)
    pictures(place, "grey", "ant bee", 4, 3, channels=1)
    pictures(place, "greys", "x y z", 2, 3, channels=1)
    bright_or_dark(place, "numbers.npz", 10, 0)
    (place / "names.txt").write_text("ant\nbee\ncow\n")
    before = {p for p in place.rglob("*") if "__pycache__" not in str(p)}
    result = run(place, "audit", *TINY, "--train", "train", "--images", "test", *arguments, factory=factory)
    assert result.exit_code == 1, result.text
    assert message in result.text
    assert {p for p in place.rglob("*") if "__pycache__" not in str(p)} == before


def test_checks_and_presets_from_the_command_line(place: Path) -> None:
    sys.path.insert(0, str(place))
    module = __import__((place / "name.txt").read_text())
    save_file(module.net().state_dict(), place / "other.safetensors")
    options = (
        "--preset",
        "code",
        "--check",
        "full, biases, random_logit, efficient, calibration",
        "--init",
        "other.safetensors",
    )
    metrics = ("--metrics", "spearman, hog(cells=4, correlation=spearman), ssim(normalise=percentile)")
    result = run(place, "audit", *FAST, *options, *metrics, "--nulls", "2", "--first", "--limit", "4", "--out", "run")
    assert result.exit_code == 0, result.text
    config = json.loads((place / "run" / "config.json").read_text())
    assert (config["classes"], config["draws"], config["batch_norm"]) == ("predicted", "fresh", "keep")
    assert config["metrics"] == ["spearman", "hog(cells=4, correlation='spearman')", "ssim(normalise='percentile')"]
    assert len(config["images"]) == 4
    assert [row["name"] for row in config["images"]] == [
        "cat/cat 0.png",
        "cat/cat 1.png",
        "cat/cat 2.png",
        "dog/dog 3.png",
    ]
    assert len(config["init"]) == 64, "the hash of the second checkpoint"


def test_fail_on_gives_exit_code_3(place: Path) -> None:
    assert run(place, "audit", *FAST, "--out", "a", "--fail-on", "input-dominated").exit_code == 3
    assert run(place, "audit", *FAST, "--out", "a", "--fail-on", "undefined, refused").exit_code == 0
    refused = ("--methods", "gradient, guided_backprop", "--seeds", "2", "--out", "b", "--fail-on", "refused")
    assert run(place, "audit", *refused, factory="smooth_net").exit_code == 3


def test_fail_on_sees_every_check_and_names_it() -> None:
    rows = [
        ("gradient", "labels", "undecided"),
        ("gradient", "cascading", "insensitive"),
        ("lrp", "labels", "undecided"),
    ]
    by_check = pd.DataFrame(rows, columns=["method", "check", "verdict"])
    held = SimpleNamespace(verdicts=by_check.drop(columns="check")[::2], results=SimpleNamespace(by_check=by_check))
    assert failures(held, ["occlusion"], ["insensitive"]) == ["gradient (cascading: insensitive)"]
    assert failures(held, ["occlusion"], ["refused", "undefined"]) == ["occlusion (refused)"]
    held.results.by_check = by_check[:0]
    assert len(failures(held, [], ["undecided"])) == 2


def test_weights_file_and_class_names(place: Path) -> None:
    sys.path.insert(0, str(place))
    module = __import__((place / "name.txt").read_text())
    save_file(module.net().state_dict(), place / "net.safetensors")
    (place / "names.txt").write_text("cat\ndog\nfish\n")
    result = run(
        place,
        "audit",
        *FAST,
        "--out",
        "run",
        "--weights",
        "net.safetensors",
        "--class-names",
        "names.txt",
        "--target",
        "fish",
    )
    assert result.exit_code == 0, result.text
    config = json.loads((place / "run" / "config.json").read_text())
    assert {i["target_name"] for i in config["images"]} == {"fish"}
    assert "random weights" not in result.text


def test_single_logit_model(place: Path) -> None:
    result = run(place, "audit", *FAST, "--out", "run", "--score", "single_logit", factory="one_logit")
    assert result.exit_code == 0, result.text


def test_stack_of_images(place: Path) -> None:
    stack = np.random.default_rng(0).integers(0, 255, (5, 16, 16, 3), dtype=np.uint8)
    np.save(place / "stack.npy", stack)
    result = run(place, "audit", *FAST, "--out", "run", "--images", "stack.npy")
    assert result.exit_code == 0, result.text


def test_exported_program(place: Path) -> None:
    sys.path.insert(0, str(place))
    module = __import__((place / "name.txt").read_text())
    program = torch.export.export(module.net().eval(), (torch.randn(2, 3, 16, 16),))
    torch.export.save(program, place / "net.pt2")
    result = run(place, "audit", *FAST, "--out", "run", "--model", place / "net.pt2")
    assert result.exit_code == 0, result.text
    drawn = run(
        place, "explain", "--model", place / "net.pt2", "--methods", "guided_backprop", "--out", "maps", "--limit", 3
    )
    assert drawn.exit_code == 0, drawn.text
    assert len(list((place / "maps").glob("*.png"))) == 3


def test_unreadable_image_among_good_ones(place: Path) -> None:
    (place / "photos" / "cat" / "broken.png").write_bytes(b"not a picture")
    result = run(place, "audit", *FAST, "--out", "run")
    assert result.exit_code == 0, result.text
    assert "skipped" in result.text
    assert "broken.png" in (place / "run" / "report.html").read_text()


BAD = {
    "no image in the folder": (("--images", "empty"), "no image"),
    "no such folder": (("--images", "nowhere"), "nowhere"),
    "all images unreadable": (("--images", "broken"), "broken"),
    "NaN pixels": (("--images", "nan.npy"), "NaN"),
    "wrong channel count": (("--images", "four.npy"), "channel"),
    "target out of range": (("--target", "7"), "out of range"),
    "unknown class name": (("--target", "unicorn"), "class name"),
    "weights of another architecture": (("--weights", "other.safetensors"), "missing"),
    "pickle with code": (("--weights", "evil.pt"), "evil.pt"),
    "truncated weights": (("--weights", "cut.safetensors"), "cut.safetensors"),
    "unknown method": (("--methods", "gradient, gradcma"), "gradcam"),
    "unknown option of a method": (("--methods", "gradcam(layers=3)"), "layers"),
    "no ReLU for guided backprop alone": (
        ("--methods", "guided_backprop", "--factory", "smooth_net"),
        "no method can run",
    ),
    "gradcam without a spatial layer": (("--methods", "gradcam", "--factory", "smooth_net"), "layer="),
    "model in training mode": (("--factory", "training_net"), "training mode"),
    "output of no score": (("--factory", "odd_output"), "score"),
    "output (B, 1) without score": (("--factory", "one_logit"), "single_logit"),
    "TorchScript for guided backprop": (("--model", "script.pt", "--methods", "guided_backprop"), "cannot see"),
    "unknown model": (("--model", "torchvision:resnet19"), "resnet18"),
    "unknown verdict": (("--fail-on", "bad"), "insensitive"),
    "bad budget": (("--budget", "soon"), "budget"),
    "bad device": (("--device", "toaster"), "toaster"),
    "unknown score": (("--score", "logits"), "logit"),
    "bad mean": (("--mean", "a,b"), "numbers"),
    "unknown check": (("--check", "labls"), "labels"),
    "kept without a competition": (("--check", "kept"), "cgi"),
    "labels without networks": (("--check", "labels"), "--train"),
    "training images without the check": (("--train", "photos"), "--check labels"),
    "two ways to the pair": (
        ("--check", "labels", "--train", "photos", "--permuted-weights", "other.safetensors"),
        "leave one of the two out",
    ),
    "permuted weights alone": (("--check", "labels", "--permuted-weights", "other.safetensors"), "--weights"),
    "options of a training without the check": (
        ("--epochs", "3", "--lr", "0.1"),
        "--epochs, --lr belong to the check labels",
    ),
    "options of a training without training images": (
        ("--check", "labels", "--permuted-weights", "other.safetensors", "--train-limit", "3"),
        "--train-limit belong to --train",
    ),
    "no second checkpoint": (("--init", "nowhere.safetensors"), "neither a file"),
    "unknown preset": (("--preset", "papers"), "code"),
    "unknown split": (("--split", "half"), "train or test"),
    "unknown metric": (("--metrics", "spearman, hogg"), "hog"),
    "unknown option of a metric": (("--metrics", "spearman, hog(cell=4)"), "cells"),
}


class Evil:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("executed"),))


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_one_clear_text(place: Path, arguments: tuple[str, ...], message: str) -> None:
    (place / "empty").mkdir()
    (place / "broken").mkdir()
    (place / "broken" / "x.png").write_bytes(b"no picture")
    np.save(place / "nan.npy", np.full((3, 3, 16, 16), np.nan, dtype=np.float32))
    np.save(place / "four.npy", np.zeros((3, 4, 16, 16), dtype=np.float32))
    save_file({"other": torch.zeros(2)}, place / "other.safetensors")
    torch.save({"x": Evil()}, place / "evil.pt")
    (place / "cut.safetensors").write_bytes((place / "other.safetensors").read_bytes()[:20])
    sys.path.insert(0, str(place))
    module = __import__((place / "name.txt").read_text())
    torch.jit.trace(module.net().eval(), torch.randn(2, 3, 16, 16)).save(str(place / "script.pt"))
    options = list(arguments)
    factory = options.pop(options.index("--factory") + 1) if "--factory" in options else "net"
    options = [o for o in options if o != "--factory"]
    before = sorted(place.rglob("*"))
    defaults = [] if "--methods" in options else ["--methods", "gradient"]
    result = run(place, "audit", "--out", "run", *defaults, *options, factory=factory)
    assert result.exit_code == 1, result.text
    assert message in result.text
    assert "Traceback" not in result.text
    assert not (place / "executed").exists()
    assert [p for p in sorted(place.rglob("*")) if "__pycache__" not in str(p)] == [
        p for p in before if "__pycache__" not in str(p)
    ]
