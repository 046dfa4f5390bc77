"""The papers' networks: shapes, sizes, initialisers, what the rest of heatproof does with them, and a closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d, correlate2d
from torch import nn

from heatproof import gradient, gradient_x_input, randomize
from heatproof.errors import InputError
from heatproof.models.nets.adebayo import CNN_DECAYED, AdebayoCNN, AdebayoMLP, truncated_normal_
from heatproof.models.nets.alexnet import SmallAlexNet
from heatproof.models.nets.cifar_resnet import CifarResNet
from heatproof.models.nets.lenet import LeNet
from heatproof.models.nets.rectgrad_cnn import RectGradCNN
from heatproof.models.nets.small_cnn import SmallCNN
from heatproof.models.nets.sum_pool import SumPoolConv
from heatproof.models.nets.vgg9 import VGG9
from heatproof.models.spec import load_model
from heatproof.theory.sum_pool import sum_pool_gradient
from heatproof.train import seeded, train

VGG9_WEIGHTS = 9 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 256 + 256 * 512 + 3 * 512 * 512) + 512 * 10
ALEXNET_WEIGHTS = 64 * 192 * 25 + 9 * (192 * 384 + 384 * 256 + 256 * 256) + 1024 * 4096 + 4096 * 4096 + 4096 * 10
ALEXNET_BIASES = 64 + 192 + 384 + 256 + 256 + 4096 + 4096 + 10

NETS = {  # build, input, parameters worked out by hand from the papers' tables
    "small_cnn": (
        SmallCNN,
        (3, 48, 48),
        3 * 9 * 16 + 16 * 9 * 32 + 32 * 9 * 64 + 64 * 9 * 64 + 64 * 9 * 128 + 608 + 1290,
    ),
    "lenet": (LeNet, (1, 28, 28), 44_426),
    "lenet_cifar": (lambda: LeNet(3, 32), (3, 32, 32), 62_006),
    "resnet20": (CifarResNet, (3, 32, 32), 269_722),
    "resnet56": (lambda: CifarResNet(9), (3, 32, 32), 853_018),
    "adebayo_cnn": (AdebayoCNN, (1, 28, 28), 832 + 51_264 + 3_212_288 + 10_250),
    "adebayo_mlp": (AdebayoMLP, (1, 28, 28), 785 * 2500 + 2501 * 1500 + 1501 * 500 + 501 * 10),
    "adebayo_cnn_no_bias": (lambda: AdebayoCNN(bias=False), (1, 28, 28), 3_274_634 - 32 - 64 - 1024 - 10),
    "adebayo_mlp_no_bias": (lambda: AdebayoMLP(bias=False), (1, 28, 28), 784 * 2500 + 2500 * 1500 + 1500 * 500 + 5000),
    "rectgrad_cnn": (RectGradCNN, (3, 32, 32), 896 + 9_248 + 18_496 + 36_928 + 1_048_832 + 2_570),
    "rectgrad_cnn_no_bias": (lambda: RectGradCNN(bias=False), (3, 32, 32), 1_116_970 - 32 - 32 - 64 - 64 - 256 - 10),
    "alexnet": (SmallAlexNet, (1, 28, 28), 64 * 25 + ALEXNET_WEIGHTS + ALEXNET_BIASES),
    "alexnet_cifar_no_bias": (lambda: SmallAlexNet(3, 32, bias=False), (3, 32, 32), 3 * 64 * 25 + ALEXNET_WEIGHTS),
    "vgg9": (VGG9, (3, 32, 32), VGG9_WEIGHTS + 3 * (64 + 128 + 2 * 256 + 4 * 512) + 10),
    "vgg9_plain": (lambda: VGG9(batch_norm=False), (3, 32, 32), VGG9_WEIGHTS + 64 + 128 + 2 * 256 + 4 * 512 + 10),
    "vgg9_no_bias": (lambda: VGG9(batch_norm=False, bias=False), (3, 32, 32), VGG9_WEIGHTS),
    "sum_pool": (lambda: SumPoolConv(10), (1, 28, 28), 90),
    "sum_pool_bias": (lambda: SumPoolConv(10, 3, bias=True), (3, 28, 28), 280),
}


@pytest.mark.parametrize("name", NETS)
def test_logits_and_number_of_parameters(name):
    build, shape, parameters = NETS[name]
    model = seeded(build, 0).eval()
    assert model(torch.rand(2, *shape)).shape == (2, 10)
    assert sum(p.numel() for p in model.parameters()) == parameters


@pytest.mark.parametrize("name", NETS)
def test_every_image_stands_alone(name):
    build, shape, _ = NETS[name]
    model, images = seeded(build, 0).eval(), torch.rand(3, *shape)
    torch.testing.assert_close(model(images)[1:2], model(images[1:2]), rtol=1e-4, atol=1e-5)


def test_shortcut_takes_every_second_pixel_between_zero_channels():
    block = CifarResNet(3).layer2[0].eval()
    nn.init.zeros_(block.bn2.weight)
    nn.init.zeros_(block.bn2.bias)  # leaves the shortcut alone
    x = torch.rand(1, 16, 8, 8)
    y = block(x)
    assert torch.equal(y[:, 8:24], x[:, :, ::2, ::2])
    assert not y[:, :8].any()
    assert not y[:, 24:].any()


def test_truncated_normal_is_tensorflows():
    """Never beyond two standard deviations, and 0.8796 of one is left (semantics.md, T-S1-11)."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        w = truncated_normal_(torch.empty(400_000), 0.1)
    assert w.abs().max() <= 0.2
    assert w.std() == pytest.approx(0.08796, rel=0.01)
    assert abs(w.mean()) < 5e-4


