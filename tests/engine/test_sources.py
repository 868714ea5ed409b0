"""The import closure of a method: what inference runs is in it, what it does not run is not; nothing is executed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.engine.keys import code_hash
from bench.engine.sources import DECIDES_NO_PIXEL, PIPELINE, closure, method_sources, pipeline_sources
from bench.plugins import load_plugin, method_spec
from bench.registry import METHODS

ROOT = Path(__file__).parents[2]
TOPS = ("bench", "methods")
LITE = ("liif", "lte", "blind_assr", "casarbi", "casr")
CLASSIC = ("nearest", "bilinear", "bicubic", "lanczos")
Tree = Callable[[dict[str, str]], Path]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Writes files below one folder, which it returns."""

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(textwrap.dedent(text))
        return tmp_path

    return write


def names(modules: str, *, own: Path | None = None, harness: Path | None = None) -> set[str]:
    """The closure of a module of a package `pkg` below `own`, with a harness of its own or none."""
    there = {} if harness is None else {top: (harness / top,) for top in ("bench", "methods")}
    return set(closure([modules], {} if own is None else {"pkg": (own / "pkg",)}, harness=there))


def test_imports_are_followed_wherever_they_stand_and_files_beside_are_not(tree: Tree) -> None:
    own = tree(
        {
            "pkg/__init__.py": "",
            "pkg/method.py": "from pkg import net\ndef load():\n    from .late import part\n",
            "pkg/net.py": "import torch\nfrom pkg.deep.layer import Layer\n",
            "pkg/deep/__init__.py": "",
            "pkg/deep/layer.py": "from ..shared import f\n",
            "pkg/shared.py": "",
            "pkg/late.py": "raise SystemExit('this must not run')\n",
            "pkg/train.py": "from pkg import net\n",
            "pkg/deep/loss.py": "",
        }
    )
    wanted = {"pkg", "pkg.method", "pkg.net", "pkg.deep", "pkg.deep.layer", "pkg.shared", "pkg.late"}
    assert names("pkg.method", own=own) == wanted


def test_imports_for_types_alone_are_not_followed(tree: Tree) -> None:
    own = tree(
        {
            "pkg/__init__.py": "",
            "pkg/method.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pkg.train import Config\n",
            "pkg/train.py": "",
        }
    )
    assert names("pkg.method", own=own) == {"pkg", "pkg.method"}


def test_the_harness_is_seen_through_to_the_module_that_defines_a_name(tree: Tree) -> None:
    """Catches a closure that takes in all of `bench.imaging` for a function of it, or `bench.run` for any module."""
    harness = tree(
        {
            "bench/__init__.py": """
                __version__ = "1"

                def __getattr__(name):
                    from bench import session
                    return getattr(session, name)
            """,
            "bench/session.py": "def run(): ...\n",
            "bench/imaging/__init__.py": """
                from bench.imaging.resize import enlarge as up
                from bench.imaging.tiles import tiled
                __all__ = ["tiled", "up"]
            """,
            "bench/imaging/resize.py": "def enlarge(): ...\n",
            "bench/imaging/tiles.py": "def tiled(): ...\n",
            "methods/__init__.py": "",
            "methods/m.py": "from bench.imaging import up\nfrom bench.imaging import tiles\n",
            "methods/n.py": "from bench.imaging import up\n",
            "methods/whole.py": "import bench.imaging\n",
            "methods/lazy.py": "from bench import run\n",
        }
    )
    assert names("methods.n", harness=harness) == {"methods.n", "bench.imaging.resize"}
    assert names("methods.m", harness=harness) == {"methods.m", "bench.imaging.resize", "bench.imaging.tiles"}
    assert names("methods.whole", harness=harness) == {"methods.whole", "bench.imaging.resize", "bench.imaging.tiles"}
    assert names("methods.lazy", harness=harness) == {"methods.lazy", "bench.session"}


def test_an_init_that_does_something_counts_with_all_that_it_imports(tree: Tree) -> None:
    """Catches an `__init__` that sets a switch of torch and is seen through."""
    harness = tree(
        {
            "bench/__init__.py": "",
            "methods/__init__.py": "",
            "methods/m/__init__.py": "from methods.m.switch import turn\nturn()\n",
            "methods/m/switch.py": "def turn(): ...\n",
            "methods/m/method.py": "",
        }
    )
    assert names("methods.m.method", harness=harness) == {"methods.m", "methods.m.switch", "methods.m.method"}


def test_of_other_packages_all_counts_that_importing_them_runs(tree: Tree) -> None:
    """Catches a block that registers itself when the package is imported, and that no name leads to."""
    own = tree(
        {
            "pkg/__init__.py": "from pkg.blocks import Block\n",
            "pkg/blocks.py": "",
            "pkg/method.py": "",
            "pkg/unused.py": "",
        }
    )
    assert names("pkg.method", own=own) == {"pkg", "pkg.blocks", "pkg.method"}


