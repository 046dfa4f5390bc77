"""The planted-evidence control: the task, the two networks, and where their maps lie."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from heatproof.checks import planted_pair as training
from heatproof.checks.planted import PlantedPair, planted_job, planted_pair, planted_task, share_inside
from heatproof.checks.planted_task import sectors, stripes
from heatproof.errors import HeatproofError, InputError, RunError
from heatproof.named import named_methods

SMALL = {"size": 18, "classes": 2, "train_images": 640, "test_images": 200, "epochs": 4, "batch": 32, "lr": 0.01}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return planted_pair(tmp_path_factory.mktemp("planted"), **SMALL)


def weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([value.detach().double().flatten() for value in model.state_dict().values()])


class TestTask:
    @pytest.mark.parametrize(("classes", "patch"), [(2, 8), (4, 8), (8, 9)])
    def test_patterns_are_their_formulas(self, classes, patch):
        middle = (patch - 1) / 2
        for found, wave in ((stripes(classes, patch), "stripes"), (sectors(classes, patch), "sectors")):
            for c in range(classes):
                turn, grid = c * math.pi / classes, np.zeros((patch, patch))
                for row in range(patch):
                    for column in range(patch):
                        y, x = row - middle, column - middle
                        along = x * math.cos(turn) + y * math.sin(turn)
                        angle = 2 * (math.atan2(y, x) - turn)
                        grid[row, column] = math.cos(2 * math.pi * along / 4) if wave == "stripes" else math.cos(angle)
                grid -= grid.mean()
                assert found[c].numpy() == pytest.approx(grid / np.sqrt((grid**2).mean()), abs=2e-6)
            assert found.mean((1, 2)).tolist() == pytest.approx([0] * classes, abs=1e-6)
            assert found.square().mean((1, 2)).tolist() == pytest.approx([1] * classes, abs=1e-5)

    def test_patches_are_whole_apart_and_show_their_class(self):
        task = planted_task(300, seed=3)
        kinds = (stripes(4, 8), task.first, task.masks_first), (sectors(4, 8), task.second, task.masks_second)
        assert task.pixels.shape == (300, 1, 32, 32)
        assert (task.pixels.min() >= 0, task.pixels.max() <= 1) == (True, True)
        assert not (task.masks_first & task.masks_second).any()
        right = 0
        for patterns, labels, masks in kinds:
            for i in range(300):
                rows, columns = masks[i, 0].any(1).nonzero(), masks[i, 0].any(0).nonzero()
                assert len(rows) == len(columns) == 8
                assert int(masks[i].sum()) == 64
                cut = task.pixels[i, 0, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
                right += int((patterns * cut).sum((1, 2)).argmax()) == int(labels[i])
        assert right >= 594  # of 600; noise may hide a few

    def test_labels_are_independent_and_places_alike(self):
        task = planted_task(2000, size=16, patch=6, seed=1)
        table = np.zeros((4, 4))
        for a, b in zip(task.first.tolist(), task.second.tolist(), strict=True):
            table[a, b] += 1
        assert ((table - 125) ** 2 / 125).sum() < 37.7  # chi-square, 15 degrees of freedom, 99.9 %
        share = [masks.double().mean(0) for masks in (task.masks_first, task.masks_second)]
        assert float((share[0] - share[1]).abs().max()) < 5 * math.sqrt(2 * 0.25 / 2000)

    def test_an_image_depends_on_its_number_and_seed_alone(self):
        few, many = planted_task(3, seed=2), planted_task(6, seed=2)
        assert torch.equal(few.pixels, many.pixels[:3])
        assert torch.equal(few.masks_second, many.masks_second[:3])
        assert not torch.equal(few.pixels, planted_task(3, seed=1).pixels)
        assert not torch.equal(many.pixels[0], many.pixels[1])

    def test_channels_show_one_pattern_in_grain_of_their_own(self):
        pixels = planted_task(20, channels=3, seed=0).pixels
        assert pixels.shape == (20, 3, 32, 32)
        assert float((pixels[:, 0] - pixels[:, 1]).std()) == pytest.approx(0.05 * math.sqrt(2), rel=0.05)

    @pytest.mark.parametrize(
        "wrong", [{"count": 0}, {"size": 15}, {"channels": 0}, {"classes": 1}, {"classes": 9}, {"patch": 5}]
    )
    def test_refuses_numbers_that_make_no_task(self, wrong):
        with pytest.raises(InputError, match=next(iter(wrong))):
            planted_task(**{"count": 2, **wrong})


class TestPair:
    def test_both_networks_read_their_own_patch(self, pair):
        for network, own, other in (
            (pair.a, pair.task.first, pair.task.second),
            (pair.b, pair.task.second, pair.task.first),
        ):
            said = network(pair.task.pixels).argmax(1)
            assert float((said == own).double().mean()) >= 0.97
            assert abs(float((said == other).double().mean()) - 0.5) < 4 * math.sqrt(0.25 / 200)
        assert min(pair.card["accuracy"].values()) >= 0.97

    def test_test_images_are_unseen(self, pair):
        seen = planted_task(640, size=18, classes=2, seed=0).pixels
        assert not any(torch.equal(a, b) for a in pair.task.pixels[:20] for b in seen)

    def test_is_read_again_and_not_trained(self, pair, tmp_path, monkeypatch):
        options = SMALL | {"train_images": 64, "epochs": 1}
        monkeypatch.setattr(training, "REQUIRED", 0.0)
        first = planted_pair(tmp_path, **options)
        monkeypatch.setattr(training, "train", lambda *a, **k: pytest.fail("trained again"))
        again = planted_pair(tmp_path, **options)
        assert torch.equal(weights(first.a), weights(again.a))
        assert torch.equal(weights(first.b), weights(again.b))
        assert not torch.equal(weights(first.a), weights(first.b))
        with pytest.raises(RunError, match=r"lr 0\.01 there, 0\.02 asked"):
            planted_pair(tmp_path, **options | {"lr": 0.02})

    def test_only_what_is_asked_differs(self, tmp_path, monkeypatch):
        def same_question(*arguments, **options):
            task = planted_task(*arguments, **options)
            return type(task)(task.pixels, task.first, task.first, task.masks_first, task.masks_second)

        monkeypatch.setattr(training, "planted_task", same_question)
        monkeypatch.setattr(training, "REQUIRED", 0.0)
        done = planted_pair(tmp_path, **SMALL | {"train_images": 64, "epochs": 1})
        assert torch.equal(weights(done.a), weights(done.b))

    def test_goes_on_after_an_interruption(self, tmp_path, monkeypatch):
        options = SMALL | {"train_images": 64, "epochs": 3}
        monkeypatch.setattr(training, "REQUIRED", 0.0)

        def stop(done, total, info):
            if info.startswith("network b") and done >= total - 1:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            planted_pair(tmp_path / "x", **options, progress=stop)
        assert {f.name for f in (tmp_path / "x").iterdir()} == {"pair.json", "a.safetensors", "b.training"}
        resumed, whole = planted_pair(tmp_path / "x", **options), planted_pair(tmp_path / "y", **options)
        assert torch.equal(weights(resumed.b), weights(whole.b))

    def test_refuses_networks_that_have_not_learned(self, tmp_path):
        with pytest.raises(HeatproofError, match="97% is required"):
            planted_pair(tmp_path, **SMALL | {"train_images": 32, "epochs": 1})


class TestJob:
    NAMES = ("gradient", "edge_map", "random_map", "gradcam")

    @staticmethod
    def values(record, method, metric, stage):
        return {row[4]: row[6] for row in record.rows if (row[0], row[3], row[2]) == (method, metric, stage)}

    def test_equals_autograd_and_loops(self, pair):
        pair = PlantedPair(pair.a.double(), pair.b.double(), double(pair.task), pair.card)
        record = planted_job(named_methods(["gradient"]), ("spearman",), pair, images=3, chunk=2)
        places = list(self.values(record, "gradient", "spearman", 1))
        assert len(places) == 3
        for i in places:
            maps = []
            for network, own in ((pair.a, pair.task.first), (pair.b, pair.task.second)):
                x = pair.task.pixels[i : i + 1].clone().requires_grad_()
                out = network(x)[0]
                assert int(out.argmax()) == int(own[i])
                maps.append(torch.autograd.grad(out[own[i]], x)[0][0, 0].numpy())
            masks = pair.task.masks_first[i, 0].numpy(), pair.task.masks_second[i, 0].numpy()
            for stage, (grad, own, other) in enumerate(zip(maps, masks, masks[::-1], strict=True)):
                total = sum(abs(v) for v in grad.flatten())
                for metric, mask in (("inside_own", own), ("inside_other", other)):
                    inside = sum(abs(grad[r, c]) for r in range(18) for c in range(18) if mask[r, c])
                    assert self.values(record, "gradient", metric, stage)[i] == pytest.approx(inside / total, abs=1e-10)
                assert self.values(record, "gradient", "chance", stage)[i] == 64 / 18**2
            expected = spearmanr(maps[0].flatten(), maps[1].flatten())[0]
            assert self.values(record, "gradient", "spearman", 1)[i] == pytest.approx(expected, abs=1e-10)
        pair.a.float(), pair.b.float()

    def test_a_good_map_moves_and_controls_do_not(self, pair):
        record = planted_job(named_methods(self.NAMES), ("spearman", "spearman_abs"), pair, images=16)
        mean = {
            (name, metric, stage): float(np.mean(list(self.values(record, name, metric, stage).values())))
            for name in self.NAMES
            for metric in ("inside_own", "inside_other")
            for stage in (0, 1)
        }
        for stage in (0, 1):
            assert mean["gradient", "inside_own", stage] > 1.3 * mean["gradient", "inside_other", stage]
            assert mean["random_map", "inside_own", stage] == pytest.approx(64 / 18**2, abs=0.03)
        assert mean["edge_map", "inside_own", 0] == mean["edge_map", "inside_other", 1]  # the same map, masks swapped
        assert set(self.values(record, "edge_map", "spearman", 1).values()) == {1.0}
        assert abs(np.mean(list(self.values(record, "random_map", "spearman", 1).values()))) < 0.1
        assert {row[1] for row in record.rows} == {"planted"}

    def test_neither_chunk_nor_number_of_images_changes_a_digit(self, pair):
        methods = named_methods(["edge_map", "random_map"])
        rows = [planted_job(methods, ("spearman",), pair, images=n, chunk=c).rows for n, c in ((5, 8), (5, 2), (9, 4))]
        few = {row[4] for row in rows[0]}
        assert sorted(map(str, rows[0])) == sorted(map(str, rows[1]))
        assert sorted(map(str, rows[0])) == sorted(str(row) for row in rows[2] if row[4] in few)

    def test_only_images_that_both_networks_read_rightly(self, pair):
        task = pair.task
        wrong = type(task)(task.pixels, 1 - task.first, task.second, task.masks_first, task.masks_second)
        few = wrong.first.clone()
        few[50:60] = task.first[50:60]
        with pytest.raises(InputError, match="both networks are right on"):
            planted_job(named_methods(["edge_map"]), ("spearman",), pair._replace(task=wrong))
        some = type(task)(task.pixels, few, task.second, task.masks_first, task.masks_second)
        record = planted_job(named_methods(["edge_map"]), ("spearman",), pair._replace(task=some), images=5)
        assert {row[4] for row in record.rows} <= set(range(50, 60))

    def test_refusals_and_maps_of_zeros_are_rows(self, pair):
        def zeros(model, x, target):
            return torch.zeros_like(x)

        def broken(model, x, target):
            raise ValueError("no such thing")

        record = planted_job({"zeros": zeros, "broken": broken}, ("spearman",), pair, images=2)
        assert {row[7] for row in record.rows if row[0] == "broken"} == {"failed"}
        assert all("no such thing" in row[8] for row in record.rows if row[0] == "broken")
        assert len([row for row in record.rows if row[0] == "broken"]) == 2 * (1 + 2 * 3)
        empty = [row for row in record.rows if row[0] == "zeros" and row[3] != "chance"]
        assert {row[7] for row in empty} == {"undefined"}
        assert all(math.isnan(row[6]) for row in empty)

    def test_share_counts_every_channel_without_its_sign(self):
        maps = torch.randn(4, 3, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        masks = torch.rand(4, 1, 5, 5, generator=torch.Generator().manual_seed(1)) < 0.3
        for i, share in enumerate(share_inside(maps, masks).tolist()):
            inside = sum(
                abs(float(maps[i, c, y, x])) for c in range(3) for y in range(5) for x in range(5) if masks[i, 0, y, x]
            )
            assert share == pytest.approx(inside / float(maps[i].abs().sum()), abs=1e-12)


def double(task):
    return type(task)(task.pixels.double(), task.first, task.second, task.masks_first, task.masks_second)
