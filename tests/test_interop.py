"""captum and Quantus: methods of ours in their form, methods of captum in ours."""

from __future__ import annotations

import pickle
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import heatproof as hp
from heatproof.engine.model import own
from heatproof.experiment.identity import method_identity
from heatproof.named import method_from_text
from heatproof.types import name_of
from nets import Net, PerLayer, fresh_input, targets
from test_contract import same, snapshot

attr = pytest.importorskip("captum.attr", reason="needs captum (heatproof[bench])")
pytestmark = [
    pytest.mark.filterwarnings(
        "ignore:Input Tensor 0 did not already require gradients:UserWarning"
    ),  # captum's own calls
    pytest.mark.filterwarnings("ignore::DeprecationWarning:quantus"),
]

EXACT = {"rtol": 1e-12, "atol": 1e-13}
SIZE = (2, 3, 3)


def smooth_net() -> nn.Module:
    """Where captum's and our DeepLIFT are one: no maximum, no operation outside a module."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(36, 5))
    return model.double().eval()


def tunnel(model: nn.Module) -> Any:
    """As users would write it."""
    return attr.NoiseTunnel(attr.Saliency(model))


def with_options(model: nn.Module) -> Any:
    return attr.IntegratedGradients(model, multiply_by_inputs=False)


# from captum


@pytest.mark.parametrize(
    ("theirs", "ours", "net"),
    [
        (hp.from_captum(attr.Saliency, abs=False), "gradient", PerLayer),
        (hp.from_captum(attr.InputXGradient), "gradient_x_input", PerLayer),
        (hp.from_captum(attr.GuidedBackprop), "guided_backprop", PerLayer),
        (hp.from_captum(attr.Deconvolution), "deconvnet", smooth_net),
        (
            hp.from_captum(attr.IntegratedGradients, n_steps=8, method="riemann_middle"),
            "integrated_gradients(steps=8)",
            PerLayer,
        ),
        (hp.from_captum(attr.DeepLift), "deeplift", smooth_net),
        (hp.from_captum(attr.LayerGradCam, layer="0", relu_attributions=True), "gradcam(layer='0')", smooth_net),
    ],
    ids=lambda given: getattr(given, "__name__", repr(given)),
)
def test_captums_maps_are_ours_where_the_definitions_are_one(theirs: Any, ours: str, net: Any) -> None:
    want = method_from_text(ours)(net(), fresh_input(), targets())
    torch.testing.assert_close(theirs(net(), fresh_input(), targets()), want, **EXACT)


def test_maps_of_a_layer_are_summed_over_its_channels_and_upsampled() -> None:
    model = PerLayer()
    theirs = attr.LayerConductance(model, model.relus[1]).attribute(fresh_input(), target=targets(), n_steps=4)
    want = nn.functional.interpolate(theirs.sum(1, keepdim=True), (8, 8), mode="bilinear", align_corners=False)
    found = hp.from_captum(attr.LayerConductance, "relus.1", n_steps=4)(PerLayer(), fresh_input(), targets())
    torch.testing.assert_close(found, want.detach(), **EXACT)
    small = hp.from_captum(attr.LayerGradientXActivation, "0")(smooth_net(), fresh_input(), targets())
    assert small.shape == (3, 1, 8, 8)


@pytest.mark.parametrize("score", [hp.probability, hp.margin])
def test_another_score_is_what_captum_explains(score: Any) -> None:
    found = hp.from_captum(attr.Saliency, abs=False)(Net(), fresh_input(), targets(), score=score)
    torch.testing.assert_close(found, hp.gradient(Net(), fresh_input(), targets(), score=score), **EXACT)
    layered = hp.from_captum(attr.LayerGradCam, layer="conv1")(PerLayer(), fresh_input(), targets(), score=score)
    assert layered.shape == (3, 1, 8, 8)


def test_no_target_is_the_predicted_class_and_several_are_rows() -> None:
    saliency = hp.from_captum(attr.Saliency)
    predicted = Net()(fresh_input()).argmax(1)
    assert torch.equal(saliency(Net(), fresh_input()), saliency(Net(), fresh_input(), predicted))
    rows = torch.stack([targets(), predicted])
    assert torch.equal(saliency(Net(), fresh_input(), rows)[1], saliency(Net(), fresh_input(), predicted))


@pytest.mark.parametrize(
    "explain",
    [
        hp.from_captum(attr.Saliency),
        hp.from_captum(attr.GuidedBackprop),
        hp.from_captum(attr.LayerConductance, layer="relus.1", n_steps=3),
        hp.from_captum(attr.GuidedGradCam, layer="conv2"),
        hp.from_captum(attr.Occlusion, sliding_window_shapes=SIZE),
        hp.from_captum(tunnel, nt_samples=3, stdevs=0.1),
    ],
    ids=repr,
)
class TestAsAMethod:
    def test_leaves_nothing_behind(self, explain: Any) -> None:
        model, x = PerLayer(), fresh_input()
        before = snapshot(model, x)
        explain(model, x, targets())
        assert same(before, snapshot(model, x))

    def test_leaves_nothing_behind_after_an_error(self, explain: Any) -> None:
        class Broken(PerLayer):
            def forward(self, x: Tensor) -> Tensor:
                out = super().forward(x)
                if torch.is_grad_enabled():  # past the forward that looks for the class
                    raise RuntimeError("broken on purpose")
                return out

        model, x = own(Broken()), fresh_input()  # private, as the methods of an audit share one
        before = snapshot(model, x)
        if "Occlusion" not in repr(explain):
            with pytest.raises(hp.ModelError, match="broken on purpose"):
                explain(model, x, targets())
        with pytest.raises(hp.InputError, match="out of range"):
            explain(model, x, targets() + 5)
        assert same(before, snapshot(model, x))

    def test_sample_stands_alone(self, explain: Any) -> None:
        x, places = fresh_input(), [7, 2, 40]
        together = explain(PerLayer(), x, targets(), index=torch.tensor(places))
        for i, place in enumerate(places):
            alone = explain(PerLayer(), x[i : i + 1], targets()[i : i + 1], index=torch.tensor([place]))
            torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-10, atol=1e-13)

    def test_same_call_same_map_in_any_grad_mode(self, explain: Any) -> None:
        torch.manual_seed(1)
        want = explain(PerLayer(), fresh_input(), targets())
        torch.manual_seed(2)
        with torch.inference_mode():
            assert torch.equal(explain(PerLayer(), fresh_input(), targets()).clone(), want)

    def test_is_a_value(self, explain: Any) -> None:
        again = pickle.loads(pickle.dumps(explain))
        assert again == explain
        assert hash(again) == hash(explain)
        assert repr(again) == repr(explain) == name_of(explain)
        assert method_identity(explain) is not None, "it could not be resumed"
        assert method_identity(again) == method_identity(explain)


def test_noise_follows_the_seed_and_other_options_are_other_methods() -> None:
    noisy = hp.from_captum(tunnel, nt_samples=2, stdevs=0.1)
    maps = [noisy(PerLayer(), fresh_input(), targets(), seed=seed) for seed in (0, 0, 1)]
    assert torch.equal(maps[0], maps[1])
    assert not torch.equal(maps[0], maps[2])
    assert noisy != hp.from_captum(tunnel, nt_samples=3, stdevs=0.1)
    identities = {
        method_identity(hp.from_captum(m)) for m in (attr.Saliency, attr.InputXGradient, tunnel, with_options)
    }
    assert len(identities) == 4


def test_numpys_noise_is_seeded_too() -> None:
    """GradientShap draws its baselines and its places between them from numpy's global generator."""

    def shap(model: nn.Module) -> Any:
        made = attr.GradientShap(model)
        inner = made.attribute
        made.attribute = lambda x, **options: inner(x, baselines=torch.zeros(2, *x.shape[1:], dtype=x.dtype), **options)
        return made

    explain = hp.from_captum(shap)
    np.random.seed(1)  # noqa: NPY002
    first = explain(PerLayer(), fresh_input(), targets())
    np.random.seed(2)  # noqa: NPY002
    assert torch.equal(first, explain(PerLayer(), fresh_input(), targets()))
    assert np.random.randint(2**31) == np.random.RandomState(2).randint(2**31)  # noqa: NPY002
    torch.testing.assert_close(first[1:2], explain(PerLayer(), fresh_input()[1:2], targets()[1:2], index=[1]), **EXACT)


