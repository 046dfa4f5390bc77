"""A network trained on permuted labels (section 4.2), and the audit's own verdicts on the methods of the paper."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...combine.kept import kept
from ...similarity import spearman, zero_pattern_null
from ...theory.nulls import sparse_spearman_null
from ...types import Explain
from ..lab import Lab
from ..numbers import of_audit, over
from ..types import Measured, Number

PLAIN, COMPETING = "gradient_x_input", "cgi"
METHODS = (PLAIN, COMPETING, "lrp", "clrp")
PAIR = "labels-mnist-alexnet"
DIGIT = 3
DRAWN = (1, 2)
"""Threes whose maps are drawn."""


def audited(lab: Lab) -> Measured:
    """What `heatproof audit` says of the methods on the MNIST CNN, weights randomised from the output down."""
    model, (x, _) = lab.network("mnist-cnn"), lab.labelled("MNIST", "test", lab.pick(20, 64, 100))
    settings = {"metrics": ("spearman", "spearman_abs"), "seeds": lab.pick(3, 5, 10)}
    results = lab.audit("cascading", model, x, lab.methods(*METHODS), checks=("cascading",), **settings)
    words: dict[str, str] = {}
    for row in results.verdicts.to_dict("records"):
        words |= {f"verdict/{row['method']}": str(row["verdict"]), f"reason/{row['method']}": str(row["reason"])}
    return Measured(of_audit(results), words=words)


def permuted_labels(lab: Lab) -> Measured:
    """Maps of threes by a network trained on true labels and by one trained on permuted ones."""
    pair = lab.pair(PAIR)
    x, targets = lab.labelled("MNIST", "test", lab.pick(200, 500, 2000))
    found = threes(lab.methods(PLAIN, COMPETING), pair.true, pair.permuted[0], x[targets == DIGIT])
    gates = {f"gate/{gate['name']}": Number(gate["value"]) for gate in pair.gates["gates"] if gate["value"] is not None}
    return Measured({**found.numbers, **gates}, found.arrays, found.words)


def threes(methods: dict[str, Explain], true: nn.Module, permuted: nn.Module, x: Tensor) -> Measured:
    """Maps of both networks, for the class of the digit and for the class that each network names."""
    numbers: dict[str, Tensor] = {}
    arrays = {"images": x[list(DRAWN)].float()}
    digit = torch.full((len(x),), DIGIT, device=x.device)
    maps: dict[str, dict[str, Tensor]] = {}
    for which, model in (("true", true), ("permuted", permuted)):
        with torch.no_grad():
            said = model(x).argmax(1)
        numbers[f"{which}/said"] = (said == digit).double()
        both = {name: method(model, x, torch.stack([digit, said])) for name, method in methods.items()}
        maps[which] = {name: found[0] for name, found in both.items()}
        arrays |= {f"{which}/{name}": found[0, list(DRAWN)].float() for name, found in both.items()}
        for row, choice in enumerate(("", "predicted/")):
            of_row = {name: found[row] for name, found in both.items()}
            numbers |= {f"{choice}{which}/{name}": values for name, values in seen(x, of_row).items()}
        shares, best = every_class(x, methods, model)
        numbers |= {f"{which}/{name}": values for name, values in shares.items()}
        arrays[f"{which}/best"] = best[list(DRAWN)].float()
    numbers["lost"] = numbers[f"true/{COMPETING}/image"] - numbers[f"permuted/{COMPETING}/image"]
    for name in methods:
        a, b = maps["true"][name], maps["permuted"][name]
        alike = {
            "signed": spearman(a, b),
            "absolute": spearman(a, b, absolute=True),
            "expected": zero_pattern_null(a, b),
        }
        numbers |= {f"alike/{name}/{metric}": values.nan_to_num() for metric, values in alike.items()}  # 0 if blank
    return Measured({name: over(values) for name, values in numbers.items()}, arrays)


def every_class(x: Tensor, methods: dict[str, Explain], model: nn.Module) -> tuple[dict[str, Tensor], Tensor]:
    """Share that CGI keeps and its rank correlation with the image, by class; its maps of the class that keeps most."""
    with torch.no_grad():
        classes = torch.arange(model(x[:1]).shape[1], device=x.device)[:, None].expand(-1, len(x)).contiguous()
    before, after = (methods[name](model, x, classes) for name in (PLAIN, COMPETING))
    shares = [kept(a, b).fraction for a, b in zip(before, after, strict=True)]
    best = after[int(torch.stack(shares).nanmean(1).argmax())]
    found = {f"kept/{c}": share for c, share in enumerate(shares)}
    return found | {f"image/{c}": spearman(b, x, absolute=True).nan_to_num() for c, b in enumerate(after)}, best


def seen(x: Tensor, maps: dict[str, Tensor]) -> dict[str, Tensor]:
    """How much of the image a map shows: rank correlation with it (0 if blank), share of the stroke in colour."""
    stroke = (x != 0).flatten(1)
    found: dict[str, Tensor] = {}
    for name, values in maps.items():
        coloured = (values != 0).flatten(1)
        found[f"{name}/image"] = spearman(values, x, absolute=True).nan_to_num()
        found[f"{name}/stroke"] = (coloured & stroke).sum(1) / stroke.sum(1).double()
        found[f"{name}/outside"] = (coloured & ~stroke).sum(1) / coloured.sum(1).double()
    share, mass = kept(maps[PLAIN], maps[COMPETING])
    p, q = stroke.double().mean(1), found[f"{COMPETING}/stroke"]
    by_chance = sparse_spearman_null(
        q, torch.ones_like(q), p
    ).nan_to_num()  # semantics.md 0.6: the image keeps all of the stroke
    return {
        **found,
        "kept": share,
        "mass": mass,
        "expected": by_chance,
        "less": found[f"{PLAIN}/image"] - found[f"{COMPETING}/image"],
    }
