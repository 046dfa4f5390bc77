"""Data randomisation: permutation, the pair of networks, its gates, and maps of one against the other."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from heatproof.checks import gates, pair_training
from heatproof.checks.gates import Gate, at_chance, chance_level, judged, predictions, trained
from heatproof.checks.labels import labels_job, permuted, train_pair, user_pair
from heatproof.checks.pair import Pair, check_pair
from heatproof.checks.subject import Subject
from heatproof.errors import InputError, ModelError, RunError
from heatproof.models.factory import fresh
from heatproof.named import named_methods
from heatproof.score import logit
from heatproof.train import read_card


def net() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 64), nn.ReLU(), nn.Linear(64, 3))


def task(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Three classes, each a bright pair of rows, in noise."""
    g = torch.Generator().manual_seed(seed)
    y = torch.arange(count) % 3
    x = torch.randn(count, 1, 6, 6, generator=g)
    for row in (0, 1):
        x[torch.arange(count), 0, 2 * y + row] += 1.5
    return x, y


def trained_pair(folder, **options):
    settings = {"epochs": 60, "batch": 16, "lr": 0.01, "until": 0.97, "dataset": "rows"}
    return train_pair(net, *task(60, 0), *task(150, 1), folder, **settings | options)


def weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


class TestPermuted:
    def test_is_a_permutation_from_the_seed_alone(self):
        y = torch.randint(7, (300,), generator=torch.Generator().manual_seed(3))
        first = permuted(y, 5)
        assert first.bincount().tolist() == y.bincount().tolist()
        assert torch.equal(first, permuted(y, 5))
        assert not torch.equal(first, permuted(y, 6))
        assert torch.equal(first, y[permuted(torch.arange(300), 5)])  # the order knows nothing of the labels

    def test_leaves_the_share_true_that_chance_leaves(self):
        y = torch.tensor([0] * 60 + [1] * 30 + [2] * 10)
        left = [float((permuted(y, seed) == y).double().mean()) for seed in range(400)]
        expected = (60**2 + 30**2 + 10**2) / 100**2  # E = sum_c p_c^2 = .46
        assert abs(np.mean(left) - expected) < 4 * np.std(left) / math.sqrt(400)

    @pytest.mark.parametrize("seed", [True, 1.5, "0"])
    def test_takes_whole_seeds_only(self, seed):
        with pytest.raises(InputError, match="seed"):
            permuted(torch.arange(4), seed)


