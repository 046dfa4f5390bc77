"""A made-up run for tests of plots and report: numbers and maps have the shape and the character of a real one."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from heatproof.experiment.per_image import COLUMNS as IMAGE_COLUMNS
from heatproof.experiment.per_image import TILE_COLUMNS
from heatproof.experiment.results import COLUMNS, ClassSheet, Results, Strip

Array = np.ndarray[Any, Any]

# method -> verdict, floor, excess at the first stage and the share of the blocks over which it decays
METHODS: dict[str, tuple[str, float, float, float]] = {
    "vanilla_custom": ("undefined", float("nan"), float("nan"), 1.0),
    "edge_map": ("input-dominated", 1.0, 1.0, 9.0),
    "input_map": ("input-dominated", 1.0, 1.0, 9.0),
    "gradient_x_input": ("input-dominated", 0.93, 0.4, 0.3),
    "integrated_gradients(steps=16)": ("input-dominated", 0.62, 0.5, 0.3),
    "guided_backprop": ("insensitive", 0.41, 0.97, 1.2),
    "guided_gradcam": ("undecided", 0.3, 0.7, 0.6),
    "gradient": ("sensitive", 0.12, 0.35, 0.2),
    "gradcam": ("sensitive", 0.21, 0.55, 0.15),
    "smoothgrad": ("sensitive", 0.26, 0.62, 0.22),
    "random_map": ("sensitive", 0.0, 0.0, 1.0),
}
REASONS = {
    "input-dominated": "Maps of two unrelated networks already agree at {floor:.2f}: the map shows the photo.",
    "insensitive": "With half of the blocks randomised the map keeps {half:.0%} of what it owes to the network.",
    "undecided": "The interval of the excess at half of the blocks crosses 0.5; about 48 images would decide it.",
    "undefined": "31 % of the maps are constant and have no rank correlation.",
    "sensitive": "From half of the blocks on, nothing above the floor is left.",
}
METRICS = {"spearman": -0.08, "spearman_abs": 0.0, "ssim": 0.18, "hog": 0.3}
CONTROLS = ["edge_map", "input_map", "random_map"]
BLOCKS = ["features.0-1", "features.2-3", "features.4-6", "features.7-10", "features.11-13", "features.14-17",
          "features.18", "classifier"]  # fmt: skip


def results(folder: Path, size: int = 48, photos: int = 3, title: str = "photo_{}.jpg: tench 0.97") -> Results:
    """A complete run of 11 methods, one refused, 8 stages, 4 metrics, with strips of ``size`` pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    curves = pd.DataFrame([row for name in METHODS for metric in METRICS for row in _curve(name, metric)])
    floors = pd.DataFrame([_floor(name, metric) for name in METHODS for metric in METRICS])
    verdicts = pd.DataFrame([_verdict(name, curves) for name in METHODS])
    refused = pd.DataFrame(
        [("guided_backprop_lrp", "refused", "no ReLU in this model: guided backprop has nothing to guide")],
        columns=["method", "status", "error"],
    )
    strips = [_strip(i, size, title.format(i)) for i in range(photos)]
    return Results(folder, config(), _table(photos), curves, floors, verdicts, refused, strips,
                   per_image=per_image(photos), tiles=_tiles(photos))  # fmt: skip


CHECKS = ["cascading", "reverse", "independent", "full", "graded", "biases", "smooth", "labels", "random_logit"]
JUDGING = ["cascading", "reverse", "full", "smooth", "labels"]
SHARES = [0.05, 0.1, 0.2, 0.5, 1.0]
CAVEATS = {
    "cascading": "Randomising from the output down keeps information: the lower layers still pass the photo on.",
    "kept": "CGI and CLRP pass partly by construction: their competition keeps few pixels of any random network.",
    "random_logit": "Two classes that share their evidence share their maps.",
    "efficient": "A map of noise has no complexity to gain.",
}
BLIND = ["gradient", "gradient_x_input"]
"""Methods that do not see the last bias."""


