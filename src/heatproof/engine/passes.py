"""A pass: one forward of a private twin under a rule set, with taps, and the gradients that methods read from it.

One ordinary autograd graph serves one target or many: each row of ``(K, B)`` targets is a backward pass
of its own. Inside `shared_passes` equal passes are run once, with the union of the taps that are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import HeatproofError, InputError, ModelError, NotApplicable
from ..score import check_output, check_target, classes, predicted
from ..types import Score
from .chance import repeatable
from .chunks import padded
from .guard import Taint, check_graph, fixed_batch, has_odd_batch_norm, uses_batch_statistics
from .interpose import Interpose, Observer, RuleSet, Shapes, Tap, tensors_in
from .layout import Layouts
from .model import call_model, check_inputs, own
from .pullback import differentiated, pull_back, scores_of
from .rectified import Rectified
from .sharing import SHARING, Sharing
from .taps import LayerTap, SpatialTap
from .terms import FoldedBatch, Terms, Traced, separate
from .twin import twin

INPUT = "input"
SPATIAL = "spatial"
TERMS = "terms"
RECTIFIED = "rectified"
SCORE_CALLS = 1_000_000
"""The score's own calls are counted from here on, after the model's."""


@dataclass
class Pass:
    """A forward that ran: `leaf` is the input that gradients are taken at, `out` what the model returned."""

    leaf: Tensor
    out: Any
    taps: dict[str, Tap]
    failed: dict[str, NotApplicable]
    rules: RuleSet | None = None
    sizes: list[tuple[int, int]] = field(default_factory=list)
    traced: list[Traced] = field(default_factory=list)
    shared: bool = False
    keep_gradients: bool = False
    rectified: Rectified | None = None
    _gradients: dict[tuple[Any, ...], dict[str, Tensor]] = field(default_factory=dict)

    def target(self, score: Score, target: Any) -> Tensor:
        """The target checked, or the predicted class where it is None. int64 ``(B,)`` or ``(K, B)``."""
        if target is None:
            return predicted(self.out, score).detach()
        return check_target(target, len(self.leaf), self.leaf.device, classes(self.out, score))

    def tap(self, place: str) -> Tap:
        if place in self.failed:
            raise self.failed[place]
        return self.taps[place]

    def gradients(self, score: Score, target: Tensor, *places: str) -> list[Tensor]:
        """Gradient of the score at each place, ``(B, ...)``; with ``(K, B)`` targets ``(K, B, ...)``."""
        for place in places:
            if place != INPUT:
                self.tap(place)
        wanted = tuple(dict.fromkeys((INPUT, *self.taps) if self.keep_gradients else places))
        key = _asked(score, target, wanted)
        if key not in self._gradients:
            found = self._pull(score, target, wanted)
            if not self.keep_gradients:
                return [found[place] for place in places]
            self._gradients[key] = found
        return [self._gradients[key][place].clone() for place in places]  # a caller may write to its own

    def input_gradient(self, scores: Tensor, score: Score, target: Tensor, *, keep: bool) -> Tensor:
        """Gradient at the input of scores ``(B,)`` on this graph (`scored`). Where gradients are kept, those at all
        places come out of the same backward pass, for the methods that ask after this one."""
        places = (INPUT, *self.taps) if self.keep_gradients else (INPUT,)
        with differentiated():
            found = torch.autograd.grad(scores.sum(), self._roots(places), retain_graph=keep, allow_unused=True)
        if self.keep_gradients and all(g is not None for g in found):
            self._gradients[_asked(score, target, places)] = dict(zip(places, found, strict=True))
        return found[0].clone() if self.keep_gradients else found[0]

    def scored(self, score: Score, target: Tensor) -> tuple[Tensor, list[Traced]]:
        """The score ``(B,)`` of one class each, on the graph of this pass, and its own operations with a residual."""
        ends = list(tensors_in(self.out))
        with torch.inference_mode(False), torch.enable_grad():
            terms = Terms(len(self.leaf), ends=ends)
            with Interpose([], [terms], plain_attention=True, separate=separate) as mode:
                mode.calls = SCORE_CALLS
                scores = scores_of(self.out, score, target.clone())  # the caller's may be an inference tensor
        if not scores.requires_grad:
            raise InputError(f"score={getattr(score, '__name__', score)} does not depend on the model's output")
        terms.check_covered(scores)
        return scores, terms.traced

    def _pull(self, score: Score, target: Tensor, places: tuple[str, ...]) -> dict[str, Tensor]:
        roots = self._roots(places)
        rows = target[None] if target.dim() == 1 else target
        rule = self.rules.through if self.rules else None
        through = self.rectified.through(rule) if self.rectified and rule else nullcontext()
        try:
            # the caller's target may be an inference tensor, which scores would save
            with torch.inference_mode(False), differentiated(), through:
                grads = pull_back(self.out, score, rows.clone(), roots, self.rules, keep=self.shared)
        except ModelError as error:
            if "not have been used" not in str(error.__cause__):
                raise
            raise NotApplicable(
                f"{', '.join(tap.name for tap in self.taps.values())} does not reach the output (a side branch); give "
                "layer=, the path of a module that does"
            ) from error
        return {place: g[0] if target.dim() == 1 else g for place, g in zip(places, grads, strict=True)}

    def _roots(self, places: tuple[str, ...]) -> list[Any]:
        return [self.leaf if place == INPUT else self.taps[place].edge for place in places]


def _asked(score: Score, target: Tensor, places: tuple[str, ...]) -> tuple[Any, ...]:
    return score, tuple(target.shape), tuple(target.flatten().tolist()), places


def forward(model: nn.Module, inputs: Tensor, score: Score, rules: RuleSet | None = None, *places: str) -> Pass:
    """Run the model once for attribution.

    Args:
        model: in evaluation mode; a twin of it runs, never the model itself.
        inputs: ``(B, ...)`` in the model's units; the model gets a clone.
        score: only to refuse outputs that it cannot take.
        rules: backward rules; with them the guard is on.
        places: taps besides the input: `SPATIAL` or "layer:PATH".

    Raises:
        InputError, ModelError, NotApplicable, EscapedOp.
    """
    sharing = SHARING.get()
    if sharing is not None and rules is not None and rules.through is not None and inputs is sharing.inputs:
        run = _on_plain(sharing, model, inputs, score, rules)
        if run is not None and not places:
            return run
    if sharing is None and rules is not None and rules.through is not None and not places:
        run = _run(model, inputs, score, None, (RECTIFIED,), shared=False)
        if run.rectified is not None:
            return replace(run, rules=rules)
    name = rules.name if rules else "plain"
    planned = sharing.places.get(name) if sharing is not None and inputs is sharing.inputs else None
    if sharing is not None and sharing.unplanned and planned is None and inputs is sharing.inputs:
        planned = frozenset(places) if rules is None or rules.key is not None else None
    if sharing is not None and planned is not None and set(places) <= planned:
        version = 0 if inputs.is_inference() else inputs._version
        key = (id(model), version, name, rules.key if rules else None, planned, score)
        if key not in sharing.kept:
            everything = planned - {INPUT}
            try:
                run = _run(model, inputs, score, rules, tuple(sorted(everything)), shared=True)
            except (HeatproofError, FoldedBatch):
                if TERMS not in planned:
                    raise
                sharing.places[name] = planned - {TERMS}  # without full gradients there are gradients still
                return forward(model, inputs, score, rules, *places)
            run.keep_gradients = sharing.keep_gradients
            sharing.kept[key] = run
            sharing.alive.append(model)  # its id must not be given to another
        return sharing.kept[key]
    return _run(model, inputs, score, rules, places, shared=False)


def _on_plain(sharing: Sharing, model: nn.Module, inputs: Tensor, score: Score, rules: RuleSet) -> Pass | None:
    """The shared plain pass with gradients that go through its ReLUs as a rule says; None where it cannot."""
    if RECTIFIED not in sharing.places.get("plain", ()):
        return None
    plain = forward(model, inputs, score)
    if plain.rectified is None:
        return None
    key = (id(plain), rules.name)
    if key not in sharing.kept:
        sharing.kept[key] = replace(plain, rules=rules, _gradients={})
    return sharing.kept[key]


def _run(
    model: nn.Module, inputs: Tensor, score: Score, rules: RuleSet | None, places: tuple[str, ...], *, shared: bool
) -> Pass:
    private = own(model)
    check_inputs(private, inputs)
    layouts = Layouts()
    spatial = SpatialTap(layouts) if SPATIAL in places else None
    layers = {p: LayerTap(p.removeprefix("layer:"), layouts) for p in places if p.startswith("layer:")}
    taint = Taint() if rules else None
    terms = Terms(len(inputs), layouts) if TERMS in places else None
    rectified = Rectified() if RECTIFIED in places and rules is None else None
    observers: list[Observer] = [o for o in (terms, spatial, taint, rectified) if o is not None]
    if terms or spatial or layers:
        observers.insert(0, layouts)
    if (layers or observers) and private is model:
        private = twin(private, own_buffers=True)  # hooks go on a copy of their own, and what the forward writes
    for layer in layers.values():
        layer.attach(private)
    plain = terms is not None or (rules is not None and rules.plain_attention)
    mode = Interpose(
        [rules.answer] if rules else [], observers, plain_attention=plain, separate=separate if terms else None
    )
    with torch.inference_mode(False), torch.enable_grad(), repeatable(model, inputs, score):
        leaf = inputs.detach().clone().requires_grad_()
        if observers or rules:
            mode.follow(private)
            x = leaf.clone()
            layouts.begin(x)
            if terms is not None:
                terms.begin(x)
            with mode:
                out = call_model(private, x)
        else:
            out = call_model(private, leaf.clone())
            if len(inputs) == 1 and any(has_odd_batch_norm(t) for t in tensors_in(out) if t.requires_grad):
                with mode:
                    out = call_model(private, leaf.clone())
    check_output(out, score, len(inputs))
    _check_differentiable(out)
    if rules and taint is not None:
        _check_rules(out, rules, taint, mode.answered)
    if terms is not None:
        terms.check_covered(out)
        terms.settle()
        if not batch_comes_first(private, inputs, terms.ambiguous(), plain):
            raise FoldedBatch
    taps, failed = _collect(spatial, layers)
    if not shared and failed:
        raise next(iter(failed.values()))
    return Pass(
        leaf,
        out,
        taps={**taps, **(rules.places() if rules else {})},
        failed=failed,
        rules=rules,
        sizes=layouts.sizes,
        traced=terms.traced if terms else [],
        shared=shared,
        rectified=rectified if rectified and rectified.covers(out) else None,
    )


def batch_comes_first(
    private: nn.Module, inputs: Tensor, shapes: Mapping[int, torch.Size], plain_attention: bool = False
) -> bool:
    """Whether calls whose outputs have as many of something else as there are samples hold the samples first, judged by a
    forward of one sample more. Always True without such calls, and for a program that takes one batch size only."""
    if not shapes or fixed_batch(private) is not None:
        return True
    more = padded(inputs, len(inputs) + 1).detach().clone().requires_grad_()
    seen = Shapes()
    with torch.inference_mode(False), torch.enable_grad(), Interpose([], [seen], plain_attention=plain_attention):
        call_model(private, more.clone())
    return all(seen.of.get(i, torch.Size([0]))[0] == len(more) for i in shapes)


def _said(out: Tensor) -> str:
    return f"{out.dtype} {tuple(out.shape)}"


def _check_differentiable(out: Any) -> None:
    if not isinstance(out, Tensor):
        return
    if not out.requires_grad:
        raise ModelError(
            f"the output, {_said(out)}, has no gradient to the input: the model detaches, runs under no_grad, or "
            "ignores its input; turn that off, or use a method that needs no gradient, such as occlusion"
        )
    if uses_batch_statistics(out):
        raise ModelError(
            "a batch norm without running statistics normalises each image by its batch, so that no image has a map of "
            "its own; train it with track_running_stats=True"
        )


def _check_rules(out: Any, rules: RuleSet, taint: Taint, answered: int) -> None:
    if not isinstance(out, Tensor) and rules.covers_score:
        raise ModelError(
            f"{rules.name} starts at the model's output, and the model returned a {type(out).__name__}; wrap the model so "
            "that it returns the logits as one tensor"
        )
    for part in tensors_in(out):
        check_graph(part, rules.functions, taint, rules.name)
    if rules.needs_rule and not answered:
        raise NotApplicable(
            f"{rules.name} changes the gradient of {rules.needs_rule}, and none ran between input and output: the map "
            "would be the plain gradient; use gradient"
        )


def _collect(
    spatial: SpatialTap | None, layers: dict[str, LayerTap]
) -> tuple[dict[str, Tap], dict[str, NotApplicable]]:
    taps: dict[str, Tap] = {}
    failed: dict[str, NotApplicable] = {}
    sources: dict[str, SpatialTap | LayerTap] = {**({SPATIAL: spatial} if spatial else {}), **layers}
    for place, source in sources.items():
        try:
            taps[place] = source.tap()
        except NotApplicable as error:
            failed[place] = error
    return taps, failed