@pytest.mark.parametrize("layer", ["conv1", "conv2", "fc1", "fc2"])
def test_cnn_layers_reset_to_the_authors_initialiser(layer):
    part = getattr(seeded(AdebayoCNN, 0), layer)
    for _ in range(2):  # as built, and reset after a change
        assert part.weight.abs().max() <= 0.2
        assert part.weight.detach().std() == pytest.approx(0.088, rel=0.1)
        assert torch.equal(part.bias, torch.full_like(part.bias, 0.1))
        before = part.weight.detach().clone()
        nn.init.constant_(part.weight, 7.0)
        nn.init.constant_(part.bias, 7.0)
        seeded(lambda: part.reset_parameters() or part, 1)
    assert not torch.equal(before, seeded(AdebayoCNN, 0).get_submodule(layer).weight)


@pytest.mark.parametrize("layer", ["fc1", "fc2", "fc3", "fc4"])
def test_mlp_layers_reset_to_the_authors_initialiser(layer):
    part = getattr(seeded(AdebayoMLP, 0), layer)
    for _ in range(2):
        std = 2 / math.sqrt(part.in_features)
        assert part.weight.abs().max() <= 2 * std
        assert part.weight.detach().std() == pytest.approx(0.8796 * std, rel=0.05)
        assert not part.bias.any()
        nn.init.constant_(part.weight, 7.0)
        nn.init.constant_(part.bias, 7.0)
        part.reset_parameters()


def test_decayed_weights_are_those_of_the_code():
    names = {name for name, p in AdebayoCNN().named_parameters() if p.dim() >= 2}
    assert names - set(CNN_DECAYED) == {"fc2.weight"}
    assert set(CNN_DECAYED) <= names


SMALL = {  # file:name, options, input
    "adebayo_cnn": ("adebayo:AdebayoCNN", {}, (1, 28, 28)),
    "adebayo_cnn_no_bias": ("adebayo:AdebayoCNN", {"bias": False}, (1, 28, 28)),
    "adebayo_mlp": ("adebayo:AdebayoMLP", {}, (1, 28, 28)),
    "adebayo_mlp_no_bias": ("adebayo:AdebayoMLP", {"bias": False}, (1, 28, 28)),
    "rectgrad_cnn": ("rectgrad_cnn:RectGradCNN", {}, (3, 32, 32)),
    "rectgrad_cnn_no_bias": ("rectgrad_cnn:RectGradCNN", {"bias": False}, (3, 32, 32)),
    "alexnet": ("alexnet:SmallAlexNet", {"width": 0.125}, (1, 28, 28)),
    "alexnet_no_bias": ("alexnet:SmallAlexNet", {"width": 0.125, "bias": False}, (1, 28, 28)),
    "vgg9": ("vgg9:VGG9", {"width": 0.125}, (3, 32, 32)),
    "vgg9_plain": ("vgg9:VGG9", {"width": 0.125, "batch_norm": False}, (3, 32, 32)),
    "vgg9_no_bias": ("vgg9:VGG9", {"width": 0.125, "batch_norm": False, "bias": False}, (3, 32, 32)),
    "sum_pool": ("sum_pool:SumPoolConv", {"filters": 10}, (1, 28, 28)),
}


