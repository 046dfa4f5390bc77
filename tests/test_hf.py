"""Image classifiers of Hugging Face from folders made here, with random weights: no model of the hub is at hand."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

import heatproof as hp
from heatproof.data.preprocess import override, prepare
from heatproof.experiment.identity import model_fingerprint
from heatproof.models.spec import load_model
from nets import targets
from test_contract import same, snapshot

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    transformers = pytest.importorskip("transformers", reason="needs heatproof[hf]")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:transformers")

CLASSES = {0: "tench", 1: "cock", 2: "<b>owl</b>", 3: "jay", 4: "newt"}
SHARED: dict[str, Any] = {"id2label": CLASSES, "label2id": {v: k for k, v in CLASSES.items()}}
TOKENS: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
CONFIGS: dict[str, Callable[[], Any]] = {
    "resnet": lambda: transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", **SHARED
    ),
    "vit": lambda: transformers.ViTConfig(image_size=32, patch_size=8, **TOKENS, **SHARED),
    "convnext": lambda: transformers.ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2, **SHARED),
    "swin": lambda: transformers.SwinConfig(
        image_size=32, patch_size=2, embed_dim=8, depths=[2, 2], num_heads=[2, 2], window_size=4, **SHARED
    ),
    "mobilenet_v2": lambda: transformers.MobileNetV2Config(
        image_size=32, depth_multiplier=0.25, min_depth=4, finegrained_output=False, **SHARED
    ),
}
SIDES = {"height": 32, "width": 32}
PROCESSORS: dict[str, dict[str, Any]] = {
    "ViTImageProcessor": {"size": SIDES},
    "ConvNextImageProcessor": {"size": {"shortest_edge": 32}, "crop_pct": 0.875, "image_mean": [0.485, 0.456, 0.406]},
    "BitImageProcessor": {"size": {"shortest_edge": 36}, "crop_size": SIDES, "resample": 3},
    "EfficientNetImageProcessor": {"size": SIDES, "rescale_factor": 1 / 127.5, "rescale_offset": True},
    "MobileNetV2ImageProcessor": {"size": {"shortest_edge": 40}, "crop_size": SIDES},
}
METHODS = "gradient integrated_gradients guided_backprop rectgrad lrp deeplift fullgrad gradcam".split()
RULES_OF_RELU = {"guided_backprop", "rectgrad"}
REFUSED = {"convnext": RULES_OF_RELU, "vit": {*RULES_OF_RELU, "gradcam"}, "swin": {*RULES_OF_RELU, "gradcam"}}
"""Methods that raise, since a rule or a layer for them is missing."""


def make(folder: Path, kind: str = "resnet", processor: str = "ViTImageProcessor", seed: int = 0) -> str:
    """A folder as `save_pretrained` leaves it; weights far from their start, so that all classes differ."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = transformers.AutoModelForImageClassification.from_config(CONFIGS[kind]())
        with torch.no_grad():
            for weight in model.parameters():
                weight += 0.1 * torch.randn_like(weight)
    model.save_pretrained(folder)
    if processor:
        held = {"image_processor_type": processor, **PROCESSORS[processor]}
        (folder / "preprocessor_config.json").write_text(json.dumps(held))
    return f"hf:{folder}"


