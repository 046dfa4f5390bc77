"""The server behind the page: who may ask, what it takes in, and that its maps are those of the methods."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load
from torch import nn

import heatproof as hp
from attacks import ATTACKS, EVIL
from heatproof.errors import InputError, ModelError
from heatproof.named import method_from_text
from heatproof.plots.visualise import colours
from heatproof.score import single_logit
from heatproof.serve import session as session_module
from heatproof.serve.page import page
from heatproof.visible import visible
from serving import NAMES, TOKEN, Asking, Net, Slow, asking, photo, served

httpx = pytest.importorskip("httpx", reason="needs heatproof[dev]")
POSTS = ("photo", "method", "look", "maps", "test", "command", "export/png")


@pytest.fixture(scope="module")
def server() -> Any:
    with asking(served(), served(Net(1), "grey", mean=0.5), served(Net(act=nn.functional.gelu), "smooth")) as found:
        yield found


def with_headers(server: Asking, method: str, path: str, **headers: str) -> Any:
    given = {"x-heatproof-token": TOKEN, "origin": server.address, **headers}
    with httpx.Client(base_url=server.address, trust_env=False, timeout=60) as http:
        return http.request(method, path, headers={k: v.encode("latin-1") for k, v in given.items() if v}, content="{}")


# who may ask


@pytest.mark.parametrize("path", ["/", "/api/start", "/nothing", *(f"/api/{name}" for name in POSTS)])
@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "x", "ü"])
def test_nothing_is_answered_without_the_token(server: Asking, path: str, token: str) -> None:
    method = "POST" if path.removeprefix("/api/") in POSTS else "GET"
    answer = with_headers(server, method, path, **{"x-heatproof-token": token})
    assert answer.status_code == 403
    assert "open the address" in answer.text


def test_the_token_of_an_address_opens_the_page_alone(server: Asking) -> None:
    for path, code in (("/", 200), ("/api/start", 403)):
        assert with_headers(server, "GET", f"{path}?token={TOKEN}", **{"x-heatproof-token": ""}).status_code == code
    assert with_headers(server, "POST", f"/api/look?token={TOKEN}", **{"x-heatproof-token": ""}).status_code == 403


@pytest.mark.parametrize(
    "host", ["attack.invalid", "attack.invalid:{port}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.attack:{port}"]
)
def test_only_the_servers_own_names_are_answered(server: Asking, host: str) -> None:
    """A page whose name an attacker points at this machine (DNS rebinding) has its own name in Host."""
    port = server.address.rpartition(":")[2]
    for path in (f"/?token={TOKEN}", "/api/start"):
        assert with_headers(server, "GET", path, host=host.format(port=port)).status_code == 403
    assert with_headers(server, "GET", "/api/start", host=f"localhost:{port}").status_code == 200


@pytest.mark.parametrize(
    "origin", ["", "null", "http://attack.invalid", "https://127.0.0.1:{port}", "http://127.0.0.1:1"]
)
@pytest.mark.parametrize("path", POSTS)
def test_posts_of_other_pages_are_refused(server: Asking, path: str, origin: str) -> None:
    origin = origin.format(port=server.address.rpartition(":")[2])
    answer = with_headers(server, "POST", f"/api/{path}", origin=origin)
    assert (answer.status_code, "another page" in answer.text) == (403, True)


def test_every_answer_carries_the_policy_and_no_leave_for_others(server: Asking) -> None:
    answers = [
        server.http.get(f"/?token={TOKEN}"), server.http.get("/api/start"), server.http.get("/nothing"),
        server.post("look", {}), with_headers(server, "OPTIONS", "/api/look"),
        with_headers(server, "GET", "/", **{"x-heatproof-token": ""}),
    ]  # fmt: skip
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'sha256-")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert not [
            name for name in answer.headers if name.startswith("access-control") or name in ("server", "set-cookie")
        ]


def test_a_browser_is_opened_by_an_address_that_works_once() -> None:
    with asking(once="only once") as found, httpx.Client(base_url=found.address, trust_env=False) as stranger:
        first = stranger.get("/", params={"once": "only once"})
        assert (first.status_code, first.headers["location"]) == (303, f"/?token={TOKEN}")
        assert stranger.get("/", params={"once": "only once"}).status_code == 403
        assert stranger.get("/", params={"once": ""}).status_code == 403


# what it takes in


def test_a_photo_is_read_as_from_a_folder(server: Asking, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(photo(3))
    held = server.session.photos.get(server.upload(photo(3)))
    assert held is not None
    for one, model in zip(held.inputs, server.session.models, strict=True):
        assert torch.equal(one.pixels, hp.read_images(tmp_path / "a.png", model.preprocess).pixels)
    assert [one.pixels.shape[1] for one in held.inputs] == [3, 1, 3]


def test_what_is_too_large_is_refused_in_words(server: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heatproof.serve.app.UPLOAD", 2**20)
    for data in (b"x" * (2**20 + 1), (b"x" * 2**16 for _ in range(100))):  # of a known length, and of none
        answer = server.post("photo", data)
        assert (answer.status_code, "more than 1 MB" in answer.json()["error"]) == (413, True)
    assert server.post("look", b"[" * 70_000).status_code == 413


def test_no_more_is_held_of_an_endless_upload_than_the_limit() -> None:
    from heatproof.serve.wire import Large, body_of

    sent = []

    class Endless:
        async def stream(self) -> AsyncIterator[bytes]:
            while True:
                sent.append(1)
                yield b"x" * 1000

    with pytest.raises(Large):
        asyncio.run(body_of(Endless(), 10_000))  # type: ignore[arg-type]
    assert len(sent) == 11


BAD = {
    "text": (b"hello", "not an image"),
    "nothing": (b"", "not an image"),
    "cut": (photo()[:-60], "cannot be read"),
    "a program": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "PostScript"),
}


@pytest.mark.parametrize(("data", "why"), BAD.values(), ids=BAD)
def test_what_is_no_photo_is_refused_in_words(server: Asking, data: bytes, why: str) -> None:
    answer = server.post("photo", data)
    assert (answer.status_code, why in answer.json()["error"]) == (400, True), answer.text


def test_a_bomb_is_refused(server: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5000)
    answer = server.post("photo", photo(size=(200, 200)))
    assert answer.status_code == 400
    assert "more than 5000 pixels" in answer.json()["error"]


@pytest.mark.parametrize("name", ATTACKS.values(), ids=ATTACKS)
def test_a_hostile_name_is_text(server: Asking, name: str) -> None:
    answer = server.post("photo", photo(), params={"name": name})
    assert answer.json()["name"] == visible(name)
    body = server.body(["edge_map"], [0], photo=answer.json()["photo"])
    server.events("maps", body)
    assert server.post("export/png", body).content.startswith(b"\x89PNG")
    assert server.post("export/safetensors", body).status_code == 200


def test_hostile_names_of_models_and_classes_are_text() -> None:
    with asking(served(name=EVIL, names=[f"{EVIL} {i}" for i in range(5)])) as found:
        model = found.http.get("/api/start").json()["models"][0]
        assert model["name"] == visible(EVIL)
        assert model["names"][3] == visible(f"{EVIL} 3")
        body = found.body(["edge_map"], [0, 1])
        found.events("maps", body)
        assert found.post("export/png", body).content.startswith(b"\x89PNG")


CODE = {
    "module": "os:system", "inner": "smooth(os:system)", "file": "{path}:make", "unknown": "nonsense",
    "syntax": "gradient(", "long": "gradient" * 100, "call": "gradient(q=open('{path}'))", "no text": 7,
}  # fmt: skip


@pytest.mark.parametrize("text", CODE.values(), ids=CODE)
def test_no_method_of_a_request_is_code(server: Asking, tmp_path: Path, text: Any) -> None:
    path = tmp_path / "evil.py"
    path.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\ndef make(*_): pass\n")
    text = text.format(path=path) if isinstance(text, str) else text
    for answer in (server.post("method", {"text": text}), server.post("maps", server.body([text], [0]))):
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]
    assert not (tmp_path / "ran").exists()


WRONG = {
    "no object": [1], "no json": b"{", "no photo": {"photo": "x"}, "photo of a list": {"photo": [1]}, "model": {"model": 9},
    "model as a truth": {"model": True}, "class": {"classes": [5]}, "negative class": {"classes": [-1]},
    "classes": {"classes": [0, 1, 2, 3]}, "class as text": {"classes": ["0"]}, "methods": {"methods": "gradient"},
    "too many methods": {"methods": ["gradient"] * 61}, "nothing asked for": {},
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_wrong_request_is_an_error_in_words(server: Asking, wrong: Any) -> None:
    answer = server.post("maps", {**server.body(), **wrong} if isinstance(wrong, dict) else wrong)
    assert answer.status_code == 400
    assert len(answer.json()["error"]) > 20


# what it answers


def test_what_there_is(server: Asking) -> None:
    found = server.http.get("/api/start").json()
    assert [(one["name"], one["count"], one["untrained"]) for one in found["models"]] == [
        ("net", 5, False), ("grey", 5, False), ("smooth", 5, False),
    ]  # fmt: skip
    assert found["models"][0]["names"] == list(NAMES)
    assert {one["name"] for one in found["methods"]} == set(hp.METHODS)
    assert all(one["line"] for one in found["methods"])


def test_the_model_says_what_it_says_to_anyone(server: Asking) -> None:
    body = server.body()
    found = server.post("look", body).json()
    held = server.session.photos.get(body["photo"])
    chances = Net()(held.inputs[0].pixels).softmax(1)[0]
    assert found["chances"] == pytest.approx(chances.tolist(), abs=1e-5)
    assert found["best"] == chances.argsort(descending=True).tolist()
    assert (found["width"], found["height"]) == (32, 32)


@pytest.mark.parametrize("model", [0, 1])
def test_maps_are_those_of_the_methods(server: Asking, model: int) -> None:
    """To the last digit for one class, and up to rounding for two in one pass."""
    body = server.body(hp.METHODS, [2], model=model)
    net, pixels = (Net(), Net(1))[model], server.session.photos.get(body["photo"]).inputs[model].pixels
    events = server.events("maps", body)
    assert [one["method"] for one in events if one["event"] == "maps"] == list(hp.METHODS), events
    held = load(server.post("export/safetensors", body).content)
    for name, method in hp.METHODS.items():
        assert torch.equal(held[name], method(net, pixels, torch.tensor([2]))[0]), name
    body = {**body, "photo": server.upload(), "classes": [1, 2]}
    server.events("maps", body)
    both = load(server.post("export/safetensors", body).content)
    assert len(both) == 2 * len(held)
    for name in held:
        torch.testing.assert_close(both[f"{name} class 2"], held[name], atol=1e-5, rtol=1e-4)


def test_methods_with_options_and_classes_without_names(server: Asking) -> None:
    text = "smooth(rectgrad(q=50), n=2)"
    name = server.post("method", {"text": text}).json()["name"]
    body = server.body([text], [4, 0])
    server.events("maps", body)
    held = load(server.post("export/safetensors", {**body, "methods": [name]}).content)
    pixels = server.session.photos.get(body["photo"]).inputs[0].pixels
    want = hp.smooth(method_from_text("rectgrad(q=50)"), n=2)(Net(), pixels, torch.tensor([[4], [0]]))
    assert torch.equal(held[f"{name} class 4"], want[0, 0])


def test_both_views_are_drawn_on_the_scale_of_all_classes(server: Asking) -> None:
    body = server.body(["gradient"], [0, 3])
    (tiles,) = [one["tiles"] for one in server.events("maps", body) if one["event"] == "maps"]
    held = load(server.post("export/safetensors", body).content)
    stack = np.stack([held["gradient class 0"], held["gradient class 3"]])
    for view in ("absolute", "diverging"):
        for tile, want in zip(tiles, colours(stack, view), strict=True):
            assert np.array_equal(np.asarray(Image.open(bytes_of(tile[view]))), want)


def bytes_of(uri: str) -> io.BytesIO:
    return io.BytesIO(base64.b64decode(uri.partition(",")[2]))


def test_a_method_that_is_refused_says_why_and_the_others_go_on(server: Asking) -> None:
    events = server.events("maps", server.body(["guided_backprop", "gradient"], [0], model=2))
    assert [one["event"] for one in events] == ["start", "refused", "start", "maps", "done"]
    with pytest.raises(hp.EscapedOp) as error:
        hp.guided_backprop(Net(act=nn.functional.gelu), torch.zeros(1, 3, 32, 32), torch.tensor([0]))
    numbers = re.compile(r"op:\d+")
    assert numbers.sub("", events[1]["why"]) == numbers.sub("", str(error.value))
    assert "gelu" in events[1]["why"]


def test_the_quick_test_brackets_its_scale(server: Asking) -> None:
    methods = ["edge_map", "random_map", "gradient", "guided_backprop"]
    events = server.events("test", server.body(methods, [0, 1]))
    scores = {one["method"]: one["scores"] for one in events if one["event"] == "tested"}
    assert list(scores) == methods
    assert scores["edge_map"] == [{"signed": 1.0, "absolute": 1.0}] * 2
    assert all(abs(one["signed"]) < 0.2 for one in scores["random_map"])
    assert all(one["absolute"] < 0.9 for one in scores["gradient"])


def test_a_constant_map_has_no_similarity(server: Asking) -> None:
    flat = io.BytesIO()
    Image.new("RGB", (40, 40)).save(flat, "PNG")
    (found,) = [
        e
        for e in server.events("test", server.body(["edge_map"], [0], photo=server.upload(flat.getvalue())))
        if e["event"] == "tested"
    ]
    assert found["scores"] == [{"signed": None, "absolute": None}]


def test_exports_hold_what_was_computed(server: Asking, tmp_path: Path) -> None:
    body = server.body(["gradient", "gradcam"], [3])
    server.events("maps", body)
    raw = server.post("export/safetensors", body).content
    (tmp_path / "maps.safetensors").write_bytes(raw)
    with safe_open(tmp_path / "maps.safetensors", "pt") as file:
        assert file.metadata() == {
            "photo": "my photo.png",
            "model": "net",
            "classes": "{'3': 'crane'}",
            "heatproof": hp.__version__,
        }
    arrays = np.load(io.BytesIO(server.post("export/npz", body).content))
    for name, value in load(raw).items():
        assert np.array_equal(arrays[name], value.numpy())
    sheet = Image.open(io.BytesIO(server.post("export/png", body).content))
    assert min(sheet.size) > 200


@pytest.mark.parametrize("kind", ["png", "npz", "pickle", "../png"])
def test_what_was_not_computed_is_not_exported(server: Asking, kind: str) -> None:
    answer = server.post(f"export/{kind}", server.body(["gradient"], [0]))
    assert answer.status_code in (400, 404)


def test_the_command_names_the_model_and_the_methods(server: Asking) -> None:
    found = server.post("command", server.body(["gradient", "rectgrad(q=90)"])).json()["command"]
    assert found == "heatproof audit --model nets:net --images PHOTOS --methods 'gradient, rectgrad(q=90)'"


# one at a time


def test_models_run_one_at_a_time_and_who_comes_later_waits() -> None:
    with asking(served(Slow())) as found:
        bodies = [found.body(["smooth(gradient, n=10)", "gradient"], [k]) for k in (0, 1, 2)]
        Slow.most, events = 0, [[] for _ in bodies]

        def ask(place: int) -> None:
            events[place] = found.events("maps", bodies[place])

        threads = [threading.Thread(target=ask, args=(place,)) for place in range(3)]
        for one in threads:
            one.start()
        for one in threads:
            one.join(60)
        assert Slow.most == 1
        assert all(len([e for e in one if e["event"] == "maps"]) == 2 for one in events)
        assert sum(one[0] == {"event": "waiting"} for one in events) == 2


@pytest.mark.parametrize(
    "method", ["smooth(gradient, n=100000)", "clrp", "occlusion(batch_size=1, stride=1, window=1)"]
)
def test_a_job_that_nobody_waits_for_ends(method: str) -> None:
    """Who leaves in the middle of a method frees the model at its next pass, forward or (one for each class) backward."""
    with asking(served(Slow(classes=20_000), names=None)) as found:
        body = found.body([method, "gradient"], [0])
        with found.http.stream("POST", "/api/maps", content=json.dumps(body)) as answer:
            assert json.loads(next(answer.iter_lines())) == {"event": "start", "method": method}
        began = time.monotonic()
        assert found.events("maps", {**body, "methods": ["gradient"]})[-1] == {"event": "done"}
        assert time.monotonic() - began < 5
        passes = Slow.passes
        time.sleep(0.3)
        assert Slow.passes == passes


def test_too_many_jobs_are_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    with asking() as found:
        body = found.body(["gradient"], [0])
        monkeypatch.setattr("heatproof.serve.jobs.MOST", 0)
        assert "jobs wait already" in found.events("maps", body)[0]["why"]
        answer = found.post("look", body)
        assert (answer.status_code, "jobs wait already" in answer.json()["error"]) == (400, True)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "PHOTOS", 3 * 32 * 32 * 4 * 2)
    monkeypatch.setattr(session_module, "MAPS", 3 * 32 * 32 * 4 * 2)
    with asking() as found:
        photos = [found.upload(photo(seed)) for seed in range(3)]
        assert [found.session.photos.get(one) is None for one in photos] == [True, False, False]
        assert "drop it in again" in found.post("look", found.body(photo=photos[0])).json()["error"]
        body = found.body(["gradient", "guided_backprop", "input_map"], [0], photo=photos[2])
        found.events("maps", body)
        assert "gradient" in found.post("export/npz", body).json()["error"]


# models


def test_channels_are_found_by_trying() -> None:
    assert [served(Net(c), mean=0.5).preprocess.channels for c in (1, 3)] == [1, 3]


def test_a_model_that_does_not_run_says_what_to_give() -> None:
    flat = nn.Sequential(nn.Flatten(), nn.Linear(3 * 28 * 28, 4)).eval()
    with pytest.raises(ModelError, match="--size"):
        served(flat, names=None, size=None, mean=None, std=None)
    assert served(flat, names=None, size=28, mean=0.5).count == 4


def test_one_logit_has_two_classes() -> None:
    one = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 900, 1)).eval()
    made = served(one, names=("no", "yes"), score=single_logit)
    x = torch.ones(1, 3, 32, 32)
    torch.testing.assert_close(
        made.chances(x), torch.stack([1 - one(x).sigmoid(), one(x).sigmoid()]).flatten().double()
    )
    with pytest.raises(ModelError, match="--score single_logit") as told:
        served(one, names=None)
    assert "--size" not in str(told.value), "another size would not help"


def test_names_of_another_number_are_refused() -> None:
    with pytest.raises(InputError, match="3 class names for 5 outputs"):
        served(names=("a", "b", "c"))


def test_the_page_is_one_file_without_a_place_for_strangers() -> None:
    html, policy = page()
    assert "{{" not in html
    assert len(re.findall("<script>", html)) == 1
    assert not re.search(r"\son\w+=|innerHTML|insertAdjacentHTML|document\.write|eval\(|\sstyle=", html)
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", html)
    assert "'unsafe-inline'" not in policy
