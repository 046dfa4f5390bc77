"""Loading models by text, and weights from files."""

from __future__ import annotations

import os
import pickle
import random
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from heatproof.data.preprocess import prepare
from heatproof.errors import HeatproofError, InputError, ModelError, WeightsError
from heatproof.models.factory import fresh
from heatproof.models.spec import load_model
from heatproof.models.weights import file_sha256, load_weights, state_sha256

FACTORIES = """
import math, random
import numpy, torch
from torch import nn

class Net(nn.Module):
    def __init__(self, classes=5, dropout=0.5):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.drop, self.head = nn.Dropout(dropout), nn.Linear(4, classes)
        self.table = nn.Parameter(torch.arange(4.0), requires_grad=False)  # fixed, as a position table is
    def forward(self, x):
        return self.head(self.drop(self.norm(self.conv(x)).relu().mean((2, 3)) + self.table))

def numpy_drawn():
    net = Net()
    net.head.bias.data[:] = torch.from_numpy(numpy.random.rand(5)) + random.random()
    return net

def with_own_weights():
    torch.manual_seed(7)
    return Net()

def half_own():
    net = Net()
    torch.manual_seed(7)
    net.conv.reset_parameters()
    return net

instance = Net()
def wrong(): return "a network"
def broken(): raise OSError("no disk")
"""


