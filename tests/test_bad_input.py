"""Bad input, systematically: cases of inputs, files and commands, and random ones; each is right, or an error of ours."""

from __future__ import annotations

import io
import json
import os
import struct
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

import bad_commands
import bad_files
import bad_input
import bad_place
import heatproof as hp
import synthetic_results
from bad_command_lines import PARTS as COMMANDS
from bad_files import alike
from bad_outcome import CORRECT, EITHER, ERROR, Hangs, in_time, outcome_of
from bad_pictures import PARTS as PICTURES
from bad_places import PARTS as PLACES
from bad_places import can_lose_rights
from bad_stacks import PARTS as STACKS
from heatproof.data.folder import read_images
from heatproof.explain import explain
from heatproof.models.weights import load_weights
from heatproof.report import render
from made_pictures import COLOUR, WRITES, saved
from nets import Net, fresh_input
from test_contract import same, snapshot
from test_report import Page

FEW = settings(max_examples=50, deadline=None, derandomize=True, database=None)


def check(outcomes: Iterable[tuple[str, str]], least: int) -> None:
    """Every case is right or an error of ours, and there are as many as there should be."""
    tried = list(outcomes)
    wrong = bad_input.failed(tried)
    assert not wrong, "\n".join([f"{len(wrong)} of {len(tried)}:", *wrong])
    assert len(tried) >= least
    names = Counter(name for name, _ in tried)
    assert not [name for name, count in names.items() if count > 1], "two cases of one name"


@pytest.mark.parametrize("method", bad_input.METHODS)
def test_inputs_targets_and_models(method: str) -> None:
    check(((case.name, bad_input.outcome(case)) for case in bad_input.cases(method)), 80)


@pytest.mark.parametrize("part", [*PICTURES, *PLACES, *STACKS], ids=lambda part: part.__name__)
def test_files(part: Callable[[], Iterator[bad_files.Case]]) -> None:
    if part.__name__ == "rights" and not can_lose_rights():
        pytest.skip("this process may read every file and cannot become another user")
    check(((case.name, bad_files.outcome(case)) for case in part()), 8)


@pytest.mark.parametrize("part", COMMANDS, ids=lambda part: part.__name__)
def test_commands(part: Callable[[], Iterator[bad_commands.Case]], capfd: pytest.CaptureFixture[str]) -> None:
    with bad_commands.place() as here:
        check(((case.name, bad_commands.outcome(case, here)) for case in part()), 8)
    assert "Traceback" not in "".join(capfd.readouterr()), "printed past the commands, as by a logger"


def test_the_judges_catch_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def raised(error: BaseException) -> Callable[[], bool]:
        def run() -> bool:
            raise error

        return run

    good = hp.InputError("inputs of shape (0, 3) are empty; give at least one image with pixels")
    assert outcome_of(lambda: True, EITHER) == CORRECT
    assert outcome_of(raised(good), EITHER) == ERROR
    assert "silent" in outcome_of(lambda: False, EITHER)
    assert "TypeError" in outcome_of(raised(TypeError("x")), ERROR)
    assert "SystemExit" in outcome_of(raised(SystemExit(0)), ERROR)
    assert "helps nobody" in outcome_of(raised(hp.InputError("bad")), ERROR)
    assert "no error" in outcome_of(lambda: True, ERROR)
    assert "result is due" in outcome_of(raised(good), CORRECT)
    assert "does not say" in outcome_of(raised(good), EITHER, "target")
    for useless in (
        "this tool refuses every single input that it is given today",
        "inputs of shape (0, 3) are quite as empty as empty can be",
        "these inputs cannot be taken; give others that are good enough",
        "bad (0, 3); give more",
    ):
        assert "helps nobody" in outcome_of(raised(hp.InputError(useless)), ERROR), useless
    with pytest.raises(Hangs), in_time(1):
        time.sleep(30)
    assert alike(COLOUR.transpose(2, 0, 1) / 255, COLOUR / 255)
    for wrong in (COLOUR[::-1], COLOUR[:, ::-1], COLOUR[..., ::-1], COLOUR[1:], COLOUR + 3):
        assert not alike(wrong.transpose(2, 0, 1) / 255, COLOUR / 255)
    with bad_commands.place() as here:
        case = bad_commands.Case(("explain", "--target", "x"), "class name")
        assert bad_commands.outcome(case, here) == ERROR
        monkeypatch.setattr("heatproof.cli.inputs.target_from", lambda *_: 1 / 0)
        assert "ZeroDivisionError" in bad_commands.outcome(case, here)
        monkeypatch.setattr("heatproof.cli.inputs.target_from", lambda *_: None)
        assert "exit code 0" in bad_commands.outcome(case, here)
        assert list(here.glob("new*")) == []


