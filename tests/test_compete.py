"""Competition between classes: CGI, CLRP and their kin (semantics.md, 3.S0 and T-S0)."""

from __future__ import annotations

import itertools
import math
import pickle
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import heatproof as hp
from heatproof.combine import configure, effort_of, with_effort
from heatproof.combine.contest import contest
from heatproof.combine.head import linear_head
from heatproof.engine import pullback
from heatproof.engine.model import counted_rows, own
from heatproof.named import method_from_text
from heatproof.types import spec_of
from nets import Net, fresh_input, targets
from reference import compete as reference


def linear(weight: Any) -> nn.Linear:
    weight = torch.tensor(weight, dtype=torch.float64)
    net = nn.Linear(weight.shape[1], weight.shape[0], bias=False).double().eval()
    net.weight.data = weight
    return net


class Relu(nn.Module):
    """T-S0-4: a bias-free network of one hidden layer; with `shift` added to both logits, T-S0-8."""

    def __init__(self, shift: float = 0.0) -> None:
        super().__init__()
        self.one = linear([[1, 1], [1, -1], [-1, 2]])
        self.two = linear([[1, 2, -1], [2, -1, 1]])
        self.shift = shift
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.two(self.one(x).relu()) + self.shift * x[:, 1:]


class ManyClasses(nn.Module):
    """Twelve classes out of four features: the head's shortcut pays."""

    def __init__(self, ending: str = "linear") -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(5)
            self.conv, self.fc, self.head = nn.Conv2d(2, 3, 3), nn.Linear(3, 4), nn.Linear(4, 12)
        self.ending = ending
        self.double().eval()

    def forward(self, x: Tensor) -> Tensor:
        h = self.fc(F.softplus(self.conv(x)).mean((2, 3))).tanh()
        if self.ending == "clipped":
            return self.head(h.sigmoid()).relu_()
        if self.ending == "attribute":
            assert self.head.in_features == 4
        out = self.head(h)
        if self.ending == "in place":
            out += 0.1 * h.sum(1, keepdim=True)
        if self.ending == "data":
            out.data += 0.1 * h.detach().sum(1, keepdim=True)
        if self.ending == "twice":
            out = self.head(out[:, :4])
        return out * 1.5 if self.ending == "scaled" else out


def small(batch: int = 3) -> Tensor:
    return torch.randn(batch, 2, 5, 5, generator=torch.Generator().manual_seed(11), dtype=torch.float64)


class Twins(nn.Module):
    """Seventeen classes, of which the first and the last are the same."""

    def __init__(self, dtype: torch.dtype, width: int = 64) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            sizes = (64, 128, width, 17)
            self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        head = self.layers[2]
        head.weight.data[16], head.bias.data[16] = head.weight.data[0], head.bias.data[0]
        self.to(dtype).eval()

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers[0](x.flatten(1)).relu()
        return self.layers[2](self.layers[1](x).relu())


CGI = hp.compete(hp.gradient_x_input)
LINEAR = [n for n, m in hp.METHODS.items() if spec_of(m).linear_in_target]