class TestGates:
    def test_chance_is_what_independent_labels_would_give(self):
        rng = np.random.default_rng(0)
        said, true = rng.choice(4, 500, p=[0.7, 0.1, 0.1, 0.1]), rng.choice(4, 500, p=[0.6, 0.2, 0.1, 0.1])
        accuracy, chance, allowed = chance_level(torch.tensor(said), torch.tensor(true))
        shuffled = [np.mean(said == rng.permutation(true)) for _ in range(4000)]
        assert accuracy == np.mean([a == b for a, b in zip(said, true, strict=True)])
        assert chance == pytest.approx(np.mean([[a == b for b in true] for a in said]), abs=1e-12)
        assert abs(chance - np.mean(shuffled)) < 4 * np.std(shuffled) / math.sqrt(4000)
        assert allowed == pytest.approx(3 * math.sqrt(chance * (1 - chance) / 500), abs=1e-12)

    @pytest.mark.parametrize("k", [2, 5, 10])
    def test_chance_is_one_over_k_for_balanced_classes(self, k):
        true = torch.arange(20000) % k
        said = torch.randint(k, (20000,), generator=torch.Generator().manual_seed(k))
        _, chance, allowed = chance_level(said, true)
        assert chance == pytest.approx(1 / k, abs=1e-12)
        assert allowed == 0.05  # three standard errors are less here

    @pytest.mark.parametrize(("accuracy", "holds"), [(0.95, False), (0.9501, True), (1.0, True), (None, None)])
    def test_trained_is_over_95_percent(self, accuracy, holds):
        assert trained("x", "y", accuracy).holds is holds

    @pytest.mark.parametrize(("right", "holds"), [(448, False), (452, True), (500, True), (548, True), (552, False)])
    def test_at_chance_looks_both_ways(self, right, holds):
        """1000 images of two classes, errors alike in both: chance is .5 and .05 is allowed (3 standard errors: .047)."""
        said = true = torch.arange(1000) % 2
        wrong = torch.arange(1000 - right)
        said = said.index_copy(0, wrong, 1 - true[wrong])
        gate = at_chance("x", said, true)
        assert (gate.value, gate.limit) == pytest.approx((abs(right / 1000 - 0.5), 0.05), abs=1e-12)
        assert gate.holds is holds

    def test_few_images_get_their_standard_errors(self):
        """12 of 20 right at chance 1/2: .1 is over 5 %, under 3 sqrt(.25 / 20) = .335."""
        true = torch.arange(20) % 2
        said = true.index_copy(0, torch.arange(8), 1 - true[:8])
        gate = at_chance("x", said, true)
        assert gate.holds is True
        assert gate.limit == pytest.approx(3 * math.sqrt(0.25 / 20), abs=1e-12)

    def test_a_broken_gate_stops_the_conclusion_and_a_missing_one_is_said(self):
        good, bad = Gate("g", 0.99, "over", 0.95, "g is bad"), Gate("b", 0.9, "over", 0.95, "b is bad")
        missing = Gate("m", None, "over", 0.95, "m is bad")
        assert judged([good])["concluded"] is True
        assert judged([good])["not_measured"] == []
        stopped = judged([good, bad, missing])
        assert stopped["concluded"] is False
        assert "b is bad" in stopped["why"]
        assert "g is bad" not in stopped["why"]
        trusted = judged([good, missing], ["the order"])
        assert trusted["concluded"] is True
        assert trusted["not_measured"] == ["m", "the order"]
        assert "rests on your word" in trusted["why"]
        assert json.loads(json.dumps(trusted))["gates"][1] == {
            "name": "m", "value": None, "rule": "over", "limit": 0.95, "holds": None
        }  # fmt: skip

    def test_predictions_refuse_what_has_no_class(self):
        x = torch.randn(4, 1, 6, 6)
        with pytest.raises(ModelError, match="training mode"):
            predictions(net(), x)
        for odd in (nn.Flatten(2), nn.Sequential(nn.Flatten(), nn.Linear(36, 1))):
            with pytest.raises(ModelError, match="logits"):
                predictions(odd.eval(), x)
        with pytest.raises(ModelError, match="logits"):
            predictions(fresh(net, 0), x * float("nan"))

    def test_predictions_do_not_depend_on_batches(self, monkeypatch):
        model, (x, _) = fresh(net, 0), task(50, 2)
        whole = predictions(model, x)
        monkeypatch.setattr(gates, "BATCH", 7)
        assert torch.equal(predictions(model, x), whole)
        assert torch.equal(whole, model(x).argmax(1))