@pytest.fixture(autouse=True)
def _one_thread():
    """Many small tensors: on a shared machine threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    (tmp_path / "my_nets.py").write_text(FACTORIES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_nets", raising=False)
    return tmp_path


def net(seed: int = 0) -> nn.Module:
    def make() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5))

    return fresh(make, seed)


def same(one: nn.Module, other: nn.Module) -> bool:
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


# the user's own factories


@pytest.mark.parametrize("source", ["my_nets", "./my_nets.py"])
def test_a_factory_of_the_current_directory(here, source):
    path = list(sys.path)
    loaded = load_model(f"{source}:Net", seed=3, classes=7)
    assert loaded.name == "Net"
    assert loaded.trained is False
    assert loaded.weights_sha256 is None
    assert not any(m.training for m in loaded.model.modules())
    assert loaded.model(torch.zeros(2, 3, 8, 8)).shape == (2, 7)
    assert same(loaded.model, load_model(f"{source}:Net", seed=3, classes=7).model)
    assert not same(loaded.model, load_model(f"{source}:Net", seed=4, classes=7).model)
    again = pickle.loads(pickle.dumps(loaded.factory))  # a worker process gets the factory this way
    assert same(fresh(again, 3), loaded.model)
    assert sys.path == path


def test_a_changed_file_is_read_anew(here):
    Path("n.py").write_text("from torch import nn\ndef make(): return nn.Linear(2, 2)\n")
    assert load_model("n.py:make").model.out_features == 2
    Path("n.py").write_text("from torch import nn\ndef make(): return nn.Linear(2, 3)\n")
    assert load_model("n.py:make").model.out_features == 3


@pytest.mark.parametrize("name", ["with_own_weights", "half_own"])
def test_a_factory_that_brings_its_weights_is_no_source_of_random_ones(here, name):
    loaded = load_model(f"my_nets:{name}")
    assert loaded.factory is None
    assert loaded.trained is None
    with pytest.raises(InputError, match="brings its own weights"):
        load_model(f"my_nets:{name}", random_weights=True)
    assert load_model("my_nets:Net", random_weights=True).factory is not None


def test_fresh_changes_no_random_state(here):
    def states() -> tuple[object, ...]:
        return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002

    before = states()
    factory = load_model("my_nets:numpy_drawn").factory
    one = fresh(factory, 1)
    assert not same(one, fresh(factory, 2))
    assert states() == before
    torch.rand(1), np.random.rand(), random.random()  # noqa: NPY002  (another state gives the same network)
    before = states()
    assert same(one, fresh(factory, 1))
    with pytest.raises(ModelError, match="OSError: no disk"):
        load_model("my_nets:broken")
    assert states() == before


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("my_nets:Nett", "did you mean Net"),
        ("my_nets:instance", "is a Net; expected a function"),
        ("nowhere.nets:make", "no module 'nowhere.nets'"),
        ("nowhere/nets.py:make", "no file"),
        ("resnet50", "torchvision:NAME"),
        ("gone.pt2", "no model file"),
    ],
)
def test_specs_that_name_nothing(here, spec, said):
    with pytest.raises(InputError, match=said):
        load_model(spec)


def test_factories_that_fail(here):
    with pytest.raises(ModelError, match="returned a str"):
        load_model("my_nets:wrong")
    with pytest.raises(ModelError, match=r"Net\(colour='red'\) failed: TypeError"):
        load_model("my_nets:Net", colour="red")
    Path("imports_missing.py").write_text("import not_there_at_all\n")
    with pytest.raises(InputError, match=r"not_there_at_all.*imports_missing\.py, line 1"):  # where the user mends it
        load_model("imports_missing:make")
    with pytest.raises(InputError, match="contradict"):
        load_model("my_nets:Net", weights="w.safetensors", random_weights=True)


# weights


def test_every_form_of_a_checkpoint(tmp_path):
    trained = net(1)
    state = trained.state_dict()
    forms = {
        "plain.pt": state,
        "lightning.ckpt": {"state_dict": {f"model.{k}": v for k, v in state.items()}, "epoch": 3},
        "parallel.pth": {"model": {f"module.{k}": v for k, v in state.items()}, "best": torch.tensor(0.9)},
        "compiled.bin": {"net": {f"module._orig_mod.{k}": v for k, v in state.items()}},
        "part.pt": {k.replace("4.", "4._orig_mod."): v for k, v in state.items()},
        "nested.pt": {"model": {"state_dict": state}},
        "old_norm.pt": {k: v for k, v in state.items() if "num_batches" not in k},
    }
    for name, held in forms.items():
        torch.save(held, tmp_path / name)
    torch.save(state, tmp_path / "legacy.pt", _use_new_zipfile_serialization=False)
    save_file(state, tmp_path / "safe.safetensors")
    for path in sorted(tmp_path.iterdir()):
        model = net(0)
        assert load_weights(model, path) == file_sha256(path)
        assert same(model, trained), path.name


def test_half_precision_and_shared_weights(tmp_path):
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
            self.b.weight = self.a.weight

    save_file({"a.weight": torch.full((3, 3), 0.5).half()}, tmp_path / "w.safetensors")
    model = Tied()
    load_weights(model, tmp_path / "w.safetensors")
    assert model.b.weight.dtype == torch.float32
    assert model.b.weight.unique().tolist() == [0.5]


def test_weights_that_do_not_fit_change_nothing(tmp_path):
    state = net(1).state_dict()
    del state["0.bias"], state["4.bias"]
    state["extra.weight"] = state["aux1.weight"] = torch.zeros(2)
    state["4.weight"] = torch.zeros(5, 7)
    state["1.weight"] = torch.zeros(4, dtype=torch.int8)  # quantised: a cast would be nonsense
    torch.save(state, tmp_path / "w.pt")
    model = net(0)
    with pytest.raises(WeightsError) as caught:
        load_weights(model, tmp_path / "w.pt")
    text = str(caught.value)
    for said in ("2 missing, the first is 0.bias", "2 unexpected, the first is ", "2 of another shape"):
        assert said in text
    assert "torch.int8" in text
    assert same(model, net(0))


def test_weights_that_are_not_numbers(tmp_path):
    state = net(1).state_dict()
    state["4.weight"][0, 0] = float("nan")
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=r"NaN or infinite weights in 1 tensors, the first is 4\.weight"):
        load_weights(net(), tmp_path / "w.safetensors")


class Bomb:
    def __reduce__(self):
        return (os.mkdir, ("exploded",))


def test_files_that_are_no_weights(here):
    state = net().state_dict()
    torch.save({"state_dict": Bomb()}, "code.pt")
    torch.save({"state_dict": Bomb()}, "code_old.pt", _use_new_zipfile_serialization=False)
    Path("code.pkl").write_bytes(pickle.dumps({"model": Bomb()}))
    torch.save(net(), "whole.pt")
    torch.save(state, "good.pt")
    torch.save(state, "legacy.pt", _use_new_zipfile_serialization=False)
    save_file(state, "good.safetensors")
    for name in ("good.pt", "legacy.pt", "good.safetensors"):
        held = Path(name).read_bytes()
        for share in (0, 3, 50, 97):
            Path(f"cut{share}_{name}").write_bytes(held[: len(held) * share // 100])
    for i in range(20):
        Path(f"noise{i}.pt").write_bytes(np.random.default_rng(i).bytes(200))
    Path("text.pt").write_text("hello")
    torch.save({"epoch": 3}, "epoch.pt")
    torch.save([torch.zeros(3)], "list.pt")
    said = {"code": "not opened.*would run its code", "whole": "save its state dict", "cut": "cannot be read|is damaged",
            "noise": "cannot be read|is damaged", "text": "cannot be read",
            "epoch": "'epoch'", "list": "a list"}  # fmt: skip
    tried = 0
    for path in sorted(Path().iterdir()):
        kind = next((k for k in said if path.name.startswith(k)), None)
        if kind is not None:
            tried += 1
            with pytest.raises(WeightsError, match=said[kind]):
                load_weights(net(), path)
    assert tried == 39
    with pytest.raises(WeightsError, match="no weights file"):
        load_weights(net(), "gone.pt")
    assert not Path("exploded").exists()


def test_a_program_is_not_weights(here):
    script(net(), "s.pt")
    with pytest.raises(WeightsError, match="TorchScript program"):
        load_weights(net(), "s.pt")


def test_loaded_weights_are_flagged(here):
    trained = load_model("my_nets:Net", seed=5).model
    save_file(trained.state_dict(), "w.safetensors")
    loaded = load_model("my_nets:Net", "w.safetensors")
    assert same(loaded.model, trained)
    assert loaded.trained is True
    assert (loaded.weights, loaded.weights_sha256) == ("w.safetensors", file_sha256(Path("w.safetensors")))
    assert not same(fresh(loaded.factory, 0), trained)
    with pytest.raises(WeightsError, match="no weights file"):
        load_model("my_nets:Net", "gone.safetensors")


def test_the_hash_of_a_state():
    assert state_sha256(net(1)) == state_sha256(net(1)) != state_sha256(net(2))


# programs


def script(model: nn.Module, path: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.trace(model, torch.zeros(1, 3, 8, 8)).save(path)


def test_torchscript(here):
    model, x = net(), torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    script(model, "net.pt")
    loaded = load_model("net.pt")
    torch.testing.assert_close(loaded.model(x), model(x))
    assert (loaded.name, loaded.factory, loaded.trained, loaded.batch) == ("net", None, None, None)
    assert loaded.weights_sha256 == file_sha256(Path("net.pt"))
    with pytest.raises(InputError, match="weights of its own"):
        load_model("net.pt", "w.safetensors")


@pytest.mark.parametrize("static", [True, False])
def test_exported_programs(here, static):
    model, x = net(), torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    dynamic = None if static else ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(model, (x,), dynamic_shapes=dynamic), "net.pt2")
    loaded = load_model("net.pt2")
    torch.testing.assert_close(loaded.model(x), model(x))
    assert loaded.batch == (2 if static else None)
    assert (loaded.factory, loaded.trained) == (None, None)


def test_files_that_are_no_programs(here):
    torch.save(net().state_dict(), "checkpoint.pt")
    Path("text.pt2").write_text("hello")
    script(net(), "s.pt")
    Path("cut.pt").write_bytes(Path("s.pt").read_bytes()[:500])
    Path("renamed.pt2").write_bytes(Path("checkpoint.pt").read_bytes())
    said = {"checkpoint.pt": "name the architecture", "text.pt2": "zip", "cut.pt": "zip", "renamed.pt2": "cannot be"}
    for name, text in said.items():
        with pytest.raises(WeightsError, match=text):
            load_model(name)


# torchvision and timm


def test_a_torchvision_model_and_its_preset():
    transforms = pytest.importorskip("torchvision.models").get_model_weights("squeezenet1_1").DEFAULT.transforms()
    loaded = load_model("torchvision:squeezenet1_1", seed=1)
    assert loaded.trained is False
    assert len(loaded.categories) == 1000
    assert loaded.categories[1] == "goldfish"
    assert same(loaded.model, fresh(loaded.factory, 1))
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 260, 3), dtype=np.uint8))
    torch.testing.assert_close(prepare(image, loaded.preprocess), transforms(image), rtol=0, atol=1e-6)
    assert loaded.preprocess.preset
    assert load_model("torchvision:squeezenet1_1", num_classes=3).categories is None


@pytest.mark.parametrize("name", ["inception_v3", "googlenet"])
def test_heads_that_only_training_runs_are_left_out(here, name):
    models = pytest.importorskip("torchvision.models")
    published = models.get_model(name, weights=None, init_weights=False, aux_logits=True, transform_input=True)
    torch.save(published.state_dict(), "with_heads.pt")
    loaded = load_model(f"torchvision:{name}", "with_heads.pt")
    assert loaded.preprocess.size == (299 if name == "inception_v3" else 224)
    assert not [key for key in loaded.model.state_dict() if key.startswith(("Aux", "aux"))]
    assert loaded.model.transform_input
    x = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(loaded.model(x), published.eval()(x))


def test_modules_that_ask_for_the_version_of_their_weights(tmp_path):
    models = pytest.importorskip("torchvision.models")
    published = fresh(models.mnasnet0_5, 1)  # refuses a state dict without versions, and safetensors keeps none
    save_file(published.state_dict(), tmp_path / "w.safetensors")
    assert same(load_model("torchvision:mnasnet0_5", tmp_path / "w.safetensors").model, published)


def test_a_vision_transformer_is_built_for_the_size_of_its_preset():
    pytest.importorskip("torchvision")
    from heatproof.models.zoo import torchvision_model

    loaded = load_model("torchvision:vit_b_16", image_size=32)
    assert loaded.preprocess.size == 32
    assert loaded.model(torch.zeros(1, 3, 32, 32)).shape == (1, 1000)
    assert torchvision_model("vit_h_14", {}).factory.args[1] == {"image_size": 518}  # 224 unless told


def test_every_preset_of_torchvision_is_understood():
    models = pytest.importorskip("torchvision.models")
    from heatproof.models.zoo import torchvision_model

    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8))
    for name in models.list_models(module=models):
        transforms = models.get_model_weights(name).DEFAULT.transforms()
        ours = torchvision_model(name, {}).preprocess
        assert ours is not None, name
        assert [ours.size] == transforms.crop_size, name
        if ours.size < 230 and transforms.interpolation.value == "bicubic":
            torch.testing.assert_close(prepare(image, ours), transforms(image), rtol=0, atol=1e-6, msg=name)


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "mobilenetv3_small_050", "beit_base_patch16_224"])
def test_presets_of_timm(name):
    timm = pytest.importorskip("timm")
    from heatproof.models.zoo import timm_model

    config = timm.data.resolve_data_config(pretrained_cfg=timm.get_pretrained_cfg(name).to_dict())
    theirs = timm.data.create_transform(**config)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 260, 3), dtype=np.uint8))
    ours = timm_model(name, {})
    torch.testing.assert_close(prepare(image, ours.preprocess), theirs(image), rtol=0, atol=1e-6)
    assert ours.categories is None or ours.categories[1].startswith("goldfish")


def test_a_squashing_preset_of_timm_keeps_timms_transform():
    timm = pytest.importorskip("timm")
    from heatproof.models.zoo import timm_model

    squashed = next(n for n in timm.list_pretrained() if timm.get_pretrained_cfg(n).crop_mode == "squash")
    ours = timm_model(squashed, {})
    side = timm.get_pretrained_cfg(squashed).input_size[1]
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 100, 3), dtype=np.uint8))
    theirs = timm.data.create_transform(
        **timm.data.resolve_data_config(pretrained_cfg=timm.get_pretrained_cfg(squashed).to_dict())
    )
    out = prepare(image, ours.preprocess)
    assert out.shape == (3, side, side)
    assert torch.equal(out, theirs(image))


def test_a_timm_model():
    pytest.importorskip("timm")
    loaded = load_model("timm:vit_tiny_patch16_224.augreg_in21k_ft_in1k", depth=1, img_size=32)
    assert loaded.trained is False
    assert loaded.preprocess.size == 32
    assert loaded.preprocess.mean == (0.5, 0.5, 0.5)
    assert len(loaded.categories) == 1000
    assert loaded.model(torch.zeros(1, 3, 32, 32)).shape == (1, 1000)
    assert load_model("timm:vit_tiny_patch16_224", depth=1, img_size=32, in_chans=1).preprocess is None


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("torchvision:resnet51", "did you mean .*resnet50"),
        ("torchvision:fasterrcnn_resnet50_fpn", "no image classifier"),
        ("timm:vit_tiny_patch16_225", "did you mean vit_tiny_patch16_224"),
        ("timm:vit_tiny_patch16_224.nope", "expected one of the tags .*augreg_in21k"),
    ],
)
def test_unknown_names(spec, said):
    pytest.importorskip(spec.partition(":")[0])
    with pytest.raises(InputError, match=said):
        load_model(spec)


def test_options_that_an_architecture_does_not_take():
    pytest.importorskip("timm")
    with pytest.raises(InputError, match="weights come from a file"):
        load_model("timm:resnet18", pretrained=True)
    with pytest.raises(ModelError, match="colour"):
        load_model("torchvision:resnet18", colour=1)


@pytest.mark.parametrize("package", ["torchvision", "timm"])
def test_a_package_that_is_not_installed(monkeypatch, package):
    for name in [n for n in sys.modules if n == package or n.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(HeatproofError, match=r"pip install 'heatproof\[vision\]'"):
        load_model(f"{package}:resnet18")