def loaded(name: str, seed: int = 0) -> tuple[nn.Module, tuple[int, ...]]:
    """As the command line builds it."""
    spec, options, shape = SMALL[name]
    return load_model(f"heatproof.models.nets.{spec}", random_weights=True, seed=seed, **options).model, shape


def pixels(shape: tuple[int, ...], count: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", SMALL)
def test_trains_and_has_a_gradient(name):
    """Two steps on 8 images; then the map against autograd's."""
    model, shape = loaded(name)
    x, y = pixels(shape, 8), torch.arange(8)
    if name == "sum_pool":
        x = x / 784  # logits are sums over all places
    lr = {"adebayo": 1e-4, "rectgrad": 1e-3, "sum": 0.05}.get(name.split("_")[0], 0.01)
    first, second = train(model, x, y, epochs=2, batch=8, lr=lr, schedule=None).history
    assert second.loss < first.loss - 0.01
    live = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(model(live)[torch.arange(8), y].sum(), live)
    assert expected.any()
    torch.testing.assert_close(gradient(model, x, y), expected)


@pytest.mark.parametrize("name", SMALL)
def test_randomisation_leaves_nothing_original(name):
    model, shape = loaded(name)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():  # as after a training: no tensor is what its initialiser makes
        for value in (*model.parameters(), *(b for b in model.buffers() if b.is_floating_point())):
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    (*_, last) = randomize(model, calibration=pixels(shape, 4))
    after = last.model.state_dict()
    same = [n for n in before if not n.endswith("num_batches_tracked") and (after[n] == before[n]).any()]
    assert same == []
    assert all(torch.equal(value, before[n]) for n, value in model.state_dict().items())


@pytest.mark.parametrize("name", [name for name in SMALL if name.endswith("no_bias") or name == "sum_pool"])
def test_bias_free_networks_are_complete(name):
    """f(x) = <x, df/dx> for a network that is positively homogeneous."""
    model, shape = loaded(name)
    model = model.double()
    assert not [n for n, _ in (*model.named_parameters(), *model.named_buffers()) if not n.endswith("weight")]
    x, y = pixels(shape).double(), torch.tensor([1, 5, 9])
    out = model(x)[torch.arange(3), y]
    assert out.abs().min() > 1e-8
    sums = gradient_x_input(model, x, y).sum((1, 2, 3))
    torch.testing.assert_close(sums, out, rtol=1e-10, atol=1e-10)


def copied(layers: list[nn.Module], model: nn.Module) -> nn.Module:
    """The layers in a row, with the model's tensors in order."""
    row = nn.Sequential(*layers)
    row.load_state_dict(dict(zip(row.state_dict(), model.state_dict().values(), strict=True)))
    return row.double().eval()


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2), nn.ReLU()]


def test_rectgrad_cnn_is_the_row_of_layers_of_the_code():
    pool = nn.MaxPool2d(2)
    layers = [*conv(3, 32), *conv(32, 32), pool, *conv(32, 64), *conv(64, 64), pool, nn.Flatten()]
    layers += [nn.Linear(8 * 8 * 64, 256), nn.ReLU(), nn.Linear(256, 10)]
    model, x = seeded(RectGradCNN, 0), 2 * pixels((3, 32, 32)).double() - 1
    row = copied(layers, model)
    torch.testing.assert_close(model.double().eval()(x), row(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("norm", [True, False])
def test_vgg9_is_the_list_of_the_code(norm):
    layers, inputs = [], 3
    for name in "64 M 128 M 256 256 M 512 512 M 512 512 M".split():
        if name == "M":
            layers.append(nn.MaxPool2d(2))
            continue
        outputs = int(name) // 8
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), *([nn.BatchNorm2d(outputs)] if norm else []), nn.ReLU()]
        inputs = outputs
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 100)]
    model, x = seeded(lambda: VGG9(100, width=1 / 8, batch_norm=norm), 0), pixels((3, 32, 32)).double()
    train(model, x.float(), torch.arange(3), epochs=2)  # moves the running statistics
    row = copied(layers, model)
    torch.testing.assert_close(model.double().eval()(x), row(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 32), (1, 48)])