class TestTrainPair:
    def test_learns_both_and_says_so(self, tmp_path):
        done = trained_pair(tmp_path, permutations=2)
        x, y = task(60, 0)
        tx, ty = task(150, 1)
        assert done.gates["concluded"] is True
        assert [gate["holds"] for gate in done.gates["gates"]] == [True] * 6
        values = {gate["name"]: gate["value"] for gate in done.gates["gates"]}
        for place, model in enumerate(done.permuted, 1):
            own = permuted(y, place - 1)
            card = read_card(tmp_path / f"permuted-{place}.safetensors")
            assert values[f"permuted network {place}: training accuracy on its permuted labels"] == float(
                (model(x).argmax(1) == own).double().mean()
            )
            assert card["true_labels_left"] == float((own == y).double().mean())
            assert card["test_accuracy"] == float((model(tx).argmax(1) == ty).double().mean())
            assert (card["dataset"], card["permutation_seed"], card["seed"]) == ("rows", place - 1, 0)
            assert not model.training
        assert done.gates["true_labels_left"] == [float((permuted(y, s) == y).double().mean()) for s in (0, 1)]
        assert not list(tmp_path.glob("*.training"))

    def test_only_the_labels_differ(self, tmp_path, monkeypatch):
        monkeypatch.setattr(pair_training, "permuted", lambda targets, seed: targets)
        done = trained_pair(tmp_path)
        assert torch.equal(weights(done.true), weights(done.permuted[0]))

    def test_does_not_conclude_from_an_unfinished_memory(self, tmp_path):
        done = trained_pair(tmp_path, epochs=4, lr=0.003)
        assert done.gates["concluded"] is False
        assert "permuted network 1 has learned only" in done.gates["why"]

    def test_does_not_conclude_where_the_permuted_network_knows_the_labels(self, tmp_path, monkeypatch):
        monkeypatch.setattr(pair_training, "permuted", lambda targets, seed: targets)
        done = trained_pair(tmp_path)
        assert done.gates["concluded"] is False
        assert "knows the labels" in done.gates["why"]

    def test_reads_what_is_finished_and_adds_permutations(self, tmp_path, monkeypatch):
        first = trained_pair(tmp_path)
        more = trained_pair(tmp_path, permutations=2)
        assert torch.equal(weights(more.permuted[0]), weights(first.permuted[0]))
        assert not torch.equal(weights(more.permuted[1]), weights(first.permuted[0]))
        monkeypatch.setattr(pair_training, "train", lambda *a, **k: pytest.fail("trained again"))
        again = trained_pair(tmp_path, permutations=2)
        assert torch.equal(weights(again.true), weights(first.true))
        assert again.gates == more.gates

    def test_goes_on_after_an_interruption_to_the_same_last_bit(self, tmp_path):
        def stop(done, total, info):
            if info.startswith("permuted-1") and done >= total // 2 + 9:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            trained_pair(tmp_path / "a", progress=stop)
        assert {f.name for f in (tmp_path / "a").iterdir()} == {"pair.json", "true.safetensors", "permuted-1.training"}
        resumed, whole = trained_pair(tmp_path / "a"), trained_pair(tmp_path / "b")
        assert torch.equal(weights(resumed.permuted[0]), weights(whole.permuted[0]))

    @pytest.mark.parametrize("other", [{"lr": 0.02}, {"seed": 1}, {"weight_decay": 0.1}, {"until": 0.99}])
    def test_refuses_a_folder_of_other_arguments(self, tmp_path, other):
        trained_pair(tmp_path, epochs=1)
        with pytest.raises(RunError, match=next(iter(other))):
            trained_pair(tmp_path, epochs=1, **other)

    def test_refuses_a_folder_of_other_data_or_strange_files(self, tmp_path):
        trained_pair(tmp_path, epochs=1)
        with pytest.raises(RunError, match="train"):
            train_pair(net, *task(60, 4), *task(150, 1), tmp_path, epochs=1, batch=16, lr=0.01, until=0.97)
        (tmp_path / "pair.json").write_text("{")
        with pytest.raises(RunError, match="cannot be read"):
            trained_pair(tmp_path, epochs=1)

    def test_refuses_a_network_of_another_training(self, tmp_path):
        trained_pair(tmp_path / "a", epochs=1)
        trained_pair(tmp_path / "b", epochs=1, lr=0.02)
        (tmp_path / "b" / "true.safetensors").replace(tmp_path / "a" / "true.safetensors")
        with pytest.raises(RunError, match="delete it"):
            trained_pair(tmp_path / "a", epochs=1)

    def test_more_epochs_go_on_to_the_same_last_bit(self, tmp_path):
        short = trained_pair(tmp_path / "a", epochs=4)
        assert "train it for more epochs" in short.gates["why"]
        seen = []
        longer = trained_pair(tmp_path / "a", progress=lambda done, total, info: seen.append(info))
        whole = trained_pair(tmp_path / "b")
        assert seen[0].startswith("permuted-1 labels: epoch 5 of at most 60")
        assert longer.gates == whole.gates
        assert longer.gates["concluded"] is True
        assert torch.equal(weights(longer.permuted[0]), weights(whole.permuted[0]))
        assert not list((tmp_path / "a").glob("*.training"))
        epochs = read_card(tmp_path / "a" / "permuted-1.safetensors")["epochs"]
        assert trained_pair(tmp_path / "a", epochs=epochs).gates == whole.gates
        with pytest.raises(RunError, match=f"trained for {epochs} epochs, and at most {epochs - 1} are asked"):
            trained_pair(tmp_path / "a", epochs=epochs - 1)

    def test_goes_on_where_the_state_was_deleted(self, tmp_path):
        trained_pair(tmp_path / "a", epochs=4)
        for state in (tmp_path / "a").glob("*.training"):
            state.unlink()
        again, whole = trained_pair(tmp_path / "a"), trained_pair(tmp_path / "b")
        assert torch.equal(weights(again.permuted[0]), weights(whole.permuted[0]))

    def test_the_recipe_holds_what_auto_became(self, tmp_path, monkeypatch):
        for native in (False, True):
            monkeypatch.setattr(pair_training, "has_bf16", lambda device, native=native: native)
            trained_pair(tmp_path / str(native), epochs=1)
            assert json.loads((tmp_path / str(native) / "pair.json").read_text())["bf16"] is native
            with pytest.raises(RunError, match="bf16"):
                trained_pair(tmp_path / str(native), epochs=1, bf16=not native)

    @pytest.mark.parametrize("images", [1, 2, 150])
    def test_refuses_test_images_that_were_trained_on(self, tmp_path, images):
        """Of 150: one is under 1 %, as doubles in public data sets are."""
        (x, y), (tx, ty) = task(60, 0), task(150, 1)
        tx[:images] = x.repeat(3, 1, 1, 1)[:images]
        if images == 1:
            train_pair(net, x, y, tx, ty, tmp_path, epochs=1)
            return
        with pytest.raises(InputError, match=f"{images} of 150 test images are training images"):
            train_pair(net, x, y, tx, ty, tmp_path, epochs=1)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            ({"train": (torch.zeros(9, 3, 6, 6), torch.arange(9) % 3)}, r"train_pair\(train\).*\(2, 3, 6, 6\)"),
            ({"train": (task(60, 0)[0], torch.arange(60) % 4)}, "3 outputs, and classes go from 0 to 3"),
            ({"test": (torch.zeros(9, 1, 7, 7), torch.arange(9) % 3)}, r"train_pair\(test\).*\(2, 1, 7, 7\)"),
            ({"device": "toaster"}, "device='toaster'"),
        ],
    )
    def test_what_does_not_fit_is_an_error_and_leaves_nothing(self, tmp_path, change, named):
        train, test = change.pop("train", task(60, 0)), change.pop("test", task(150, 1))
        with pytest.raises(InputError, match=named):
            train_pair(net, *train, *test, tmp_path / "new", epochs=1, **change)
        assert not (tmp_path / "new").exists()

    def test_an_option_that_was_refused_claims_nothing(self, tmp_path):
        with pytest.raises(InputError, match="decayed"):
            trained_pair(tmp_path, epochs=1, decayed=["nothing"])
        trained_pair(tmp_path, epochs=1)

    @pytest.mark.parametrize("options", [{"until": 0.95}, {"until": 1.1}, {"permutations": 0}])
    def test_refuses_options_that_make_no_pair(self, tmp_path, options):
        with pytest.raises(InputError, match="train_pair"):
            trained_pair(tmp_path, **options)

    def test_refuses_weights_that_may_know_the_labels(self, tmp_path):
        one = fresh(net, 0)
        with pytest.raises(InputError, match="own weights"):
            train_pair(lambda: one, *task(60, 0), *task(150, 1), tmp_path)

    def test_refuses_targets_that_do_not_fit(self, tmp_path):
        x, y = task(60, 0)
        for wrong in (y[:-1], y.float(), y - 1):
            with pytest.raises(InputError, match="train_pair"):
                train_pair(net, x, wrong, x, y, tmp_path)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return trained_pair(tmp_path_factory.mktemp("pair"))


