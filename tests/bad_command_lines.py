"""The command lines of `bad_commands`, by what is wrong in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from bad_commands import FAILED, USAGE, Case
from bad_place import ODD
from heatproof.faithfulness.kinds import KINDS

LONG = "x" * 300
REFUSED = (FAILED, USAGE)
GOOD = (0,)
ENDLESS = {("adversarial", "eps"), ("adversarial", "steps"), ("infidelity", "samples"), ("infidelity", "sigma"),
           ("sensitivity", "radius"), ("sensitivity", "samples")}  # fmt: skip
"""Numbers without a largest one, of a bench that is only planned."""
UNREPEATABLE = ("draws_torch", "draws_numpy", "draws_python", "counts", "counts_in_a_buffer")


def _lines(command: str, option: str, values: dict[str, str], codes: tuple[int, ...] = (FAILED,)) -> Iterator[Case]:
    """The command with each value of an option, and what its text must say."""
    for value, says in values.items():
        yield Case((*command.split(), f"{option}={value}"), says, codes)


def good() -> Iterator[Case]:
    """What the others differ from by one thing: it must run, or nothing below is tested."""
    yield Case(("explain",), codes=(0,))
    for file in ("good.safetensors", "good.pth", "model.pth", "half.safetensors"):
        yield Case(("explain", "--weights", file), codes=(0,))
    yield Case(("explain", "--class-names", "three.txt", "--target", "b"), codes=(0,))
    yield Case(("explain", "--model", "net.pt2"), codes=(0,))
    yield Case(("audit", "--dry-run"), codes=(0,))
    yield Case(("bench", "pixel", "--dry-run"), codes=(0,))
    for command in ("explain", "audit", "bench pixel"):
        yield Case((*command.split(), f"--images={ODD}", "--limit=9", f"--out=new/{ODD}"), codes=(0,))


def weights() -> Iterator[Case]:
    fits = {"other": "missing", "missing": "1 missing, the first is 3.bias",
            "extra": "unexpected, the first is more.weight",
            "shape": "of another shape", "renamed": "missing", "nan": "NaN", "whole": "of another shape",
            "complex": "of another shape",
            "none": "expected a state dict"}  # fmt: skip
    yield from _lines("explain", "--weights", {f"{name}.safetensors": says for name, says in fits.items()})
    damaged = ("text", "nothing", "cut", "head", "long", "deep", "pth", "hostile")
    yield from _lines("explain", "--weights", {f"{name}.safetensors": f"{name}.safetensors" for name in damaged})
    kinds = {"list": "expected a state dict", "tensor": "expected a state dict", "number": "expected a state dict",
             "empty": "expected a state dict", "optimiser": "expected a state dict", "numbered": "missing",
             "texts": "3.bias",
             "nested": "expected a state dict", "circle": "expected a state dict", "text": "text.pth",
             "nothing": "nothing.pth",
             "cut": "cut.pth", "photo": "photo.pth", "safetensors": "safetensors.pth"}  # fmt: skip
    yield from _lines("explain", "--weights", {f"{name}.pth": says for name, says in kinds.items()})
    yield from _lines("explain", "--weights", {"sparse.pth": "", "meta.pth": ""})
    yield from _lines("explain", "--weights", {"float8.safetensors": ""}, GOOD)
    code = {"evil.pth": "code", "evil.pt": "code", "evil.bin": "code", "whole_model.pth": "code"}
    yield from _lines("explain", "--weights", code)
    yield from _lines("explain", "--weights", {"photos": "folder", "nowhere.pt": "no weights file", "loop": "loop",
                                               LONG: "",
                                               "mine.py/x": "no weights file", "/dev/zero": "", "pipe.png": "",
                                               "script.pt": "program"})  # fmt: skip
    yield Case(("explain", "--model=net.pt2", "--weights=good.safetensors"), "leave out")
    yield Case(("audit", "--init=other.safetensors"), "missing")
    yield Case(("audit", "--init=evil.pth"), "code")
    yield Case(
        ("audit", "--check=labels", "--weights=good.safetensors", "--permuted-weights=other.safetensors"), "missing"
    )


def models() -> Iterator[Case]:
    names = {"torchvision:resnet19": "resnet18", "torchvision:": "torchvision", "torchvision:raft_large": "torchvision",
             "torchvision:ResNet 18": "torchvision", "timm:nothing_at_all": "timm", "timm:": "timm",
             "timm:resnet18.no_tag": "tag",
             "nothing": "names no model", "": "names no model", ":": "model", "a:b:c": "a:b",
             "mine.py:nothing": "has no 'nothing'",
             "mine.py": "model", "nowhere.py:net": "no file", "nowhere:net": "no module", ".mine:net": "model",
             "..:net": "model",
             "a..b:net": "model", "mine.py:net.nothing": "nothing", "photos:net": "net", "mine.py:torch": "module",
             "mine.py:INSTANCE": "function or class", "mine.py:NUMBER": "function or class", "folder.py:net": "no file",
             f"{LONG}:net": "", f"{LONG}.py:net": "", f"{LONG}.pt2": "", "text.pt2": "zip", "empty.pt2": "zip",
             "cut.pt2": "cut short|corrupted",
             "folder.pt2": "folder", "nowhere.pt2": "no model file", "text.pt": "zip", "text.ts": "zip",
             "evil.pt": "not a TorchScript",
             "loop:net": "", "pipe.png:net": ""}  # fmt: skip
    yield from _lines("explain", "--model", names)
    own = {"mine.py:raises": "inner", "mine.py:needs": "size", "mine.py:returns_none": "torch.nn.Module",
           "raises.py:net": "inner",
           "syntax.py:net": "syntax.py", "imports.py:net": "a_module_that_is_not_there", "leaves.py:net": "leaves.py",
           "bytes.py:net": "bytes.py", "mine.py:leaves": "line", "raises:net": "inner",
           "mine.py:returns_list": "list",
           "mine.py:returns_nan": "NaN"}  # fmt: skip
    for model, says in own.items():
        yield Case(("explain", f"--model={model}"), says, own=True)


def unrepeatable() -> Iterator[Case]:
    """Networks that say something else each time: every command must see it, and write nothing."""
    benches = ("bench pixel", "bench noise", "bench sensitivity")
    for command in ("explain", "audit", "audit --dry-run", *benches, "bench pixel --dry-run"):
        for network in UNREPEATABLE:
            yield Case(
                (*command.split(), f"--model=mine.py:{network}"), "two runs on the same|something else each time"
            )


def methods() -> Iterator[Case]:
    wrong = {"gradcma": "gradcam", "": "", ",": "", "gradient(": "cannot be read", "gradient)": "cannot be read",
             "gradient()()": "cannot be read",
             "gradient(x=1)": "no option 'x'", "gradcam(layers=3)": "layer", "smooth": "smooth", "smooth()": "method",
             "1": "cannot be read",
             "smooth(gradient, gradient)": "method", "'gradient'": "cannot be read", "lambda x: x": "read|module",
             "configured": "no method",
             "__import__('os').system('touch executed')": "read", "gradient.__class__": "cannot be read",
             "mine.py:nothing": "nothing",
             "mine.py:NUMBER": "callable", "smooth(" * 300 + "gradient" + ")" * 300: "", "(" * 500: "",
             "gradient(**{})": "",
             "a" * 5000: "no method", "gradient, gradient(": "cannot be read", "smooth(gradient, n=x)": "plain value",
             "gradient(return_all=True)": ""}  # fmt: skip
    yield from _lines("explain", "--methods", wrong, REFUSED)
    right = {("gradcam", "None"), ("gradcam", "'1'"), ("occlusion", "None")}
    for method, option, values in (
        ("integrated_gradients", "steps", ("0", "-3", "'ten'", "None", "1.5", "True", "(1,)")),
        ("smooth(gradient)", "n", ("0", "-1", "1.5", "'a'", "None")),
        ("smoothgrad", "n", ("0", "'x'")),
        ("gradcam", "layer", ("'nowhere'", "3", "''", "None", "()", "'1'")),
        ("occlusion", "window", ("0", "-1", "'x'", "1000", "None")),
        ("occlusion", "size", ("3",)),
        ("rectgrad", "q", ("200", "-1", "'x'", "None")),
    ):
        for value in values:
            inside = method[:-1] + f", {option}={value})" if method.endswith(")") else f"{method}({option}={value})"
            yield Case(("explain", f"--methods={inside}"), "", GOOD if (method, value) in right else REFUSED)
    for method, says in {
        "mine.py:fails": "inner",
        "mine.py:two_texts": "str",
        "raises.py:x": "inner",
        "syntax.py:x": "syntax",
    }.items():
        yield Case(("explain", f"--methods={method}"), says, own=True)
    yield Case(("explain", "--model=mine.py:smooth_net", "--methods=guided_backprop"), "no method can run")


def numbers() -> Iterator[Case]:
    yield from _lines("explain", "--target", {"x": "class name", "7": "out of range", "-1": "out of range", "--5": "",
                                              "²": "", "1e3": "", "": "",
                                              "9" * 30: "", "-" + "9" * 30: "", "1.5": "", "nan": "", "-": "",
                                              "٣": ""})  # fmt: skip
    for option in ("--size", "--limit", "--threads", "--resize"):
        yield from _lines(
            "explain", option, {"0": option, "-1": option, "abc": option, "1.5": option, "": option}, (USAGE,)
        )
    yield from _lines("explain", "--size", {"100000": "", "9" * 30: ""}, REFUSED)
    for size in ("1", "8"):
        yield Case(("explain", f"--size={size}"), "the size", own=True)
    yield from _lines("explain", "--resize", {"4": "smaller", "9" * 30: ""}, REFUSED)
    yield from _lines("explain", "--threads", {"99999999999": ""}, REFUSED)
    yield from _lines("explain", "--seed", {"x": "seed", "": "seed"}, (USAGE,))
    for command in ("explain", "audit --dry-run", "bench pixel --dry-run"):
        for value in ("9" * 30, "-1", str(2**63), str(2**64), "-" + "9" * 30):
            yield Case((*command.split(), f"--seed={value}", "--methods=smoothgrad, random_map"), "seed", REFUSED)
    yield from _lines("explain", "--mean", {"a,b": "numbers", "0.5": "both", "": "numbers", ",": "numbers", "nan": ""})
    for mean, std in (("nan", "1"), ("1e400", "1"), ("inf", "1"), ("0.5,0.5", "0.5,0.5"), ("0,0,0", "0,0,0"),
                      ("0", "-1"), ("0", "nan"), ("0", "inf"),
                      ("0,0,0,0", "1,1,1,1"), ("0,0", "1,1,1"), ("1e300", "1")):  # fmt: skip
        yield Case(("explain", f"--mean={mean}", f"--std={std}"), "mean|std|channels")


def options() -> Iterator[Case]:
    yield from _lines("explain", "--device", {"toaster": "toaster", "": "device", "cuda": "cuda",
                                              "cuda:99": "cuda:99", "meta": "meta", "cpu:": "cpu",
                                              "mps": "mps", "xpu": "xpu"})  # fmt: skip
    yield from _lines("explain", "--score", {"logits": "logit", "": "expected", "mine.py:nothing": "nothing", ":": "",
                                             "nowhere:x": "no module",
                                             "single_logit": "single_logit", "value": "value",
                                             "mine.py:NUMBER": "expected a function"})  # fmt: skip
    for score in ("mine.py:no_score", "mine.py:two_texts", "raises.py:x", "syntax.py:x"):
        yield Case(("explain", f"--score={score}"), own=True)
    yield from _lines(
        "explain", "--format", {"gif": "png, pdf or svg", "PNG": "png, pdf or svg", "": "png, pdf or svg"}
    )
    yield from _lines(
        "explain", "--split", {"half": "train or test", "train": "no training and test parts", "": "train or test"}
    )
    yield from _lines("explain", "--preprocess", {"x": "does not name", ":": "", "nowhere:f": "no module",
                                                  "mine.py:nothing": "nothing",
                                                  "mine.py:no_picture": "float tensor",
                                                  "mine.py:NUMBER": ""})  # fmt: skip
    for function in ("mine.py:picture", "raises.py:x", "syntax.py:x", "leaves.py:x"):
        yield Case(("explain", f"--preprocess={function}"), own=True)
    yield from _lines("explain", "--images", {"nowhere": "nowhere", "empty": "no image", "texts": "no image",
                                              "broken": "none of the 1",
                                              "pipe.png": "regular file", "loop": "loop", LONG: "", "nan.npy": "NaN",

                                              "number.npy": "shape", "none.npy": "no image", "pickled.npy": "code",
                                              "mine.py": "mine.py",
                                              "/dev/zero": "", "one.png/x": "", "digits:half": "digits"})  # fmt: skip
    yield Case(("explain", "--images=four.npy"), "the channel count", own=True)
    yield Case(("explain", "--images=mixed", "--size=16", "--preprocess=mine.py:no_picture"), "")
    yield from _lines("explain", "--class-names", {"binary.txt": "binary.txt", "empty.txt": "empty.txt",
                                                   "photos": "photos", "nowhere.txt": "nowhere",
                                                   "cut.json": "cut.json", "deep.json": "deep.json",
                                                   "numbers.json": "class name", "few.txt": "2",
                                                   "many.txt": "5", LONG: "", "loop": ""})  # fmt: skip


def places() -> Iterator[Case]:
    """Folders for results that cannot be one."""
    for command in ("explain", "audit", "bench pixel"):
        wrong = {"one.png": "", "one.png/below": "", "/dev/null": "", "/dev/null/x": "", LONG: "",
                 "/proc/nowhere": "",
                 "/sys/x": "", "loop": "", "loop/x": ""}  # fmt: skip
        yield from _lines(command, "--out", wrong)
    yield from _lines("audit", "--out", {"photos": "holds no run", "runs/a folder": ""})
    yield Case(("demo", "--out=one.png"))


def audits() -> Iterator[Case]:
    wrong: dict[str, dict[str, str]] = {
        "--check": {"labls": "labels", "": "check", ",": "check", "labels": "--train", "kept": "cgi"},
        "--metrics": {"hogg": "hog", "": "names nothing", "ssim(x=1)": "ssim", "hog(cells=0)": "", "hog(cells='a')": "",
                      "hog(": "", "ssim": "decides",
                      "spearman(": ""},
        "--preset": {"papers": "code", "": "code"}, "--classes": {"some": "fixed", "": "fixed"},
        "--init": {"nowhere": "neither", "": "neither", LONG: ""},
        "--std-init": {"-1": "std", "nan": "std", "inf": "std", "0": "std"}, "--draws": {"x": "nested"},
        "--noise": {"x": "shared"},
        "--batch-norm": {"x": "keep"}, "--blocks": {"nowhere": "block", "0,0": "block"},
        "--fail-on": {"bad": "insensitive"},
        "--keep-maps": {"some": "strips"}, "--engine": {"spark": "local", "": "local"},

        "--budget": {"soon": "budget", "-5m": "budget", "": "budget", "nan": "budget", "1e9": "budget",
                     "5d": "budget"},
        "--score": {"logits": "logit"}, "--target": {"x": "class name", "7": "out of range"},
    }  # fmt: skip
    for option, values in wrong.items():
        yield from _lines("audit", option, values)
    yield from _lines("audit", "--figures", {"gif": "png, pdf or svg", "": "png, pdf or svg"}, (USAGE,))
    for option in ("--stages", "--seeds", "--nulls", "--chunk", "--workers", "--epochs", "--train-limit"):
        yield from _lines("audit", option, {"0": option, "x": option}, (USAGE,))
    learn = ("audit", "--check=labels", "--train=photos")
    for option, value in (("--train", "nowhere"), ("--train", "empty"), ("--train", "one.png"), ("--lr", "-1"),
                          ("--lr", "nan"), ("--lr", "0"),
                          ("--lr", "inf"), ("--permuted-weights", "good.safetensors")):  # fmt: skip
        yield Case((*(a for a in learn if not a.startswith(f"{option}=")), f"{option}={value}"), codes=REFUSED)
    yield Case(("audit", "--lr=0.1"), "belong to the check labels")
    yield Case(("audit", "--train=photos"), "--check labels")


def benches() -> Iterator[Case]:
    """Every option of every bench, with values that few of them take."""
    for kind in KINDS.values():
        for field in fields(kind.options):
            if not field.metadata.get("internal"):
                for value in ("-1", "nan", "x", "9" * 30):
                    option = f"--{field.name.replace('_', '-')}={value}"
                    endless = (kind.name, field.name) in ENDLESS and value.startswith("9")
                    codes = GOOD if endless else REFUSED
                    yield Case(("bench", kind.name, option, "--dry-run", "--limit=1"), "", codes)
    for option in ("--train-limit=-1", "--epochs=0", "--lr=nan", "--lr=0", "--patch-seed=-1", "--train=nowhere"):
        more = () if option.startswith("--train=") else ("--train=photos",)
        yield Case(("bench", "patch", *more, option), "", REFUSED)


def others() -> Iterator[Case]:
    for folder in ("nowhere", "empty", "one.png", LONG, "loop", "/dev/null", *(f"runs/{name}" for name in (
        "no json", "a list", "a number", "empty", "a bench", "claims", "directions", "binary", "deep", "a folder"
    ))):  # fmt: skip
        yield Case(("report", folder))
    for line in ("", "explode", "explain --nothing", "explain --model", "bench", "bench explode", "paper",
                 "paper explode", "report",
                 "report a b", "explain more", "methods more", "paper run", "demo --images 0",
                 "demo --seeds x"):  # fmt: skip
        yield Case(tuple(line.split()), "usage", (USAGE,))
    yield Case(("bench", "localise"), "masks")
    masks = {
        "nowhere": "masks",
        "binary.txt": "boxes",
        "three.txt": "column",
        "empty": "mask",
        "nonzero": "",
        LONG: "",
        "loop": "",
    }
    yield from _lines("bench localise", "--masks", masks)
    yield Case(("bench", "pixel", "--psi=some"), "expected all")
    yield Case(("bench", "pixel", "--figures=gif"), "png", (USAGE,))
    yield Case(("bench", "localise", "--grids=3"))
    for direction in ("roar", "kar"):
        for data in ("nowhere", "empty", "one.png", "photos", "loop", LONG):
            yield Case(("bench", direction, f"--data={data}", "--model=mine.py:net", "--size=16", "--epochs=1"))
        for option in ("--fractions=x", "--fractions=2", "--preset=some", "--rank=some", "--controls=some",
                       "--schedule=some", "--lr=nan"):  # fmt: skip
            yield Case(("bench", direction, "--data=photos", "--model=mine.py:net", "--size=16", "--epochs=1", option))
    for line in ("paper list nothing", "paper run nothing", "paper run S0-Fig5 --budget slow",
                 "paper run all --device toaster",
                 "paper run all --out one.png"):  # fmt: skip
        yield Case(tuple(line.split()))


PARTS = (good, weights, models, unrepeatable, methods, numbers, options, places, audits, benches, others)
