"""Weight randomisation: what changes, what does not, and that nothing original is left."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import heatproof as hp
from heatproof.checks.batch_norm import moments
from heatproof.checks.blocks import Block, automatic_blocks, order_of_use
from heatproof.checks.draws import draw
from heatproof.checks.untouched import loose_tensors
from heatproof.engine.model import own
from heatproof.engine.twin import tensors
from heatproof.models.nets.adebayo import AdebayoCNN
from nets import Net, fresh_input
from test_contract import same, snapshot

INITS = ("original", "trunc_normal", "uniform", "permute")


class Everything(nn.Module):
    """Attention, bare parameters, tied and equal-shaped layers, a norm used functionally, an unused head, a constant."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            self.head = nn.Linear(8, 3)  # registered first, used last
            self.scale = nn.Parameter(torch.randn(8))
            self.embed = nn.Parameter(torch.randn(1, 16, 8))
            self.patch = nn.Conv2d(2, 8, 2, 2)
            self.norm = nn.BatchNorm2d(8)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.a, self.b = nn.Linear(8, 8), nn.Linear(8, 8)
            self.tied = nn.Linear(8, 8)
            self.tied.weight = self.a.weight
            self.auxiliary = nn.Sequential(nn.Linear(8, 3), nn.BatchNorm1d(3))
            self.register_buffer("positions", torch.arange(16))
            self.register_buffer("filter", torch.tensor([0.25, 0.5, 0.25]))
            for module in (self.norm, self.auxiliary[1]):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
        self.double().eval()

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x)
        n = self.norm
        x = F.relu(F.batch_norm(x, n.running_mean, n.running_var, n.weight, n.bias, False))
        x = x.flatten(2).transpose(1, 2) + self.embed[:, self.positions]
        x = x + self.attention(x, x, x)[0]
        return self.head(self.tied(F.relu(self.b(F.relu(self.a(x))))).mean(1) * self.scale)