class TestUserPair:
    def test_lists_what_it_cannot_measure(self, done):
        mine = user_pair(done.true, done.permuted, *task(150, 1))
        assert mine.gates["concluded"] is True
        assert [gate["holds"] for gate in mine.gates["gates"]] == [None, True, None, True]
        assert len(mine.gates["not_measured"]) == 3
        assert "rests on your word" in mine.gates["why"]

    def test_measures_the_same_as_train_pair_where_it_can(self, done):
        x, y = task(60, 0)
        mine = user_pair(done.true, done.permuted, *task(150, 1), (x, y), [permuted(y, 0)])
        assert mine.gates["gates"] == done.gates["gates"]
        assert len(mine.gates["not_measured"]) == 1  # first weights and order cannot be seen
        half = user_pair(done.true, done.permuted, *task(150, 1), (x, y))
        assert [gate["holds"] for gate in half.gates["gates"]] == [True, True, None, True]

    def test_believes_the_cards_of_train_pair(self, tmp_path):
        made = trained_pair(tmp_path, epochs=60)
        cards = [read_card(tmp_path / f"{name}.safetensors") for name in ("true", "permuted-1")]
        mine = user_pair(made.true, made.permuted, *task(150, 1), cards=cards)
        assert mine.gates["not_measured"] == []
        assert mine.gates["why"] == made.gates["why"]
        assert [g["value"] for g in mine.gates["gates"]] == [g["value"] for g in made.gates["gates"]]
        assert mine.gates["gates"][2]["name"].endswith("its permuted labels (by its card)")
        half = user_pair(made.true, made.permuted, *task(150, 1), cards=[cards[0], {}])
        assert len(half.gates["not_measured"]) == 2
        cards[1]["recipe"] = {**cards[1]["recipe"], "epochs": 7, "first_weights": "other"}
        other = user_pair(made.true, made.permuted, *task(150, 1), cards=cards)
        assert "their cards differ in first_weights)" in other.gates["why"]
        with pytest.raises(InputError, match="1 cards for 2 networks"):
            user_pair(made.true, made.permuted, *task(150, 1), cards=cards[:1])

    def test_measures_on_unseen_images_only(self, done):
        with pytest.raises(InputError, match="60 of 60 test images"):
            user_pair(done.true, done.permuted, *task(60, 0), task(60, 0))
        with pytest.raises(InputError, match=r"user_pair\(test\)"):
            user_pair(done.true, done.permuted, torch.zeros(3, 1, 7, 7), torch.arange(3))

    def test_a_pair_of_any_maker_is_checked(self, done):
        check_pair(done)
        with pytest.raises(InputError, match="identical weights"):
            check_pair(Pair(done.true, (done.true,), {}))
        with pytest.raises(InputError, match="no permuted network"):
            check_pair(Pair(done.true, (), {}))

    def test_finds_checkpoints_the_wrong_way_round(self, done):
        mine = user_pair(done.permuted[0], [done.true], *task(150, 1))
        assert mine.gates["concluded"] is False
        assert "true network is right on" in mine.gates["why"]
        assert "permuted network 1 is right on" in mine.gates["why"]

    def test_refuses_the_same_or_unlike_networks(self, done):
        twin = fresh(net, 5)
        twin.load_state_dict(done.true.state_dict())
        with pytest.raises(InputError, match="identical weights"):
            user_pair(done.true, [twin], *task(150, 1))
        with pytest.raises(InputError, match="permuted network 1 and permuted network 2 have identical"):
            user_pair(done.true, [done.permuted[0]] * 2, *task(150, 1))
        with pytest.raises(InputError, match="other layers"):
            user_pair(done.true, [nn.Sequential(nn.Flatten(), nn.Linear(36, 3)).eval()], *task(150, 1))
        with pytest.raises(InputError, match="no permuted network"):
            user_pair(done.true, [], *task(150, 1))

    def test_refuses_labels_that_belong_to_nothing(self, done):
        x, y = task(60, 0)
        with pytest.raises(InputError, match="which images"):
            user_pair(done.true, done.permuted, *task(150, 1), permuted_targets=[y])
        with pytest.raises(InputError, match="2 permuted_targets for 1"):
            user_pair(done.true, done.permuted, *task(150, 1), (x, y), [y, y])
        with pytest.raises(InputError, match="user_pair"):
            user_pair(done.true, done.permuted, *task(150, 1), (x, y), [y[:5]])


