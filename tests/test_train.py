"""The trainer: learns, repeats itself to the last bit, leaves no trace, and writes whole files or none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

import heatproof
from heatproof.errors import HeatproofError, InputError, RunError, WeightsError
from heatproof.models import saved
from heatproof.models.nets import demo_net
from heatproof.train import accuracy, has_bf16, load_network, read_card, save_network, seeded, train
from heatproof.training.trial import check_fits


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Net(nn.Module):
    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.first, self.conv = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3, padding=1)
        self.norm, self.head = nn.BatchNorm2d(4), nn.Linear(4 * 36, 2)
        self.drop = nn.Dropout(dropout)

    def forward(self, x):
        return self.head(self.drop(self.norm(self.conv(self.first(x))).relu().flatten(1)))


def bars(count: int = 130, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Upright bars (class 0) and lying ones (class 1) in noise."""
    g = torch.Generator().manual_seed(seed)
    x = 0.3 * torch.randn(count, 1, 8, 8, generator=g)
    y = torch.randint(2, (count,), generator=g)
    x[torch.arange(count), 0, :, 3] += (y == 0)[:, None].float()
    x[torch.arange(count), 0, 3, :] += (y == 1)[:, None].float()
    return x, y


def weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([v.flatten().double() for v in model.state_dict().values()])


@pytest.mark.parametrize(("optimizer", "lr"), [("adam", 0.01), ("adamw", 0.01), ("sgd", 0.1)])
@pytest.mark.parametrize("schedule", ["onecycle", None])
def test_learns(optimizer, lr, schedule):
    model = seeded(Net, 0)
    done = train(model, *bars(), epochs=6, batch=16, lr=lr, optimizer=optimizer, schedule=schedule)
    assert len(done.history) == 6
    assert done.history[-1].loss < 0.5 * done.history[0].loss
    assert done.history[-1].accuracy > 0.95
    assert done.seconds > 0
    assert accuracy(model, *bars(seed=1)) > 0.95
    assert not any(m.training for m in model.modules())
    assert all(p.is_contiguous() for p in model.parameters())


@pytest.mark.parametrize("bf16", [False, True])
def test_the_same_seed_gives_the_same_weights_to_the_last_bit(bf16):
    def one(seed: int) -> torch.Tensor:
        model = seeded(lambda: Net(dropout=0.5), 0)
        torch.rand(seed + 3)  # the global state must not matter
        train(
            model,
            *bars(),
            epochs=2,
            batch=32,
            seed=seed,
            bf16=bf16,
            augment=lambda x, g: x + torch.rand(1, generator=g),
        )
        assert {p.dtype for p in model.parameters()} == {torch.float32}
        return weights(model)

    assert torch.equal(one(0), one(0))
    assert not torch.equal(one(0), one(1))


def test_global_random_state_comes_back():
    before = torch.random.get_rng_state()
    train(seeded(lambda: Net(0.5), 3), *bars(), epochs=1)
    assert torch.equal(before, torch.random.get_rng_state())


def test_one_step_is_the_optimizers_step():
    """A full batch at a constant rate: plain SGD worked out by hand, decay on the weight and not on the bias."""
    x, y = torch.randn(6, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 0, 1, 1, 0])
    model = seeded(lambda: nn.Linear(3, 2), 0)
    w, b = model.weight.detach().clone(), model.bias.detach().clone()
    train(model, x, y, epochs=1, batch=6, lr=0.5, optimizer="sgd", schedule=None, weight_decay=0.1)
    error = ((x @ w.T + b).softmax(1) - nn.functional.one_hot(y, 2)) / 6
    torch.testing.assert_close(model.weight.detach(), w - 0.5 * (error.T @ x + 0.1 * w))
    torch.testing.assert_close(model.bias.detach(), b - 0.5 * error.sum(0))


def test_onecycle_rises_from_a_25th_of_the_rate_and_falls_to_almost_nothing():
    """Adam moves a bias under a steady gradient by the rate of the step."""
    model = seeded(lambda: nn.Linear(3, 2), 0)
    x, y, lr = torch.zeros(4, 3), torch.zeros(4, dtype=torch.int64), 1e-3
    biases = [model.bias.detach().clone()]
    train(model, x, y, epochs=20, batch=4, lr=lr, progress=lambda *_: biases.append(model.bias.detach().clone()))
    seen = torch.stack(biases).diff(dim=0)[:, 0]
    assert seen[0] == pytest.approx(lr / 25, rel=0.02)
    assert 0.7 * lr < seen.max() < 1.02 * lr  # beta 1 goes round too, which shortens the longest steps
    assert 4 <= seen.argmax() <= 8
    assert seen[-1] < lr / 100