class TestExactValues:
    def test_two_classes(self) -> None:
        """T-S0-1; the third entry is a tie, which both keep."""
        net = linear([[2, -1, 3, -2, 1, 4], [1, -3, 3, -1, 2, 5]])
        x = torch.tensor([[1, 2, -1, 3, -2, 0]]).double()
        assert net(x).tolist() == [[-11, -15]]
        assert hp.cgi(net, x, torch.tensor([0])).tolist() == [[2, 0, -3, -6, 0, 0]]
        assert hp.cgi(net, x, torch.tensor([1])).tolist() == [[0, -6, -3, 0, -4, 0]]

    def test_three_classes(self) -> None:
        """T-S0-2, the three targets from one call."""
        net = linear([[1, -2, 0.5, 2], [2, -1, -1, 2], [-1, -3, 0, 1]])
        x = torch.tensor([[1, 1, 2, -1]]).double()
        want = [[[0, 0, 1, -2]], [[2, 0, -2, -2]], [[-1, -3, 0, 0]]]
        assert hp.cgi(net, x, torch.arange(3)[:, None]).tolist() == want

    def test_relu_network(self) -> None:
        """T-S0-4."""
        x = torch.tensor([[3.0, 1.0]]).double()
        assert hp.gradient_x_input(Relu(), x, torch.tensor([[0], [1]])).tolist() == [[[9, -1]], [[3, 3]]]
        assert hp.cgi(Relu(), x, torch.tensor([[0], [1]])).tolist() == [[[9, -1]], [[0, 3]]]

    def test_clrp_starts_at_the_logit(self) -> None:
        """T-S0-4: epsilon to 0 on a bias-free ReLU network gives gradient x input, whatever the logit's sign."""
        x, both = torch.tensor([[3.0, 1.0]]).double(), torch.tensor([[0], [1]])
        found = hp.clrp(Relu(), x, both)
        torch.testing.assert_close(found, torch.tensor([[[9.0, -1]], [[0, 3]]]).double(), rtol=0, atol=1e-6)
        net = linear([[-1, -2], [-3, 1]])
        torch.testing.assert_close(hp.clrp(net, x), hp.cgi(net, x), rtol=0, atol=1e-6)

    def test_shift_of_all_logits(self) -> None:
        """T-S0-8: the softmax cannot see it, CGI does, centred CGI does not."""
        x, both = torch.tensor([[3.0, 1.0]]).double(), torch.tensor([[0], [1]])
        torch.testing.assert_close(Relu(10.0)(x).softmax(1), Relu()(x).softmax(1))
        assert hp.gradient_x_input(Relu(10.0), x, both).tolist() == [[[9, 9]], [[3, 13]]]
        assert hp.cgi(Relu(10.0), x, both).tolist() == [[[9, 0]], [[0, 13]]]
        centred = hp.compete(hp.gradient_x_input, center=True)
        assert centred(Relu(10.0), x, both).tolist() == [[[3, -2]], [[-3, 2]]]
        assert centred(Relu(), x, both).tolist() == [[[3, -2]], [[-3, 2]]]

    @pytest.mark.parametrize("weight", [[[1, -2, 3], [1, -2, 3]], [[1, -2, 3], [-1, 2, -3]]])
    def test_duplicates_and_opposites_lose_nothing(self, weight: Any) -> None:
        """T-S0-5."""
        x = torch.tensor([[2.0, 1.0, -1.0]]).double()
        for y in range(2):
            want = hp.gradient_x_input(linear(weight), x, torch.tensor([y]))
            assert torch.equal(hp.cgi(linear(weight), x, torch.tensor([y])), want)

    def test_one_class(self) -> None:
        """T-S0-5: C = 1."""
        net, x = linear([[1, -2, 3]]), torch.tensor([[2.0, 1.0, -1.0]]).double()
        assert hp.cgi(net, x, score=hp.value).tolist() == [[2, -2, -3]]

    def test_no_negative_zero(self) -> None:
        maps = hp.cgi(linear([[-1, 1], [2, 1]]), torch.tensor([[0.0, -1.0]]).double(), torch.tensor([0]))
        assert not torch.signbit(maps[0, 0])

    @pytest.mark.parametrize("k", [2, 3, 10])
    def test_survival_under_random_gradients(self, k: int) -> None:
        """semantics.md, 0.3: 2 (1 - 2^-k) / k for a fixed class, not 1/k."""
        n, rate = 40_000, 2 * (1 - 2.0**-k) / k
        net = nn.Linear(n, k, bias=False).eval()
        net.weight.data = torch.randn(k, n, generator=torch.Generator().manual_seed(k))
        x = torch.rand(1, n, generator=torch.Generator().manual_seed(99)) + 0.1
        y = torch.tensor([k - 1])
        found = hp.kept(hp.gradient_x_input(net, x, y), hp.cgi(net, x, y)).fraction.item()
        assert abs(found - rate) < 4 * math.sqrt(rate * (1 - rate) / n)

    def test_some_class_wins_every_value(self) -> None:
        """T-S0-9: the largest wins where it is positive, the smallest where it is negative."""
        x, everyone = fresh_input(), torch.arange(5)[:, None].expand(5, 3)
        maps, plain = hp.cgi(Net(), x, everyone), hp.gradient_x_input(Net(), x, everyone)
        assert maps.any(-1).any(-1).any(-1).all()
        wins = (maps != 0).sum(0)
        due = (plain.amax(0) > 0).long() + (plain.amin(0) < 0).long()
        assert torch.equal(wins, due)


