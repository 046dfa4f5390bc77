"""What the similarities say of maps that have nothing in common, or nothing but the image.

No similarity has a scale of its own: .9 is much only where maps that share nothing stay far below it (Sanity Checks,
arXiv:1810.03292, sections 5.2 and 5.4, and appendix B).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from ..data.streamed import Images
from ..engine.chunks import sample_generators
from ..methods.edge_map import edge_map
from ..methods.gradient import gradient
from .compared import compare
from .explained import explain_all
from .subject import Maps, Record, Row, Subject

PAIRS = {
    "map_uniform": "the map against uniform noise in [-1, 1]",
    "map_gaussian": "the map against Gaussian noise",
    "uniform_uniform": "uniform noise against uniform noise",
    "gaussian_gaussian": "Gaussian noise against Gaussian noise",
    "product_uniform": "the image times uniform noise, twice",
    "product_gaussian": "the image times Gaussian noise, twice",
    "product_trunc_normal": "the image times normal noise cut at two standard deviations, twice",
    "product_noise": "the image times its gradient plus growing noise, twice",
    "edges": "the map against the image's edges",
    "edge_input": "the map of the image against the map of the image times its edges, same network and class",
}
"""What is compared, by name."""
NOISE_LEVELS = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Noise of "product_noise", in standard deviations of the gradient of the image."""
GRADIENT, EDGES = "(gradient)", "(edges)"

DRAWS: dict[str, Callable[[torch.Size, torch.Generator], Tensor]] = {
    "uniform": lambda shape, g: torch.rand(shape, generator=g) * 2 - 1,
    "gaussian": lambda shape, g: torch.randn(shape, generator=g),
    "trunc_normal": lambda shape, g: nn.init.trunc_normal_(torch.empty(shape), a=-2, b=2, generator=g),
}

Pair = tuple[str, int, Maps, Maps]
"""(name, place in the levels, maps, maps to compare with)."""


def calibrate(subject: Subject, shard: list[int]) -> Record:
    """Similarities of the pairs of `PAIRS` on some images.

    Source: Adebayo et al. 2018, arXiv:1810.03292, appendix B (masks), 5.2 (products; its "as noise increases" is read as
    a gradient plus growing noise, since no rank sees the scale of pure noise) and 5.4 (edges); deviations: Sobel edges.

    Args:
        subject: what is audited; `black` is where an image without edges ends.
        shard: places of the images in the data set; together with the seed they decide the noise.

    Returns:
        Rows (method, "calibration:PAIR", place in the levels, metric, image, 0, similarity, status, error); pairs without
        a method have one in brackets, "(input x uniform)". status: "ok", "undefined" where one of the two maps has no
        order, "failed" where a method raised.
    """
    controls = {**subject.methods, GRADIENT: gradient, EDGES: edge_map}
    found = explain_all(replace(subject, methods=controls), subject.model, shard, "original")
    record = Record()
    for pairs in (_random, _products, _with_maps):
        for pair in pairs(subject, shard, found):
            record.rows += _rows(subject, shard, pair)
    return record


def level_of(pair: str, level: int) -> float:
    """The noise of a row, in standard deviations of the gradient; 0 for pairs that have no levels."""
    return NOISE_LEVELS[level] if pair == "product_noise" else 0.0


def noise(kind: str, like: Images, seed: int, shard: list[int], part: int) -> Tensor:
    """Noise in the shape of `like`, one generator an image; part 0 and part 1 are independent. float32."""
    generators = sample_generators(seed, shard, len(shard), f"calibration {kind} {part}")
    return torch.stack([DRAWS[kind](like.shape[1:], g) for g in generators]).to(like.device)


def _random(subject: Subject, shard: list[int], found: Maps) -> Iterator[Pair]:
    """Noise against noise, no model and no image."""
    for kind in ("uniform", "gaussian"):
        u, v = (noise(kind, subject.images, subject.seed, shard, part) for part in range(2))
        yield f"{kind}_{kind}", 0, _one(f"({kind})", u), _one(f"({kind})", v)


def _products(subject: Subject, shard: list[int], found: Maps) -> Iterator[Pair]:
    """One image times two gradients: pure noise, then the real one with noise."""
    x = subject.images[shard]
    for kind in DRAWS:
        u, v = (noise(kind, x, subject.seed, shard, part) for part in range(2))
        yield f"product_{kind}", 0, _one(f"(input x {kind})", x * u), _one(f"(input x {kind})", x * v)
    name = "(input x noisy gradient)"
    n1, n2 = (noise("gaussian", x, subject.seed, shard, part) for part in range(2))
    for place, level in enumerate(NOISE_LEVELS):
        if GRADIENT in found.errors:
            failed = Maps({}, {name: found.errors[GRADIENT]})
            yield "product_noise", place, failed, failed
            continue
        g = found.maps[GRADIENT]
        step = level * _deviations(g)
        yield "product_noise", place, _one(name, x * (g + step * n1)), _one(name, x * (g + step * n2))


def _with_maps(subject: Subject, shard: list[int], found: Maps) -> Iterator[Pair]:
    """Every method's map against noise, against edges, and against its own map of the edges."""
    failed = {name: found.errors[name] for name in subject.methods if name in found.errors}
    maps = {name: found.maps[name] for name in subject.methods if name in found.maps}
    for kind in ("uniform", "gaussian"):
        masks = {name: noise(kind, m, subject.seed, shard, 0) for name, m in maps.items()}
        yield f"map_{kind}", 0, found, Maps(masks, failed)
    if EDGES in found.errors:
        without = Maps({}, dict.fromkeys(subject.methods, found.errors[EDGES]))
        yield from (("edges", 0, found, without), ("edge_input", 0, found, without))
        return
    edges = found.maps[EDGES]
    yield "edges", 0, found, Maps(dict.fromkeys(maps, edges), failed)
    # another variant: controls draw new noise; "predicted" would take the class of the edges
    fixed = replace(subject, classes="fixed")
    edged = _edged(subject, shard, edges)
    yield "edge_input", 0, found, explain_all(fixed, subject.model, shard, "edge_input", images=edged)


def _edged(subject: Subject, shard: list[int], edges: Tensor) -> Tensor:
    """Images of the shard times their edges scaled to [0, 1]: black where there is none. ``(B, C, H, W)``"""
    x = subject.images[shard]
    dark = (torch.zeros(x.shape[1]) if subject.black is None else subject.black).to(x)[:, None, None]
    highest = edges.amax((1, 2, 3), keepdim=True)
    return dark + (x - dark) * (edges / highest.where(highest > 0, 1.0))


def _deviations(maps: Tensor) -> Tensor:
    """Standard deviation of each map, one by one: a sum over a batch may round differently. ``(B, 1, 1, 1)``."""
    return torch.stack([m.double().std(correction=0) for m in maps]).view(-1, 1, 1, 1).to(maps)


def _one(name: str, maps: Tensor) -> Maps:
    return Maps({name: maps}, {})


def _rows(subject: Subject, shard: list[int], pair: Pair) -> Iterator[Row]:
    """Rows as `compare` makes them of what stands on the right. Nothing vanishes here: no network was changed."""
    name, level, left, right = pair
    compared = replace(subject, methods=dict.fromkeys([*right.maps, *right.errors], gradient))  # only names are read
    for row in compare(compared, left, right, shard, f"calibration:{name}", level, 0):
        yield (*row[:7], "undefined" if row[7] == "vanished" else row[7], row[8])
