"""GradCAM against hooks, on layers with channels first, channels last and tokens; captum; what is refused."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import heatproof as hp
from heatproof.engine.interpose import Interpose
from heatproof.engine.layout import FIRST, LAST, Layouts
from heatproof.engine.passes import forward
from nets import PerLayer, fresh_input, targets
from reference.gradcam import gradcam as by_hooks

ROWS = torch.stack([targets() % 3, (targets() + 1) % 3])


def seeded(network: Any) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return network().double().eval()


class Block(nn.Module):
    """One of Swin's or of ConvNeXt's: everything on (B, H, W, C)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(F.gelu(self.up(self.norm(x))))


class ChannelsLast(nn.Module):
    """As many channels as rows and columns, so that no shape gives the layout away."""

    def __init__(self, permuted: bool = True) -> None:
        super().__init__()
        self.patch, self.block, self.norm, self.head = nn.Conv2d(2, 4, 2, 2), Block(4), nn.LayerNorm(4), nn.Linear(4, 3)
        self.last, self.act = nn.Identity(), nn.ReLU()
        self.permuted = permuted

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.block(self.last(self.patch(x).permute(0, 2, 3, 1))))
        if self.permuted:
            return self.head(self.act(x.permute(0, 3, 1, 2)).square().mean((2, 3)))
        return self.head(x.square().mean((1, 2)))


class Tokens(nn.Module):
    """A ViT: a class token and one more in front, two layers, the head on the class token."""

    def __init__(self, first: bool = True, extra: int = 2, width: int = 8) -> None:
        super().__init__()
        self.patch = nn.Conv2d(2, width, 2, (2, 1))
        self.front = nn.Parameter(torch.randn(1, extra, width))
        self.first = first
        self.norm1, self.norm2, self.norm = nn.LayerNorm(width), nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=first)
        self.mlp, self.head = nn.Linear(width, width), nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.front.expand(len(x), -1, -1), x], 1)
        x = x if self.first else x.transpose(0, 1)
        y = self.norm1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        x = self.norm(x + F.gelu(self.mlp(self.norm2(x))))
        return self.head(x[:, 0] if self.first else x[0])