class TestReference:
    @pytest.mark.parametrize("seed", [0, 1])
    def test_cgi_is_the_naive_loop(self, seed: int) -> None:
        x = fresh_input(seed=seed)
        want = reference.cgi(Net(seed=seed), x, targets())
        torch.testing.assert_close(hp.cgi(Net(seed=seed), x, targets()), want, rtol=0, atol=1e-10)
        assert 0 < (want != 0).double().mean() < 0.9

    @pytest.mark.parametrize(
        "name", ["integrated_gradients(steps=3)", "gradcam", "guided_backprop", "smooth(gradient, n=2)"]
    )
    def test_any_method(self, name: str) -> None:
        explain, x = method_from_text(name), fresh_input()
        everyone = explain(Net(), x, torch.arange(5)[:, None].expand(5, 3))
        want = torch.stack([reference.winners(everyone[:, b], y) for b, y in enumerate(targets())])
        torch.testing.assert_close(hp.compete(explain)(Net(), x, targets()), want, rtol=0, atol=1e-10)

    def test_a_callable_of_the_users(self) -> None:
        calls = []

        def mine(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
            assert target.shape == (3,)
            calls.append(target.tolist())
            maps = hp.gradient(model, inputs, target) * inputs
            next(model.parameters()).data.zero_() if target[0] == 4 else inputs.mul_(1.0)
            return maps

        model, x = Net(), fresh_input()
        before = model.conv1.weight.clone()
        found = hp.compete(mine)(model, x, targets())
        torch.testing.assert_close(found, hp.cgi(Net(), x, targets()), rtol=0, atol=1e-13)
        assert calls == [[c] * 3 for c in range(5)]
        assert torch.equal(model.conv1.weight, before), "a callable got the user's own weights"

    @pytest.mark.parametrize("chunk", [1, 2, 3, 5, 100])
    @pytest.mark.parametrize("center", [False, True])
    def test_chunk_changes_nothing(self, chunk: int, center: bool) -> None:
        want = hp.compete(hp.gradient_x_input, center=center)(Net(), fresh_input(), targets())
        found = hp.compete(hp.gradient_x_input, chunk=chunk, center=center)(Net(), fresh_input(), targets())
        torch.testing.assert_close(found, want, rtol=0, atol=1e-14)
        assert torch.equal(found != 0, want != 0)

    @pytest.mark.parametrize("chunk", [1, 2, 7])
    @pytest.mark.parametrize("center", [False, True])
    def test_contest_is_the_same_to_the_bit(self, chunk: int, center: bool) -> None:
        maps = torch.randn(7, 3, 6, generator=torch.Generator().manual_seed(0))
        samples = torch.arange(3)
        target = torch.tensor([[0, 6, 3], [2, 2, 5]])

        def run(chunk: int) -> Tensor:
            return contest(lambda rows: maps[rows, samples], target, torch.arange(6), chunk, center)

        assert torch.equal(run(chunk), run(6))

    def test_rows_are_computed_once_for_all_targets(self) -> None:
        rows = []

        def maps_of(given: Tensor) -> Tensor:
            rows.append(len(given))
            return given[..., None].double()

        target = torch.tensor([[0, 1], [2, 2], [1, 0]])
        contest(maps_of, target, torch.arange(3), 2, False)
        assert rows == [2, 1]

    def test_own_map_comes_from_the_chunk_that_competes(self) -> None:
        """A map computed anew differs in the last bit and would lose to itself: semantics.md, 2.S0."""
        calls = iter(range(100))

        def maps_of(rows: Tensor) -> Tensor:
            return (1 + rows + next(calls) * 1e-12)[..., None].double()

        found = contest(maps_of, torch.tensor([[2]]), torch.arange(3), 1, False)
        assert found.item() != 0

    def test_a_callable_that_reads_the_grad_of_its_input(self) -> None:
        """Backward adds to .grad: one tensor for all classes would sum their maps."""

        def grads(model: nn.Module, inputs: Tensor, target: Tensor) -> Any:
            inputs.requires_grad_()
            model(inputs).gather(1, target[:, None]).sum().backward()
            return inputs.grad

        net, x = linear(torch.eye(3).tolist()), torch.ones(1, 3).double()
        assert hp.compete(grads)(net, x, torch.tensor([0])).tolist() == [[1, 0, 0]]
        assert hp.smooth(grads, n=3, sigma=0.0)(net, x, torch.tensor([0])).tolist() == [[1, 0, 0]]

    def test_nan_stays_nan(self) -> None:
        maps = torch.tensor([[[1.0, 1.0]], [[float("nan"), 0.0]]])
        found = contest(lambda rows: maps[rows, 0], torch.tensor([[0]]), torch.arange(2), 2, False)
        assert found.isnan().tolist() == [[[True, False]]]


class TestTies:
    """Equal classes must have equal maps to the last bit, or each loses to the other (algorithm 1: ties stay)."""

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    @pytest.mark.parametrize("width", [64, 131, 8])
    @pytest.mark.parametrize("name", ["gradient_x_input", "lrp", "deeplift", "smooth(gradient, n=2)"])
    def test_twins_and_chunks(self, name: str, width: int, dtype: torch.dtype) -> None:
        """The shortcut pays with 8 features; with 131 rows of one product differ by their place in it."""
        net, explain = Twins(dtype, width), method_from_text(name)
        x = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(3)).to(dtype)
        rows = torch.tensor([[0, 0], [16, 16], [5, 9]])
        for shortcut in (True, False):
            for rivals in (None, (3, 16, 2), (0, 16)):
                first = None
                for chunk in (1, 2, 6, 16, 17, 100):
                    found = hp.compete(explain, rivals, chunk, shortcut=shortcut)(net, x, rows)
                    assert torch.equal(found[0], found[1])
                    assert found[0].any()
                    assert first is None or torch.equal(found, first)
                    first = found

    @pytest.mark.parametrize("name", sorted(set(hp.METHODS) - {"meaningful_perturbation"}))
    def test_no_method_depends_on_the_chunk(self, name: str) -> None:
        explain, x = hp.METHODS[name], fresh_input()
        explain = with_effort(explain, 2)
        want = hp.compete(explain, chunk=5)(Net(), x, targets())
        for chunk in (1, 2):
            assert torch.equal(hp.compete(explain, chunk=chunk)(Net(), x, targets()), want)

    def test_center_in_bfloat16_is_summed_in_float32(self) -> None:
        maps = torch.cat([torch.full((600, 1), 1.0), torch.full((1, 1), 3.0)]).bfloat16()
        found = contest(lambda rows: maps[rows], torch.tensor([[600]]), torch.arange(601), 16, True)
        assert found.dtype == torch.bfloat16
        assert abs(found.item() - (3 - 603 / 601)) < 0.01


