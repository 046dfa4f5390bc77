"""What an audit does once instead of many times gives what doing it each time gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import heatproof as hp
from heatproof.audit import placed
from heatproof.checks import chain as chains
from heatproof.checks import explained
from heatproof.checks.chain import chain, null_chain
from heatproof.checks.explained import explain_all, passes_of
from heatproof.checks.memory import memory_of
from heatproof.checks.randomize import blocks_of
from heatproof.checks.subject import Subject
from heatproof.engine import passes
from heatproof.engine.memory_format import channels_last
from heatproof.engine.model import own
from heatproof.engine.sharing import shared_passes
from heatproof.engine.twin import tensors, twin
from heatproof.errors import EscapedOp
from heatproof.types import needs_of
from nets import RELU_SPELLINGS, Net, fresh_input, targets

METHODS = {
    n: getattr(hp, n)
    for n in ("gradient", "fullgrad", "guided_backprop", "gradcam", "deconvnet", "guided_gradcam", "simple_fullgrad")
}
LAST = torch.channels_last


def subject(model: nn.Module, methods: dict[str, Any] = METHODS, images: int = 6, **options: Any) -> Subject:
    x = fresh_input(images)
    private = own(model)
    blocks = tuple(blocks_of(private, x))
    named = ("spearman", "spearman_abs")
    return Subject(private, x, torch.arange(images) % 5, methods, named, hp.logit, blocks, x, chunk=3, **options)


@pytest.fixture
def forwards(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The places of every pass that runs."""
    ran: list[tuple[str, ...]] = []
    run = passes._run

    def counted(model: Any, inputs: Any, score: Any, rules: Any, places: Any, *, shared: bool) -> Any:
        ran.append((rules.name if rules else "plain", *places))
        return run(model, inputs, score, rules, places, shared=shared)

    monkeypatch.setattr(passes, "_run", counted)
    return ran


