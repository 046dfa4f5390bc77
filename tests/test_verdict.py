"""Intervals against scipy and simulation, and every way to every verdict."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from math import isnan, sqrt
from typing import Any

import numpy as np
import pytest
from scipy.stats import t as student

from heatproof.checks.interval import Estimate, enough, estimate, excess, t_quantile
from heatproof.checks.reasons import THRESHOLDS, Case, why_insensitive, why_sensitive, why_undecided
from heatproof.checks.verdict import WORST_FIRST, Verdict, judge
from heatproof.errors import InputError

Array = np.ndarray[Any, Any]
NAN = float("nan")


def crossed(
    rng: np.random.Generator,
    mean: float,
    networks: int,
    images: Array | int,
    spread: float = 0.02,
    between: float = 0.02,
) -> Array:
    """Networks crossed with images: a mean, an effect of each network and of each image, and a rest, all normal."""
    by_image = spread * rng.standard_normal(images) if isinstance(images, int) else images
    rest = 0.03 * rng.standard_normal((networks, len(by_image)))
    return mean + between * rng.standard_normal((networks, 1)) + by_image + rest


def run(
    floor: float | dict[str, float],
    excesses: list[float] | dict[str, list[float]],
    networks: int = 5,
    images: int = 32,
    seed: int = 0,
    blocks: int | None = None,
    **spread: float,
) -> dict[str, Any]:
    """Arguments of `judge`: cells around a floor and around the excess over it at each stage, for each metric."""
    rng = np.random.default_rng(seed)
    floors = floor if isinstance(floor, dict) else {"spearman_abs": floor}
    paths = excesses if isinstance(excesses, dict) else {"spearman_abs": excesses}
    similarity = {
        m: np.stack([crossed(rng, f + (1 - f) * e, networks, images, **spread) for e in paths[m]])
        for m, f in floors.items()
    }
    nulls = {m: crossed(rng, f, max(networks, 2), images, **spread) for m, f in floors.items()}
    stages = len(next(iter(paths.values())))
    count = blocks or stages
    positions = [round((k + 1) * count / stages) for k in range(stages)]
    return {"similarity": similarity, "floor": nulls, "positions": positions, "blocks": count}


class TestQuantile:
    def test_equals_scipy(self) -> None:
        for freedom in [*range(1, 201), 1001]:
            assert t_quantile(freedom) == pytest.approx(student.ppf(0.975, freedom), abs=1e-10)

    def test_no_freedom_is_an_error(self) -> None:
        with pytest.raises(InputError, match="at least 1"):
            t_quantile(0)


class TestEstimate:
    def test_formula(self) -> None:
        cells = np.random.default_rng(0).normal(size=(4, 7))
        result = estimate(cells)
        half = student.ppf(0.975, 3) * sqrt(cells.mean(1).var(ddof=1) / 4 + cells.mean(0).var(ddof=1) / 7)
        assert result.mean == pytest.approx(cells.mean(), abs=1e-15)
        assert (result.lower, result.upper) == pytest.approx((cells.mean() - half, cells.mean() + half), abs=1e-12)
        assert (result.share, result.conditional, result.networks, result.images) == (1.0, False, 4, 7)
        assert result.network_variance + result.image_variance == pytest.approx((half / student.ppf(0.975, 3)) ** 2)

    def test_one_network_is_conditional_on_it(self) -> None:
        cells = np.random.default_rng(0).normal(size=(1, 9))
        result = estimate(cells)
        half = student.ppf(0.975, 8) * cells.std(ddof=1) / 3
        assert result.conditional
        assert result.upper - result.mean == pytest.approx(half, abs=1e-12)

    def test_one_image_is_over_networks(self) -> None:
        cells = np.random.default_rng(0).normal(size=(5, 1))
        result = estimate(cells)
        assert not result.conditional
        assert result.upper - result.mean == pytest.approx(student.ppf(0.975, 4) * cells.std(ddof=1) / sqrt(5))

    def test_one_cell_has_no_interval(self) -> None:
        result = estimate(np.array([[0.4]]))
        assert result.mean == 0.4
        assert result.conditional
        assert isnan(result.lower)
        assert isnan(result.upper)

    def test_missing_cells_are_left_out(self) -> None:
        cells = np.random.default_rng(0).normal(size=(4, 6))
        cells[1], cells[:, 2], cells[0, 0] = NAN, NAN, NAN
        kept = np.delete(np.delete(cells, 1, axis=0), 2, axis=1)
        result = estimate(cells)
        spread = sqrt(np.nanmean(kept, 1).var(ddof=1) / 3 + np.nanmean(kept, 0).var(ddof=1) / 5)
        assert result.mean == pytest.approx(np.nanmean(cells), abs=1e-15)
        assert result.upper - result.mean == pytest.approx(student.ppf(0.975, 2) * spread, abs=1e-12)
        assert (result.share, result.networks, result.images) == (14 / 24, 3, 5)

    def test_no_cell_at_all(self) -> None:
        result = estimate(np.full((3, 4), NAN))
        assert isnan(result.mean)
        assert result.share == 0

    @pytest.mark.parametrize("cells", [np.zeros(3), np.zeros((0, 3)), np.zeros((2, 0))])
    def test_not_a_table(self, cells: Array) -> None:
        with pytest.raises(InputError, match=r"\(networks, images\)"):
            estimate(cells)


class TestExcess:
    def test_exact_values(self) -> None:
        result = excess(np.full((3, 4), 0.7), np.full((5, 4), 0.4))
        assert (result.mean, result.lower, result.upper) == pytest.approx((0.5, 0.5, 0.5), abs=1e-12)
        assert excess(np.full((3, 4), 0.4), np.full((5, 4), 0.4)).mean == pytest.approx(0, abs=1e-15)

    def test_a_ratio_of_means_over_images_defined_in_both(self) -> None:
        s, f = np.array([[0.9, 0.5, NAN], [0.7, 0.5, NAN]]), np.array([[0.2, NAN, 0.9], [0.4, NAN, 0.9]])
        result = excess(s, f)
        assert result.mean == pytest.approx((0.8 - 0.3) / 0.7, abs=1e-12)
        assert (result.share, result.images) == (4 / 6, 1)

    def test_delta_method_against_small_changes(self) -> None:
        """The variance equals that of a linear combination whose factors come from finite differences."""
        rng = np.random.default_rng(1)
        s, f = crossed(rng, 0.6, 4, 9), crossed(rng, 0.3, 6, 9)
        step = 1e-6
        by_s = (excess(s + step, f).mean - excess(s - step, f).mean) / (2 * step)
        by_f = (excess(s, f + step).mean - excess(s, f - step).mean) / (2 * step)
        networks = by_s**2 * s.mean(1).var(ddof=1) / 4 + by_f**2 * f.mean(1).var(ddof=1) / 6
        images = (by_s * s.mean(0) + by_f * f.mean(0)).var(ddof=1) / 9
        result = excess(s, f)
        assert result.upper - result.mean == pytest.approx(student.ppf(0.975, 3) * sqrt(networks + images), rel=1e-6)
        assert result.networks == 4

    def test_one_seed_keeps_what_the_nulls_vary(self) -> None:
        rng = np.random.default_rng(2)
        s, f = crossed(rng, 0.6, 1, 9), crossed(rng, 0.3, 5, 9)
        result = excess(s, f)
        value, scale = result.mean, 1 - f.mean()
        nulls = (1 - value) ** 2 * f.mean(1).var(ddof=1) / 5
        images = (s[0] - (1 - value) * f.mean(0)).var(ddof=1) / 9
        assert result.conditional
        assert result.upper - value == pytest.approx(student.ppf(0.975, 4) * sqrt(nulls + images) / scale, rel=1e-9)

    def test_no_room_above_the_floor(self) -> None:
        assert isnan(excess(np.full((2, 3), 0.95), np.full((2, 3), 0.901)).mean)
        assert excess(np.full((2, 3), 0.95), np.full((2, 3), 0.899)).mean == pytest.approx(0.051 / 0.101)
        assert isnan(excess(np.array([[NAN, 1.0]]), np.array([[0.5, NAN]])).mean)

    def test_images_must_be_the_same(self) -> None:
        with pytest.raises(InputError, match="3 images and a floor of 4"):
            excess(np.zeros((2, 3)), np.zeros((2, 4)))

    def test_intervals_cover_what_they_say(self) -> None:
        """32 images, 5 seeds, 5 nulls, effects of networks as large as those of images, which both tables share."""
        rng, hits, rounds = np.random.default_rng(3), np.zeros(2), 1500
        truth = (0.55 - 0.3) / 0.7
        for _ in range(rounds):
            image = 0.1 * rng.standard_normal(32)
            s, f = (crossed(rng, mean, 5, image, between=0.08) for mean in (0.55, 0.3))
            for k, (result, true) in enumerate(((estimate(s), 0.55), (excess(s, f), truth))):
                hits[k] += result.lower <= true <= result.upper
        assert (hits / rounds >= 0.93).all()
        assert (hits / rounds <= 0.995).all()


class TestEnough:
    KNOWN = Estimate(0.4, 0.25, 0.55, 1.0, False, 5, 32, 0.0008, 0.002)

    def test_counts_are_the_least_that_do(self) -> None:
        images, seeds = enough(self.KNOWN, 0.5)
        assert images is not None
        assert seeds is not None

        def half(i: int, s: int) -> float:
            return float(student.ppf(0.975, s - 1)) * sqrt(0.0008 * 5 / s + 0.002 * 32 / i)

        assert half(images, 5) < 0.1 <= half(images - 1, 5)
        assert half(32, seeds) < 0.1 <= half(32, seeds - 1)

    def test_none_where_the_other_part_stands_in_the_way(self) -> None:
        assert enough(replace(self.KNOWN, network_variance=0.01), 0.5)[0] is None
        assert enough(replace(self.KNOWN, image_variance=0.01), 0.5)[1] is None
        assert enough(replace(self.KNOWN, conditional=True), 0.5)[1] is None
        assert enough(self.KNOWN, 0.4) == (None, None)

    def test_the_interval_that_needs_most_counts(self) -> None:
        other = replace(self.KNOWN, mean=0.35, upper=0.51)
        floor = replace(self.KNOWN, mean=0.1, lower=0.0, upper=0.2)
        expected = enough(self.KNOWN, 0.5)
        assert None not in expected
        for excesses in ([self.KNOWN, other], [other, self.KNOWN]):
            text, images, seeds = why_undecided(Case("spearman", floor, excesses, 0.0, [2, 4], 4))
            assert (images, seeds) == expected
            assert f"about {images} images (now 32) or {seeds} seeds and nulls (now 5) would" in text

    def test_as_many_as_it_says_do_decide(self) -> None:
        """Runs of that size are decided far more often than the small one, which is not."""
        path = [0.8, 0.38, 0.3, 0.0]
        wide = {"spread": 0.2, "between": 0.005}
        first = judge(**run(0.2, path, images=12, seed=5, **wide))
        assert first.verdict == "undecided"
        assert first.images_needed is not None
        again = [judge(**run(0.2, path, images=first.images_needed, seed=s, **wide)).verdict for s in range(12)]
        small = [judge(**run(0.2, path, images=12, seed=s, **wide)).verdict for s in range(12)]
        assert again.count("undecided") < small.count("undecided")


# the orientation rows of design.md, section 4: floor and excess, absolute and signed; the last stage is the full one
ORIENTATION = {
    "gradient": (0.08, -0.01, [0.03, 0.01, -0.01, 0.0], [0.03, 0.0, 0.01, 0.0], "sensitive"),
    "gradient_x_input": (0.991, 0.0, [0.5, 0.2, 0.1, 0.0], [0.1, 0.0, 0.0, 0.0], "input-dominated"),
    "guided_backprop": (0.39, 0.43, [0.65, 0.52, 0.33, 0.0], [0.75, 0.63, 0.42, 0.0], "insensitive"),
    "gradcam": (0.24, 0.24, [0.0, 0.01, -0.01, 0.0], [0.0, 0.01, -0.01, 0.0], "sensitive"),
    "guided_gradcam": (0.30, 0.27, [-0.03, -0.14, -0.14, 0.0], [0.36, 0.25, 0.11, 0.0], "sensitive"),
    "cgi": (0.19, 0.0, [0.0, 0.01, 0.0, 0.0], [0.01, 0.0, 0.0, 0.0], "sensitive"),
}


class TestVerdicts:
    @pytest.mark.parametrize("row", ORIENTATION.values(), ids=ORIENTATION)
    def test_orientation(self, row: tuple[float, float, list[float], list[float], str]) -> None:
        floors, paths = {"spearman_abs": row[0], "spearman": row[1]}, {"spearman_abs": row[2], "spearman": row[3]}
        verdict = judge(**run(floors, paths, images=100, spread=0.005, between=0.005))
        assert verdict.verdict == row[4]
        assert not verdict.floor_badly_estimated
        assert verdict.metric == {"gradient_x_input": "spearman_abs", "guided_backprop": "spearman"}.get(
            next(k for k, v in ORIENTATION.items() if v is row), verdict.metric
        )

    def test_edge_map_is_input_dominated(self) -> None:
        ones, floor = np.ones((4, 5, 8)), np.ones((5, 8))
        verdict = judge({"spearman": ones}, {"spearman": floor}, positions=[1, 2, 3, 4], blocks=4)
        assert verdict.verdict == "input-dominated"
        assert (verdict.floor.mean, verdict.floor.lower, verdict.floor.upper) == (1.0, 1.0, 1.0)
        assert isnan(verdict.excess_half.mean)
        assert "1.00 [1.00, 1.00]" in verdict.reason

    def test_noise_around_zero_is_sensitive(self) -> None:
        verdict = judge(
            **run({"spearman": 0.0, "spearman_abs": 0.0}, {m: [0.0] * 8 for m in ("spearman", "spearman_abs")})
        )
        assert verdict.verdict == "sensitive"
        assert abs(verdict.excess_last.mean) < 0.05

    def test_constant_maps_are_undefined(self) -> None:
        cells = np.full((4, 2, 5), NAN)
        verdict = judge({"spearman": cells}, {"spearman": cells[0]}, positions=[1, 2, 3, 4], blocks=4)
        assert (verdict.verdict, verdict.undefined, verdict.vanished) == ("undefined", 1.0, 0.0)
        assert "100% of the maps" in verdict.reason

    @pytest.mark.parametrize("stage", [1, 3])
    @pytest.mark.parametrize(("lost", "expected"), [(20, "sensitive"), (21, "undefined")])
    def test_twenty_percent_is_the_limit(self, stage: int, lost: int, expected: str) -> None:
        case = run(0.1, [0.1, 0.0, 0.0, 0.0], networks=5, images=20)
        case["similarity"]["spearman_abs"][stage].flat[:lost] = NAN
        verdict = judge(**case)
        assert verdict.verdict == expected
        assert verdict.undefined == lost / 100

    def test_missing_before_the_half_does_not_count(self) -> None:
        case = run(0.1, [0.9, 0.0, 0.0, 0.0])
        case["similarity"]["spearman_abs"][0] = NAN
        assert judge(**case).verdict == "sensitive"

    def test_the_half_stage_decides_on_insensitive(self) -> None:
        assert judge(**run(0.1, [0.9, 0.9, 0.0, 0.0])).verdict == "insensitive"
        assert judge(**run(0.1, [0.9, 0.1, 0.0, 0.0])).verdict == "sensitive"
        late = judge(**run(0.1, [0.9, 0.1, 0.8, 0.0]))
        assert late.verdict == "undecided"
        assert "comes back" in late.reason
        assert (late.images_needed, late.seeds_needed) == (None, None)

    @pytest.mark.parametrize(
        ("blocks", "positions", "half"),
        [(8, [1, 2, 3, 4, 5, 6, 7, 8], 3), (9, [1, 3, 5, 7, 9], 2), (10, [1, 4, 6, 10], 2), (5, [1, 2, 3, 4, 5], 2)],
    )
    def test_half_is_the_first_stage_with_half_of_the_blocks(
        self, blocks: int, positions: list[int], half: int
    ) -> None:
        case = run(0.1, [0.9] * half + [0.3] + [0.0] * (len(positions) - half - 1))
        case |= {"positions": positions, "blocks": blocks}
        verdict = judge(**case)
        assert verdict.excess_half.mean == pytest.approx(0.3, abs=0.05)
        assert f"{positions[half]} of {blocks} blocks" in verdict.reason

    def test_few_blocks_are_judged_fully_randomised_only(self) -> None:
        few = judge(**run(0.1, [0.9, 0.9, 0.02]))
        assert few.verdict == "sensitive"
        assert few.excess_half == few.excess_last
        assert judge(**run(0.1, [0.9, 0.9, 0.02], blocks=4)).verdict == "insensitive"
        assert judge(**run(0.1, [0.0], blocks=1)).verdict == "sensitive"

    def test_the_worse_metric_decides(self) -> None:
        order = []
        for bad in ("undefined", "input-dominated", "insensitive", "undecided", "sensitive"):
            floors = {"spearman": 0.1, "spearman_abs": 0.8 if bad == "input-dominated" else 0.1}
            half = {"insensitive": 0.9, "undecided": 0.5, "sensitive": 0.2}.get(bad, 0.0)
            case = run(floors, {"spearman": [0.3, 0.1, 0.0, 0.0], "spearman_abs": [0.9, half, 0.0, 0.0]})
            if bad == "undefined":
                case["similarity"]["spearman_abs"][:, 0] = NAN
                case["similarity"]["spearman_abs"][:, 1] = NAN
            verdict = judge(**case)
            assert verdict.metric == "spearman_abs"
            order.append(verdict.verdict)
        assert tuple(order) == WORST_FIRST

    def test_a_floor_across_the_threshold_is_undecided(self) -> None:
        verdict = judge(**run(0.48, [0.1, 0.0, 0.0, 0.0], spread=0.1, between=0.1))
        assert verdict.verdict == "undecided"
        assert "floor" in verdict.reason
        assert "crosses 0.50" in verdict.reason
        assert verdict.seeds_needed is not None
        assert f"{verdict.seeds_needed} seeds" in verdict.reason

    def test_a_floor_too_high_for_an_excess_and_too_uncertain(self) -> None:
        case = run(0.95, [0.0, 0.0, 0.0, 0.0], networks=2, images=1)
        case["floor"]["spearman_abs"] = np.array([[0.9], [0.99]])
        verdict = judge(**case)
        assert verdict.verdict == "undecided"
        assert isnan(verdict.excess_half.mean)
        assert not verdict.floor_badly_estimated

    def test_no_floor_is_undecided(self) -> None:
        case = run(0.1, [0.1] * 4)
        case["floor"]["spearman_abs"][:] = NAN
        verdict = judge(**case)
        assert verdict.verdict == "undecided"
        assert "too few values of absolute Spearman to give the floor" in verdict.reason

    @pytest.mark.parametrize("last", [0.2, -0.2])
    def test_a_floor_that_the_last_stage_contradicts_is_reported(self, last: float) -> None:
        verdict = judge(**run(0.3, [0.3, 0.2, 0.2, last]))
        assert verdict.verdict == "sensitive"
        assert verdict.floor_badly_estimated
        assert (
            f"the floor is badly estimated: with everything randomised the excess is {verdict.excess_last.mean:.2f}"
            in (verdict.reason)
        )

    def test_one_seed_is_conditional(self) -> None:
        verdict = judge(**run(0.1, [0.1, 0.0, 0.0, 0.0], networks=1))
        assert verdict.verdict == "sensitive"
        assert verdict.excess_half.conditional
        assert verdict.reason.endswith("conditional on this seed.")
        assert "conditional" not in judge(**run(0.1, [0.1, 0.0, 0.0, 0.0])).reason


class TestVanished:
    def case(self, excesses: list[float], lost: int) -> dict[str, Any]:
        case = run(0.1, excesses, networks=5, images=20)
        gone = np.zeros((4, 5, 20), dtype=bool)
        gone[1:].reshape(3, -1)[:, :lost] = True
        case["similarity"]["spearman_abs"][gone] = NAN
        return case | {"vanished": gone}

    def test_a_few_change_nothing_and_are_counted_apart(self) -> None:
        case = self.case([0.1, 0.0, 0.0, 0.0], 10)
        case["similarity"]["spearman_abs"][:, 4, 19] = NAN
        verdict = judge(**case)
        assert (verdict.verdict, verdict.vanished, verdict.undefined) == ("sensitive", 0.1, 0.01)

    def test_many_leave_it_undecided(self) -> None:
        verdict = judge(**self.case([0.1, 0.0, 0.0, 0.0], 30))
        assert (verdict.verdict, verdict.vanished, verdict.undefined) == ("undecided", 0.3, 0.0)
        assert "without them the verdict is undefined, with them at the floor it is sensitive" in verdict.reason

    def test_they_count_as_the_floor_of_their_image(self) -> None:
        """15 % of the cells at the floor draw an excess of .55 down to .47, and its interval over .5."""
        assert judge(**self.case([0.9, 0.58, 0.3, 0.0], 0)).verdict == "insensitive"
        verdict = judge(**self.case([0.9, 0.58, 0.3, 0.0], 15))
        assert verdict.verdict == "undecided"
        assert "is insensitive, with them at the floor it is" in verdict.reason
        assert verdict.images_needed is None

    def test_the_floor_used_is_that_of_the_image(self) -> None:
        """Images of floor 0 and .8: vanished maps on the first kind only must not be filled with the mean of .4."""
        image = np.repeat([0.0, 0.8], 10)
        cells = np.tile(image + (1 - image) * 0.9, (4, 5, 1))
        gone = np.zeros((4, 5, 20), dtype=bool)
        gone[:, :, :4] = True
        cells[gone] = NAN
        verdict = judge(
            {"spearman": cells}, {"spearman": np.tile(image, (5, 1))}, positions=[1, 2, 3, 4], blocks=4, vanished=gone
        )
        filled = (4 * 0 + 6 * 0.9 + 10 * 0.98) / 20
        alone = judge(
            {"spearman": np.where(gone, 0.0, cells)},
            {"spearman": np.tile(image, (5, 1))},
            positions=[1, 2, 3, 4],
            blocks=4,
        )
        assert alone.excess_half.mean == pytest.approx((filled - 0.4) / 0.6)
        assert (alone.verdict, verdict.verdict) == ("undecided", "undecided")
        assert "is insensitive, with them at the floor it is undecided" in verdict.reason

    def test_a_map_that_was_constant_from_the_start_is_not_filled(self) -> None:
        case = self.case([0.1, 0.0, 0.0, 0.0], 30)
        case["vanished"][:] = False
        assert judge(**case).verdict == "undefined"

    def test_only_vanished_cells_are_filled(self) -> None:
        case = self.case([0.1, 0.0, 0.0, 0.0], 30)
        case["vanished"].reshape(4, -1)[:, 1:] = False
        verdict = judge(**case)
        assert (verdict.verdict, verdict.vanished, verdict.undefined) == ("undefined", 0.01, 0.29)

    def test_all_maps_vanish(self) -> None:
        verdict = judge(**self.case([0.1, 0.0, 0.0, 0.0], 100))
        assert (verdict.verdict, verdict.vanished) == ("undecided", 1.0)


class TestInput:
    def good(self) -> dict[str, Any]:
        return run(0.1, [0.1, 0.0, 0.0, 0.0])

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"similarity": {}}, "same metrics"),
            ({"floor": {"ssim": np.zeros((5, 32))}}, "same metrics"),
            ({"positions": [1, 2, 3]}, "all 4 at the last stage"),
            ({"positions": [2, 1, 3, 4]}, "ascending"),
            ({"positions": [0, 1, 2, 4]}, "from 1 on"),
            ({"positions": [1, 4]}, "2 stages"),
            ({"similarity": {"spearman_abs": np.zeros((4, 32))}}, "4 stages"),
            ({"floor": {"spearman_abs": np.zeros((5, 31))}}, "32 images"),
            ({"vanished": np.zeros((4, 5, 31), dtype=bool)}, "vanished"),
            ({"vanished": np.zeros((4, 5, 32))}, "expected bool"),
        ],
    )
    def test_arguments_that_do_not_fit(self, change: dict[str, Any], says: str) -> None:
        with pytest.raises(InputError, match=says):
            judge(**(self.good() | change))

    def test_nothing_is_changed(self) -> None:
        case = self.good()
        gone = np.zeros((4, 5, 32), dtype=bool)
        gone[2, 0, 0] = True
        case["similarity"]["spearman_abs"][gone] = NAN
        copy = case["similarity"]["spearman_abs"].copy()
        verdict = judge(**case, vanished=gone)
        assert np.array_equal(copy, case["similarity"]["spearman_abs"], equal_nan=True)
        with pytest.raises(FrozenInstanceError):
            verdict.verdict = "sensitive"  # type: ignore[misc]


def test_reasons_are_one_sentence_with_numbers() -> None:
    cases = [[0.1, 0.0, 0.0, 0.0], [0.9, 0.9, 0.5, 0.0], [0.9, 0.5, 0.2, 0.0]]
    verdicts: list[Verdict] = [judge(**run(0.1, path)) for path in cases]
    assert [v.verdict for v in verdicts] == ["sensitive", "insensitive", "undecided"]
    for verdict in verdicts:
        assert verdict.reason.endswith(".")
        assert "nan" not in verdict.reason
        assert f"{THRESHOLDS['excess']:.2f}" in verdict.reason


CHAIN = [f"{k} of 8 blocks randomised" for k in (4, 6, 8)]


@pytest.mark.parametrize("at", [["a network trained on permuted labels"], ["everything randomised"], CHAIN])
def test_reasons_read_well_whatever_the_check(at: list[str]) -> None:
    low = [replace(TestEnough.KNOWN, mean=0.1, lower=0.0, upper=0.2)] * len(at)
    case = Case("spearman", low[0], low, 0.0, at, True)
    start = f"From {at[0]} on, the map keeps at most 0.10" if len(at) > 1 else f"With {at[0]} the map keeps 0.10"
    assert why_sensitive(case).startswith(start)
    high = [replace(TestEnough.KNOWN, mean=0.9, lower=0.8, upper=1.0)] * len(at)
    reason = why_insensitive(replace(case, excesses=high))
    assert reason.startswith(f"With {at[0]} the map keeps 0.90")
    assert reason.endswith("it hardly depends on what was learned")
    crossing = why_undecided(replace(case, excesses=[TestEnough.KNOWN] * len(at)))[0]
    assert crossing.startswith(f"The excess with {at[0]} is 0.40")