def test_small_alexnet_is_five_convolutions_three_pools_and_three_linear_layers(channels, size):
    pool, side = nn.MaxPool2d(3, 2, padding=1), math.ceil(size / 16)
    layers = [*conv(channels, 8, 5, 2), pool, *conv(8, 24, 5), pool, *conv(24, 48), *conv(48, 32), *conv(32, 32), pool]
    layers += [
        nn.Flatten(),
        nn.Linear(32 * side**2, 512),
        nn.ReLU(),
        nn.Linear(512, 512),
        nn.ReLU(),
        nn.Linear(512, 10),
    ]
    model = seeded(lambda: SmallAlexNet(channels, size, width=1 / 8), 0)
    row, x = copied(layers, model), pixels((channels, size, size)).double()
    torch.testing.assert_close(model.double().eval()(x), row(x), rtol=1e-12, atol=1e-12)


def test_small_alexnet_drops_the_stated_share_before_both_hidden_layers():
    x = pixels((1, 28, 28))
    plain = seeded(lambda: SmallAlexNet(width=1 / 8, dropout=0.0), 0).train()
    assert torch.equal(plain(x), plain.eval()(x))
    dropped = seeded(lambda: SmallAlexNet(width=1 / 8, dropout=1.0), 0).train()
    hidden = torch.relu(dropped.fc7.bias)  # nothing of what came before is left
    torch.testing.assert_close(dropped(x), dropped.fc8(hidden).expand(3, -1))


def test_rectgrad_cnn_resets_to_glorot_uniform():
    model = seeded(RectGradCNN, 0)
    for part, fans in ((model.conv2, 9 * 64), (model.conv4, 9 * 128), (model.fc5, 4096 + 256), (model.fc6, 266)):
        limit = math.sqrt(6 / fans)
        for _ in range(2):  # as built, and reset after a change
            assert 0.99 * limit < part.weight.abs().max() <= limit
            assert part.weight.detach().std() == pytest.approx(limit / math.sqrt(3), rel=0.05)
            assert not part.bias.any()
            nn.init.constant_(part.weight, 7.0)
            nn.init.constant_(part.bias, 7.0)
            part.reset_parameters()


def test_vgg9_resets_to_the_authors_initialiser():
    model = seeded(VGG9, 0)
    convs = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    cases = [(m, math.sqrt(2 / (9 * m.out_channels)), 0.1) for m in convs[1:]] + [(model.classifier, 0.01, 1.0)]
    for part, std, bias_std in cases:
        for _ in range(2):
            assert part.weight.detach().std() == pytest.approx(std, rel=0.05)
            assert abs(part.weight.mean()) < 0.05 * std
            assert 0.3 * bias_std < part.bias.detach().std() < 1.7 * bias_std
            assert part.weight.abs().max() > 3 * std  # not truncated
            nn.init.constant_(part.weight, 7.0)
            nn.init.constant_(part.bias, 7.0)
            seeded(lambda part=part: part.reset_parameters() or part, 1)


def test_vgg9_without_biases_refuses_batch_norm():
    with pytest.raises(InputError, match=r"batch_norm=True, bias=False.*choose batch_norm=False"):
        VGG9(bias=False)


def closed(x, w, correlate, at_zero):
    """Section 5.3 with scipy, one image and channel: the pattern, and the adjoint of the operation itself."""
    forth, back = (correlate2d, convolve2d) if correlate else (convolve2d, correlate2d)
    z = sum(forth(x[c], w[c], mode="same") for c in range(len(x)))
    a = (z > 0) if at_zero == 0 else (z >= 0)
    return np.stack([back(a.astype(float), w[c], mode="same") for c in range(len(x))])