def test_a_package_that_imports_by_computed_names_counts_whole(tree: Tree) -> None:
    own = tree(
        {
            "pkg/__init__.py": "",
            "pkg/method.py": "import importlib\nnet = importlib.import_module(f'pkg.nets.{kind}')\n",
            "pkg/nets/__init__.py": "",
            "pkg/nets/small.py": "from bench.imaging import up\n",
            "bench/__init__.py": "",
            "bench/imaging/__init__.py": "from bench.imaging.resize import up\n",
            "bench/imaging/resize.py": "def up(): ...\n",
            "methods/__init__.py": "",
        }
    )
    found = names("pkg.method", own=own, harness=own)
    assert found == {"pkg", "pkg.method", "pkg.nets", "pkg.nets.small", "bench.imaging.resize"}


def test_a_compiled_part_counts_by_its_bytes(tree: Tree) -> None:
    from importlib.machinery import EXTENSION_SUFFIXES

    file = f"pkg/_ops{EXTENSION_SUFFIXES[0]}"
    own = tree({"pkg/__init__.py": "", "pkg/method.py": "from pkg import _ops\n", file: "machine code"})
    before = code_hash(closure(["pkg.method"], {"pkg": (own / "pkg",)}, harness={}))
    assert "pkg._ops" in names("pkg.method", own=own)
    (own / file).write_text("other machine code")
    assert code_hash(closure(["pkg.method"], {"pkg": (own / "pkg",)}, harness={})) != before


def test_a_plug_in_is_its_file_and_what_it_takes_from_the_methods(tmp_path: Path) -> None:
    """Catches a plug-in that keeps its images after an edit of a block that it uses, and a key with its place in it."""
    code = """
    from bench.api import Method, MethodInfo, Upscaled
    from methods.blocks.edsr import EDSRBody

    class Mine(Method):
        info = MethodInfo(name="closure-of-a-plug-in", display="Mine", summary="")

        def upscale(self, lr, size, *, seed):
            return Upscaled(lr)
    """
    path = tmp_path / "mine.py"
    path.write_text(textwrap.dedent(code))
    try:
        load_plugin(path)
        spec = method_spec("closure-of-a-plug-in")
        found = method_sources(spec.factory, root=spec.root)
        assert {name for name in found if not name.startswith("bench.")} == {"plugin", "methods.blocks.edsr"}
        before = code_hash(found)
        moved = path.rename(tmp_path / "renamed.py")
        assert code_hash(method_sources(spec.factory, root=moved)) == before
        moved.write_text("# a comment\n" + moved.read_text())
        assert code_hash(method_sources(spec.factory, root=moved)) == before
        moved.write_text(moved.read_text().replace("Upscaled(lr)", "Upscaled(lr * 1)"))
        assert code_hash(method_sources(spec.factory, root=moved)) != before
    finally:
        METHODS.forget("closure-of-a-plug-in")


def test_code_that_is_not_found_by_its_name_is_all_that_lies_below_the_root(tree: Tree) -> None:
    root = tree({"a.py": "", "deep/b.py": "", "words.md": ""})
    assert set(method_sources("no_such_package.method:M", root=root)) == {"plugin.a", "plugin.deep.b"}


def test_shared_names_files_and_folders_that_count_besides(tree: Tree) -> None:
    root = tree({"m.py": "", "data/table.yaml": "a: 1\n", "data/README.md": "", "kernel.bin": "1"})
    shared = (root / "data", root / "kernel.bin")
    before = code_hash(method_sources("no_such_package:M", root=root / "m.py", shared=shared))
    for file, changes in (("data/README.md", False), ("data/table.yaml", True), ("kernel.bin", True)):
        old = (root / file).read_text()
        (root / file).write_text("changed")
        assert (code_hash(method_sources("no_such_package:M", root=root / "m.py", shared=shared)) != before) is changes
        (root / file).write_text(old)


def test_every_module_that_is_named_is_there() -> None:
    """Catches a misspelt or moved module, which would silently be left out or left in."""
    for name in (*PIPELINE, *DECIDES_NO_PIXEL):
        path = ROOT.joinpath(*name.split("."))
        assert path.is_dir() or path.with_suffix(".py").is_file(), name
    assert set(PIPELINE) <= set(pipeline_sources())


