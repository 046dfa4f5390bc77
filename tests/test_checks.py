"""The checks of an audit beyond the cascade: their stages, brackets, and what each says of known cases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

import heatproof as hp
from heatproof.audit import plan_audit
from heatproof.checks.blocks import Block
from heatproof.checks.kinds import CHECKS, TRAINED, checks_from, stages_of
from heatproof.checks.pair import Pair
from heatproof.checks.randomize import GRADES
from heatproof.engine.twin import tensors
from heatproof.experiment.settings import METRICS, PRESETS, settings_from
from nets import Net, fresh_input
from test_contract import same, snapshot

PIXELS = fresh_input(1)[0].numel()
WEIGHT_CHECKS = [name for name, kind in CHECKS.items() if kind.order]


def images(count: int = 8) -> Tensor:
    return fresh_input(count, dtype=torch.float32)


def net(seed: int = 0) -> Net:
    return Net(dtype=torch.float32)


def audited(tmp_path: Path, **options: Any) -> hp.Audit:
    options = {
        "methods": ("gradient", "edge_map", "random_map"),
        "seeds": 2,
        "nulls": 2,
        "faithfulness": False,
        **options,
    }
    return hp.audit(net(), options.pop("images", images()), out=tmp_path / "run", **options)


def values(audit: hp.Audit, method: str, metric: str, check: str, stage: int | None = None) -> np.ndarray[Any, Any]:
    t = audit.table
    rows = t[(t.method == method) & (t.metric == metric) & (t.check == check) & ((t.stage == stage) | (stage is None))]
    assert len(rows)
    return rows["value"].to_numpy()


class TestStages:
    blocks = (Block("a", ("a.weight", "a.bias")), Block("b", ("b.weight",)), Block("c", ("c.weight", "c.bias")))

    def test_names_and_shares(self) -> None:
        assert stages_of("cascading", self.blocks, (1, 3)).names == ("c", "a")
        assert stages_of("reverse", self.blocks, (1, 2, 3)).names == ("a", "b", "c")
        assert stages_of("reverse", self.blocks, (1, 2, 3)).shares == (1 / 3, 2 / 3, 1.0)
        assert stages_of("independent", self.blocks, (1, 2, 3)).shares == (1 / 3,) * 3
        assert stages_of("full", self.blocks, (1, 2, 3)).names == ("all",)
        assert stages_of("graded", self.blocks, (1,)).shares == GRADES
        assert stages_of("labels", self.blocks, (1, 2)).positions == (1,)
        assert stages_of("calibration", self.blocks, (1, 2)).positions == ()

    def test_blocks_without_a_bias_are_no_stage(self) -> None:
        found = stages_of("biases", self.blocks, (1, 2, 3))
        assert found.names == ("c", "a")
        assert found.positions == (1, 2)

    def test_names_are_those_of_the_stages_themselves(self) -> None:
        model, x = net(), images(4)
        plan = plan_audit(model, x, methods=("gradient",), checks=WEIGHT_CHECKS, out="unused", faithfulness=False)
        for check in WEIGHT_CHECKS:
            kind = CHECKS[check]
            made = [s.name for s in hp.randomize(model, kind.order, calibration=x, which=kind.which)]
            assert list(plan.config["check_plan"][check]["names"]) == made, check

    def test_all_stands_for_what_trains_nothing(self) -> None:
        assert set(checks_from(["all"], competing=True)) == set(CHECKS) - set(TRAINED)
        assert "kept" not in checks_from(["all"], competing=False)
        assert checks_from(["full", "all"], competing=False)[0] == "full"


@pytest.mark.parametrize("chunk", [3, 8])
def test_brackets_hold_on_every_weight_check(tmp_path: Path, chunk: int) -> None:
    audit = audited(tmp_path, checks=WEIGHT_CHECKS, chunk=chunk, images=images(16), keep_maps="none")
    for check in WEIGHT_CHECKS:
        for metric in METRICS:
            assert (values(audit, "edge_map", metric, check) == 1).all(), (check, metric)
        for metric in ("spearman", "spearman_abs"):
            assert abs(values(audit, "random_map", metric, check).mean()) < 0.05, (check, metric)
    edges = audit.results.by_check[audit.results.by_check.method == "edge_map"]
    assert set(edges.verdict) == {"input-dominated"}
    assert edges["floor"].eq(1).all()
    assert edges["excess"].isna().all(), "no room above a floor of 1: nothing is computed"
    assert list(edges.check) == [c for c in WEIGHT_CHECKS if CHECKS[c].judged]


def test_tables_do_not_depend_on_what_else_was_asked(tmp_path: Path) -> None:
    alone = audited(tmp_path / "a", checks=("graded",), keep_maps="none").table
    among = audited(tmp_path / "b", checks=("cascading", "graded", "random_logit"), keep_maps="none").table
    rows = [t[t.check == "graded"].reset_index(drop=True) for t in (alone, among)]
    pd.testing.assert_frame_equal(*rows, check_exact=True)


class TestBiases:
    def test_the_gradient_does_not_see_the_last_bias(self, tmp_path: Path) -> None:
        """FullGrad paper, example 2: a bias after the last ReLU leaves every gradient method where it is."""
        audit = audited(tmp_path, methods=("gradient", "guided_backprop", "fullgrad", "gradcam"), checks=("biases",))
        for method in ("gradient", "guided_backprop", "gradcam", "fullgrad"):
            assert (values(audit, method, "spearman", "biases", stage=1) == 1).all(), method
            assert (values(audit, method, "spearman", "biases", stage=4) < 1).any(), (
                f"{method} sees the biases before a ReLU"
            )

    def test_biases_carry_no_verdict(self, tmp_path: Path) -> None:
        row = audited(tmp_path, methods=("gradient",), checks=("biases",)).verdicts.iloc[0]
        assert row.verdict == "undecided"
        assert "add the check cascading" in row.reason

    def test_a_network_without_biases(self, tmp_path: Path) -> None:
        bare = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, 4, bias=False)).eval()
        with pytest.raises(hp.InputError, match="no parameter called bias"):
            hp.audit(bare, images(), methods=("gradient",), checks=("biases",), out=tmp_path / "run")


class TestDraws:
    def test_fresh_draws_differ_between_stages_and_not_between_runs(self) -> None:
        model, x = net(), images(4)
        first, again = (list(hp.randomize(model, draws="fresh", calibration=x)) for _ in range(2))
        top = [tensors(stage.model)["fc2.weight"] for stage in first]
        assert not any(torch.equal(a, b) for i, a in enumerate(top) for b in top[:i])
        assert all(torch.equal(a, tensors(s.model)["fc2.weight"]) for a, s in zip(top, again, strict=True))
        (alone,) = hp.randomize(model, draws="fresh", calibration=x, keep=[2])
        assert torch.equal(tensors(alone.model)["fc2.weight"], top[1]), (
            "a stage does not depend on which others are made"
        )

    def test_an_unknown_way(self) -> None:
        with pytest.raises(hp.InputError, match="draws='often'"):
            hp.randomize(net(), draws="often")


class TestAlive:
    """A random network that says nothing leaves no map: an error in the row, not a number."""

    class Fragile(nn.Module):
        def __init__(self, how: str) -> None:
            super().__init__()
            self.how, self.fc = how, nn.Linear(PIXELS, 3)
            self.register_buffer("mark", self.fc.weight.detach().clone())

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.fc(x.flatten(1))
            if torch.equal(self.fc.weight, self.mark):
                return out
            return {"inf": out / 0, "equal": out * 0, "same": out[:1] * 0 + torch.arange(3.0) + 0 * out}[self.how]

    @pytest.mark.parametrize(
        ("how", "said"), [("inf", "NaN or infinite outputs"), ("equal", "all equal"), ("same", "same for every image")]
    )
    def test_dead_logits(self, tmp_path: Path, how: str, said: str) -> None:
        model = self.Fragile(how).eval()
        audit = hp.audit(
            model, images(), methods=("gradient",), seeds=1, nulls=2, out=tmp_path / "r", faithfulness=False
        )
        failed = audit.table[audit.table.status == "failed"]
        assert failed.error.str.contains(said).all()
        assert len(failed)
        assert audit.verdicts.verdict.tolist() == ["undefined"]
        assert said in audit.verdicts.reason[0]


class TestLabels:
    def pair(self, concluded: bool = True) -> Pair:
        other = Net(dtype=torch.float32)
        with torch.no_grad():
            for p in other.parameters():
                p.copy_(torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())) * p.std())
        gates = {"concluded": concluded, "why": "network 1 has learned only 60.0% of its training labels.", "gates": []}
        return Pair(net(), (other,), gates)

    def test_the_comparison(self, tmp_path: Path) -> None:
        pair = self.pair()
        audit = audited(tmp_path, checks=("labels",), labels=pair, images=images(16))
        x = images(16)
        target = pair.true(x).argmax(1)
        maps = [hp.gradient(m, x[:8], target[:8]) for m in (pair.true, pair.permuted[0])]
        expected = hp.spearman(*maps)
        assert values(audit, "gradient", "spearman", "labels")[:8] == pytest.approx(expected.numpy(), abs=1e-12)
        assert (values(audit, "edge_map", "hog", "labels") == 1).all()
        rows = audit.results.by_check.set_index("method")
        assert rows.verdict["edge_map"] == "input-dominated"
        assert "permuted labels" in rows.reason["gradient"]
        assert "badly estimated" not in rows.reason["gradient"], "a trained network need not reach the floor"

    def test_gates_that_do_not_hold_conclude_nothing(self, tmp_path: Path) -> None:
        audit = audited(tmp_path, checks=("labels",), labels=self.pair(concluded=False))
        assert set(audit.verdicts.verdict) == {"undecided"}
        assert audit.verdicts.reason.str.contains("learned only 60.0%").all()

    def test_check_and_networks_go_together(self, tmp_path: Path) -> None:
        for options in ({"checks": ("labels",)}, {"labels": self.pair()}):
            with pytest.raises(hp.InputError, match="train_pair and user_pair"):
                audited(tmp_path, **options)

    def test_other_permuted_weights_are_another_result(self, tmp_path: Path) -> None:
        plans = []
        for scale in (1.0, 2.0):
            pair = self.pair()
            with torch.no_grad():
                pair.permuted[0].fc2.weight.mul_(scale)
            plan = plan_audit(
                net(), images(), methods=("gradient",), checks=("labels",), labels=pair, faithfulness=False
            )
            plans.append({j.kind: key for key, j in plan.jobs})
        assert plans[0]["labels"] != plans[1]["labels"]
        assert plans[0]["null"] == plans[1]["null"]


class TestSettings:
    def test_presets_give_way_to_what_is_given(self) -> None:
        assert settings_from({"preset": "code"}).classes == "predicted"
        assert settings_from({"preset": "code"}).draws == "fresh"
        assert settings_from({"preset": "code", "classes": "fixed"}).classes == "fixed"
        assert settings_from({"preset": "code", "metrics": None}).metrics == PRESETS["code"]["metrics"]
        assert settings_from({"metrics": ["spearman"]}).metrics == ("spearman",)
        assert settings_from({}).metrics == METRICS

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"preset": "papers"}, "preset='papers'"),
            ({"class": "fixed"}, "did you mean classes"),
            ({"draws": "often"}, "draws='often'"),
            ({"metrics": ("ssim",)}, "none that decides"),
            ({"metrics": ("spearman", "spearmen")}, "spearmen"),
            ({"nulls": 1}, "at least 2"),
        ],
    )
    def test_bad_settings(self, given: dict[str, Any], message: str) -> None:
        with pytest.raises(hp.InputError, match=message):
            settings_from(given)

    @pytest.mark.parametrize("preset", PRESETS)
    def test_the_presets_run(self, tmp_path: Path, preset: str) -> None:
        model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 14 * 14, 4)).eval()
        x = torch.rand(8, 1, 16, 16, generator=torch.Generator().manual_seed(0))
        options: dict[str, Any] = {"methods": ("gradient", "edge_map"), "seeds": 1, "nulls": 2, "faithfulness": False}
        audit = hp.audit(model, x, preset=preset, out=tmp_path / "run", **options)
        assert audit.results.config["preset"] == preset
        assert set(PRESETS[preset]["metrics"]) <= set(audit.table.metric)
        assert audit.results.config["classes"] == PRESETS[preset].get("classes", "fixed")


def test_everything_at_once_and_the_model_is_untouched(tmp_path: Path) -> None:
    model, x = net(), images()
    before = snapshot(model, x)
    checks = checks_from(["all"], competing=True)
    methods = ("gradient", "cgi", "edge_map")
    audit = hp.audit(
        model, x, methods=methods, checks=checks, seeds=2, nulls=2, out=tmp_path / "run", faithfulness=False
    )
    assert same(before, snapshot(model, x))
    results = audit.results
    assert list(results.kept.method.unique()) == ["cgi"]
    assert results.kept.expected.iloc[0] == pytest.approx(2 * (1 - 2.0**-5) / 5)
    assert results.kept["share"].between(0, 1).all()
    assert set(results.efficient.method) == set(methods)
    assert results.efficient.set_index("method").rise["edge_map"] == 0
    assert {s.check for s in results.strips} == set(WEIGHT_CHECKS)
    sheet = results.sheets[0]
    assert list(sheet.maps) == ["gradient_x_input", "cgi"]
    assert sheet.maps["cgi"].shape[0] == len(sheet.classes) == 5
    for name in ("by_check", "calibration", "kept", "efficient"):
        assert (tmp_path / "run" / f"{name}.csv").exists()


def test_closed_form_of_shared_zeros_stands_beside_the_floor(tmp_path: Path) -> None:
    x = images()
    x[:, :, :, 4:] = 0  # most of gradient x input is zero, whatever the network
    audit = audited(tmp_path, methods=("gradient_x_input",), images=x, nulls=4, metrics=("spearman_abs",))
    row = audit.results.floor("gradient_x_input", "spearman_abs")
    n, z = 100, 100 * row["zeros"]
    assert row["closed_form"] == pytest.approx(3 * z * n / (3 * z * n + (n - z) ** 2 - 1), abs=0.02)
    assert audit.results.floor("gradient_x_input", "spearman_support")["floor"] < row["floor"] - 0.3


def test_a_folder_that_holds_only_trained_networks_is_free(tmp_path: Path) -> None:
    (tmp_path / "run" / "labels").mkdir(parents=True)
    (tmp_path / "run" / "labels" / "pair.json").write_text("{}")
    assert len(audited(tmp_path, methods=("gradient",)).table)


class TestApplicable:
    def bare(self) -> nn.Module:
        layers = nn.Conv2d(2, 3, 3, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(108, 4, bias=False)
        return nn.Sequential(*layers).eval()

    def test_all_leaves_out_what_the_model_does_not_allow(self, tmp_path: Path) -> None:
        plan = plan_audit(self.bare(), images(), methods=("gradient",), checks="all", out=tmp_path, faithfulness=False)
        assert "biases" not in plan.config["checks"]
        assert any("check biases left out" in w for w in plan.config["warnings"])
        assert "cascading" in plan.config["checks"]
        one = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, 8), nn.ReLU(), nn.Linear(8, 1)).eval()
        value = plan_audit(one, images(), methods=("gradient",), checks="all", score=hp.value, out=tmp_path)
        assert not {"random_logit", "classes"} & set(value.config["checks"])

    def test_a_check_asked_for_by_name_is_an_error_before_the_run(self, tmp_path: Path) -> None:
        one = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, 1)).eval()
        with pytest.raises(hp.InputError, match="random_logit does not apply"):
            hp.audit(one, images(), methods=("gradient",), checks="random_logit", score=hp.value, out=tmp_path / "r")
        assert not (tmp_path / "r").exists()


def test_a_second_checkpoint_is_one_network_and_no_null(tmp_path: Path) -> None:
    other = Net(dtype=torch.float32, seed=7).state_dict()
    audit = audited(tmp_path, methods=("gradient",), init=other, seeds=5, nulls=3)
    assert audit.results.config["seeds"] == 1
    assert (audit.results.floors["prior"] < 0.99).all(), "nulls are random networks that differ from each other"
    assert "badly estimated" not in audit.verdicts.reason[0], "another trained network need not reach the floor"
    assert "conditional on this seed" in audit.verdicts.reason[0]


class TestMixedPairs:
    def test_gates_are_of_the_networks_that_are_compared(self, tmp_path: Path) -> None:
        gates = {"concluded": True, "why": "", "gates": []}
        stranger = Net(dtype=torch.float32, seed=5)
        with pytest.raises(hp.InputError, match=r"audit\(pair.true"):
            audited(tmp_path, checks=("labels",), labels=Pair(stranger, (net(),), gates))
        other = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, 5)).eval()
        with pytest.raises(hp.InputError, match="another architecture"):
            audited(tmp_path, checks=("labels",), labels=Pair(net(), (other,), gates))


def test_expected_share_counts_the_classes_that_compete(tmp_path: Path) -> None:
    methods = {"three": hp.compete(hp.gradient_x_input, classes=(0, 1, 2)), "all": hp.cgi}
    targets = torch.zeros(8, dtype=torch.int64)
    audit = audited(tmp_path, methods=methods, checks=("kept",), targets=targets, seeds=1)
    expected = audit.results.kept.groupby("method")["expected"].first()
    assert expected["three"] == pytest.approx(7 / 12)
    assert expected["all"] == pytest.approx(2 * (1 - 2.0**-5) / 5)
    assert audit.results.kept[["share_lower", "share_upper"]].stack().between(0, 1).all()


def test_support_only_rows_do_not_depend_on_shard_mates(tmp_path: Path) -> None:
    x = images(9)
    x[::3, :, :, 3:] = 0
    tables = [
        audited(
            tmp_path / str(chunk), methods=("gradient_x_input",), images=x, chunk=chunk, metrics=("spearman_abs",)
        ).table
        for chunk in (3, 9)
    ]
    rows = [
        t[t.metric == "spearman_support"].sort_values(["check", "stage", "image", "seed"]).reset_index(drop=True)
        for t in tables
    ]
    assert len(rows[0]) == len(rows[1]) > 0
    assert set(rows[0].image) == {0, 3, 6}
    assert rows[0]["value"].to_numpy() == pytest.approx(rows[1]["value"].to_numpy(), abs=1e-6)


class TestDead:
    class Silent(nn.Module):
        """Says .1 of each of ten classes as soon as its weights are not the first ones: a mean of .1 is not exact."""

        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(PIXELS, 10)
            self.register_buffer("mark", self.fc.weight.detach().clone())

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.fc(x.flatten(1))
            return out if torch.equal(self.fc.weight, self.mark) else out * 0 + 0.1

    @pytest.mark.parametrize("count", [1, 9])
    def test_all_images_alike_and_controls_go_on(self, tmp_path: Path, count: int) -> None:
        methods = ("gradient", "edge_map")
        audit = hp.audit(self.Silent().eval(), images(count), methods=methods, seeds=1, nulls=2, out=tmp_path / "r",
                         faithfulness=False)  # fmt: skip
        table = audit.table[audit.table.check == "cascading"]
        assert set(table[table.method == "gradient"].status) == {"failed"}
        assert (values(audit, "edge_map", "spearman", "cascading") == 1).all()
        verdicts = audit.verdicts.set_index("method")
        assert verdicts.verdict["edge_map"] == "input-dominated"
        assert "are all equal" in verdicts.reason["gradient"]


def test_a_method_that_runs_on_one_image_only_leaves_a_report(tmp_path: Path) -> None:
    def one(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
        if len(inputs) != 1:
            raise ValueError("one at a time")
        return hp.gradient(model, inputs, target)

    audit = audited(tmp_path, methods={"one": one})
    assert audit.verdicts.verdict.tolist() == ["undefined"]
    assert "one at a time" in audit.verdicts.reason[0]
    assert audit.report.exists()


def test_outputs_that_only_the_score_understands(tmp_path: Path) -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = net()

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.inner(x)[:, :, None]
            return out

    def score(out: Any, target: Tensor, /) -> Tensor:
        return torch.as_tensor(out[torch.arange(len(out)), target, 0])

    targets = torch.zeros(8, dtype=torch.int64)
    options: dict[str, Any] = {"methods": ("gradient",), "seeds": 1, "nulls": 2, "faithfulness": False}
    audit = hp.audit(Odd().eval(), images(), targets, score=score, out=tmp_path / "run", **options)
    plain = hp.audit(net(), images(), targets, out=tmp_path / "plain", **options)
    rows = [a.table[a.table.metric == "spearman"]["value"].to_numpy() for a in (audit, plain)]
    assert len(rows[0]) == len(rows[1])
    assert rows[0][: len(rows[0]) // 2] != pytest.approx(1.0)


def test_checks_as_one_text_and_numbers_that_are_none(tmp_path: Path) -> None:
    plan = plan_audit(net(), images(), methods=("gradient",), checks="full, graded", out=tmp_path)
    assert plan.config["checks"] == ["full", "graded"]
    with pytest.raises(hp.InputError, match="chunk='8'"):
        plan_audit(net(), images(), methods=("gradient",), chunk="8")


def test_fresh_noise_is_drawn_anew_for_every_network(tmp_path: Path) -> None:
    """The authors' SmoothGrad draws fresh noise for every network; with shared noise two maps agree in it."""
    maps = {}
    for noise in ("shared", "fresh"):
        options = {"methods": ("smooth(gradient, n=2, sigma=0.9)", "gradient"), "noise": noise, "images": images(16)}
        maps[noise] = audited(tmp_path / noise, checks=("biases",), **options)
    noisy = "smooth(gradient, n=2, sigma=0.9)"
    first = {n: values(audit, noisy, "spearman", "biases", stage=1) for n, audit in maps.items()}
    assert (first["shared"] == 1).all(), "the last bias changes nothing, and the noise is the same"
    assert first["fresh"].mean() < 0.95
    plain = [values(audit, "gradient", "spearman", "biases") for audit in maps.values()]
    assert np.array_equal(*plain)