def full_results(folder: Path, size: int = 48, photos: int = 3, title: str = "photo_{}.jpg: tench 0.97") -> Results:
    """The run of `results` with every check, calibration, kept share, entropy, planted evidence and class sheets."""
    run = results(folder, size, photos, title)
    support = run.curves[run.curves["metric"] == "spearman_abs"].assign(metric="spearman_support")
    curves = pd.concat(
        [run.curves, support, *(_check_curves(run.curves, check) for check in CHECKS[1:])], ignore_index=True
    )
    own = run.floors.assign(null="smooth_null", floor=run.floors["floor"].clip(upper=0.8) + 0.11, floor_lower=np.nan)
    floors = pd.concat([_closed(run.floors).assign(null="null"), _closed(own)], ignore_index=True)
    return dataclasses.replace(
        run, config=full_config(), curves=curves, floors=floors, by_check=_by_check(run.verdicts),
        strips=[*run.strips, *(dataclasses.replace(s, check="reverse") for s in run.strips[:1])],
        calibration=_calibration(), kept=_kept(), efficient=_efficient(), planted=_planted(),
        sheets=[class_sheet(0, size, title.format(0))],
    )  # fmt: skip


def _closed(floors: pd.DataFrame) -> pd.DataFrame:
    """Support-only Spearman beside absolute, and the closed form of absolute."""
    support = floors[floors["metric"] == "spearman_abs"].assign(metric="spearman_support", floor=0.07)
    both = pd.concat([floors, support], ignore_index=True)
    return both.assign(closed_form=np.where(both["metric"] == "spearman_abs", 0.777, np.nan))


def _check_curves(curves: pd.DataFrame, check: str) -> pd.DataFrame:
    """The curves of another check, made from those of the cascade; real runs have no stage 0."""
    rows = curves[curves["stage"] > 0].assign(check=check)
    absolute = rows[rows["metric"] == "spearman_abs"]
    rows = pd.concat([rows, absolute.assign(metric="spearman_support")], ignore_index=True)
    if check in ("full", "labels", "random_logit"):
        return rows[rows["stage"] == 8].assign(stage=1, share=1.0)
    if check == "graded":
        rows = rows[rows["stage"] <= len(SHARES)]
        return rows.assign(share=[SHARES[s - 1] for s in rows["stage"]])
    if check == "independent":
        return rows.assign(share=1 / len(BLOCKS), mean=1 - (1 - rows["mean"]) * rows["stage"] / len(BLOCKS))
    if check == "biases":
        same = rows["method"].isin(BLIND) & (rows["stage"] == 1)
        ones = {name: rows[name].where(~same, 1.0) for name in ("mean", "lower", "upper")}
        return rows.assign(**ones)
    return rows.assign(mean=rows["mean"] * 0.9, lower=rows["lower"] * 0.9, upper=rows["upper"] * 0.9)