def test_decay_applies_to_the_named_parameters_only():
    x, y = torch.zeros(4, 3), torch.tensor([0, 1, 0, 1])  # no gradient reaches the weights
    model = seeded(lambda: nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2)), 0)
    before = [layer.weight.detach().clone() for layer in model]
    with torch.no_grad():
        model[0].bias.zero_()
    options = {"epochs": 1, "batch": 4, "lr": 0.5, "optimizer": "sgd", "schedule": None}
    train(model, x, y, **options, weight_decay=0.1, decayed=["0.weight"])
    torch.testing.assert_close(model[0].weight.detach(), before[0] * 0.95)
    torch.testing.assert_close(model[1].weight.detach(), before[1])


def test_every_image_is_seen_once_an_epoch_in_a_new_order():
    x, y = torch.arange(10.0)[:, None], torch.zeros(10, dtype=torch.int64)
    seen: list[list[float]] = []

    def note(batch, generator):
        seen.append(batch[:, 0].tolist())
        return batch

    train(nn.Linear(1, 2), x, y, epochs=2, batch=4, augment=note)
    assert seen.pop(0) == [0.0, 1.0], "two images are tried before the training"
    assert [len(s) for s in seen] == [4, 3, 3, 4, 3, 3]
    first, second = ([i for part in parts for i in part] for parts in (seen[:3], seen[3:]))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


def test_progress_counts_every_step():
    calls: list[tuple[int, int, str]] = []
    train(Net(), *bars(100), epochs=2, batch=40, progress=lambda *call: calls.append(call))
    assert [c[:2] for c in calls] == [(i, 6) for i in range(1, 7)]
    assert calls[0][2].startswith("epoch 1 of 2, loss ")
    assert calls[-1][2].startswith("epoch 2 of 2, loss ")


def test_an_interrupted_training_leaves_the_model_in_evaluation_mode():
    model = Net()

    def stop(*call):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(model, *bars(), epochs=1, progress=stop)
    assert not model.training


def test_a_loss_that_is_not_finite_is_an_error():
    x, y = bars()
    x[5, 0, 0, 0] = float("nan")
    with pytest.raises(HeatproofError, match=r"loss is nan in epoch 1 of 3.*lower lr"):
        train(Net(), x, y, epochs=3)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"epochs": 0}, "epochs=0"),
        ({"batch": 0}, "batch=0"),
        ({"optimizer": "lion"}, "optimizer='lion'.*adam, adamw, sgd"),
        ({"schedule": "cosine"}, "schedule='cosine'"),
        ({"decayed": ["conv.weights"]}, "no parameter called conv.weights"),
        ({"until": 0.9}, "until=0.9, schedule='onecycle'.*schedule=None"),
        ({"until": 95, "schedule": None}, "until=95"),
        ({"until": 0.0, "schedule": None}, "until=0.0"),
        ({"bf16": "yes"}, "bf16='yes'.*'auto'"),
        ({"lr": 0.0}, "lr=0.0"),
        ({"lr": float("nan")}, "lr=nan"),
        ({"weight_decay": -1.0}, "weight_decay=-1.0"),
        ({"seed": 0.5}, "seed=0.5"),
        ({"targets": torch.full((130,), -100)}, "targets from -100"),
        ({"targets": torch.zeros(130)}, "torch.float32"),
        ({"targets": torch.zeros(129, dtype=torch.int64)}, r"\(129,\)"),
        ({"targets": torch.full((130,), 2)}, "Net has 2 outputs, and classes go from 0 to 2"),
        ({"pixels": torch.zeros(130, 3, 8, 8)}, r"\(2, 3, 8, 8\).*channel"),
        ({"pixels": torch.zeros(130, 1, 9, 9)}, r"\(2, 1, 9, 9\).*size"),
        ({"device": "toaster"}, "device='toaster'.*expected 'cpu'"),
        ({"device": "meta"}, "device='meta'"),
    ],
)
def test_bad_options_are_named_and_change_nothing(change, named):
    x, y = bars()
    model = Net()
    before = weights(model)
    change = dict(change)
    with pytest.raises(InputError, match=named):
        train(model, change.pop("pixels", x), change.pop("targets", y), **{"epochs": 1, **change})
    assert torch.equal(before, weights(model))
    assert model.training