@pytest.mark.parametrize("name", [*LITE, *CLASSIC, "precomputed", "command", "spandrel"])
def test_nothing_of_a_training_is_in_the_closure_of_a_shipped_method(name: str) -> None:
    spec = method_spec(name)
    found = method_sources(spec.factory, root=spec.root, shared=spec.shared)
    assert spec.factory.partition(":")[0] in found
    outside = {"training", "train", "losses", "ablations", "configs", "stage1", "stage2", "recovery", "accounting"}
    assert not {module for module in found if outside & set(module.split("."))}
    assert all(path.suffix == ".py" for path in found.values())


def test_methods_stand_on_each_other_only_where_they_say_so() -> None:
    """Catches new blocks of one method that make the images of five others stale."""

    def found(name: str) -> set[str]:
        spec = method_spec(name)
        return set(method_sources(spec.factory, root=spec.root))

    assert "methods.blocks.edsr" in found("liif") & found("lte") & found("casarbi")
    assert "methods.liif.network" in found("casarbi")
    assert "methods.lte.info" in found("blind_assr")
    blocks = "borrowed codec colour controlnet geometry padding parts plan published resample schedule stable_diffusion"
    assert {module.removeprefix("methods.blocks.") for module in found("casr") if ".blocks." in module} == {
        *blocks.split(),
        "text",
        "tiles",
        "unet",
        "unet_layers",
    }


PROBE = """
import json, sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from bench.api import Sample, ImageRef, get_protocol
from bench.data import prepare
from bench.engine.rounding import quantise
from bench.engine.choice import choose_methods
from bench.plugins import method_class

photo, *names = sys.argv[1:]
OPTIMISED = 1  # of a code object: a function's, not a module's or a class's
ran = set()


def watch(frame, event, argument):
    if event == "call" and frame.f_code.co_flags & OPTIMISED:
        ran.add(frame.f_code.co_filename)


def watched(call):
    ran.clear()
    sys.setprofile(watch)
    try:
        call()
    finally:
        sys.setprofile(None)
    return sorted(ran)


def infer(choice, method):
    method.load(choice.weights, torch.device("cpu"), torch.float32)
    lr = torch.rand(3, 12, 14, generator=torch.Generator().manual_seed(0))
    method.begin(image="a", scale=2.5)
    with torch.inference_mode():
        method.upscale(lr, (30, 35), seed=0)


found = {}
for name in names:
    for module in [module for module in sys.modules if module.split(".")[0] == "methods"]:
        del sys.modules[module]
    (choice,) = choose_methods([name], weights=None, overrides=[])
    method = method_class(choice.spec)(choice.options)
    files = watched(lambda: infer(choice, method))
    modules = [m.__file__ for n, m in sys.modules.items() if n.split(".")[0] == "methods" and m.__file__]
    found[name] = {"ran": files, "imported": modules}


def pipeline():
    real = replace(get_protocol("sample"), degradation="real-esrgan")
    for knobs in (*map(get_protocol, ("sample", "classic-y", "liif-div2k", "blind-assr")), real):
        sample = Sample("a", ImageRef(Path(photo)), None)
        pair = prepare(sample, 2.0, knobs)
        quantise(np.zeros((3, *pair.size), np.float32), knobs)


found["pipeline"] = {"ran": watched(pipeline), "imported": []}
print(json.dumps(found))
"""


@pytest.mark.slow
def test_what_a_real_inference_runs_is_in_the_closure(photos: Path) -> None:
    """Catches an import that the closure overlooks: its edit would leave stale images that pass for fresh ones."""
    shown = run([sys.executable, "-c", PROBE, str(photos / "photo 0.png"), *LITE, "bicubic"], ROOT)
    found = json.loads(shown.splitlines()[-1])
    for name, seen in found.items():
        if name == "pipeline":
            inside = pipeline_sources()
        else:
            spec = method_spec(name)
            inside = {**method_sources(spec.factory, root=spec.root), **pipeline_sources()}
        allowed = {module.replace(".", "/") for module in DECIDES_NO_PIXEL}
        files = {Path(path) for path in inside.values()}
        ran, own = (
            {Path(path) for path in seen[kind] if any(Path(path).is_relative_to(ROOT / top) for top in TOPS)}
            for kind in ("ran", "imported")
        )
        assert ran, name
        for path in (ran | {file for file in own if file.name != "__init__.py"}) - files:
            module = path.relative_to(ROOT).with_suffix("").as_posix()
            assert any(module == each or module.startswith(f"{each}/") for each in allowed), (name, module)


def test_sources_are_read_without_torch_and_without_running_a_method() -> None:
    code = f"""
import sys
from bench.engine.keys import method_code_hash, pair_code_hash
from bench.plugins import method_spec

for name in {(*LITE, "bicubic")!r}:
    method_code_hash(method_spec(name))
pair_code_hash()
runs = [name for name in sys.modules if name.startswith("methods.") and name.endswith(".method")]
print(runs + [name for name in sys.modules if name == "torch"])
"""
    assert run([sys.executable, "-c", code], ROOT).strip() == "[]"