class TestClasses:
    def test_only_those_named_compete(self) -> None:
        x, everyone = fresh_input(), torch.arange(5)[:, None].expand(5, 3)
        scores = hp.gradient_x_input(Net(), x, everyone)
        y = torch.tensor([0, 3, 4])
        for named in [(1, 3), (3, 1, 1), 2, 5]:
            found = hp.compete(hp.gradient_x_input, classes=named, chunk=1)(Net(), x, y)
            listed = list(range(named)) if isinstance(named, int) else sorted(set(named))
            for b, c in enumerate(y.tolist()):
                field = scores[[*listed, c], b]
                want = reference.winners(field, torch.tensor(len(field) - 1))
                torch.testing.assert_close(found[b], want, rtol=0, atol=1e-12)

    def test_each_target_competes_with_those_named_alone(self) -> None:
        x, rows = fresh_input(), torch.tensor([[0, 1, 2], [4, 4, 1], [2, 3, 0]])
        explain = hp.compete(hp.gradient_x_input, classes=(1, 3), center=True)
        together = explain(Net(), x, rows)
        torch.testing.assert_close(together, torch.stack([explain(Net(), x, t) for t in rows]), rtol=0, atol=1e-13)

    def test_center_counts_a_target_that_is_not_named(self) -> None:
        maps = torch.tensor([[4.0], [1.0], [7.0]])
        found = contest(lambda rows: maps[rows, 0][..., None], torch.tensor([[2], [0]]), torch.arange(2), 2, True)
        assert found.flatten().tolist() == [3.0, 1.5], "7 - (4 + 1 + 7) / 3 and 4 - (4 + 1) / 2"

    def test_center_is_the_map_of_the_mean_logit_subtracted(self) -> None:
        def centred(out: Tensor, target: Tensor) -> Tensor:
            return hp.logit(out - out.mean(1, keepdim=True), target)

        x = fresh_input()
        want = hp.compete(hp.gradient_x_input)(Net(), x, targets(), score=centred)
        found = hp.compete(hp.gradient_x_input, center=True)(Net(), x, targets())
        torch.testing.assert_close(found, want, rtol=0, atol=1e-12)

    def test_a_score_that_knows_no_classes(self) -> None:
        class Boxed(Net):
            def forward(self, x: Tensor) -> Any:
                return {"logits": super().forward(x)}

        def inside(out: Any, target: Tensor) -> Tensor:
            return hp.logit(out["logits"], target)

        with pytest.raises(hp.InputError, match="classes="):
            hp.cgi(Boxed(), fresh_input(), targets(), score=inside)
        found = hp.cgi(Boxed(), fresh_input(), targets(), score=inside, classes=5)
        torch.testing.assert_close(found, hp.cgi(Net(), fresh_input(), targets()), rtol=0, atol=1e-13)

    @pytest.mark.parametrize(
        "options",
        [{"classes": 6}, {"classes": ()}, {"classes": (0, 5)}, {"classes": (-1,)}, {"classes": "all"}, {"classes": 0},
         {"classes": True}, {"classes": (0.5,)}, {"classes": np.array([0.0, 1.0])}, {"classes": -1},
         {"classes": torch.tensor([True])}, {"classes": np.array([[0, 1]])}, {"classes": {0: 1}}, {"chunk": 0},
         {"chunk": 2.0}, {"chunk": True}],
    )  # fmt: skip
    def test_bad_options(self, options: Any) -> None:
        with pytest.raises(hp.InputError, match=next(iter(options))):
            hp.compete(hp.gradient_x_input, **options)(Net(), fresh_input(), targets())

    @pytest.mark.parametrize(
        "given", [np.array([0, 3]), torch.tensor([0, 3]), range(0, 4, 3), [np.int64(0), 3], [torch.tensor(0), 3]]
    )
    def test_classes_in_any_sequence(self, given: Any) -> None:
        explain = hp.compete(hp.gradient, classes=given)
        assert explain == hp.compete(hp.gradient, classes=(0, 3))
        assert hp.compete(hp.gradient, classes=np.int64(3)) == hp.compete(hp.gradient, classes=3)
        want = hp.compete(hp.gradient_x_input, classes=(0, 3))(Net(), fresh_input(), targets())
        assert torch.equal(hp.cgi(Net(), fresh_input(), targets(), classes=given), want)

    def test_samples_with_noise_keep_their_index(self) -> None:
        explain, x, places = hp.compete(hp.smooth(hp.gradient, n=2)), fresh_input(), torch.tensor([9, 4, 7])
        together = explain(Net(), x, targets(), index=places)
        alone = explain(Net(), x[1:2], targets()[1:2], index=places[1:2])
        torch.testing.assert_close(together[1:2], alone, rtol=0, atol=1e-12)
        assert not torch.equal(explain(Net(), x, targets(), index=places, seed=3), together)