def test_trying_two_images_leaves_modes_and_buffers_as_they_were():
    class Counting(Net):
        def __init__(self):
            super().__init__()
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x):
            self.calls += 1
            return super().forward(x)

    model, (x, y) = Counting(), bars()
    model.drop.eval()
    check_fits(model, x, y, "here")
    assert (model.training, model.norm.training, model.drop.training) == (True, True, False)
    assert float(model.calls) == 0
    assert torch.equal(model.norm.running_mean, torch.zeros(4))


class Dropping(Net):
    """Dropout, batch norm, and a buffer that no state dict holds and that changes with every step."""

    def __init__(self) -> None:
        super().__init__(0.5)
        self.register_buffer("pace", torch.ones(()), persistent=False)

    def forward(self, x):
        if self.training:
            self.pace.mul_(0.99)
        return super().forward(x) * self.pace


def jitter(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return x + 0.1 * torch.rand(x.shape, generator=generator)


def resumable(path, stop_at=None, **change):
    """Three epochs of 5 steps, with Ctrl-C at the start of one of the steps."""
    model, steps = seeded(change.pop("build", Dropping), change.pop("first", 0)), []

    def count(done, total, info):
        steps.append(done)
        if done == stop_at:
            raise KeyboardInterrupt

    x, y = change.pop("data", None) or bars()
    options = {"epochs": 3, "batch": 26, "lr": 0.01, "augment": jitter, "seed": 5} | change
    torch.rand(7)  # the global state must not matter
    done = train(model, x, y, checkpoint=path, progress=count, **options)
    return model, done, steps


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"schedule": None, "optimizer": "sgd", "weight_decay": 0.01},
        {"optimizer": "adamw", "weight_decay": 0.1, "bf16": True},
        {"schedule": None, "until": 1.0, "augment": None, "data": (bars()[0], bars()[1].roll(1))},
    ],
    ids=["adam", "sgd", "adamw", "until"],
)
@pytest.mark.parametrize("stop_at", [8, 10, 12])  # in the middle and at the end of epoch 2, in the middle of epoch 3
def test_a_resumed_training_is_the_undisturbed_one_to_the_last_bit(tmp_path, change, stop_at):
    path = tmp_path / "new" / "state"
    whole, plain, _ = resumable(None, **change)
    with pytest.raises(KeyboardInterrupt):
        resumable(path, stop_at, **change)
    before = torch.get_rng_state()
    again, done, steps = resumable(path, **change)
    torch.set_rng_state(before)
    assert steps == list(range(11 if stop_at == 12 else 6, 16))
    assert torch.equal(weights(whole), weights(again))
    assert torch.equal(whole.pace, again.pace)
    assert done.history == plain.history
    assert [f.name for f in path.parent.iterdir()] == ["state"]


def test_a_finished_training_is_read_and_not_repeated(tmp_path):
    first, done, _ = resumable(tmp_path / "state")
    before = torch.get_rng_state()
    x, y = bars()
    second = seeded(Dropping, 0)
    again = train(second, x, y, epochs=3, batch=26, lr=0.01, augment=jitter, seed=5, checkpoint=str(tmp_path / "state"))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(weights(first), weights(second))
    assert again == done
    assert not second.training


def test_at_a_constant_rate_more_epochs_go_on_to_the_same_last_bit(tmp_path):
    plain, constant = resumable(None, schedule=None, epochs=3)[0], {"schedule": None}
    resumable(tmp_path / "state", epochs=1, **constant)
    more, done, steps = resumable(tmp_path / "state", epochs=3, **constant)
    assert (steps, len(done.history)) == (list(range(6, 16)), 3)
    assert torch.equal(weights(plain), weights(more))
    with pytest.raises(RunError, match=r"epochs \(3 there, 2 here\)"):
        resumable(tmp_path / "state", epochs=2, **constant)