def copied(target: Path, *, weights: str = "") -> Path:
    """A copy of the code, with the shipped weights of some methods."""
    for top in ("bench", "methods", "datasets"):
        shutil.copytree(ROOT / top, target / top, ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"))
    for name in filter(None, weights.split(",")):
        file = Path("methods", name, "weights", "lite.safetensors")
        shutil.copy2(ROOT / file, target / file)
    return target


def run(command: list[str], checkout: Path) -> str:
    """What a command prints, run with the code of a checkout."""
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def inferred(checkout: Path, photos: Path) -> dict[str, int]:
    """Run liif, lte and casr on a photo; how many results each has in the records, repeated ones counted again."""
    out = checkout.parent / "out"
    command = ["--methods", "liif,lte,casr", "--datasets", str(photos), "--scales", "2", "--metrics", "psnr"]
    run([sys.executable, "-m", "bench", "run", *command, "--out", str(out), "--workers", "0", "--limit", "1"], checkout)
    lines = (out / "records").glob("*/*/*.jsonl")
    return {path.parent.parent.name: len(path.read_text().splitlines()) for path in lines}


@pytest.mark.slow
def test_a_finished_run_computes_nothing_after_edits_beside_inference_and_all_after_one_in_it(
    tmp_path: Path, photos: Path
) -> None:
    """Catches a key of all files below a method's folder, and one that overlooks a line that runs."""
    checkout = copied(tmp_path / "checkout", weights="liif,lte,casr")
    assert inferred(checkout, photos) == {"liif": 1, "lte": 1, "casr": 1}
    spec = {name: method_spec(name) for name in ("liif", "lte", "casr")}
    runs = {name for each in spec.values() for name in method_sources(each.factory, root=each.root)}
    edited = []
    for path in sorted((checkout / "methods").rglob("*.py")):
        module = ".".join(path.relative_to(checkout).with_suffix("").parts)
        line = "# a comment" if module in runs or path.name == "__init__.py" else "EDITED = True"
        path.write_text(f"{path.read_text()}\n{line}\n")
        edited += [module] if line == "EDITED = True" else []
    assert {"methods.casr.training.stage1", "methods.casr.training.losses.gan", "methods.blocks.sampled"} <= set(edited)
    (checkout / "methods" / "blocks" / "newly_written.py").write_text("x = 1\n")
    for path in (checkout / "methods" / "casr").rglob("*.yaml"):
        path.write_text(path.read_text() + "# edited\n")
    assert inferred(checkout, photos) == {"liif": 1, "lte": 1, "casr": 1}
    block = checkout / "methods" / "blocks" / "edsr.py"
    block.write_text(block.read_text() + "EDITED = True\n")
    assert inferred(checkout, photos) == {"liif": 2, "lte": 2, "casr": 1}


@pytest.mark.parametrize(
    ("file", "stale"),
    [
        ("methods/casr/passes.py", {"casr"}),
        ("methods/casr/ssam/depth.py", {"casr"}),
        ("bench/weights/reader.py", set(LITE)),
        ("methods/blocks/resample.py", {"casarbi", "casr"}),
        ("bench/imaging/weights.py", {"casarbi", "casr", "bicubic", "pair"}),
        ("bench/data/pair.py", {"pair"}),
        ("bench/engine/rounding.py", {"pair"}),
        ("bench/api/seeds.py", {"casarbi", "pair"}),
        ("bench/data/cards.py", set()),
        ("bench/cli/run.py", set()),
        ("bench/api/errors.py", set()),
    ],
)
def test_an_edit_makes_stale_what_it_can_change(code: Path, fresh: dict[str, str], file: str, stale: set[str]) -> None:
    path = code / file
    old = path.read_text()
    path.write_text(old + "EDITED = True\n")
    try:
        after = keys(code)
    finally:
        path.write_text(old)
    assert {name for name in after if after[name] != fresh[name]} == stale


def keys(code: Path) -> dict[str, str]:
    """Method, or "pair" for what the harness does to an image -> hash of its code in a copy."""
    modules = {name: [method_spec(name).factory.partition(":")[0]] for name in (*LITE, "bicubic")}
    harness = {top: (code / top,) for top in ("bench", "methods")}
    parts = {**modules, "pair": list(PIPELINE)}
    return {name: code_hash(closure(part, {}, harness=harness)) for name, part in parts.items()}


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(tmp_path_factory.mktemp("code"))


@pytest.fixture(scope="module")
def fresh(code: Path) -> dict[str, str]:
    return keys(code)
