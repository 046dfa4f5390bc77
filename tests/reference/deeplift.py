"""DeepLIFT by another mechanism: dense multiplier matrices, layer by layer, for one network and one image at a time.

No autograd: a linear layer's matrix comes from unit vectors, every other layer's from the two forward values, window by
window and element by element; the matrices are multiplied from the score down.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor, nn


class Block(nn.Module):
    """Convolution, ReLU, overlapping max pool, residual block, gate, two linear layers, softmax: one of each rule."""

    def __init__(self, relu: Callable[[Tensor], Tensor] = torch.relu) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            self.conv1, self.conv2 = nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)
            self.gate, self.fc, self.head = nn.Linear(3, 3), nn.Linear(27, 6), nn.Linear(6, 4)
        self.relu = relu
        self.double().eval()

    def forward(self, x: Tensor) -> Tensor:
        h = torch.max_pool2d(self.relu(self.conv1(x)), 3, 2, 1)
        h = self.relu(self.conv2(h) + h)
        h = h * torch.sigmoid(self.gate(h.mean((2, 3))))[:, :, None, None]
        return self.head(self.relu(self.fc(h.flatten(1)))).softmax(1)


def block_maps(net: Block, x: Tensor, x0: Tensor, target: Tensor) -> Tensor:
    """Maps of `Block` for ``(B, 2, 6, 6)``."""
    return torch.stack([_one(net, *both) for both in zip(x, x0, target.tolist(), strict=True)])


@torch.no_grad()
def _one(net: Block, x: Tensor, x0: Tensor, target: int) -> Tensor:
    a, a0 = net.conv1(x[None])[0], net.conv1(x0[None])[0]
    down = _matrix(lambda t: net.conv1(t[None])[0], x)
    down = torch.diag(_ratio(a.relu(), a0.relu(), a, a0)) @ down
    pooled, pooled0, pool = _max_pool(a.relu(), a0.relu())
    down = pool @ down
    b, b0 = net.conv2(pooled[None])[0] + pooled, net.conv2(pooled0[None])[0] + pooled0
    down = (_matrix(lambda t: net.conv2(t[None])[0], pooled) + torch.eye(pooled.numel(), dtype=x.dtype)) @ down
    down = torch.diag(_ratio(b.relu(), b0.relu(), b, b0)) @ down
    gated, gated0, gate = _gated(net, b.relu(), b0.relu())
    down = gate @ down
    c, c0 = net.fc(gated.flatten()), net.fc(gated0.flatten())
    down = torch.diag(_ratio(c.relu(), c0.relu(), c, c0)) @ net.fc.weight @ down
    z, z0 = net.head(c.relu()), net.head(c0.relu())
    return (_softmax_row(z, z0, target) @ net.head.weight @ down).reshape(x.shape) * (x - x0)


def _matrix(linear: Callable[[Tensor], Tensor], like: Tensor) -> Tensor:
    """The matrix of an affine function, column by column."""
    offset = linear(torch.zeros_like(like)).flatten()
    units = torch.eye(like.numel(), dtype=like.dtype)
    return torch.stack([linear(u.reshape(like.shape)).flatten() - offset for u in units], 1)


def _ratio(y: Tensor, y0: Tensor, x: Tensor, x0: Tensor) -> Tensor:
    """Equation 11."""
    return ((y - y0) / (x - x0)).flatten()


def _max_pool(x: Tensor, x0: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Maximum over 3 by 3 windows at every second place, one window at a time."""
    channels, height, width = x.shape
    places = torch.arange(x.numel()).reshape(x.shape)
    out, out0, rows = [], [], []
    for c, i, j in product(range(channels), range(0, height, 2), range(0, width, 2)):
        window = places[c, max(0, i - 1) : i + 2, max(0, j - 1) : j + 2].flatten().tolist()
        v, v0 = x.flatten(), x0.flatten()
        k, k0 = max(window, key=lambda p: v[p]), max(window, key=lambda p: v0[p])
        top, row = max(v[k], v0[k0]), torch.zeros(x.numel(), dtype=x.dtype)
        row[k] += (top - v0[k0]) / (v[k] - v0[k]) if v[k] != v0[k] else 0
        row[k0] += (v[k] - top) / (v[k0] - v0[k0]) if v[k0] != v0[k0] else 0
        out.append(v[k]), out0.append(v0[k0]), rows.append(row)
    shape = (channels, (height + 1) // 2, (width + 1) // 2)
    return torch.stack(out).reshape(shape), torch.stack(out0).reshape(shape), torch.stack(rows)


def _gated(net: Block, h: Tensor, h0: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """h * sigmoid(W mean(h)): half of the change of a product goes to each factor, weighted by the other's mean."""
    u, u0 = net.gate(h.mean((1, 2))), net.gate(h0.mean((1, 2)))
    g, g0 = u.sigmoid(), u0.sigmoid()
    size = h[0].numel()
    mean = _matrix(lambda t: t.mean((1, 2)), h)
    slope = torch.diag(_ratio(g, g0, u, u0)) @ net.gate.weight @ mean  # of each channel's gate
    direct = torch.diag(((g + g0) / 2).repeat_interleave(size))
    through = torch.diag(((h + h0) / 2).flatten()) @ slope.repeat_interleave(size, 0)
    return h * g[:, None, None], h0 * g0[:, None, None], direct + through


def _softmax_row(z: Tensor, z0: Tensor, k: int) -> Tensor:
    """Multipliers of exp(z_k - log sum exp z), with exp, log and exp each by equation 11."""
    e, e0 = z.exp(), z0.exp()
    log = (e.sum().log() - e0.sum().log()) / (e.sum() - e0.sum())
    inner, inner0 = z[k] - e.sum().log(), z0[k] - e0.sum().log()
    row = -log * (e - e0) / (z - z0)
    row[k] += 1
    return row * (inner.exp() - inner0.exp()) / (inner - inner0)