def test_progress_of_a_training_until_an_accuracy_says_what_it_wants():
    said: list[str] = []
    options = {"epochs": 3, "batch": 26, "schedule": None, "until": 0.98}
    train(Net(), *bars(), **options, progress=lambda *call: said.append(call[2]))
    assert said[0].startswith("epoch 1 of at most 3, accuracy 0.")
    assert said[0].endswith(", wants 0.98")


def test_a_card_that_json_cannot_hold_is_named_and_nothing_is_written(tmp_path):
    for card in ({"path": tmp_path}, {"loop": (loop := {}) or loop.update(x=loop) or loop}):
        with pytest.raises(InputError, match=r"JSON cannot hold this card.*numbers"):
            save_network(tmp_path / "net.safetensors", Net(), card)
    assert not list(tmp_path.iterdir())


def dropping_less() -> Dropping:
    """The same class and parameters, and another forward pass."""
    model = Dropping()
    model.drop.p = 0.25
    return model


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"lr": 0.02}, r"training: lr \(0.01 there, 0.02 here\)\."),
        ({"epochs": 4}, r"epochs \(3 there, 4 here\)"),
        ({"seed": 6}, "seed"),
        ({"batch": 27}, "batch"),
        ({"decayed": ["conv.weight"]}, "decayed"),
        ({"bf16": True}, "bf16"),
        ({"schedule": None, "until": 0.9}, r"schedule \('onecycle' there, None here\), until"),
        ({"augment": None}, r"training: augment \('[0-9a-f]{12}' there, None here\)\."),
        ({"augment": lambda x, g: x + 0.2 * torch.rand(x.shape, generator=g)}, "training: augment"),
        ({"first": 1}, "training: its first weights"),
        ({"build": dropping_less}, "training: the network"),
        ({"data": bars(seed=1)}, "training: pixels .* targets"),
        ({"data": (bars()[0], 1 - bars()[1])}, r"training: targets \("),
    ],
    ids=lambda value: None if isinstance(value, str) else "+".join(value),
)
def test_a_checkpoint_of_another_training_is_refused_by_what_differs(tmp_path, change, named):
    path = tmp_path / "state"
    with pytest.raises(KeyboardInterrupt):
        resumable(path, 8)
    before = path.read_bytes()
    with pytest.raises(RunError, match=named):
        resumable(path, **change)
    assert path.read_bytes() == before


def test_a_frozen_parameter_is_another_training(tmp_path):
    x, y = bars()
    train(seeded(Net, 0), x, y, epochs=1, checkpoint=tmp_path / "state", decayed=[])
    model = seeded(Net, 0)
    model.first.bias.requires_grad_(False)
    with pytest.raises(RunError, match="its trained parameters"):
        train(model, x, y, epochs=1, checkpoint=tmp_path / "state", decayed=[])
    assert model.training


def test_a_damaged_or_foreign_checkpoint_is_an_error_and_stays(tmp_path):
    path = tmp_path / "state"
    with pytest.raises(KeyboardInterrupt):
        resumable(path, 8)
    for damage in (path.read_bytes()[:1000], b"", b"no pickle"):
        path.write_bytes(damage)
        with pytest.raises(RunError, match=r"cannot be read.*delete .*state") as raised:
            resumable(path)
        assert "weights_only" not in str(raised.value)
        assert path.read_bytes() == damage
    torch.save(Net().state_dict(), path)
    with pytest.raises(RunError, match="no state of a training; name another file"):
        resumable(path)


def test_an_interrupted_or_failed_write_leaves_the_state_before(tmp_path, monkeypatch):
    path, write = tmp_path / "state", Path.write_bytes
    with pytest.raises(KeyboardInterrupt):
        resumable(path, 8)
    before = path.read_bytes()
    for error, seen in ((KeyboardInterrupt(), KeyboardInterrupt), (OSError(28, "No space left on device"), RunError)):

        def half(target, content, error=error):
            write(target, bytes(content)[:100])
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_bytes", half)
            with pytest.raises(seen):
                resumable(path)
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]