@pytest.mark.parametrize("at_zero", [0, 1])
@pytest.mark.parametrize("direction", ["correlation", "convolution"])
def test_sum_pool_gradient_is_scipys(direction, at_zero):
    g = torch.Generator().manual_seed(3)
    x, w = torch.randn(4, 2, 7, 9, generator=g).double(), torch.randn(5, 2, 3, 3, generator=g).double()
    x[:, :, :4] = 0
    target = torch.tensor([0, 4, 2, 2])
    expected = [closed(x[i].numpy(), w[t].numpy(), direction == "correlation", at_zero) for i, t in enumerate(target)]
    seen = sum_pool_gradient(x, w, target, direction, at_zero)
    np.testing.assert_allclose(seen.numpy(), np.stack(expected), rtol=0, atol=1e-13)
    alone = sum_pool_gradient(x[1:2], w, target[1:2], direction, at_zero)
    assert torch.equal(alone, seen[1:2])


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("background", [False, True])
def test_sum_pool_gradient_is_autograds(flip, background):
    """A true convolution is a correlation with the turned filter; half of the image black: ReLU'(0) = 0 there."""
    model = seeded(lambda: SumPoolConv(10, 3), 0).double().eval()
    x, y = pixels((3, 12, 11)).double() - 0.5, torch.tensor([0, 7, 9])
    if background:
        x[..., :6] = 0
    w = model.conv.weight.detach()
    w, direction = (w.flip(2, 3), "convolution") if flip else (w, "correlation")
    seen = sum_pool_gradient(x, w, y, direction)
    torch.testing.assert_close(seen, gradient(model, x, y), rtol=0, atol=1e-12)
    if background:
        assert not seen[..., :4].any()
        other = sum_pool_gradient(x, w, y, direction, at_zero=1)
        total = w[y].sum((2, 3))  # the printed convention: the whole filter on black
        torch.testing.assert_close(other[:, :, 1:-1, 1:4], total[:, :, None, None].expand(-1, -1, 10, 3))
        torch.testing.assert_close(other[..., 7:], seen[..., 7:], rtol=0, atol=0)


def test_sum_pool_gradient_as_printed():
    """sum_kl a_{i+k,j+l} w_kl inside the border, by hand: a true convolution."""
    g = torch.Generator().manual_seed(5)
    x, w = torch.randn(6, 6, generator=g).double().numpy(), torch.randn(3, 3, generator=g).double().numpy()
    a = convolve2d(x, w, mode="same") >= 0
    seen = sum_pool_gradient(torch.tensor(x)[None, None], torch.tensor(w)[None, None], torch.tensor([0]), "convolution")
    for i in range(1, 5):
        for j in range(1, 5):
            by_hand = sum(a[i + k, j + m] * w[1 + k, 1 + m] for k in (-1, 0, 1) for m in (-1, 0, 1))
            assert seen[0, 0, i, j] == pytest.approx(by_hand, abs=1e-13)


def test_sum_pool_has_one_output_by_default():
    """l(x) = sum of the rectified map; without a pattern's change the gradient is flat."""
    model = seeded(SumPoolConv, 0).double().eval()
    x = pixels((1, 8, 8), 2).double()
    z = correlate2d(x[0, 0].numpy(), model.conv.weight.detach()[0, 0].numpy(), mode="same")
    assert model(x).shape == (2, 1)
    assert model(x)[0, 0].item() == pytest.approx(np.maximum(z, 0).sum(), abs=1e-12)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"direction": "full"}, "direction='full'.*correlation"),
        ({"at_zero": 0.5}, "at_zero=0.5"),
        ({"images": torch.zeros(2, 8, 8)}, r"images \(2, 8, 8\)"),
        ({"images": torch.zeros(2, 3, 8, 8)}, r"images \(2, 3, 8, 8\), filters \(4, 1, 3, 3\)"),
        ({"filters": torch.zeros(4, 1, 2, 2)}, "odd"),
        ({"target": torch.tensor([0])}, r"\(1,\)"),
        ({"target": torch.tensor([0.0, 1.0])}, "float32"),
        ({"target": torch.tensor([0, 4])}, r"target \[0, 4\]; expected filters from 0 to 3"),
        ({"target": torch.tensor([-1, 0])}, r"target \[-1, 0\]"),
    ],
)
def test_sum_pool_gradient_refuses(change, named):
    options = {"images": torch.zeros(2, 1, 8, 8), "filters": torch.zeros(4, 1, 3, 3), "target": torch.tensor([0, 1])}
    with pytest.raises(InputError, match=named):
        sum_pool_gradient(**(options | change))