class TestShortcut:
    @pytest.mark.parametrize("name", LINEAR)
    def test_same_as_the_direct_way(self, name: str) -> None:
        explain, x = hp.METHODS[name], small()
        y = torch.tensor([[0, 11, 7], [3, 3, 1]])
        found = hp.compete(explain, chunk=3)(ManyClasses(), x, y)
        direct = hp.compete(explain, shortcut=False)(ManyClasses(), x, y)
        assert torch.equal(found != 0, direct != 0)
        torch.testing.assert_close(found, direct, rtol=0, atol=1e-10)

    def test_explains_features_once(self) -> None:
        with counted_rows() as rows:
            hp.compete(hp.gradient_x_input, chunk=2)(ManyClasses(), small(), targets())
        assert rows[0] == 3 * (1 + 2 + 1), "output, head found and proved, features in one pass"

    @pytest.mark.parametrize("name", ["lrp(rule='gamma')", "lrp(rule='zplus')", "lrp(epsilon=1e-5)", "lrp"])
    def test_not_where_the_method_has_a_rule_for_the_head(self, name: str) -> None:
        explain = method_from_text(name)
        found = hp.compete(explain)(ManyClasses(), small(), targets())
        assert torch.equal(found, hp.compete(explain, shortcut=False)(ManyClasses(), small(), targets()))

    def test_samples_in_groups(self, monkeypatch: pytest.MonkeyPatch) -> None:
        explain = hp.compete(hp.smooth(hp.gradient, n=2), center=True, classes=(5, 0, 9, 10, 11))
        want = explain(ManyClasses(), small(), targets())
        monkeypatch.setattr("heatproof.combine.head.ELEMENTS", 4 * 50 * 2)
        torch.testing.assert_close(explain(ManyClasses(), small(), targets()), want, rtol=0, atol=1e-12)

    @pytest.mark.parametrize("ending", ["in place", "clipped", "data", "twice", "scaled", "attribute"])
    def test_not_where_the_output_is_not_the_heads(self, ending: str) -> None:
        model = ManyClasses(ending)
        assert linear_head(own(model), small(), 12, 12) is None
        explain = hp.compete(hp.gradient_x_input)
        want = reference.cgi(model, small(), targets())
        torch.testing.assert_close(explain(model, small(), targets()), want, rtol=0, atol=1e-10)

    def test_not_with_a_hook_that_changes_it(self) -> None:
        model = ManyClasses()
        model.head.register_forward_hook(lambda module, args, out: out * out)
        assert linear_head(own(model), small(), 12, 12) is None
        want = reference.cgi(model, small(), targets())
        torch.testing.assert_close(hp.cgi(model, small(), targets()), want, rtol=0, atol=1e-10)

    def test_not_with_another_score_or_few_classes(self) -> None:
        want = hp.compete(hp.gradient_x_input, shortcut=False)
        for score, classes in ((hp.probability, None), (hp.logit, 4)):
            found = []
            for explain in (CGI, want):
                with counted_rows() as rows:
                    maps = configure(explain, classes=classes)(ManyClasses(), small(), targets(), score=score)
                found.append((rows[0], maps))
            assert found[0][0] == found[1][0], "a trial of the head that is never used"
            assert torch.equal(found[0][1], found[1][1])

    @pytest.mark.parametrize(
        "name", ["smooth(deeplift, n=2)", "times_input(integrated_gradients(steps=3))", "smooth(gradient_x_input, n=2)"]
    )
    def test_through_other_methods(self, name: str) -> None:
        explain, x = method_from_text(name), small()
        direct = hp.compete(explain, shortcut=False)(ManyClasses(), x, targets())
        torch.testing.assert_close(hp.compete(explain)(ManyClasses(), x, targets()), direct, rtol=0, atol=1e-10)

    def test_does_not_hang_on_the_first_image(self) -> None:
        """Black: its features' maps are zero, and a trial of the head on it alone would have told nothing."""
        x = small()
        x[0] = 0
        with counted_rows() as rows:
            hp.cgi(ManyClasses(), x, targets())
        assert rows[0] == 3 * (1 + 2 + 1)

    def test_not_where_the_method_explains_a_score_of_its_own(self) -> None:
        def own_score(model: nn.Module, inputs: Tensor, target: Any = None, *, score: Any = hp.logit) -> Tensor:
            return hp.gradient(model, inputs, target, score=score)

        own_score.__heatproof_spec__ = hp.types.Spec(linear_in_target=True, score=hp.probability)  # type: ignore[attr-defined]
        found = hp.compete(own_score)(ManyClasses(), small(), targets())
        want = hp.compete(hp.gradient)(ManyClasses(), small(), targets(), score=hp.probability)
        assert torch.equal(found, want)

    def test_leaves_the_model_alone(self) -> None:
        model = ManyClasses()
        head = model.head
        hp.cgi(model, small(), targets())
        assert model.head is head
        assert not head._forward_hooks