def test_until_stops_after_the_first_epoch_that_reaches_it(tmp_path):
    x, y = bars()
    y = y.roll(1)  # to be learned by heart
    options = {"batch": 16, "lr": 0.003, "schedule": None}
    model = seeded(lambda: Net(0.5), 0)
    done = train(model, x, y, epochs=20, until=0.72, checkpoint=tmp_path / "state", **options)
    seen = [epoch.evaluated for epoch in done.history]
    assert 1 < len(seen) < 20
    assert max(seen[:-1]) < 0.72 <= seen[-1] == accuracy(model, x, y) == done.card["train_accuracy"]
    assert seen[-1] != done.history[-1].accuracy  # which dropout holds down
    exact = train(seeded(lambda: Net(0.5), 0), x, y, epochs=20, until=seen[-1], **options)
    assert len(exact.history) == len(seen)  # to reach it is enough
    short = seeded(lambda: Net(0.5), 0)
    plain = train(short, x, y, epochs=len(seen), **options)
    assert torch.equal(weights(model), weights(short))  # measuring changes nothing
    assert plain.history[0].evaluated is None
    again = seeded(lambda: Net(0.5), 0)
    train(again, x, y, epochs=20, until=0.72, checkpoint=tmp_path / "state", progress=pytest.fail, **options)
    assert torch.equal(weights(model), weights(again))


def test_until_measures_what_the_augmentation_makes_of_the_data():
    x, y = bars()
    data, y = (x * 50).round().to(torch.int8), y.roll(1)  # to be learned by heart
    options = {"augment": lambda x, g: x / 50 + 0 * torch.rand(1, generator=g), "batch": 26, "schedule": None}
    model, short = seeded(Net, 0), seeded(Net, 0)
    done = train(model, data, y, epochs=3, until=1.0, **options)
    train(short, data, y, epochs=3, **options)
    assert len(done.history) == 3
    assert torch.equal(weights(model), weights(short))  # nor does the noise of the measurement
    assert done.history[-1].evaluated == accuracy(model, data, y, prepare=lambda x: x / 50)


@pytest.mark.parametrize("native", [False, True])
def test_auto_takes_bfloat16_where_the_processor_has_it(monkeypatch, native):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False, raising=False)
    if native:
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    results = {}
    for bf16 in ("auto", native, not native):
        model = seeded(Net, 0)
        card = train(model, *bars(), epochs=1, bf16=bf16).card
        results[bf16] = weights(model)
        assert card["bf16"] is (native if bf16 == "auto" else bf16)
    assert torch.equal(results["auto"], results[native])
    assert not torch.equal(results["auto"], results[not native])


def test_bfloat16_of_a_processor_that_torch_cannot_ask_or_of_another_device(monkeypatch):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert not has_bf16("cpu")
    assert not has_bf16("meta")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: not including_emulation)
    assert has_bf16("cuda")


def test_the_card_says_what_the_weights_follow_from(tmp_path):
    model = seeded(Net, 0)
    done = train(model, *bars(), epochs=2, batch=50, lr=0.01, weight_decay=0.1, decayed=["head.weight"], seed=3)
    card = {"data": "bars", "accuracy": accuracy(model, *bars(seed=1)), **done.card}
    save_network(tmp_path / "net.safetensors", model, card)
    other = seeded(Net, 1)
    assert load_network(tmp_path / "net.safetensors", other) == card
    assert torch.equal(weights(model), weights(other))
    said = {
        "seed": 3, "epochs": 2, "batch": 50, "lr": 0.01, "weight_decay": 0.1, "decayed": ["head.weight"], "images": 130,
        "optimizer": "adam", "schedule": "onecycle", "until": None, "bf16": False, "device": "cpu", "threads": 1,
        "loss": done.history[-1].loss, "train_accuracy": done.history[-1].accuracy, "torch": torch.__version__,
        "heatproof": heatproof.__version__, "seconds": round(done.seconds, 1),
    }  # fmt: skip
    assert done.card == said


def test_a_full_disk_is_named(tmp_path, monkeypatch):
    def full(tensors, target, metadata):
        raise SafetensorError("No space left on device")

    monkeypatch.setattr(saved, "save_file", full)
    with pytest.raises(RunError, match=r"net\.safetensors could not be written: No space left"):
        save_network(tmp_path / "net.safetensors", Net(), {})
    assert not list(tmp_path.iterdir())


def test_accuracy_counts_and_does_not_depend_on_the_batch():
    model = nn.Linear(2, 2).eval()
    with torch.no_grad():
        model.weight.copy_(torch.eye(2))
        model.bias.zero_()
    x, y = torch.tensor([[1.0, 0], [0, 1], [2, 1], [0, 3], [5, 1]]), torch.tensor([0, 1, 1, 1, 0])
    assert accuracy(model, x, y, batch=2) == accuracy(model, x, y) == 0.8
    with pytest.raises(InputError, match=r"model\.eval"):
        accuracy(model.train(), x, y)