def test_the_class_policy_leaves_the_original_maps_to_the_targets(tmp_path: Path) -> None:
    """Only the randomised networks explain their own class; the random-logit check has none."""
    targets = torch.full((8,), 2)
    options: dict[str, Any] = {"methods": ("gradient",), "checks": ("random_logit",), "targets": targets, "seeds": 3}
    fixed, predicted = (audited(tmp_path / c, classes=c, **options) for c in ("fixed", "predicted"))
    rows = [values(audit, "gradient", "spearman", "random_logit") for audit in (fixed, predicted)]
    assert np.array_equal(*rows)
    assert rows[0].max() < 0.999


def test_the_order_of_the_rows_does_not_depend_on_the_chunk(tmp_path: Path) -> None:
    tables = [audited(tmp_path / str(c), chunk=c, images=images(6), keep_maps="none").table for c in (4, 6)]
    keys = ["check", "method", "metric", "stage", "seed", "image", "status"]
    pd.testing.assert_frame_equal(*[t[keys] for t in tables])
    assert tables[0]["value"].to_numpy() == pytest.approx(tables[1]["value"].to_numpy(), abs=1e-6, nan_ok=True)


def test_a_network_that_dies_at_a_judged_stage_is_named(tmp_path: Path) -> None:
    class DiesLate(TestDead.Silent):
        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.fc(x.flatten(1))
            dead = abs(float(self.fc.weight.detach().sum())) % 0.02 < 0.01 and not torch.equal(
                self.fc.weight, self.mark
            )
            return out * 0 + 0.1 if dead else out

    audit = hp.audit(DiesLate().eval(), images(), methods=("gradient",), seeds=4, nulls=8, out=tmp_path / "r",
                     faithfulness=False)  # fmt: skip
    assert (audit.table.status == "failed").any()
    assert "are all equal" in audit.verdicts.reason[0]


@pytest.mark.parametrize("std", [0, -1.0, float("nan")])
def test_a_standard_deviation_must_be_over_zero(std: float) -> None:
    with pytest.raises(hp.InputError, match="over 0"):
        settings_from({"init": "trunc_normal", "std": std})


def test_smoothed_maps_are_judged_against_their_own_floor(tmp_path: Path) -> None:
    audit = audited(tmp_path, methods=("gradient",), checks=("cascading", "smooth"), nulls=3)
    for check, null in (("cascading", "null"), ("smooth", "smooth_null")):
        row = audit.results.by_check[audit.results.by_check.check == check].iloc[0]
        mean = values(audit, "gradient", row.metric, null).mean()
        assert row.floor == pytest.approx(mean, abs=1e-12)
        last = audit.results.curves.query("check == @check and metric == @row.metric").iloc[-1]
        assert last.excess == pytest.approx((last["mean"] - mean) / (1 - mean), abs=1e-9)
    floors = audit.results.floors.query("metric == 'spearman'").set_index("null")["floor"]
    assert floors["null"] != floors["smooth_null"]