class TestKept:
    def test_shares(self) -> None:
        before, after = torch.tensor([[2.0, -1.0, 0, 1], [0, 0, 0, 0]]), torch.tensor([[2.0, 0, 0, -1], [0, 0, 0, 0]])
        found = hp.kept(before, after)
        assert found.fraction[0].item() == pytest.approx(2 / 3)
        assert found.mass[0].item() == 0.75
        assert found.fraction[1].isnan()
        assert found.mass[1].isnan()

    def test_shapes_must_agree(self) -> None:
        with pytest.raises(hp.InputError, match="one shape"):
            hp.kept(torch.zeros(2, 3), torch.zeros(2, 1))


class TestComposed:
    @pytest.mark.parametrize(
        "text",
        ["cgi", "cgi(chunk=8)", "compete(gradient_x_input)", "compete(integrated_gradients(steps=4), chunk=8)",
         "compete(smooth(gradient, n=2), center=True)", "times_input(gradient)", "vargrad(gradient)",
         "smooth_squared(guided_backprop, n=3)", "compete(gradient_x_input, classes=(0, 1))",
         "compete(integrated_gradients(baseline=(0.0, 1.0)))"],
    )  # fmt: skip
    def test_text_there_and_back(self, text: str) -> None:
        explain = method_from_text(text)
        assert repr(explain) == text
        assert pickle.loads(pickle.dumps(explain)) == explain

    def test_defaults_are_left_out(self) -> None:
        assert repr(hp.compete(hp.gradient, None, 16)) == "compete(gradient)"
        assert repr(hp.compete(hp.gradient, classes=[0, 2])) == "compete(gradient, classes=(0, 2))"
        assert hash(hp.compete(hp.gradient, classes=[0, 2])) == hash(hp.compete(hp.gradient, classes=(0, 2)))

    def test_effort_is_that_of_the_part(self) -> None:
        explain = hp.compete(hp.integrated_gradients)
        assert effort_of(explain) == (50, False)
        assert effort_of(hp.compete(configure(hp.integrated_gradients, steps=7))) == (7, True)
        assert effort_of(hp.compete(hp.vargrad(hp.gradient))) == (25, False)
        assert effort_of(hp.cgi) == (0, False)
        assert repr(with_effort(explain, 4)) == "compete(integrated_gradients(steps=4))"
        assert repr(with_effort(hp.times_input(hp.smooth(hp.gradient)), 4)) == "times_input(smooth(gradient, n=4))"

    def test_a_combinator_by_itself_is_explained(self) -> None:
        for name in ("vargrad", "compete", "times_input"):
            with pytest.raises(hp.InputError, match=rf"write {name}\(gradient\)"):
                method_from_text(name)
        with pytest.raises(hp.InputError, match="no option 'steps'"):
            method_from_text("compete(gradient, steps=3)")

    def test_what_is_known(self) -> None:
        spec = spec_of(hp.compete(hp.gradcam))
        assert not spec.channels
        assert spec.image
        assert not spec.linear_in_target
        assert not spec_of(hp.compete(hp.integrated_gradients)).complete
        assert spec_of(hp.compete(hp.smooth(hp.gradient))).noise