class Drawn(nn.Module):
    """Layers that have no initialiser of their own to call again, as much code has them."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.linspace(0, 1, 4), requires_grad=False)
        self.weight = nn.Parameter(torch.randn(4, 2))

    def forward(self, x: Tensor) -> Tensor:
        return (x + self.table) @ self.weight


def vit() -> nn.Module:
    from torchvision.models import VisionTransformer

    return VisionTransformer(8, 4, 1, 2, 8, 8, num_classes=3)


def calibration() -> Tensor:
    return fresh_input(8, seed=4)


def changed(model: nn.Module, stage: nn.Module) -> set[str]:
    before, after = tensors(model), tensors(stage)
    return {n for n in before if not torch.equal(before[n], after[n])}


def test_order_is_first_use_not_registration() -> None:
    used = order_of_use(Everything(), calibration())
    owners = list(dict.fromkeys(n.split(".")[0] for n in used.used))
    assert owners == ["patch", "norm", "embed", "positions", "attention", "a", "b", "tied", "scale", "head"]
    assert {n.split(".")[0] for n in used.unused} == {"auxiliary", "filter", "norm"}


def test_every_tensor_is_in_one_block() -> None:
    model = Everything()
    blocks = automatic_blocks(model, order_of_use(model, calibration()))
    listed = [n for b in blocks for n in b.tensors]
    assert sorted(listed) == sorted(tensors(model))
    assert blocks[0].name == "patch"
    assert "norm.weight" in blocks[0].tensors, "the norm belongs to the layer before it"


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("order", ["cascading", "reverse", "full", "graded"])
def test_last_stage_leaves_nothing_original(init: str, order: str) -> None:
    model = Everything()
    last = list(hp.randomize(model, order, init, calibration=calibration()))[-1]
    kept = set(tensors(model)) - changed(model, last.model)
    constants = {"positions", "filter", "norm.num_batches_tracked", "auxiliary.1.num_batches_tracked"}
    untrained = {n for n, t in tensors(model).items() if t.is_floating_point() and (t == t.flatten()[0]).all()}
    assert kept <= constants | untrained


def test_equal_shapes_get_different_weights() -> None:
    for init in ("original", "trunc_normal", "uniform"):
        model = nn.Sequential(*[nn.Linear(6, 6) for _ in range(3)]).eval()
        stage = next(hp.randomize(model, "full", init)).model
        weights = [layer.weight for layer in stage]
        assert not any(torch.equal(a, b) for a in weights for b in weights if a is not b)


def test_cascading_changes_exactly_its_blocks() -> None:
    """semantics.md, T-S1-12."""
    model = Net()
    names = ["fc2", "fc1", "conv2", "conv1"]
    seen: list[str] = []
    for stage in hp.randomize(model, calibration=calibration()):
        seen.append(stage.name)
        owners = {n.split(".")[0] for n in changed(model, stage.model)}
        assert {o.replace("norm1", "conv1") for o in owners} == set(seen)
    assert seen == names
    for name, stage in zip(names, hp.randomize(model, "independent", calibration=calibration()), strict=True):
        assert {n.split(".")[0].replace("norm1", "conv1") for n in changed(model, stage.model)} == {name}
    assert [s.name for s in hp.randomize(model, "reverse", calibration=calibration())] == names[::-1]


def test_stages_are_nested_and_seeds_differ() -> None:
    first, second = (list(hp.randomize(Net(), calibration=calibration(), seed=s)) for s in (0, 1))
    weight = "fc2.weight"
    assert all(torch.equal(tensors(s.model)[weight], tensors(first[0].model)[weight]) for s in first)
    assert not torch.equal(tensors(first[0].model)[weight], tensors(second[0].model)[weight])
    again = list(hp.randomize(Net(), calibration=calibration(), seed=0))
    assert all(not changed(a.model, b.model) for a, b in zip(first, again, strict=True))


def test_unchanged_tensors_are_shared() -> None:
    model = Net()
    stage = next(hp.randomize(model, calibration=calibration())).model
    assert stage.conv1.weight.data_ptr() == model.conv1.weight.data_ptr()
    assert stage.fc2.weight.data_ptr() != model.fc2.weight.data_ptr()


@pytest.mark.parametrize("interrupt", [False, True])
def test_model_and_rng_are_untouched(interrupt: bool) -> None:
    model, x = Net(), fresh_input()
    before = snapshot(model, x)
    stages = hp.randomize(model, calibration=calibration())
    for stage in stages:
        hp.gradient(stage.model, x)
        if interrupt:
            with pytest.raises(KeyboardInterrupt):
                stages.throw(KeyboardInterrupt)
            break
    assert same(before, snapshot(model, x))


class TestInit:
    def test_truncated_normal(self) -> None:
        """semantics.md, T-S1-11."""
        model = nn.Linear(400, 400).eval()
        weight = next(hp.randomize(model, "full", "trunc_normal", std=0.01)).model.weight
        assert weight.abs().max() <= 0.02
        assert weight.std().item() == pytest.approx(0.879626 * 0.01, rel=0.01)

    def test_uniform_has_the_same_std(self) -> None:
        weight = next(hp.randomize(nn.Linear(400, 400).eval(), "full", "uniform", std=0.01)).model.weight
        assert weight.std().item() == pytest.approx(0.01, rel=0.01)

    def test_permute_keeps_the_values(self) -> None:
        model = nn.Linear(20, 20).eval()
        weight = next(hp.randomize(model, "full", "permute")).model.weight
        assert torch.equal(weight.flatten().sort().values, model.weight.detach().flatten().sort().values)

    def test_original_is_the_modules_own(self) -> None:
        model = nn.Conv2d(3, 64, 3).eval()
        model.weight.data *= 100
        weight = next(hp.randomize(model, "full")).model.weight
        assert weight.abs().max() <= 1 / math.sqrt(27), "kaiming uniform with a = sqrt(5)"

    def test_factory_gives_its_own_instance(self) -> None:
        def factory() -> nn.Module:
            layer = nn.Linear(50, 50)
            nn.init.normal_(layer.weight, 7.0, 0.1)
            return layer

        weight = next(hp.randomize(nn.Linear(50, 50).eval(), "full", factory=factory)).model.weight
        assert weight.mean().item() == pytest.approx(7, abs=0.1)

    def test_bare_parameter_keeps_its_spread(self) -> None:
        class Bare(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.weight = nn.Parameter(3 * torch.randn(200, 200, generator=torch.Generator().manual_seed(0)))

            def forward(self, x: Tensor) -> Tensor:
                return x @ self.weight

        assert next(hp.randomize(Bare().eval(), "full")).model.weight.std().item() == pytest.approx(3, rel=0.02)

    def test_second_checkpoint(self) -> None:
        other = Net(seed=5)
        stage = list(hp.randomize(Net(), init=other.state_dict(), batch_norm="keep"))[-1].model
        assert torch.equal(stage.fc1.weight, other.fc1.weight)
        with pytest.raises(hp.InputError, match="does not fit"):
            next(hp.randomize(Net(), init={"fc1.weight": torch.zeros(2)}, batch_norm="keep"))

    def test_a_state_dict_is_taken_whole(self) -> None:
        """Running statistics and the other buffers too; no calibration is needed, since no policy applies."""
        model, other, x = Net(), Net(seed=5), fresh_input()
        with torch.no_grad():
            other.norm1.running_var.uniform_(2, 3)
        for policy in ("reestimate", "keep", "reset"):
            last = list(hp.randomize(model, init=other.state_dict(), batch_norm=policy))[-1].model
            assert not changed(other, last)
            assert torch.equal(last(x), other(x))
        half = next(hp.randomize(model, "graded", other.state_dict(), keep=[5])).model
        mean = (model.norm1.running_mean + other.norm1.running_mean) / 2
        torch.testing.assert_close(half.norm1.running_mean, mean)

    def test_statistics_that_a_state_dict_lacks_follow_the_policy(self) -> None:
        only_parameters = {n: p.detach() for n, p in Net(seed=5).named_parameters()}
        last = list(hp.randomize(Net(), init=only_parameters, batch_norm="reset"))[-1].model
        assert not last.norm1.running_mean.any()
        with pytest.raises(hp.InputError, match="calibration="):
            next(hp.randomize(Net(), init=only_parameters))

    def test_permute_redraws_what_has_nothing_to_shuffle(self) -> None:
        """One element: normal of its own magnitude; all equal: a constant, and said to be one."""
        model = nn.Sequential(nn.Linear(3, 1), nn.PReLU(), nn.LayerNorm(1)).eval()
        model.register_parameter("scale", nn.Parameter(torch.tensor(3.0)))
        draws = draw(model, "permute", 0.01, 0)
        assert draws.source == {
            "scale": "normal(own std)",
            "0.weight": "permute",
            "0.bias": "normal(own std)",
            "1.weight": "normal(own std)",
            "2.weight": "normal(own std)",
            "2.bias": "constant",
        }
        last = next(hp.randomize(model, "full", "permute")).model
        assert changed(model, last) == set(tensors(model)) - {"2.bias"}
        scales = torch.stack([draw(model, "permute", 0.01, seed).values["scale"] for seed in range(300)])
        assert scales.std().item() == pytest.approx(3, rel=0.15)

    def test_permute_moves_values_not_only_places(self) -> None:
        model = nn.Linear(3, 4).eval()
        model.bias.data = torch.tensor([0.0, 0, 0, 1])
        for seed in range(20):
            last = next(hp.randomize(model, "full", "permute", seed=seed)).model
            assert last.bias.sort().values.tolist() == [0, 0, 0, 1]
            assert last.bias[3] == 0

    def test_biases_under_every_name(self) -> None:
        class Biased(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.recurrent = nn.LSTM(4, 4, batch_first=True)
                self.attention = nn.MultiheadAttention(4, 2, add_bias_kv=True, batch_first=True)
                self.layer = nn.utils.parametrizations.weight_norm(nn.Linear(4, 3), "bias", dim=None)
                self.relative_position_bias_table = nn.Parameter(torch.randn(3))
                self.register_buffer("bias", torch.ones(3))

            def forward(self, x: Tensor) -> Tensor:
                x = self.recurrent(x)[0]
                x = self.attention(x, x, x)[0]
                return self.layer(x).mean(1) + self.relative_position_bias_table

        model = Biased().eval()
        last = next(hp.randomize(model, "full", "trunc_normal", which="biases")).model
        want = {"recurrent.bias_ih_l0", "recurrent.bias_hh_l0", "attention.in_proj_bias", "attention.out_proj.bias"}
        want |= {"attention.bias_k", "attention.bias_v"}
        want |= {f"layer.parametrizations.bias.original{i}" for i in range(2)}
        assert changed(model, last) == want
        assert torch.equal(last.relative_position_bias_table, model.relative_position_bias_table)

    def test_biases_alone(self) -> None:
        model = Net()
        last = list(hp.randomize(model, which="biases", calibration=calibration()))[-1].model
        assert all(n.endswith("bias") for n in changed(model, last))


class TestBatchNorm:
    def test_reestimated_statistics_are_those_of_the_calibration_batch(self) -> None:
        model, batch = Net(), calibration()
        stage = list(hp.randomize(model, calibration=batch))[-1].model
        seen = stage.conv1(batch)
        torch.testing.assert_close(stage.norm1.running_mean, seen.mean((0, 2, 3)))
        torch.testing.assert_close(stage.norm1.running_var, seen.var((0, 2, 3)))

    @pytest.mark.parametrize("shape", [(6, 3, 5, 7), (5, 2, 1000, 450), (9, 4), (3, 2, 50)])
    @pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
    def test_moments_are_those_of_numpy(self, shape: tuple[int, ...], dtype: torch.dtype) -> None:
        """The largest is worked on image by image; means far from zero do not cancel."""
        x = (torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 3 + 200).to(dtype)
        axes = tuple(a for a in range(len(shape)) if a != 1)
        mean, var = moments(x)
        exact = 1e-12 if dtype == torch.float64 else 1e-5
        np.testing.assert_allclose(mean.numpy(), x.double().numpy().mean(axes), rtol=exact)
        np.testing.assert_allclose(var.numpy(), x.double().numpy().var(axes, ddof=1), rtol=exact)

    def test_functional_batch_norm_is_reestimated_too(self) -> None:
        model, batch = Everything(), calibration()
        stage = list(hp.randomize(model, calibration=batch))[-1].model
        torch.testing.assert_close(stage.norm.running_mean, stage.patch(batch).mean((0, 2, 3)))

    def test_exported_program(self) -> None:
        batch = calibration()
        program = torch.export.export(Net(), (batch,)).module()
        stage = list(hp.randomize(program, calibration=batch))[-1].model
        held = tensors(stage)
        want = F.conv2d(batch, held["conv1.weight"], held["conv1.bias"], padding=1).mean((0, 2, 3))
        torch.testing.assert_close(held["norm1.running_mean"], want)

    def test_keep_and_reset(self) -> None:
        model = Net()
        kept = list(hp.randomize(model, batch_norm="keep"))[-1].model
        assert torch.equal(kept.norm1.running_mean, model.norm1.running_mean)
        reset = list(hp.randomize(model, batch_norm="reset"))[-1].model
        assert not reset.norm1.running_mean.any()
        assert (reset.norm1.running_var == 1).all()

    def test_reestimate_needs_a_batch(self) -> None:
        with pytest.raises(hp.InputError, match="calibration="):
            next(hp.randomize(Net()))
        with pytest.raises(hp.InputError, match="at least 2"):
            list(hp.randomize(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).eval(), calibration=torch.randn(1, 2)))


class TestHonesty:
    def test_weights_outside_the_modules_are_named(self) -> None:
        model = Net()
        other = nn.Linear(8, 5).double()
        model.fc2.forward = lambda x: other(x)  # type: ignore[method-assign]
        with pytest.raises(hp.ModelError, match="not part of the model"):
            next(hp.randomize(model, calibration=calibration()))

    def test_a_model_from_its_own_factory_gets_new_weights(self) -> None:
        from heatproof.models.factory import fresh

        for seed in range(3):
            model = fresh(lambda: nn.Linear(4, 4), seed)
            stage = next(hp.randomize(model, "full", factory=lambda: nn.Linear(4, 4), seed=seed)).model
            assert not torch.equal(stage.weight, model.weight)

    def test_permuting_two_elements_changes_them(self) -> None:
        for seed in range(8):
            stage = next(hp.randomize(nn.Linear(3, 2).eval(), "full", "permute", seed=seed))
            assert stage.name == "all"

    def test_what_the_factory_always_gives_is_a_constant(self) -> None:
        class Positions(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.table = nn.Parameter(torch.linspace(0, 1, 4), requires_grad=False)
                self.layer = nn.Linear(4, 2)

            def forward(self, x: Tensor) -> Tensor:
                return self.layer(x + self.table)

        stage = next(hp.randomize(Positions().eval(), "full", factory=Positions)).model
        assert torch.equal(stage.table, torch.linspace(0, 1, 4))

    @pytest.mark.parametrize("brings", ["checkpoint", "backbone", "seed", "seed, own layers", "itself"])
    def test_a_factory_that_brings_its_weights_is_refused(self, brings: str) -> None:
        model: nn.Module = Drawn() if "own layers" in brings else Net()

        def factory() -> nn.Module:
            if "seed" in brings:
                torch.manual_seed(5)
                return type(model)()
            if brings == "itself":
                return model
            other = Net()
            other.load_state_dict(Net(seed=3).state_dict())
            if brings == "backbone":
                other.fc2.reset_parameters()
            return other

        for order in ("full", "cascading"):
            with pytest.raises(hp.InputError, match="leave factory out"):
                next(hp.randomize(model.eval(), order, factory=factory, batch_norm="keep"))

    def test_what_a_factory_sets_by_rule_is_no_weight_of_its_own(self) -> None:
        """The forget gate's bias of 1, an identity, a bias of 0.1, a norm, tables with and without gradient."""

        def factory() -> nn.Module:
            model = Drawn()
            model.cell, model.mix, model.norm = nn.LSTMCell(4, 4), nn.Linear(4, 4), nn.LayerNorm(4)
            model.sines = nn.Parameter(torch.arange(4.0).sin())
            with torch.no_grad():
                model.cell.bias_ih.zero_()[4:8] = 1
                nn.init.eye_(model.mix.weight)
                nn.init.constant_(model.mix.bias, 0.1)
            return model.eval()

        model = factory()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter))
        stage = next(hp.randomize(model, "full", factory=factory)).model
        assert changed(model, stage) == set(tensors(model))
        assert torch.equal(stage.mix.weight, torch.eye(4))

    @pytest.mark.parametrize("make", [AdebayoCNN, vit])
    def test_architectures_with_constants_take_their_factory(self, make: Callable[[], nn.Module]) -> None:
        model = make().eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.01 * torch.randn_like(parameter))
        stage = next(hp.randomize(model, "full", factory=make)).model
        assert changed(model, stage) == set(tensors(model))

    def test_loose_tensors_are_listed(self) -> None:
        class Loose(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.layer = nn.utils.weight_norm(
                    nn.Linear(4, 3)
                )  # its weight is a plain attribute, made anew each time
                self.recurrent = nn.LSTM(3, 3)  # holds a list of its own parameters
                self.inner = nn.Sequential(nn.Linear(3, 3))
                self.inner.w, self.inner.count = torch.randn(3), torch.arange(3)
                self.tables = {"a": [torch.randn(3)]}
                self.register_buffer("known", torch.randn(3), persistent=False)

        assert loose_tensors(Loose()) == ["tables", "inner.w"]
        assert loose_tensors(own(Loose().eval())) == ["tables", "inner.w"]
        assert loose_tensors(Everything()) == []

    def test_loose_tensors_are_a_warning_of_the_audit(self, tmp_path: Path) -> None:
        model = Net(dtype=torch.float32)
        model.w = torch.randn(5, 3)
        options: dict[str, Any] = {"methods": ["gradient"], "seeds": 1, "nulls": 2, "faithfulness": False}
        audit = hp.audit(model, fresh_input(2).float(), out=tmp_path / "run", **options)
        assert any(
            "neither parameters nor buffers" in w and ": w (1 in all)" in w for w in audit.results.config["warnings"]
        )

    def test_bad_order_is_told_at_once(self) -> None:
        with pytest.raises(hp.InputError):
            hp.randomize(Net(), order="sideways", batch_norm="keep")

    def test_buffers_that_a_forward_writes_stay_the_users(self) -> None:
        class Counting(Net):
            def __init__(self) -> None:
                super().__init__()
                self.register_buffer("calls", torch.zeros(1))

            def forward(self, x: Tensor) -> Tensor:
                self.calls += 1
                return super().forward(x)

        model = Counting()
        for stage in hp.randomize(model, calibration=calibration()):
            stage.model(fresh_input())
        assert model.calls.item() == 0


class TestBlocks:
    @pytest.mark.parametrize(("layers", "blocks"), [(1, 1), (3, 3), (20, 20), (35, 20)])
    def test_count(self, layers: int, blocks: int) -> None:
        model = nn.Sequential(*[nn.Linear(2, 2) for _ in range(layers)]).eval()
        assert len(automatic_blocks(model, order_of_use(model, torch.randn(2, 2)))) == blocks

    def test_given_prefixes(self) -> None:
        stages = list(hp.randomize(Net(), blocks=["conv1", "norm1", "conv2", "fc1", "fc2"], batch_norm="keep"))
        assert [s.name for s in stages] == ["fc2", "fc1", "conv2", "norm1", "conv1"]

    @pytest.mark.parametrize(
        ("blocks", "message"),
        [
            (["conv1", "conv2"], "in no block"),
            (["conv1", "norm1", "conv2", "fc1", "fc2", "fc9"], "fc9"),
            ([Block("x", ("conv1.weight", "conv1.weight"))], "in"),
        ],
    )
    def test_bad_blocks(self, blocks: Any, message: str) -> None:
        with pytest.raises(hp.InputError, match=message):
            next(hp.randomize(Net(), blocks=blocks, batch_norm="keep"))

    def test_unknown_options(self) -> None:
        for options in ({"order": "sideways"}, {"init": "zeros"}, {"batch_norm": "ignore"}, {"which": "weights"}):
            with pytest.raises(hp.InputError):
                next(hp.randomize(Net(), calibration=calibration(), **options))

    def test_training_mode(self) -> None:
        with pytest.raises(hp.ModelError, match="training mode"):
            next(hp.randomize(Net().train(), calibration=calibration()))


class TestGraded:
    """(1 - t) original + t new in every block: the less disruptive check that the CGI paper asks for."""

    def test_mixes_every_tensor(self) -> None:
        model = Everything()
        options = {"calibration": calibration(), "batch_norm": "keep", "seed": 5}
        new = tensors(next(hp.randomize(model, "full", **options)).model)
        stages = list(hp.randomize(model, "graded", **options))
        assert [s.name for s in stages] == ["0.05", "0.1", "0.2", "0.35", "0.5", "0.75", "1"]
        for stage in stages:
            t, mixed = float(stage.name), tensors(stage.model)
            for name, old in tensors(model).items():
                if not old.is_floating_point() or name.endswith(("running_mean", "running_var")):
                    assert torch.equal(mixed[name], old), "a counter, or a statistic under batch_norm='keep'"
                else:
                    torch.testing.assert_close(mixed[name], (1 - t) * old + t * new[name], rtol=1e-12, atol=1e-14)
        assert all(torch.equal(tensors(stages[-1].model)[n], new[n]) for n in new), (
            "the last is the full stage, to the bit"
        )

    def test_maps_move_away_step_by_step(self) -> None:
        model, x = Net(), fresh_input(16)
        original = hp.gradient(model, x, torch.zeros(16, dtype=torch.int64))
        moved = [
            hp.spearman(original, hp.gradient(s.model, x, torch.zeros(16, dtype=torch.int64))).mean().item()
            for s in hp.randomize(model, "graded", calibration=x, batch_norm="keep")
        ]
        assert moved[0] > 0.9
        assert moved[0] > moved[2] > moved[4] > moved[6]

    def test_biases_alone_and_chosen_stages(self) -> None:
        model = Net()
        (stage,) = hp.randomize(model, "graded", which="biases", calibration=fresh_input(4), keep=[5])
        assert stage.name == "0.5"
        assert changed(model, stage.model) <= {n for n in tensors(model) if n.endswith("bias")}
        assert changed(model, stage.model)


def test_a_buffer_alone_is_no_stage() -> None:
    class Marked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mark", torch.ones(3, 4))
            self.a, self.b = nn.Linear(4, 5), nn.Linear(5, 3)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.b(self.a(x * self.mark[0]))
            return out

    model = Marked().eval()
    blocks = automatic_blocks(model, order_of_use(model, torch.ones(2, 4)))
    assert [b.name for b in blocks] == ["a", "b"]
    assert blocks[0].tensors[0] == "mark"


class Raw(nn.Conv2d):
    """Draws its weights itself: PyTorch's own initialisers do so in the logical order."""

    def reset_parameters(self) -> None:
        self.weight.normal_()


class Rawly(Net):
    def __init__(self) -> None:
        super().__init__(dtype=torch.float32)
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            self.conv2 = Raw(4, 4, 3, padding=1, bias=False).eval()


def test_draws_do_not_hang_on_the_memory_format() -> None:
    """Random numbers fill a tensor in the order of its memory, and an audit keeps convolutions in channels last."""
    plain, last = (own(Rawly()) for _ in range(2))
    for module in last.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)
    for init in INITS:
        first, second = (draw(model, init, 0.01, 3).values for model in (plain, last))
        assert all(torch.equal(first[name], second[name]) for name in first), init


class Counts(Net):
    """A forward that writes to a buffer of its own, as a norm that learns from its first batch does."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros((), dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        self.seen += 1
        return super().forward(x) * self.seen


def test_a_stage_is_the_same_whether_its_statistics_were_known_or_not() -> None:
    statistics: dict[int, dict[str, Tensor]] = {}
    first, again = (
        [s.model for s in hp.randomize(Counts(), calibration=calibration(), statistics=statistics)] for _ in range(2)
    )
    for a, b in zip(first, again, strict=True):
        assert all(torch.equal(tensors(a)[name], tensors(b)[name]) for name in tensors(a))