def _by_check(verdicts: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for row in verdicts.to_dict("records"):
        for place, check in enumerate(JUDGING):
            verdict = "insensitive" if check == "labels" and row["method"] == "smoothgrad" else row["verdict"]
            excess = row["excess"] - 0.01 * place
            rows.append({"method": row["method"], "check": check, "verdict": verdict, "reason": row["reason"],
                         "metric": row["metric"], "floor": row["floor"], "excess": excess,
                         "excess_lower": excess - 0.05, "excess_upper": excess + 0.05, "excess_last": 0.0})  # fmt: skip
    return pd.DataFrame(rows)


def _calibration() -> pd.DataFrame:
    metrics = [*METRICS, "spearman_support"]
    free = {"uniform_uniform": 0.001, "gaussian_gaussian": 0.002, "product_uniform": 0.45, "product_gaussian": 0.44}
    rows = [(f"({pair})", pair, 0.0, m, v) for pair, v in free.items() for m in metrics]
    maps = {"map_uniform": 0.0, "map_gaussian": -0.00049, "edges": 0.31, "edge_input": 0.62}
    rows += [(name, pair, 0.0, m, v) for name in METHODS for pair, v in maps.items() for m in metrics]
    levels = {0.0: 1.0, 0.1: 0.98, 0.3: 0.9, 1.0: 0.7, 3.0: 0.5, 10.0: 0.46}
    noisy = "(input x noisy gradient)"
    rows += [(noisy, "product_noise", s, m, v) for s, v in levels.items() for m in metrics]
    table = pd.DataFrame(rows, columns=["method", "pair", "level", "metric", "mean"])
    return table.assign(lower=table["mean"] - 0.004, upper=table["mean"] + 0.004, defined=1.0)


def _kept() -> pd.DataFrame:
    values = {"original": (0.41, 0.83), "top block random": (0.2013, 0.33), "all random": (0.19, 0.31)}
    rows = [(m, v, 10, s, s - 0.02, s + 0.02, mass, mass - 0.03, mass + 0.03, 0.1998)
            for m in ("cgi", "clrp") for v, (s, mass) in values.items()]  # fmt: skip
    return pd.DataFrame(rows, columns=["method", "variant", "classes", "share", "share_lower", "share_upper", "mass",
                                       "mass_lower", "mass_upper", "expected"])  # fmt: skip


def _efficient() -> pd.DataFrame:
    rows = [(name, 0.4 - 0.05 * i, 0.37 - 0.05 * i, 0.43 - 0.05 * i, 3.11, 4.35 - 0.15 * i, 100)
            for i, name in enumerate(METHODS)]  # fmt: skip
    return pd.DataFrame(rows, columns=["method", "rise", "lower", "upper", "before", "after", "bins"])


def _planted() -> pd.DataFrame:
    still = (0.9, 0.85, 0.95, 0.08, 0.07, 0.01, -0.01, 0.015, 0.0625, "no")
    moving = (0.17, 0.1, 0.24, 0.58, 0.09, 0.49, 0.41, 0.57, 0.0625, "yes")
    open_ = (0.5, 0.3, 0.7, 0.14, 0.09, 0.05, -0.02, 0.12, 0.0625, "unclear")
    kinds = {**dict.fromkeys(CONTROLS, still), "smoothgrad": open_}
    rows = [(name, *kinds.get(name, moving)) for name in METHODS if name != "vanilla_custom"]
    return pd.DataFrame(rows, columns=["method", "similarity", "lower", "upper", "inside_own", "inside_other", "gain",
                                       "gain_lower", "gain_upper", "chance", "moved"])  # fmt: skip


def class_sheet(index: int, size: int, title: str, classes: int = 10) -> ClassSheet:
    """Gradient x input for every class, and their competition."""
    rng, photo = np.random.default_rng([index, 7]), picture(index, size)
    edges = np.hypot(*np.gradient(photo.astype(np.float32).mean(-1)))
    strength = np.linspace(0.4, 1.6, classes, dtype=np.float32)[:, None, None, None]
    base = np.stack([edges * smooth(rng, size, size / 6) for _ in range(3 * classes)])
    maps = strength * base.reshape(classes, 3, size, size).astype(np.float32)
    cgi = np.where((maps >= maps.max(0)) & (maps > 0), maps, 0)
    other = np.abs(maps[:, :1])
    names = [f"class {i}" for i in range(classes)]
    return ClassSheet(index, title, photo, names, 3, {"gradient_x_input": maps, "cgi": cgi, "gradcam": other})


def full_config() -> dict[str, Any]:
    """The configuration of a run with every check."""
    down = list(reversed(BLOCKS))
    shares = [(i + 1) / len(BLOCKS) for i in range(len(BLOCKS))]
    plan = {c: {"stages": list(range(1, 9)), "names": BLOCKS if c in ("reverse", "smooth") else down, "shares": shares}
            for c in ("cascading", "reverse", "independent", "biases", "smooth")}  # fmt: skip
    plan["graded"] = {"stages": list(range(1, 6)), "names": [f"{s:g}" for s in SHARES], "shares": SHARES}
    extra = ["efficient", "calibration", "kept", "classes", "planted"]
    return config() | {
        "checks": [*CHECKS, *extra], "check_plan": plan, "caveats": CAVEATS, "labels": LABELS,
        "metrics": [*METRICS, "spearman_support"],
    }  # fmt: skip


LABELS = {
    "concluded": True,
    "why": "Both networks learned their labels by heart, so a map that stays the same does not come from the labels.",
    "train": "5000 images, Adam, 40 epochs",
    "gates": [
        {"name": "accuracy on permuted training labels", "value": 0.9934, "limit": 0.95, "holds": True},
        {"name": "accuracy on test images, chance", "value": 0.171, "limit": "0.100 ± 0.050", "holds": False},
        {"name": "accuracy on the training images of the given network", "value": None, "limit": 0.95, "holds": None},
    ],
}


def _excess(name: str, stage: int) -> float:
    _, _, first, reach = METHODS[name]
    return first * float(np.exp(-(((stage - 1) / len(BLOCKS)) ** 2) / reach**2))


def _base(name: str, metric: str) -> float:
    floor = METHODS[name][1]
    return floor if floor >= 1 or name == "random_map" else min(floor + METRICS[metric], 0.98)


def _curve(name: str, metric: str) -> list[dict[str, Any]]:
    floor, rows = _base(name, metric), []
    for stage in range(len(BLOCKS) + 1):
        excess = _excess(name, stage) if stage else 1.0
        mean = 1.0 if stage == 0 else floor + (1 - floor) * excess
        width = 0.0 if stage == 0 or floor == 1 else 0.05
        judged = stage > 0 and floor <= 0.9
        rows.append(
            {"check": "cascading", "method": name, "metric": metric, "stage": stage, "mean": mean,
             "lower": mean - width, "upper": mean + width, "defined": 0.69 if name == "vanilla_custom" else 1.0,
             "share": stage / len(BLOCKS), "excess": excess if judged else np.nan,
             "excess_lower": excess - 0.07 if judged else np.nan, "excess_upper": excess + 0.07 if judged else np.nan}
        )  # fmt: skip
    return rows


def _floor(name: str, metric: str) -> dict[str, Any]:
    floor = _base(name, metric)
    width = 0.0 if floor == 1 else 0.03
    return {"method": name, "metric": metric, "floor": floor, "floor_lower": floor - width,
            "floor_upper": floor + width, "prior": min(1.0, floor + 0.2), "zeros": 0.31 * ("guided" in name)}  # fmt: skip


def _verdict(name: str, curves: pd.DataFrame) -> dict[str, Any]:
    verdict, floor, _, _ = METHODS[name]
    half = _excess(name, len(BLOCKS) // 2)
    measured = not (name in CONTROLS or verdict == "undefined")
    gain = 0.3 * half if measured else np.nan
    return {"method": name, "verdict": verdict, "reason": REASONS[verdict].format(floor=floor, half=half),
            "metric": "spearman_abs", "floor": floor, "excess": half if floor <= 0.9 else np.nan,
            "vanished": 0.12 if name == "guided_gradcam" else 0.0, "undefined": 0.31 if verdict == "undefined" else 0.0,
            "faithfulness": gain, "faithfulness_lower": gain - 0.04, "faithfulness_upper": gain + 0.04}  # fmt: skip


def _table(photos: int) -> pd.DataFrame:
    rng, rows = np.random.default_rng(0), []
    for name in METHODS:
        for metric in METRICS:
            for stage in range(1, len(BLOCKS) + 1):
                for image in range(photos):
                    bad = name == "vanilla_custom" and image == 0
                    value = np.nan if bad else _base(name, metric) + 0.05 * rng.standard_normal()
                    rows.append(("mobilenet_v2", "samples", name, "cascading", stage, metric, image, 0, value,
                                 "undefined" if bad else "ok", ""))  # fmt: skip
    rows.append(("mobilenet_v2", "samples", "vanilla_custom", "cascading", 3, "ssim", 1, 1, np.nan, "failed",
                 "RuntimeError: CUDA out of memory while allocating 2.1 GiB"))  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


NAMES = ("photo_{}.jpg", "=1+{}.jpg", 'a "quoted", name {}.jpg', "@sum({}).jpg", "-{}.jpg")
"""Names of photos, some of which a spreadsheet would run."""
STATUSES = ("ok", "ok", "vanished", "ok", "undefined")


def per_image(photos: int) -> pd.DataFrame:
    """The numbers of so many photos under the cascade: of any sign and size, some missing."""
    rng, rows = np.random.default_rng(5), []
    for name in METHODS:
        for image in range(photos):
            half, end = rng.normal(0, [0.4, 1e-5])
            status = STATUSES[image % len(STATUSES)]
            rows.append(("cascading", name, image, NAMES[image % len(NAMES)].format(image), f"class {image % 7}",
                         "spearman_abs", half, np.nan if status == "vanished" else end,
                         np.nan if status == "undefined" else 0.1 * rng.random(), status))  # fmt: skip
    return pd.DataFrame(rows, columns=IMAGE_COLUMNS)


def _tiles(photos: int) -> pd.DataFrame:
    rows = [("cascading", name, image, stage, "spearman_abs", _base(name, "spearman_abs") - 0.01 * stage)
            for name in METHODS for image in range(photos) for stage in range(1, len(BLOCKS) + 1)]  # fmt: skip
    return pd.DataFrame(rows, columns=TILE_COLUMNS)


def config() -> dict[str, Any]:
    """Every key that a run may record."""
    return {
        "model": "torchvision:mobilenet_v2", "dataset": "samples", "date": "2026-03-14 09:26:53",
        "command": "heatproof audit --model torchvision:mobilenet_v2 --images samples --limit 3",
        "versions": {"heatproof": "0.1.0", "torch": "2.13.0", "python": "3.11.9"},
        "weights_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "images_sha256": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
        "blocks": [{"name": name, "tensors": [f"{name}.weight", f"{name}.bias"]} for name in BLOCKS],
        "checks": ["cascading"],
        "check_plan": {"cascading": {"stages": list(range(1, 9)), "names": list(reversed(BLOCKS)),
                                     "shares": [(i + 1) / len(BLOCKS) for i in range(len(BLOCKS))]}},
        "stages": list(range(1, 9)), "seeds": 5, "nulls": 5, "init": "original", "batch_norm": "reestimate",
        "classes": "fixed", "methods": list(METHODS), "metrics": list(METRICS), "budget": "10m", "controls": CONTROLS,
        "chosen": {"steps": 16, "n": 10, "stages": 8, "seeds": 5}, "thresholds": {"floor": 0.5, "excess": 0.5},
        "device": "cpu", "threads": 2, "chunk": 8, "seed": 0, "warnings": ["photo_7.jpg could not be read: truncated"],
        "images": [{"name": f"photo_{i}.jpg", "label": "tench", "target": 0, "predicted": "tench",
                    "probability": 0.97} for i in range(3)],
    }  # fmt: skip


def picture(index: int, size: int) -> Array:
    """A photo made of soft colours and two shapes, uint8 ``(H, W, 3)``."""
    rng = np.random.default_rng(index)
    field = np.stack([smooth(rng, size, size / 5) for _ in range(3)], -1)
    image = 130 + 60 * field / np.abs(field).max()
    y, x = np.mgrid[:size, :size] / size
    image[(x - 0.4) ** 2 + (y - 0.55) ** 2 < 0.06] += [70, 20, -40]
    image[(abs(x - 0.75) < 0.12) & (abs(y - 0.3) < 0.2)] -= [60, 40, 10]
    return np.asarray(image.clip(0, 255), dtype=np.uint8)


def smooth(rng: np.random.Generator, size: int, scale: float) -> Array:
    """A random field with features of about ``scale`` pixels, standard deviation 1."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    noise = np.fft.fft2(rng.standard_normal((size, size)))
    field = np.fft.ifft2(noise * np.exp(-((frequency * scale) ** 2) * 4)).real
    return np.asarray(field / field.std(), dtype=np.float32)


def _strip(index: int, size: int, title: str) -> Strip:
    photo = picture(index, size)
    maps = {name: np.stack([_map(name, photo, index, s) for s in range(len(BLOCKS) + 1)]) for name in METHODS}
    return Strip(
        index, title, photo, ["original", *[f"{i}: {name}" for i, name in enumerate(reversed(BLOCKS), 1)]], maps
    )


def _map(name: str, photo: Array, index: int, stage: int) -> Array:
    """A map ``(3, H, W)`` or ``(1, H, W)``: part of what the network owes, part of what any network gives."""
    size = photo.shape[0]
    gray = photo.astype(np.float32).mean(-1)
    edges = np.hypot(*np.gradient(gray))
    rng = np.random.default_rng([index, stage, len(name)])
    if name == "edge_map":
        return edges[None]
    if name == "input_map":
        return ((photo.astype(np.float32) - 120) / 60).transpose(2, 0, 1)
    if name == "vanilla_custom":
        return np.full((3, size, size), 0.0 if stage < 3 else np.nan, dtype=np.float32)
    if name == "gradcam":
        return smooth(rng, size, size / 4)[None]
    noise = rng.standard_normal((3, size, size)).astype(np.float32)
    if name == "random_map":
        return noise
    if name == "guided_backprop":
        return edges * (1 + 0.3 * noise) * np.sign(smooth(rng, size, 3))
    return noise * np.exp(smooth(rng, size, size / 6)) * (0.2 + edges / edges.max())