@pytest.mark.parametrize("method", ["gradient", "occlusion"])
def test_a_method_that_refuses_everything_fails(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However helpful it is; and one that gives the right map for everything fails too."""

    def refuses(model: Any, x: Any, target: Any = None) -> Tensor:
        raise hp.InputError(f"inputs {bad_input._named(x)} of {model}, {target!r}: expected others; give 0 to 4")

    monkeypatch.setattr(hp, method, refuses)
    said = {case.name: (case.wants, bad_input.outcome(case)) for case in bad_input.cases(method)}
    due = [what for wants, what in said.values() if wants == CORRECT]
    assert len(due) == len(bad_input.SAME) + 3 + (len(bad_input.FORWARD_ONLY) if method == "occlusion" else 0)
    assert all("result is due" in what for what in due)
    monkeypatch.setattr(hp, method, lambda model, x, target=None: torch.zeros(3, 8, 8))
    said = {case.name: (case.wants, bad_input.outcome(case)) for case in bad_input.cases(method)}
    assert all(what != ERROR for _, what in said.values())
    assert all(what != CORRECT for wants, what in said.values() if wants == ERROR)


def test_a_reader_and_commands_that_refuse_everything_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*given: Any, **options: Any) -> Any:
        raise hp.InputError(f"{given[0]} is damaged; expected a whole picture")

    monkeypatch.setattr("bad_files.read_images", refuses)
    cases = [case for case in PICTURES[0]() if case.wants == CORRECT]
    assert len(cases) > 40
    assert len(bad_input.failed((case.name, bad_files.outcome(case)) for case in cases)) == len(cases)
    monkeypatch.setattr("heatproof.cli.inputs.read_images", refuses)
    with bad_commands.place() as here:
        good = list(COMMANDS[0]())
        assert len(bad_input.failed((case.name, bad_commands.outcome(case, here)) for case in good)) == len(good)


# random tensors

DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.bool, torch.complex64)
SIDES = st.sampled_from([0, 1, 2, 3, 8, 8, 9])
SHAPES = st.one_of(
    st.tuples(st.sampled_from([0, 1, 2, 3]), st.sampled_from([0, 1, 2, 2, 2, 3]), SIDES, SIDES),
    st.lists(SIDES, max_size=6).map(tuple),
    st.just((2, 2, 8, 8)),
)
ORDERS: dict[str, Callable[[Tensor], Tensor]] = {
    "plain": lambda x: x,
    "turned": lambda x: x.transpose(-1, -2).contiguous().transpose(-1, -2) if x.dim() > 1 else x,
    "channels last": lambda x: x.to(memory_format=torch.channels_last) if x.dim() == 4 else x,
    "stepped": lambda x: x.repeat_interleave(2, 0)[::2] if x.dim() else x,
}
TARGETS = st.one_of(
    st.none(),
    st.integers(-2, 6),
    st.lists(st.integers(-1, 5), max_size=4),
    st.lists(st.integers(0, 4), min_size=2, max_size=2),
    st.builds(lambda rows, k: [rows] * k, st.lists(st.integers(0, 5), min_size=1, max_size=3), st.integers(0, 2)),
)


def tensor(shape: tuple[int, ...], dtype: torch.dtype, order: str, hole: bool) -> Tensor:
    values = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    if hole and values.numel():
        values.view(-1)[0] = torch.nan
    return ORDERS[order](values.to(dtype))


def takes(x: Tensor, target: Any) -> bool:
    """Whether the network has a map for it, by its layers: 2 channels, 16 places after pooling, 5 classes."""
    fits = x.dim() == 4 and len(x) > 0 and x.shape[1] == 2 and (x.shape[2] // 2) * (x.shape[3] // 2) == 16
    if not fits or x.dtype != torch.float64 or not x.isfinite().all():
        return False
    if target is None:
        return True
    classes = np.asarray(target)
    if classes.ndim not in (1, 2) or classes.size == 0 or classes.shape[-1] != len(x):
        return False
    return bool(((classes >= 0) & (classes < 5)).all())


@pytest.mark.parametrize("method", ["gradient", "lrp", "gradcam", "integrated_gradients", "occlusion"])
@FEW
@given(
    x=st.builds(tensor, SHAPES, st.sampled_from(DTYPES), st.sampled_from(list(ORDERS)), st.booleans()), target=TARGETS
)
def test_random_tensors(method: str, x: Tensor, target: Any) -> None:
    model = Net()
    before = snapshot(model, torch.zeros(1))
    try:
        maps = getattr(hp, method)(model, x, target)
    except hp.HeatproofError:
        assert not takes(x, target)
    else:
        assert takes(x, target)
        assert maps.shape[-2:] == x.shape[-2:]
        assert maps.isfinite().all()
    assert same(before, snapshot(model, torch.zeros(1)))


# random bytes

BITS = st.one_of(st.sampled_from([1, 2, 4, 8, 16]), st.integers(1, 255))  # of a letter, few bits make another letter
FLIPS = st.lists(st.tuples(st.integers(0, 10**6), BITS), min_size=1, max_size=3)
CUT = st.one_of(st.none(), st.integers(0, 10**6))


def damaged(whole: bytes, flips: list[tuple[int, int]], cut: int | None) -> bytes:
    content = bytearray(whole)
    for place, bits in flips:
        content[place % len(content)] ^= bits
    return bytes(content if cut is None else content[: cut % len(content)])


@pytest.mark.parametrize("ending", WRITES)
@FEW
@given(flips=FLIPS, cut=CUT)
def test_random_damage_of_pictures(ending: str, flips: list[tuple[int, int]], cut: int | None) -> None:
    """PNG has checksums, so that what is read of one is right; of the others it is at least a picture."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"photo.{ending}")
        path.write_bytes(damaged(saved(ending), flips, cut))
        try:
            found = read_images(path).pixels
        except hp.HeatproofError:
            return
        assert ending != "png" or alike(found[0].numpy(), COLOUR / 255)
        assert found.shape[:2] in ((1, 1), (1, 3))
        assert 0 <= found.min() <= found.max() <= 1


def tensors_in(content: bytes) -> dict[str, tuple[str, list[int], bytes]]:
    """What a safetensors file says, by its published layout."""
    (length,) = struct.unpack("<Q", content[:8])
    head, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    held = {name: about for name, about in head.items() if name != "__metadata__"}
    return {name: (a["dtype"], a["shape"], data[slice(*a["data_offsets"])]) for name, a in held.items()}


@FEW
@given(flips=FLIPS, cut=CUT, into_head=st.booleans())
def test_random_damage_of_weights(flips: list[tuple[int, int]], cut: int | None, into_head: bool) -> None:
    """What is loaded is what the file says; after an error the model is as it was."""
    model, fresh = Net(dtype=torch.float32), Net(dtype=torch.float32, seed=1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "net.safetensors")
        save_file(fresh.state_dict(), path)
        whole = path.read_bytes()
        until = 8 + struct.unpack("<Q", whole[:8])[0] if into_head else len(whole)
        path.write_bytes(damaged(whole[:until], flips, None) + whole[until:])
        if cut is not None:
            path.write_bytes(path.read_bytes()[: cut % len(whole)])
        before = snapshot(model, torch.zeros(1))
        try:
            load_weights(model, path)
        except hp.HeatproofError:
            assert same(before, snapshot(model, torch.zeros(1)))
            return
        held = tensors_in(path.read_bytes())
    for name, value in model.state_dict().items():
        kind, shape, content = held[name]
        assert list(value.shape) == shape
        if kind in ("F32", "I64"):
            assert value.numpy().tobytes() == content


def test_weights_that_are_refused_change_nothing() -> None:
    """Every file that `bad_commands` gives as weights."""
    refused = 0
    with bad_commands.place() as here:
        for path in sorted([*here.glob("*.safetensors"), *here.glob("*.pt*"), *here.glob("*.bin")]):
            model = bad_place.net()
            with torch.no_grad():
                model[0].weight.add_(1)
            before = snapshot(model, torch.zeros(1))
            try:
                load_weights(model, path)
            except hp.HeatproofError:
                refused += 1
                assert same(before, snapshot(model, torch.zeros(1))), path
        assert not (here / "executed").exists()
    assert refused > 30


@FEW
@given(flips=FLIPS, cut=CUT)
def test_random_damage_of_checkpoints(flips: list[tuple[int, int]], cut: int | None) -> None:
    model, held = Net(dtype=torch.float32), io.BytesIO()
    torch.save(Net(dtype=torch.float32, seed=1).state_dict(), held)
    before = snapshot(model, torch.zeros(1))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "net.pth")
        path.write_bytes(damaged(held.getvalue(), flips, cut))
        try:
            load_weights(model, path)
        except hp.HeatproofError:
            assert same(before, snapshot(model, torch.zeros(1)))