def test_checkpoint_comes_back_with_its_card(tmp_path):
    model, card = seeded(Net, 0), {"data": "bars", "accuracy": 0.97, "seed": 0, "epochs": 2}
    train(model, *bars(), epochs=1)
    path = save_network(tmp_path / "new" / "net.safetensors", model, card)
    other = seeded(Net, 1)
    assert load_network(path, other) == read_card(path) == card
    assert torch.equal(weights(model), weights(other))
    with safe_open(path, framework="pt") as file:
        assert json.loads(file.metadata()["heatproof"]) == card
    assert [p.name for p in path.parent.iterdir()] == ["net.safetensors"]


def test_tied_weights_are_kept(tmp_path):
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    path = save_network(tmp_path / "tied.safetensors", model, {})
    other = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    load_network(path, other)
    assert torch.equal(other[0].weight, model[0].weight)
    assert torch.equal(other[1].weight, model[0].weight)


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = save_network(tmp_path / "net.safetensors", seeded(Net, 0), {"seed": 0})
    before = path.read_bytes()

    def half(tensors, target, metadata):
        target.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(saved, "save_file", half)
    with pytest.raises(KeyboardInterrupt):
        save_network(path, seeded(Net, 1), {"seed": 1})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_checkpoints_that_do_not_fit_change_nothing(tmp_path):
    path = save_network(tmp_path / "net.safetensors", Net(), {})
    model = nn.Sequential(nn.Linear(3, 3))
    before = weights(model)
    with pytest.raises(WeightsError, match=r"2 missing.*11 unexpected"):
        load_network(path, model)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(WeightsError, match=r"net\.safetensors"):
        load_network(path, Net())
    with pytest.raises(WeightsError, match=r"no weights file .*gone"):
        load_network(tmp_path / "gone.safetensors", Net())
    assert torch.equal(before, weights(model))


@pytest.fixture
def tiny(monkeypatch):
    """A recipe of a few seconds, and no demand on its accuracy."""
    pytest.importorskip("sklearn")
    monkeypatch.setattr(demo_net, "Recipe", lambda seed: RECIPE(parts=2, part=40, epochs=1, batch=20, seed=seed))
    monkeypatch.setattr(demo_net, "TEST_SCENES", 40)
    monkeypatch.setattr(demo_net, "REQUIRED", 0.0)


RECIPE = demo_net.Recipe


@pytest.mark.usefixtures("tiny")
def test_demo_network_is_trained_once_for_a_recipe(tmp_path):
    calls: list[tuple[int, int, str]] = []
    cache = tmp_path / "network.safetensors"
    model, card = demo_net.demo_network(cache, seed=1, progress=lambda *call: calls.append(call))
    assert [c[:2] for c in calls] == [(i, 6) for i in range(1, 7)]
    assert (card["seed"], card["epochs"]) == (1, 1)
    calls.clear()
    again, same = demo_net.demo_network(cache, seed=1, progress=lambda *call: calls.append(call))
    assert calls == []
    assert same == card
    assert not again.training
    assert torch.equal(weights(model), weights(again))
    other, _ = demo_net.demo_network(cache, seed=2)
    assert read_card(cache)["seed"] == 2
    assert not torch.equal(weights(model), weights(other))


@pytest.mark.usefixtures("tiny")
def test_demo_network_never_overwrites_a_foreign_file(tmp_path):
    path = tmp_path / "mine.safetensors"
    save_file({"x": torch.ones(1)}, path)
    before = path.read_bytes()
    with pytest.raises(WeightsError, match="not made by it"):
        demo_net.demo_network(path)
    assert path.read_bytes() == before


@pytest.mark.usefixtures("tiny")
def test_demo_network_says_what_accuracy_it_missed(tmp_path, monkeypatch):
    monkeypatch.setattr(demo_net, "REQUIRED", 0.97)
    with pytest.raises(HeatproofError, match=r"reached \d+\.\d% on 40 unseen scenes, and 97% is required"):
        demo_net.demo_network(tmp_path / "network.safetensors")
    assert list(tmp_path.iterdir()) == []
