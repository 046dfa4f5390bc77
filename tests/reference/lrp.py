"""LRP by other mechanisms: dense Jacobians of each layer, relevance propagated explicitly, R_i = sum_j z_ij / z_j R_j."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

EPSILON = 1e-7


def stable(z: Tensor, epsilon: float = EPSILON) -> Tensor:
    return torch.where(z < 0, z - epsilon, z + epsilon)


def through(layer: Callable[[Tensor], Tensor], x: Tensor, relevance: Tensor, epsilon: float = EPSILON) -> Tensor:
    """One sample through an affine layer as a dense matrix: R_i = x_i sum_j w_ji R_j / (z_j + epsilon sign z_j)."""
    w = torch.autograd.functional.jacobian(layer, x).reshape(relevance.numel(), x.numel())
    z = layer(x).reshape(-1)
    return (x.reshape(-1) * (w.T @ (relevance.reshape(-1) / stable(z, epsilon)))).reshape(x.shape)


class Residual(nn.Module):
    """Functional additions, one ReLU and one linear layer used twice, average pooling and biases."""

    def __init__(self, bias: bool = True) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.conv1 = nn.Conv2d(2, 3, 3, padding=1, bias=bias)
            self.conv2 = nn.Conv2d(3, 3, 3, padding=1, bias=bias)
            self.mix = nn.Linear(12, 12, bias=bias)
            self.head = nn.Linear(12, 4, bias=bias)
        self.double().eval()

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.conv1(x))
        x = torch.relu(self.conv2(x) + x)
        x = torch.nn.functional.avg_pool2d(x, 2).flatten(1)
        x = torch.relu(self.mix(x))
        return self.head(torch.relu(self.mix(x)) + x)


def residual_net(net: Residual, x: Tensor, target: int, epsilon: float = EPSILON) -> Tensor:
    """Epsilon-LRP of one image ``(1, 2, 4, 4)`` through `Residual`, layer by layer."""
    relu, pool = torch.relu, torch.nn.functional.avg_pool2d
    a = relu(net.conv1(x))
    c = net.conv2(a)
    b = relu(c + a)
    p = pool(b, 2).flatten(1)
    m = relu(net.mix(p))
    n = net.mix(m)
    s = relu(n) + m
    out = net.head(s)
    r = torch.zeros_like(out)
    r[0, target] = out[0, target]
    r = through(net.head, s, r, epsilon)
    share = r / stable(s, epsilon)
    r_m = m * share + through(net.mix, m, relu(n) * share, epsilon)
    r = through(net.mix, p, r_m, epsilon)
    r = through(lambda t: pool(t, 2).flatten(1), b, r, epsilon)
    share = r / stable(c + a, epsilon)
    r_a = a * share + through(net.conv2, a, c * share, epsilon)
    return through(net.conv1, x, r_a, epsilon)


class Block(nn.Module):
    """A transformer block on four tokens: layer norm, one head of softmax attention, GELU, residual additions."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.norm1, self.norm2 = nn.LayerNorm(5), nn.LayerNorm(5)
            self.qkv, self.out = nn.Linear(5, 15), nn.Linear(5, 5)
            self.up, self.down, self.head = nn.Linear(5, 7), nn.Linear(7, 5), nn.Linear(5, 3)
            for norm in (self.norm1, self.norm2):
                nn.init.normal_(norm.weight, 1.0, 0.3)
                nn.init.normal_(norm.bias)
        self.double().eval()

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm1(x)).chunk(3, -1)
        x = x + self.out(torch.nn.functional.scaled_dot_product_attention(q, k, v))
        x = x + self.down(torch.nn.functional.gelu(self.up(self.norm2(x))))
        return self.head(x.mean(1))


def _norm(norm: nn.LayerNorm, x: Tensor, relevance: Tensor, epsilon: float) -> Tensor:
    """AttnLRP: the standard deviation is a constant, so the layer is affine."""
    std = (x.var(-1, unbiased=False, keepdim=True) + norm.eps).sqrt()
    return through(lambda t: (t - t.mean(-1, keepdim=True)) / std * norm.weight + norm.bias, x, relevance, epsilon)


def _matmul(a: Tensor, b: Tensor, relevance: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """AttnLRP, equation 15: R_ji = sum_p a_ji b_ip R_jp / (2 o_jp), and likewise for b."""
    terms = a[:, :, None] * b[None] * (relevance / (2 * stable(a @ b, epsilon)))[:, None]
    return terms.sum(2), terms.sum(0)


def block(net: Block, x: Tensor, target: int, epsilon: float = EPSILON) -> Tensor:
    """AttnLRP of one sample ``(4, 5)`` through `Block`."""
    h = net.norm1(x)
    q, k, v = net.qkv(h).chunk(3, -1)
    scale = 1 / math.sqrt(q.shape[-1])
    logits = q @ k.T * scale
    att = torch.exp(logits) / torch.exp(logits).sum(-1, keepdim=True)
    o = att @ v
    y = x + net.out(o)
    g = net.norm2(y)
    u = net.up(g)
    act = u * 0.5 * (1 + torch.erf(u / math.sqrt(2)))
    z = y + net.down(act)
    mean = z.mean(0)
    out = net.head(mean)
    r = torch.zeros_like(out)
    r[target] = out[target]
    r = through(net.head, mean, r, epsilon)
    r = through(lambda t: t.mean(0), z, r, epsilon)
    share = r / stable(z, epsilon)
    r = through(net.down, act, net.down(act) * share, epsilon)  # GELU passes its relevance on as it is
    r_y = y * share + _norm(net.norm2, y, through(net.up, g, r, epsilon), epsilon)
    share = r_y / stable(y, epsilon)
    r_att, r_v = _matmul(att, v, through(net.out, o, net.out(o) * share, epsilon), epsilon)
    r_logits = logits * (r_att - att * r_att.sum(-1, keepdim=True))  # proposition 3.1
    r_q, r_k = _matmul(q, k.T, r_logits, epsilon)
    r_h = through(net.qkv, h, torch.cat([r_q, r_k.T, r_v], -1), epsilon)
    return x * share + _norm(net.norm1, x, r_h, epsilon)