# random texts

LETTERS = st.one_of(st.sampled_from("<>&\"'`/={}%$#\\;!-\n\t\0\x1b\x85\u2028\udcff"), st.characters())
PIECES = (
    "<b>",
    "</script>",
    "<!--",
    "&lt;",
    "&",
    '" onload="',
    "' x='",
    "{{ 7 }}",
    "{% raw %}",
    "<img src=x>",
    "</td>",
)
TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(LETTERS, max_size=9)), max_size=5).map("".join)


def markup(name: str, label: str, reason: str, folder: Path) -> Page:
    """A report with these texts of files and classes."""
    title = f"{name}: {label}".replace("{", "{{").replace("}", "}}")
    run = synthetic_results.results(folder, size=12, photos=1, title=title)
    image = {"name": name, "label": label, "target": 1, "predicted": label, "probability": 0.5}
    run.config.update(images=[image], class_names=[label], warnings=[reason], model=name, dataset=label)
    return Page(render(run).read_text("utf-8"))


@pytest.fixture(scope="module")
def plain_page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return markup("a name", "a label", "a reason", tmp_path_factory.mktemp("plain"))


@settings(FEW, max_examples=8, phases=[Phase.generate])  # no shrinking: a report takes a second
@given(name=TEXTS, label=TEXTS, reason=TEXTS)
def test_random_texts_stay_texts_in_a_report(plain_page: Page, name: str, label: str, reason: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        page = markup(f"a {name}", f"a {label}", f"a {reason}", Path(folder))
    assert [(tag, sorted(given)) for tag, given in page.elements] == [
        (tag, sorted(given)) for tag, given in plain_page.elements
    ]
    assert page.code == plain_page.code


@FEW
@given(names=st.lists(st.one_of(TEXTS, st.text(LETTERS, min_size=200, max_size=400)), min_size=1, max_size=4))
def test_random_names_are_files_of_their_own_inside_the_folder(names: list[str]) -> None:
    from heatproof.explain import _stems

    stems = _stems(names, len(names))
    assert len(set(stems)) == len(names)
    for stem in stems:
        assert 0 < len(os.fsencode(stem)) < 230
        assert "/" not in stem
        assert not stem.startswith(".")


def test_sheets_of_hostile_names(tmp_path: Path) -> None:
    names = ["../../up.png", "/etc/passwd", "$x_{1}$ \\frac.png", "日本\n語.png", "<b>&amp;.png", "\udcff.png", "", "."]
    names += ["x" * 300 + ".png", "y" * 300 + ".png"]
    x, out = fresh_input(len(names), dtype=torch.float32), tmp_path / "in" / "maps"
    done = explain(Net(dtype=torch.float32), x, None, ("gradient",), out=out, names=names, class_names=names[:5])
    assert len({*done.sheets, *done.maps}) == 2 * len(names)
    assert set(tmp_path.rglob("*")) == {out, out.parent, *done.sheets, *done.maps}