def photo(width: int = 61, height: int = 47, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height // 4 + 1, width // 4 + 1, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)


def images(count: int = 3, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(dtype)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("hub")
    return {kind: make(root / kind, kind) for kind in CONFIGS}


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise AssertionError("asked the network")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_folder_is_its_network(folders: dict[str, str], kind: str) -> None:
    loaded = load_model(folders[kind])
    theirs = transformers.AutoModelForImageClassification.from_pretrained(
        folders[kind][3:], local_files_only=True
    ).eval()
    assert torch.allclose(loaded.model(images()), theirs(images()).logits, atol=1e-5)
    assert loaded.categories == tuple(CLASSES.values())
    assert (loaded.name, loaded.trained) == (kind, True)
    assert len(loaded.weights_sha256 or "") == 64
    assert not loaded.model.training


@pytest.mark.parametrize("kind", CONFIGS)
def test_fresh_instances_are_random_and_seeded(folders: dict[str, str], kind: str) -> None:
    one, same, other = (load_model(folders[kind], random_weights=True, seed=seed) for seed in (0, 0, 1))
    assert one.trained is False
    assert torch.equal(one.model(images()), same.model(images()))
    assert not torch.equal(one.model(images()), other.model(images()))
    assert not torch.allclose(one.model(images()), load_model(folders[kind]).model(images()))


# maps


@pytest.mark.parametrize("kind", CONFIGS)
def test_methods_are_those_of_the_exported_network_or_say_what_escaped(folders: dict[str, str], kind: str) -> None:
    """The same network in another spelling, plain operations of aten: a rule that missed one would give other maps."""
    model, x = load_model(folders[kind]).model, images()
    exported = torch.export.export(model, (x[:1],)).module()  # a batch of 1, since Swin folds its batch
    refused = set()
    for name in METHODS:
        try:
            found = hp.METHODS[name](model, x, targets())
        except (hp.EscapedOp, hp.NotApplicable):
            refused.add(name)
            continue
        want = hp.METHODS[name](exported, x[:1], targets(1))
        torch.testing.assert_close(found[:1], want, rtol=1e-3, atol=1e-4 * float(want.abs().max()))
    assert refused == REFUSED.get(kind, set())


def test_guided_backprop_is_captums_where_that_sees_all(folders: dict[str, str]) -> None:
    attr = pytest.importorskip("captum.attr")
    model = load_model(folders["resnet"]).model
    found = hp.guided_backprop(model, images(), targets())
    torch.testing.assert_close(found, hp.from_captum(attr.GuidedBackprop)(model, images(), targets()))
    assert not torch.allclose(found, hp.gradient(model, images(), targets()))


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_full_gradient_is_complete(folders: dict[str, str], kind: str) -> None:
    found = hp.full_gradient(load_model(folders[kind]).model, images(), targets())
    summed = found.input_term.flatten(1).sum(1) + sum(term.value.flatten(1).sum(1) for term in found.terms)
    torch.testing.assert_close(summed, found.output, rtol=1e-3, atol=1e-3)


def test_gradcam_reads_tokens_where_it_is_told(folders: dict[str, str]) -> None:
    maps = hp.gradcam(load_model(folders["vit"]).model, images(), layer="model.vit.layers.1.layernorm_before")
    assert maps.shape == (3, 1, 32, 32)


@pytest.mark.parametrize("kind", ["resnet", "vit"])
def test_it_is_left_as_it_was_and_two_threads_do_not_meet(folders: dict[str, str], kind: str) -> None:
    model, x = load_model(folders[kind]).model, images()
    before, want = snapshot(model, x), hp.lrp(model, x, targets())
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: hp.lrp(model, x, targets()), range(3)))
    assert all(torch.equal(f, want) for f in found)
    with pytest.raises(hp.InputError):
        hp.gradient(model, x, targets() + 9)
    assert same(before, snapshot(model, x))


# preprocessing