def test_t_s1_4() -> None:
    """semantics.md: alpha = (1, -1), map [[0, 2], [2, 3]], by a layer's path."""

    class Hand(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(2, 2, 1, bias=False)
            self.layer.weight.data = torch.eye(2)[:, :, None, None]

        def forward(self, x: Tensor) -> Tensor:
            weight = torch.tensor([[[1.0, 1], [0, 2]], [[-2, 0], [0, -2]]]).double()
            logit = (self.layer(x) * weight).flatten(1).sum(1)
            return torch.stack([logit, -logit], 1)

    x = torch.tensor([[[[1.0, 2], [3, 4]], [[4, 0], [1, 1]]]]).double()
    got = hp.gradcam(Hand().double().eval(), x, torch.tensor([[0], [1]]), layer="layer")
    assert got[0, 0, 0].tolist() == [[0, 2], [2, 3]]
    assert got[1, 0, 0].tolist() == [[3, 0], [0, 0]]  # the other class: minus the same sum


@pytest.mark.parametrize("layer", ["conv1", "norm1", "conv2", "relus.1"])
def test_equals_hooks_and_captum(layer: str) -> None:
    attr = pytest.importorskip("captum.attr", reason="needs heatproof[dev]")
    got = hp.gradcam(PerLayer(), fresh_input(), targets(), layer=layer)
    model = PerLayer()
    want = by_hooks(model, fresh_input(), targets(), model.get_submodule(layer))
    torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # captum's own about its hooks
        theirs = attr.LayerGradCam(model, model.get_submodule(layer)).attribute(
            fresh_input(), target=targets(), relu_attributions=True
        )
    size = F.interpolate(theirs, size=(8, 8), mode="bilinear", align_corners=False)
    torch.testing.assert_close(got, size, rtol=1e-10, atol=1e-12)
    assert got.any()


CHANNEL = {
    "patch": 1,
    "last": 3,  # permuted, nothing run on it yet
    "block.norm": 3,
    "block.up": 3,
    "block.down": 3,
    "block": 3,
    "norm": 3,
    "act": 1,
}


@pytest.mark.parametrize("layer", CHANNEL)
def test_channels_last_layers(layer: str) -> None:
    place = f"layer:{layer}"
    model = seeded(ChannelsLast)
    assert forward(model, fresh_input(), hp.logit, None, place).tap(place).channel == CHANNEL[layer]
    got = hp.gradcam(model, fresh_input(), ROWS, layer=layer)
    for row, maps in zip(ROWS, got, strict=True):
        planes = (lambda v: v.permute(0, 3, 1, 2)) if CHANNEL[layer] == 3 else (lambda v: v)
        want = by_hooks(model, fresh_input(), row, model.get_submodule(layer), planes)
        torch.testing.assert_close(maps, want, rtol=1e-10, atol=1e-12)
    assert got.any()


def test_default_layer_of_a_channels_last_network() -> None:
    model = seeded(lambda: ChannelsLast(permuted=False))
    got = hp.gradcam(model, fresh_input(), ROWS[0])  # GELU, inside the block
    assert got.any()
    assert forward(model, fresh_input(), hp.logit, None, "spatial").tap("spatial").channel == 3


class TestLayout:
    def of(self, function: Any, *shape: int) -> str | None:
        """The layout of what a function makes of an image, as a pass sees it."""
        layouts, x = Layouts(), torch.randn(*shape, requires_grad=True)
        layouts.begin(x)
        with Interpose([], [layouts]):
            out = function(x)
        found = layouts.of(out)
        return None if found is None else found.kind

    @pytest.mark.parametrize(
        ("order", "want"),
        [
            ((0, 2, 3, 1), LAST),
            ((0, -2, -1, 1), LAST),
            ((0, 1, 2, 3), FIRST),
            ((0, 1, 3, 2), None),
            ((0, 3, 1, 2), None),
        ],
    )
    def test_permutations(self, order: tuple[int, ...], want: str | None) -> None:
        conv = nn.Conv2d(3, 4, 1)
        assert self.of(lambda x: conv(x).permute(order).relu(), 2, 3, 5, 7) == want
        assert self.of(lambda x: conv(x).movedim(1, -1), 2, 3, 5, 7) == LAST
        assert self.of(lambda x: conv(x).permute(0, 2, 3, 1).relu().permute(0, 3, 1, 2), 2, 3, 5, 7) == FIRST

    def test_input_is_channels_first(self) -> None:
        assert self.of(lambda x: x * 2, 2, 4, 4, 4) == FIRST

    def test_a_squeeze_excitation_gate_does_not_count(self) -> None:
        fc, conv = nn.Linear(4, 4), nn.Conv2d(4, 4, 1)
        gated = lambda x: fc(x.mean((2, 3))).view(2, 4, 1, 1).sigmoid() * conv(x).relu()  # noqa: E731
        assert self.of(gated, 2, 4, 6, 6) == FIRST

    def test_reshaped_by_hand(self) -> None:
        tokens = lambda x: x.flatten(2).transpose(1, 2).relu()  # noqa: E731
        assert self.of(lambda x: tokens(x).reshape(2, 5, 7, 3), 2, 3, 5, 7) == LAST
        assert self.of(lambda x: tokens(x).transpose(1, 2).reshape(2, 3, 5, 7), 2, 3, 5, 7) == FIRST
        assert self.of(lambda x: tokens(x).reshape(2, 35, 1, 3), 2, 3, 5, 7) is None, "heads of attention"

    def test_unknown_layout_is_refused(self) -> None:
        class Reshaped(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.make, self.head = nn.Unflatten(1, (4, 4, 8)), nn.Linear(8, 3)

            def forward(self, x: Tensor) -> Tensor:
                return self.head(self.make(x.flatten(1).relu().reshape(len(x), 16, 8).flatten(1)).mean((1, 2)))

        model = seeded(Reshaped)
        model.make.unflattened_size = (2, 8, 8)
        assert hp.gradcam(model, fresh_input(), ROWS[0], layer="make").shape == (3, 1, 8, 8)
        model.make.unflattened_size = (4, 2, 16)
        model.head = nn.Linear(16, 3).double().eval()
        with pytest.raises(hp.NotApplicable, match=r"nothing tells its channels.*convolution"):
            hp.gradcam(model, fresh_input(), ROWS[0], layer="make")


class TestTokens:
    """The grid is 4 x 7: a patch of 2 x 2 every 2 rows and every column."""

    @pytest.mark.parametrize("extra", [0, 1, 2])
    def test_equals_hooks(self, extra: int) -> None:
        model = seeded(lambda: Tokens(extra=extra))
        got = hp.gradcam(model, fresh_input(), ROWS, layer="norm1")
        for row, maps in zip(ROWS, got, strict=True):
            want = by_hooks(
                model, fresh_input(), row, model.norm1, lambda v: v[:, extra:].reshape(3, 4, 7, 8).permute(0, 3, 1, 2)
            )
            torch.testing.assert_close(maps, want, rtol=1e-10, atol=1e-12)
        assert got.any()
        assert got.shape == (2, 3, 1, 8, 8)

    def test_default_is_refused_and_names_a_layer_that_works(self) -> None:
        model = seeded(Tokens)
        with pytest.raises(hp.NotApplicable, match="layer='norm1'"):
            hp.gradcam(model, fresh_input())
        assert not hp.gradcam(model, fresh_input(), layer="norm").any(), "only the class token has a gradient there"

    def test_sequence_first_is_refused(self) -> None:
        with pytest.raises(hp.NotApplicable, match=r"\(30, 3, 8\) for 3 images.*batch first"):
            hp.gradcam(seeded(lambda: Tokens(first=False)), fresh_input(), layer="norm1")
        with pytest.raises(hp.NotApplicable, match=r"\(30, 29, 8\) for 29 images"):  # 28 places and a token in front?
            hp.gradcam(seeded(lambda: Tokens(first=False)), fresh_input(29), layer="norm1")

    def test_as_many_images_as_tokens(self) -> None:
        """Tokens are followed, not counted: the batch first is right, the sequence first is refused."""
        model, x = seeded(Tokens), fresh_input(30)
        got = hp.gradcam(model, x, targets(30) % 3, layer="norm1")
        want = torch.cat(
            [hp.gradcam(model, x[i : i + 1], targets(30)[i : i + 1] % 3, layer="norm1") for i in range(30)]
        )
        torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-12)
        with pytest.raises(hp.NotApplicable, match=r"\(30, 30, 8\) for 30 images.*batch first"):
            hp.gradcam(seeded(lambda: Tokens(first=False)), x, layer="norm1")

    def test_a_flipped_branch_is_not_placed(self) -> None:
        """Test-time augmentation: the last activation sees the picture mirrored; the one before it does not."""
        net = seeded(lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU()))
        head = seeded(lambda: nn.Linear(4, 3))

        class Both(nn.Module):
            def __init__(self, flipped: bool) -> None:
                super().__init__()
                self.net, self.head, self.flipped = net, head, flipped

            def forward(self, x: Tensor) -> Tensor:
                plain = self.net(x).mean((2, 3))
                return self.head(plain + self.net(x.flip(3)).mean((2, 3))) if self.flipped else self.head(plain)

        got, want = (hp.gradcam(Both(f).eval(), fresh_input(), ROWS[0]) for f in (True, False))
        torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-12)

    def test_tokens_of_no_grid_are_refused(self) -> None:
        with pytest.raises(hp.NotApplicable, match=r"places of a feature map.*4x7"):
            hp.gradcam(seeded(lambda: Tokens(extra=9)), fresh_input(), layer="norm1")

    def test_a_layer_of_vectors_is_refused(self) -> None:
        with pytest.raises(hp.NotApplicable, match="height and width"):
            hp.gradcam(seeded(Tokens), fresh_input(), layer="head")


def test_guided_gradcam_of_a_channels_last_layer() -> None:
    model = seeded(lambda: nn.Sequential(nn.Conv2d(2, 4, 2, 2), nn.ReLU(), Last(), nn.Linear(4, 3), Pool()))
    got = hp.guided_gradcam(model, fresh_input(), ROWS, layer="3")
    want = hp.guided_backprop(model, fresh_input(), ROWS) * hp.gradcam(model, fresh_input(), ROWS, layer="3")
    assert torch.equal(got, want)
    assert got.any()


class Last(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 2, 3, 1)


class Pool(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((1, 2))
