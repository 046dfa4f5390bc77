"""A server of small models for tests: started in a thread on a free port, asked over HTTP as the page does."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from heatproof.data.preprocess import Preprocess
from heatproof.models.spec import LoadedModel
from heatproof.score import logit
from heatproof.serve.run import bound, server_of
from heatproof.serve.served import Served, make_served
from heatproof.serve.session import Session

httpx = pytest.importorskip("httpx", reason="needs heatproof[dev]")
TOKEN = "a-token-of-tests"
NAMES = ("cat", "dog", "crane", "crane", "maillot")


class Net(nn.Module):
    """A small network with batch norm; `act` is its only nonlinearity."""

    def __init__(self, channels: int = 3, act: Any = torch.relu, classes: int = 5) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.conv = nn.Conv2d(channels, 6, 3, padding=1)
            self.norm = nn.BatchNorm2d(6)
            self.deep = nn.Conv2d(6, 8, 3, padding=1)
            self.last = nn.Linear(8 * 16, classes)
        self.act = act
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.norm(self.conv(x)))
        return self.last(nn.functional.adaptive_avg_pool2d(self.act(self.deep(x)), 4).flatten(1))


class Slow(Net):
    """Counts how many run at once, and its passes."""

    running = most = passes = 0
    lock = threading.Lock()

    def forward(self, x: Tensor) -> Tensor:
        with Slow.lock:
            Slow.running += 1
            Slow.passes += 1
            Slow.most = max(Slow.most, Slow.running)
        time.sleep(0.02)
        try:
            return super().forward(x)
        finally:
            with Slow.lock:
                Slow.running -= 1


def served(
    net: nn.Module | None = None, name: str = "net", names: Sequence[str] | None = NAMES, **options: Any
) -> Served:
    how = Preprocess(
        size=options.pop("size", 32), mean=options.pop("mean", (0.5, 0.4, 0.3)), std=options.pop("std", 0.25)
    )
    loaded = LoadedModel(name, net or Net(), preprocess=how, trained=True)
    command = ("heatproof", "audit", "--model", "nets:net")
    return make_served(loaded, options.pop("score", logit), names, command=command, **options)


def photo(seed: int = 0, size: tuple[int, int] = (48, 40), form: str = "PNG") -> bytes:
    """A picture of smooth noise as a file."""
    draw = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(draw).resize(size, Image.Resampling.BICUBIC).save(buffer, form)
    return buffer.getvalue()


@dataclass
class Asking:
    """A client that asks as the page does."""

    address: str
    session: Session
    http: Any

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        content = body if isinstance(body, bytes) or hasattr(body, "__next__") else json.dumps(body)
        return self.http.post(f"/api/{path}", content=content, **options)

    def upload(self, data: bytes | None = None, name: str = "my photo.png") -> str:
        answer = self.post("photo", photo() if data is None else data, params={"name": name})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["photo"])

    def body(self, methods: Sequence[str] = (), classes: Sequence[int] = (), **more: Any) -> dict[str, Any]:
        given = {"model": 0, "methods": list(methods), "classes": list(classes), **more}
        return given if "photo" in given else {**given, "photo": self.upload()}

    def events(self, path: str, body: Any) -> list[dict[str, Any]]:
        answer = self.post(path, body)
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines()]


@contextmanager
def asking(*models: Served, once: str = "") -> Iterator[Asking]:
    """A server on a free port of this machine, stopped at the end."""
    pytest.importorskip("starlette", reason="needs heatproof[serve]")
    pytest.importorskip("uvicorn", reason="needs heatproof[serve]")
    from heatproof.serve.app import make_app

    session = Session(models or (served(),))
    with bound(0) as listening:
        port = listening.getsockname()[1]
        server = server_of(make_app(session, port, TOKEN, once))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        address = f"http://127.0.0.1:{port}"
        headers = {"x-heatproof-token": TOKEN, "origin": address}
        with httpx.Client(base_url=address, headers=headers, timeout=60, trust_env=False) as http:
            try:
                _wait_for(lambda: server.started)
                yield Asking(address, session, http)
            finally:
                server.should_exit = True
                thread.join(30)
    assert not thread.is_alive()


def _wait_for(what: Any, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)