class TestOnePass:
    @pytest.mark.parametrize("spelling", RELU_SPELLINGS)
    def test_every_method_gives_what_it_gives_alone(self, spelling: str, forwards: list[tuple[str, ...]]) -> None:
        model, x = own(Net(RELU_SPELLINGS[spelling])), fresh_input()
        alone = {n: f(model, x, targets()) for n, f in METHODS.items()}
        del forwards[:]
        found = explain_all(subject(model), model, [0, 1, 2], "original")
        assert not found.errors
        for name, want in alone.items():
            torch.testing.assert_close(found.maps[name], want, rtol=1e-12, atol=1e-14)
        hooked = spelling not in (
            "x.relu_() on a view",
            "clamp(min=0)",
            "clamp_min",
            "torch.clamp",
            "clip",
            "threshold",
        )
        assert len(forwards) == (1 if hooked else 3), forwards

    def test_relu6_and_a_gate_at_exactly_zero(self) -> None:
        """Where activations are exactly 0 or 6 the hooks must close the gate as the rules do."""

        class Steps(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return (F.relu6(x) * torch.arange(1.0, 9.0).double() - 8).relu().flatten(1).cumsum(1)

        model, x = own(Steps().eval()), torch.tensor([0.0, 1, 2, 3, 4, 5, 6, 7]).double().repeat(2, 2, 8, 1)
        methods = {"guided_backprop": hp.guided_backprop, "deconvnet": hp.deconvnet}
        alone = {n: f(model, x, torch.tensor([100, 127])) for n, f in methods.items()}
        with shared_passes({need for m in methods.values() for need in needs_of(m)}, x):
            for name, f in methods.items():
                assert torch.equal(f(model, x, torch.tensor([100, 127])), alone[name])
        assert alone["guided_backprop"].any()
        assert (alone["guided_backprop"][..., [0, 6, 7]] == 0).all()

    def test_hooks_do_not_stay(self) -> None:
        model, x = own(Net()), fresh_input()
        with shared_passes(passes_of(subject(model)), x):
            before = hp.gradient(model, x, targets() + 0)
            hp.guided_backprop(model, x, targets())
            after = hp.gradient(model, x, (targets() + 1) % 5)
        assert torch.equal(before, hp.gradient(model, x, targets()))
        assert torch.equal(after, hp.gradient(model, x, (targets() + 1) % 5))

    def test_a_nonlinearity_without_a_rule_is_still_refused(self) -> None:
        class Gelu(Net):
            def forward(self, x: Tensor) -> Tensor:
                return super().forward(F.gelu(x))

        found = explain_all(subject(Gelu()), own(Gelu()), [0, 1, 2], "original")
        assert set(found.errors) == {"guided_backprop", "deconvnet", "guided_gradcam"}
        assert "gelu" in found.errors["guided_backprop"]
        with pytest.raises(EscapedOp) as raised:
            hp.guided_backprop(Gelu(), fresh_input(), targets())
        assert found.errors["guided_backprop"] == str(raised.value)

    def test_a_mask_is_refused_though_every_node_is_linear(self) -> None:
        class Masked(Net):
            def forward(self, x: Tensor) -> Tensor:
                return super().forward(x * (x > 0))

        found = explain_all(subject(Masked()), own(Masked()), [0, 1, 2], "original")
        assert {"guided_backprop", "deconvnet"} <= set(found.errors)

    def test_where_full_gradients_cannot_be_had_there_are_gradients(self, forwards: list[tuple[str, ...]]) -> None:
        class Hidden(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, x: Tensor) -> Tensor:
                return x * 2

            @staticmethod
            def backward(ctx: Any, grad: Tensor) -> Tensor:
                return grad * 2

        class Custom(Net):
            def forward(self, x: Tensor) -> Tensor:
                return super().forward(Hidden.apply(x))  # type: ignore[no-untyped-call]

        model = own(Custom())
        methods = {n: METHODS[n] for n in ("fullgrad", "gradient", "gradcam")}
        found = explain_all(subject(model, methods), model, [0, 1, 2], "original")
        assert set(found.errors) == {"fullgrad"}
        assert torch.equal(found.maps["gradient"], hp.gradient(model, fresh_input()[:3], targets()))

    def test_order_of_the_methods_is_kept(self) -> None:
        found = explain_all(subject(Net()), own(Net()), [0, 1, 2], "original")
        assert list(found.maps) == list(METHODS)


def counting(monkeypatch: pytest.MonkeyPatch, where: Any, name: str) -> list[tuple[Any, ...]]:
    calls: list[tuple[Any, ...]] = []
    original: Callable[..., Any] = getattr(where, name)

    def counted(*args: Any, **options: Any) -> Any:
        calls.append(args)
        return original(*args, **options)

    monkeypatch.setattr(where, name, counted)
    return calls


class TestMemory:
    def test_rows_are_the_same_with_and_without(self) -> None:
        warm = subject(Net(), {"gradient": hp.gradient, "random_map": hp.random_map})
        for shard in ([0, 1, 2], [3, 4, 5]):
            for seed in (0, 1):
                cold = replace(warm)
                stages = tuple(range(1, len(warm.blocks) + 1))
                found, want = (chain(s, shard, "cascading", seed, stages, frozenset()) for s in (warm, cold))
                assert found.rows == want.rows
            found, want = (null_chain(s, shard, 2, frozenset(shard)) for s in (warm, replace(warm)))
            assert found.rows == want.rows
            assert all(torch.equal(found.maps[k], want.maps[k]) for k in want.maps)

    def test_statistics_and_originals_are_found_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from heatproof.checks import stage_plan

        estimated = counting(monkeypatch, stage_plan, "reestimate")
        dead = counting(monkeypatch, explained, "why_dead")
        asked = counting(monkeypatch, explained, "output")
        runs = counting(monkeypatch, chains, "explain_all")
        one = subject(Net(), {"gradient": hp.gradient})
        stages = tuple(range(1, len(one.blocks) + 1))
        with_norm = len(stages)
        for shard in ([0, 1, 2], [3, 4, 5]):
            for seed in (0, 1):
                chain(one, shard, "cascading", seed, stages, frozenset())
        assert len(dead) == 2 * with_norm
        assert len(asked) == 2 * with_norm - len(estimated), (
            "a forward of its own only where none re-estimated statistics"
        )
        assert 0 < len(estimated) <= 2 * with_norm
        assert [args[2] for args in runs if args[3] == "original"] == [[0, 1, 2], [3, 4, 5]]

    def test_a_dead_stage_is_dead_however_it_is_asked(self) -> None:
        """By the forward that estimated its statistics, and by one of its own in a job that found them in memory."""

        class Dead(Net):
            def forward(self, x: Tensor) -> Tensor:
                return super().forward(x) * 0

        stage = next(hp.randomize(Dead(), "full", calibration=fresh_input(6)))
        assert stage.said is not None
        for said in (stage.said, stage.model(fresh_input(6))):
            assert "nothing is left to explain" in explained.why_dead(said, fresh_input(6), "null/1")
        one = subject(Dead(), {"gradient": hp.gradient})
        for order in (("kept", "cascading"), ("cascading", "kept")):
            fresh = replace(one)
            for name in order:
                for s in chains.randomised(fresh, "cascading", 0):
                    explained.note_said(fresh, name, s.said)
                    assert explain_all(fresh, s.model, [0, 1, 2], name).errors

    def test_a_changed_subject_knows_nothing(self) -> None:
        one = subject(Net(), {"gradient": hp.gradient})
        chain(one, [0, 1, 2], "cascading", 0, (1,), frozenset())
        assert memory_of(one).originals
        assert not memory_of(replace(one)).originals

    def test_statistics_beyond_the_room_are_found_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("heatproof.checks.memory.MOST", 10)
        one = subject(Net(), {"gradient": hp.gradient})
        known = memory_of(one).of_chain("cascading", 0, "all")
        for position in range(3):
            known[position] = {"mean": torch.zeros(4)}
        assert list(known) == [0, 1]

    def test_given_statistics_are_taken_and_calibration_does_not_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from heatproof.checks import stage_plan

        model, x = Net(), fresh_input(6)
        known: dict[int, dict[str, Tensor]] = {}
        first = [tensors(s.model) for s in hp.randomize(model, calibration=x, statistics=known)]
        assert known
        calls = counting(monkeypatch, stage_plan, "reestimate")
        second = [tensors(s.model) for s in hp.randomize(model, calibration=x, statistics=known)]
        assert not calls
        for a, b in zip(first, second, strict=True):
            assert all(torch.equal(a[name], b[name]) for name in a)


class Flat(nn.Module):
    """Needs its values in the ordinary order."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4 * 36, 5)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        z: Tensor = self.head(y.view(len(y), -1))
        return z


class TestMemoryFormat:
    def test_convolutions_only_and_the_users_model_is_untouched(self) -> None:
        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)).eval()
        x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        place = model[0].weight.data_ptr()
        private = channels_last(own(model), x[:1])
        assert private[0].weight.is_contiguous(memory_format=LAST)  # type: ignore[index, union-attr, operator]
        assert private[3].weight.data_ptr() == model[3].weight.data_ptr()  # type: ignore[index, union-attr]
        assert model[0].weight.is_contiguous()
        assert model[0].weight.data_ptr() == place
        want = hp.gradient(model, x, torch.tensor([0, 1]))
        torch.testing.assert_close(hp.gradient(private, x, torch.tensor([0, 1])), want, rtol=1e-4, atol=1e-6)

    def test_a_model_that_needs_the_other_order_keeps_it(self) -> None:
        private = channels_last(own(Flat().eval()), torch.randn(1, 3, 8, 8))
        assert private.conv.weight.is_contiguous()  # type: ignore[union-attr, operator]
        assert hp.gradient(private, torch.randn(2, 3, 8, 8), torch.tensor([0, 1])).shape == (2, 3, 8, 8)

    def test_a_model_that_reads_the_order_silently_keeps_it(self) -> None:
        class Strided(Flat):
            def forward(self, x: Tensor) -> Tensor:
                y = self.conv(x)
                z: Tensor = self.head(y.as_strided((len(y), 144), (144, 1)))
                return z

        assert channels_last(own(Strided().eval()), torch.randn(1, 3, 8, 8)).conv.weight.is_contiguous()  # type: ignore[union-attr, operator]

    def test_a_stage_has_the_order_of_the_twin(self) -> None:
        private = channels_last(own(flattened()), torch.randn(1, 3, 8, 8))
        stage = twin(private, {"conv.weight": torch.randn(4, 3, 3, 3)})
        assert stage.conv.weight.is_contiguous(memory_format=LAST)  # type: ignore[union-attr, operator]

    def test_an_audit_has_it(self) -> None:
        private, images = placed(flattened(), torch.randn(4, 3, 8, 8), "cpu")
        assert private.conv.weight.is_contiguous(memory_format=LAST)  # type: ignore[union-attr, operator]
        assert images.shape == (4, 3, 8, 8)

    def test_a_model_that_cannot_run_is_left_for_others_to_refuse(self) -> None:
        private, _ = placed(flattened(), torch.randn(4, 1, 8, 8), "cpu")
        assert private.conv.weight.is_contiguous()  # type: ignore[union-attr, operator]


def flattened() -> nn.Module:
    class Flattened(Flat):
        def forward(self, x: Tensor) -> Tensor:
            z: Tensor = self.head(self.conv(x).flatten(1))
            return z

    return Flattened().eval()