def test_noise_is_drawn_by_the_place_of_an_image() -> None:
    twice = fresh_input()[:1].expand(2, -1, -1, -1)
    found = hp.from_captum(tunnel, nt_samples=2, stdevs=0.1)(
        PerLayer(), twice, targets(2) * 0, index=torch.tensor([3, 4])
    )
    assert not torch.equal(found[0], found[1])


class Careless:
    """An attribution object that leaves a hook, and draws from numpy alone."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def attribute(self, inputs: Tensor, target: Tensor) -> Tensor:
        self.model.register_forward_hook(lambda *_: None)
        return inputs * torch.tensor(np.random.rand(*inputs.shape))  # noqa: NPY002


def test_careless_code_harms_neither_the_model_nor_repeatability() -> None:
    explain, model, x = hp.from_captum(Careless), own(PerLayer()), fresh_input()
    before = snapshot(model, x)
    together = explain(model, x, targets())
    assert same(before, snapshot(model, x))
    assert torch.equal(together[1:2], explain(model, x[1:2], targets()[1:2], index=[1]))


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("captum:Saliency(abs=False)", hp.from_captum(attr.Saliency, abs=False)),
        ("captum:LayerGradCam(layer='conv2')", hp.from_captum(attr.LayerGradCam, "conv2")),
        ("smooth(captum:Saliency, n=2)", hp.smooth(hp.from_captum(attr.Saliency), n=2)),
        (
            "captum:Occlusion(sliding_window_shapes=(2, 3, 3))",
            hp.from_captum(attr.Occlusion, sliding_window_shapes=SIZE),
        ),
    ],
)
def test_a_text_names_it_and_its_row_is_that_text(text: str, same_as: Any) -> None:
    assert method_from_text(text) == same_as
    assert repr(same_as) == text
    assert same_as(PerLayer(), fresh_input(), targets()).shape[0] == 3


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: hp.from_captum(attr.Saliency(Net())), "bound to a model.*from_captum\\(Saliency"),
        (lambda: hp.from_captum(tunnel(Net())), "bound to a model"),
        (lambda: hp.from_captum(3), "expected a class"),
        (lambda: hp.from_captum(attr.NeuronGradient), "neuron"),
        (lambda: hp.from_captum(attr.NoiseTunnel), r"f\(model\)"),
        (lambda: hp.from_captum(attr.FeaturePermutation), "mixes the images"),
        (lambda: hp.from_captum(attr.Saliency, target=3), "target"),
        (lambda: hp.from_captum(attr.DeepLift, baselines=torch.zeros(1)), "baselines=Tensor"),
        (lambda: method_from_text("captum:Salience"), "no such method.*Saliency"),
        (lambda: hp.from_captum(attr.LayerGradCam)(Net(), fresh_input()), "give layer="),
        (lambda: hp.from_captum(attr.Saliency, layer="conv1")(Net(), fresh_input()), "leave layer= out"),
        (lambda: hp.from_captum(attr.LayerGradCam, layer="conv9")(Net(), fresh_input()), "no module 'conv9'.*conv1"),
        (lambda: hp.from_captum(attr.LayerGradCam, layer="fc1")(Net(), fresh_input()), r"\(3, 1\).*height"),
        (lambda: hp.from_captum(attr.Saliency, steps=3)(Net(), fresh_input()), "unexpected keyword argument 'steps'"),
        (
            lambda: hp.from_captum(attr.LRP)(nn.Sequential(nn.GELU()).eval(), fresh_input().flatten(1)),
            "LRP failed.*GELU",
        ),
        (lambda: hp.from_captum(hp.gradient)(Net(), fresh_input()), "failed"),
    ],
)
def test_what_cannot_be_is_said(make: Any, says: str) -> None:
    with pytest.raises((hp.InputError, hp.ModelError), match=says):
        make()


def test_an_audit_with_workers_resumes(tmp_path: Path) -> None:
    methods = [hp.from_captum(attr.Saliency), hp.from_captum(tunnel, nt_samples=2, stdevs=0.1), "captum:GuidedBackprop"]
    audits = [
        hp.audit(
            PerLayer(dtype=torch.float32), fresh_input(10, dtype=torch.float32), methods=methods, seeds=2, nulls=2,
            faithfulness=False, workers=workers, threads=1, out=tmp_path / str(workers),
        )
        for workers in (1, 2, 2)
    ]  # fmt: skip
    first, second, again = (a.table.drop(columns=["seconds"], errors="ignore") for a in audits)
    assert first.equals(second)
    assert second.equals(again)
    named = {"captum:Saliency", "captum(tunnel, nt_samples=2, stdevs=0.1)", "captum:GuidedBackprop"}
    assert set(first["method"]) - {"(model)"} == named
    assert not first["error"].astype(bool).any()
    assert "not resumed, since" not in audits[0].report.read_text()


def test_without_captum_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(hp.HeatproofError, match="pip install captum"):
        method_from_text("captum:Saliency")


def test_combinators_take_it() -> None:
    gradient = hp.from_captum(attr.Saliency, abs=False)
    for combinator in (lambda m: hp.smooth(m, n=3), lambda m: hp.times_input(m), lambda m: hp.compete(m)):
        found = combinator(gradient)(PerLayer(), fresh_input(), targets())
        torch.testing.assert_close(found, combinator(hp.gradient)(PerLayer(), fresh_input(), targets()), **EXACT)


# to captum

ROUND = ("gradient", "integrated_gradients(steps=5)", "rectgrad(q=50)", "gradcam", "lrp", "fullgrad", "smoothgrad(n=2)")


@pytest.mark.parametrize("text", ROUND)
def test_there_and_back_is_the_method(text: str) -> None:
    want = method_from_text(text)(Net(), fresh_input(), targets())
    assert torch.equal(hp.captum(text, Net()).attribute(fresh_input(), target=targets()), want)
    assert torch.equal(hp.from_captum(hp.captum(text))(Net(), fresh_input(), targets()), want)


def test_targets_of_all_forms() -> None:
    made, x = hp.captum(hp.gradient)(Net()), fresh_input()
    want = hp.gradient(Net(), x, torch.tensor([2, 2, 2]))
    for target in (
        2,
        np.int64(2),
        torch.tensor(2),
        torch.tensor([2]),
        [2, 2, 2],
        torch.tensor([2, 2, 2], dtype=torch.int32),
    ):
        assert torch.equal(made.attribute(x, target=target), want)
    (wrapped,) = made.attribute((x,), target=2)
    assert torch.equal(wrapped, want)
    assert torch.equal(made.attribute(x, target=2), attr.Saliency(Net()).attribute(x, target=2, abs=False))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda m, x: m.attribute(x), "target=None.*argmax"),
        (lambda m, x: m.attribute(x, target=(1, 2)), r"\(1, 2\).*\(B, classes\)"),
        (lambda m, x: m.attribute(x, target=[(1, 2)] * 3), "list of 3 ints"),
        (lambda m, x: m.attribute(x, target=[1, 2]), "list of 3 ints"),
        (lambda m, x: m.attribute(x, target=torch.tensor([0.5])), "torch.float32"),
        (lambda m, x: m.attribute(x, target=9), "out of range"),
        (lambda m, x: m.attribute(x, target=True), "target=True"),
        (lambda m, x: m.attribute(x, target=torch.tensor([True, False, True])), "torch.bool"),
        (lambda m, x: m.attribute((x, x), target=1), "tuple of 2"),
        (lambda m, x: m.attribute(x.numpy(), target=1), "ndarray"),
        (lambda m, x: m.attribute(x, 1, additional_forward_args=x), "additional_forward_args"),
        (lambda m, x: m.attribute(x, 1, n_steps=3), "no option 'n_steps'"),
        (lambda m, x: m.attribute(x, 1, return_convergence_delta=True), "no convergence delta"),
        (lambda m, x: hp.captum("gradient").attribute(x, 1), "no model yet"),
    ],
)
def test_what_is_not_taken_is_said(call: Any, says: str) -> None:
    with pytest.raises(hp.InputError, match=says):
        call(hp.captum("gradient", Net()), fresh_input())


def test_a_model_of_one_number_needs_no_target() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(128, 1)).double().eval()
    found = hp.captum("gradient", model, score=hp.value).attribute(fresh_input())
    torch.testing.assert_close(found, attr.Saliency(model).attribute(fresh_input().requires_grad_(), abs=False))


@pytest.mark.parametrize(("baseline", "given"), [(0.0, {}), (0.3, {"baseline": 0.3})])
def test_the_convergence_delta_is_captums(baseline: float, given: dict[str, Any]) -> None:
    x = fresh_input()
    ours = hp.captum("integrated_gradients(steps=4)", PerLayer())
    theirs = attr.IntegratedGradients(PerLayer())
    assert ours.has_convergence_delta()
    assert not hp.captum("gradient", Net()).has_convergence_delta()
    maps, delta = ours.attribute(x, target=[0, 1, 2], return_convergence_delta=True, **given)
    want = theirs.attribute(
        x, target=[0, 1, 2], n_steps=4, method="riemann_middle", baselines=baseline, return_convergence_delta=True
    )
    torch.testing.assert_close((maps, delta), want, **EXACT)
    assert delta.abs().max() > 1e-6, "a delta of nothing would tell nothing"


def test_captums_own_tools_take_it() -> None:
    from captum.metrics import infidelity, sensitivity_max

    ours, theirs = hp.captum("gradient_x_input", PerLayer()), attr.InputXGradient(PerLayer())
    found = []
    for made in (ours, theirs):
        torch.manual_seed(0)
        smooth = attr.NoiseTunnel(made).attribute(fresh_input(), nt_samples=4, stdevs=0.2, target=[0, 1, 2])
        worst = sensitivity_max(made.attribute, fresh_input(), target=torch.tensor([0, 1, 2]), n_perturb_samples=3)
        maps = made.attribute(fresh_input(), target=1)
        missed = infidelity(PerLayer(), lambda x: (x * 0 + 0.1, x - 0.1), fresh_input(), maps.detach(), target=1)
        found.append((smooth, worst, missed))
    torch.testing.assert_close(*[[t.detach() for t in f] for f in found], **EXACT)


def test_a_noise_tunnel_returns_the_delta_too() -> None:
    made = attr.NoiseTunnel(hp.captum("integrated_gradients(steps=3)", PerLayer()))
    maps, delta = made.attribute(fresh_input(), nt_samples=2, stdevs=0.1, target=1, return_convergence_delta=True)
    assert maps.shape == fresh_input().shape
    assert delta.shape == (6,)


def test_it_leaves_nothing_behind() -> None:
    model, x = Net(nn.ReLU(inplace=True)), fresh_input()
    before = snapshot(model, x)
    hp.captum("guided_backprop", model).attribute(x, target=1)
    with pytest.raises(hp.InputError):
        hp.captum("guided_backprop", model).attribute(x, target=99)
    assert same(before, snapshot(model, x))


# to Quantus


@pytest.fixture
def quantus() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("quantus", reason="needs quantus (heatproof[bench])")


def arrays() -> tuple[Any, Any]:
    return fresh_input(4, dtype=torch.float32).numpy(), targets(4).numpy()


@pytest.mark.parametrize("name", ["PixelFlipping", "MaxSensitivity", "MPRT", "Sparseness"])
def test_quantus_gives_the_same_for_ours_as_for_a_function_of_the_user(quantus: Any, name: str) -> None:
    def written_out(model: nn.Module, inputs: Any, targets: Any, **_: Any) -> Any:
        maps = hp.gradient_x_input(model, torch.tensor(inputs, dtype=torch.float32), torch.tensor(targets))
        return maps.sum(1, keepdim=True).numpy()

    options = {
        "PixelFlipping": {"features_in_step": 16},
        "MaxSensitivity": {"nr_samples": 2},
    }.get(name, {})
    x, y = arrays()
    found = []
    for explain in (hp.captum("gradient_x_input"), hp.captum("gradient_x_input", Net()), written_out):
        np.random.seed(0)  # noqa: NPY002
        torch.manual_seed(0)
        metric = getattr(quantus, name)(disable_warnings=True, **options)
        found.append(metric(model=Net(dtype=torch.float32), x_batch=x, y_batch=y, explain_func=explain, device="cpu"))
    np.testing.assert_equal(found[0], found[2])
    np.testing.assert_equal(found[1], found[2])
    assert np.isfinite(np.asarray(list(found[0].values()) if isinstance(found[0], dict) else found[0])).all()


def test_quantus_gives_the_same_for_maps_as_for_the_method(quantus: Any) -> None:
    x, y = arrays()
    model = Net(dtype=torch.float32)
    maps = hp.guided_backprop(model, torch.tensor(x), torch.tensor(y)).sum(1, keepdim=True).numpy()
    metric = quantus.PixelFlipping(features_in_step=16, disable_warnings=True)
    given = metric(model=model, x_batch=x, y_batch=y, a_batch=maps)
    asked = metric(model=model, x_batch=x, y_batch=y, explain_func=hp.captum("guided_backprop"))
    np.testing.assert_equal(asked, given)


def test_quantus_evaluate_takes_a_table_of_methods(quantus: Any) -> None:
    x, y = arrays()
    found = quantus.evaluate(
        metrics={"sparse": quantus.Sparseness(disable_warnings=True)},
        xai_methods={name: hp.captum(name) for name in ("gradient", "gradcam")},
        model=Net(dtype=torch.float32), x_batch=x, y_batch=y, agg_func=np.mean, explain_func_kwargs={},
    )  # fmt: skip
    assert set(found) == {"gradient", "gradcam"}


def test_the_form_of_what_quantus_gets() -> None:
    x, y = arrays()
    model = Net(dtype=torch.float32)
    want = hp.gradient(model, torch.tensor(x), torch.tensor(y))
    made = hp.captum("gradient")
    whole = made(model=model, inputs=x.astype(np.float64), targets=y.astype(np.int32), reduce_axes=())
    assert whole.dtype == np.float32
    assert np.array_equal(whole, want.numpy())
    assert np.array_equal(made(model=model, inputs=x, targets=y), want.sum(1, keepdim=True).numpy())
    assert hp.captum("integrated_gradients")(model, x, y, steps=3).shape == (4, 1, 8, 8)
