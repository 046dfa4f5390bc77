"""The maps of all methods under one network, from shared passes; and why a network leaves nothing to explain."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..engine.call import attribute, guarded
from ..engine.chunks import generator, padded
from ..engine.model import output, own
from ..engine.passes import TERMS, forward
from ..engine.sharing import shared_passes
from ..errors import HeatproofError, InputError, ModelError, out_of_memory
from ..score import check_output, predicted
from ..types import Explain, Score, needs_of, spec_of
from .memory import memory_of
from .subject import Maps, Record, Subject


def explain_all(
    subject: Subject,
    model: nn.Module,
    shard: list[int],
    variant: str,
    record: Record | None = None,
    check: str = "",
    stage: int = 0,
    seed: int = 0,
    images: Tensor | None = None,
) -> Maps:
    """The maps of all methods under one variant of the model, from shared passes, in one chunk of fixed size.

    A method that raises is a row with its error, never a silent gap; under a network that is dead (`why_dead`) only those
    run that have no model in them. With `record`, whether each image's predicted class changed is noted as the metric
    "class_changed", where the score picks a class. images: in place of the shard's own, ``(B, C, H, W)``.
    """
    private = own(model)
    index = padded(torch.tensor(shard), subject.chunk)
    x = subject.images[index.to(subject.images.device)] if images is None else padded(images, subject.chunk)
    target = subject.targets[index.to(subject.targets.device)].to(x.device)
    with shared_passes(passes_of(subject), x):
        now, dead = _classes_now(subject, private, x, variant)
        if record is not None and now is not None:
            changed = (now != target)[: len(shard)].tolist()
            record.rows += [
                ("(model)", check, stage, "class_changed", i, seed, float(c), "ok", "")
                for i, c in zip(shard, changed, strict=True)
            ]
        if subject.classes == "predicted" and variant != "original" and now is not None:
            target = now
        found = maps_of(subject, private, x, target, index, variant, dead)
    return Maps({name: maps[: len(shard)] for name, maps in found.maps.items()}, found.errors)


def maps_of(
    subject: Subject, private: nn.Module, x: Tensor, target: Tensor, index: Tensor, variant: str, dead: str = ""
) -> Maps:
    """The maps of all methods at given images, from shared passes; what a method raises is kept in its place.

    Args:
        index: int64 ``(B,)``, places in the data set, from which the noise follows.
        variant: of the network or the images; random_map redraws its noise for each but "original".
        dead: why only methods that have no model in them run, "" where all do.
    """
    maps: dict[str, Tensor] = {}
    errors: dict[str, str] = {}
    with shared_passes(passes_of(subject), x):
        # full gradients first: the other gradients of their pass come out of the same backward
        for name, explain in sorted(
            subject.methods.items(), key=lambda item: ("plain", TERMS) not in needs_of(item[1])
        ):
            if dead and needs_model(explain):
                errors[name] = dead
                continue
            try:
                maps[name] = one_map(explain, private, x, target, index, subject, variant).detach()
            except Exception as error:  # a method of the user's may raise anything; it becomes a row
                if out_of_memory(error):
                    raise  # the job is not finished: it is for the caller to make room
                errors[name] = str(error) if isinstance(error, HeatproofError) else f"{type(error).__name__}: {error}"
    return Maps({name: maps[name] for name in subject.methods if name in maps}, errors)


def one_map(
    explain: Explain, private: nn.Module, x: Tensor, target: Tensor, index: Tensor, subject: Subject, variant: str
) -> Tensor:
    spec = spec_of(explain)
    own_noise = spec is not None and (spec.control_noise or (spec.noise and subject.noise == "fresh"))
    own_noise = own_noise and variant != "original"
    seed = generator(subject.seed, variant).initial_seed() if own_noise else subject.seed
    model, inputs = guarded(explain, private, x)
    return attribute(explain, model, inputs, target, score=subject.score, seed=seed, index=index)


def passes_of(subject: Subject) -> set[tuple[str, str]]:
    """The passes that all methods read together."""
    return {need for explain in subject.methods.values() for need in needs_of(explain)}


def needs_model(explain: Explain) -> bool:
    """Whether a method runs the model; one that nobody marked may."""
    spec = spec_of(explain)
    return spec is None or spec.uses_model


def _classes_now(subject: Subject, private: nn.Module, x: Tensor, variant: str) -> tuple[Tensor | None, str]:
    """The class that each image is given, None where the score picks none; and why nothing can be explained, or ""."""
    try:
        out = _said(subject, private, x)
        dead = _why_dead_once(private, subject, variant) if variant != "original" else ""
    except ModelError as error:
        return None, str(error)
    return guess(out, subject.score), dead


def _said(subject: Subject, private: nn.Module, x: Tensor) -> Any:
    """What the model returns, from the pass that the methods share where there is one."""
    if any(rules == "plain" for rules, _ in passes_of(subject)):
        try:
            return forward(private, x, subject.score).out
        except HeatproofError:  # no gradient, say; occlusion needs none
            pass
    return output(private, x, subject.score)


def guess(out: Tensor, score: Score) -> Tensor | None:
    """The predicted class, ``(B,)``; None where the score picks none from such an output."""
    try:
        return predicted(out, score)
    except InputError:
        return None


def _why_dead_once(private: nn.Module, subject: Subject, variant: str) -> str:
    """`why_dead` of the calibration batch, so that the answer is the same for every shard; "" where it leaves something."""
    known = memory_of(subject).dead
    if variant not in known:
        try:
            known[variant] = why_dead(output(private, subject.calibration, subject.score), subject.calibration, variant)
        except ModelError as error:
            known[variant] = str(error)
    return known[variant]


def note_said(subject: Subject, variant: str, said: Any) -> None:
    """What a stage said of the calibration batch when its statistics were estimated tells whether it is dead: no forward
    of its own is needed for that."""
    known = memory_of(subject).dead
    if said is None or variant in known:
        return
    try:
        check_output(said, subject.score, len(subject.calibration))
        known[variant] = why_dead(said, subject.calibration, variant)
    except ModelError as error:
        known[variant] = str(error)


def why_dead(out: Any, x: Tensor, variant: str) -> str:
    """Why a random network leaves nothing to explain: it says the same of every class, or of every image. "" if it does."""
    if not isinstance(out, Tensor):
        return ""
    said = None
    if out.dim() == 2 and out.shape[1] > 1 and (out == out[:, :1]).all():
        said = "are all equal"
    elif (out == out[:1]).all() and not (x == x[:1]).all():
        said = "are the same for every image"
    if said is None:
        return ""
    return (
        f"the logits of variant {variant} {said}: nothing is left to explain; another init or batch-norm policy may keep "
        "the activations in range"
    )