def test_one_forward_serves_all_classes() -> None:
    """One to count the classes, one whose graph every chunk of classes goes back through."""
    net, x = Net(), fresh_input()
    with counted_rows() as rows:
        hp.compete(hp.gradient_x_input, chunk=2, shortcut=False)(net, x, targets())
    assert rows == [2 * len(x)]


class Grouped(nn.Module):
    """Fewer features than classes behind a convolution, in groups or not."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(5)
            self.conv = nn.Conv2d(2, 10, 3, groups=groups)
            self.head = nn.Linear(10, 30)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.conv(x).relu().mean((2, 3)))
        return out


@pytest.mark.parametrize("groups", [1, 2])
def test_features_go_back_together_but_for_convolutions_in_groups(groups: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten features are groups of 4, 4 and 2, whatever the chunk; alone they give the same map."""
    sizes: list[int] = []
    batched = pullback._batched
    monkeypatch.setattr(
        pullback, "_batched", lambda out, score, t, *a, **k: sizes.append(len(t)) or batched(out, score, t, *a, **k)
    )
    model = Grouped(groups).double().eval()
    x = torch.randn(2, 2, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    maps = [hp.compete(hp.gradient_x_input, chunk=chunk)(model, x, torch.tensor([1, 2])) for chunk in (1, 5, 16)]
    assert sizes == ([4, 4, 2] * 3 if groups == 1 else [])
    assert all(torch.equal(maps[0], other) for other in maps[1:])
    plain = hp.compete(hp.gradient_x_input, shortcut=False)(model, x, torch.tensor([1, 2]))
    torch.testing.assert_close(maps[0], plain, rtol=1e-10, atol=1e-12)