class TestLabelsJob:
    METRICS = ("spearman", "spearman_abs")

    def subject(self, **options) -> Subject:
        model, (x, _) = fresh(net, 0).double(), task(10, 5)
        methods = named_methods(["gradient_x_input", "edge_map", "random_map", "gradcam"])
        settings = {"calibration": x[:1].double(), "blocks": (), "chunk": 4, "score": logit}
        x = x.double()
        return Subject(model, x, model(x).argmax(1), methods, self.METRICS, **settings | options)

    @staticmethod
    def values(record, method, metric):
        return {row[4]: row[6] for row in record.rows if row[0] == method and row[3] == metric}

    @pytest.mark.parametrize("classes", ["fixed", "predicted"])
    def test_equals_autograd_and_scipy(self, classes):
        subject, other = self.subject(classes=classes), fresh(net, 9).double()
        record = labels_job(subject, [1, 4, 7], 3, other)
        changed = []
        for i in (1, 4, 7):
            x = subject.images[i : i + 1]
            fixed = int(subject.model(x).argmax())
            changed.append(float(int(other(x).argmax()) != fixed))
            explained = fixed if classes == "fixed" else int(other(x).argmax())
            maps = []
            for model, target in ((subject.model, fixed), (other, explained)):
                leaf = x.clone().requires_grad_()
                (grad,) = torch.autograd.grad(model(leaf)[0, target], leaf)
                maps.append((grad * x).flatten().numpy())
            signed, absolute = spearmanr(*maps)[0], spearmanr(*np.abs(maps))[0]
            assert self.values(record, "gradient_x_input", "spearman")[i] == pytest.approx(signed, abs=1e-12)
            assert self.values(record, "gradient_x_input", "spearman_abs")[i] == pytest.approx(absolute, abs=1e-12)
        assert list(self.values(record, "(model)", "class_changed").values()) == changed
        assert any(changed)  # else the two policies are the same here
        assert {(row[1], row[2], row[5]) for row in record.rows} == {("labels", 1, 3)}

    def test_controls_and_refusals(self):
        record = labels_job(self.subject(), [0, 2], 0, fresh(net, 9).double())
        assert list(self.values(record, "edge_map", "spearman").values()) == [1.0, 1.0]
        assert all(abs(v) < 0.6 for v in self.values(record, "random_map", "spearman").values())
        refused = [row for row in record.rows if row[0] == "gradcam"]
        assert {row[7] for row in refused} == {"failed"}
        assert all(row[8] for row in refused)

    def test_neither_shard_nor_chunk_nor_a_run_before_changes_a_digit(self):
        other = fresh(net, 9).double()
        together = labels_job(self.subject(), [0, 1, 2, 3], 1, other).rows
        alone = [row for i in range(4) for row in labels_job(self.subject(), [i], 1, other).rows]
        assert sorted(map(str, together)) == sorted(map(str, alone))

    def test_leaves_both_networks_as_they_were(self):
        subject, other = self.subject(), fresh(net, 9).double()
        before = weights(subject.model).clone(), weights(other).clone()
        labels_job(subject, [0, 1], 0, other)
        assert torch.equal(before[0], weights(subject.model))
        assert torch.equal(before[1], weights(other))