@pytest.mark.parametrize("name", PROCESSORS)
@pytest.mark.parametrize("size", [(61, 47), (47, 62), (32, 32), (20, 90)])
def test_pixels_are_those_of_the_folders_own_code(tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    spec = make(tmp_path / "net", processor=name)
    theirs = transformers.AutoImageProcessor.from_pretrained(tmp_path / "net", backend="pil", local_files_only=True)
    how = load_model(spec).preprocess
    assert how is not None
    found = prepare(photo(*size), how)
    want = torch.as_tensor(theirs(photo(*size), return_tensors="pt")["pixel_values"])[0]
    assert found.shape[1:] == (32, 32)
    torch.testing.assert_close(found, want.float(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", PROCESSORS)
def test_mean_and_std_undo_it(tmp_path: Path, name: str) -> None:
    """They show images, and black is made of them."""
    how = load_model(make(tmp_path / "net", processor=name)).preprocess
    assert how is not None
    grey = prepare(Image.new("RGB", (32, 32), (51, 102, 204)), how)
    back = grey * torch.tensor(how.std)[:, None, None] + torch.tensor(how.mean)[:, None, None]
    torch.testing.assert_close(back, torch.tensor([0.2, 0.4, 0.8])[:, None, None].expand(3, 32, 32), rtol=0, atol=1e-5)


def test_the_callers_numbers_stand() -> None:
    how = override(None, size=16)
    assert prepare(photo(), how).shape == (3, 16, 16)


def test_grey_photos_are_made_coloured_and_a_network_of_grey_ones_gets_grey(tmp_path: Path) -> None:
    grey = photo().convert("L")
    how = load_model(make(tmp_path / "net")).preprocess
    assert how is not None
    assert prepare(grey, how).shape == (3, 32, 32)
    config, processor = (tmp_path / "net" / f"{name}config.json" for name in ("", "preprocessor_"))
    config.write_text(json.dumps({**json.loads(config.read_text()), "num_channels": 1}))
    processor.write_text(json.dumps({**json.loads(processor.read_text()), "image_mean": [0.2], "image_std": [0.4]}))
    how = load_model(f"hf:{tmp_path / 'net'}", random_weights=True).preprocess
    assert how is not None
    assert (how.channels, how.mean, how.std) == (1, pytest.approx((0.2,)), pytest.approx((0.4,)))
    assert prepare(photo(), how).shape == (1, 32, 32)


def test_a_folder_without_preprocessing_has_none(tmp_path: Path) -> None:
    assert load_model(make(tmp_path / "net", processor="")).preprocess is None


# what is refused


def test_a_name_of_the_hub_says_to_download_it_first() -> None:
    with pytest.raises(hp.InputError, match=r"nothing is downloaded; .*hf download OWNER/NAME --local-dir"):
        load_model("hf:google/vit-base-patch16-224")


def test_pickled_weights_are_not_opened(tmp_path: Path) -> None:
    spec = make(tmp_path / "net")
    state = load_file(tmp_path / "net" / "model.safetensors")
    (tmp_path / "net" / "model.safetensors").unlink()
    torch.save(state, tmp_path / "net" / "pytorch_model.bin")
    with pytest.raises(hp.WeightsError, match=r"pytorch_model.bin is a pickle, which is not opened"):
        load_model(spec)


def test_missing_weights_are_not_made_up(tmp_path: Path) -> None:
    """As where a folder holds the network without its classifier: transformers draws one, and warns."""
    spec = make(tmp_path / "net")
    transformers.ResNetModel(CONFIGS["resnet"]()).save_pretrained(tmp_path / "base")
    (tmp_path / "net" / "model.safetensors").write_bytes((tmp_path / "base" / "model.safetensors").read_bytes())
    with pytest.raises(hp.WeightsError, match=r"missing.*classifier"):
        load_model(spec)


def test_weights_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    spec = make(tmp_path / "net")
    model = transformers.AutoModelForImageClassification.from_pretrained(tmp_path / "net")
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    model.save_pretrained(tmp_path / "net")
    with pytest.raises(hp.WeightsError, match="NaN"):
        load_model(spec)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "hf:.* cannot be read"),
        ('{"model_type": "bert"}', "cannot be read as an image classifier"),
        ('{"model_type": "mine", "auto_map": {"AutoConfig": "evil.Config"}}', "cannot be read as an image classifier"),
    ],
)
def test_a_config_of_anything_else_is_told(tmp_path: Path, content: str, says: str) -> None:
    spec = make(tmp_path / "net", processor="")
    (tmp_path / "net" / "config.json").write_text(content)
    (tmp_path / "net" / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(hp.ModelError, match=says):
        load_model(spec)
    assert not (tmp_path / "ran").exists(), "code of the folder was run"


def test_options_and_a_damaged_file_are_told(tmp_path: Path) -> None:
    spec = make(tmp_path / "net")
    with pytest.raises(hp.InputError, match="num_classes"):
        load_model(spec, num_classes=3)
    whole = (tmp_path / "net" / "model.safetensors").read_bytes()
    (tmp_path / "net" / "model.safetensors").write_bytes(whole[:1000])
    with pytest.raises((hp.WeightsError, hp.ModelError), match="cannot be read"):
        load_model(spec)


def test_without_transformers_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = make(tmp_path / "net")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(hp.HeatproofError, match=r"heatproof\[hf\]"):
        load_model(spec)


# runs


def test_another_file_of_weights_fits_with_and_without_the_prefix(tmp_path: Path) -> None:
    spec = make(tmp_path / "net")
    make(tmp_path / "other", seed=1)
    second = load_model(spec, tmp_path / "other" / "model.safetensors")
    assert torch.equal(second.model(images()), load_model(f"hf:{tmp_path / 'other'}").model(images()))
    torch.save(second.model.state_dict(), tmp_path / "own.pt")
    assert torch.equal(load_model(spec, tmp_path / "own.pt").model(images()), second.model(images()))


def test_settings_that_no_module_shows_are_in_the_fingerprint(tmp_path: Path) -> None:
    spec = make(tmp_path / "net", "vit")
    first = model_fingerprint(load_model(spec).model)
    config = tmp_path / "net" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "num_attention_heads": 4}))
    assert model_fingerprint(load_model(spec).model) != first


def test_an_audit_randomises_resumes_and_takes_workers(tmp_path: Path) -> None:
    loaded = load_model(make(tmp_path / "net", "vit"))
    tables = [
        hp.audit(
            loaded.model, images(8), methods=("gradient", "lrp", "fullgrad"), seeds=1, nulls=2, faithfulness=False,
            factory=loaded.factory, workers=workers, threads=1, out=tmp_path / f"run{workers}",
        )
        for workers in (1, 2, 2)
    ]  # fmt: skip
    assert tables[0].table.equals(tables[1].table)
    assert tables[1].table.equals(tables[2].table)
    config = json.loads((tmp_path / "run1" / "config.json").read_text())
    assert not config["refused"]
    assert not [w for w in config["warnings"] if "not resumed" in w or "one process" in w or "initialiser" in w]


def test_the_command_line_takes_a_folder(tmp_path: Path) -> None:
    spec = make(tmp_path / "net")
    (tmp_path / "photos").mkdir()
    for i in range(3):
        photo(seed=i).save(tmp_path / "photos" / f"{i}.png")
    done = subprocess.run(
        [sys.executable, "-c", "from heatproof.cli import main; main()", "explain", "--model", spec, "--images",
         str(tmp_path / "photos"), "--methods", "gradient, guided_backprop", "--out", str(tmp_path / "maps")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout
    assert sorted(path.name for path in (tmp_path / "maps").glob("*.png")) == ["0.png", "1.png", "2.png"]
    found = load_file(tmp_path / "maps" / "0.safetensors")
    loaded = load_model(spec)
    assert loaded.preprocess is not None
    want = hp.gradient(loaded.model, prepare(photo(seed=0), loaded.preprocess)[None])
    torch.testing.assert_close(found["gradient"], want[0], rtol=1e-3, atol=1e-5)
    assert isinstance(loaded.model, nn.Module)
