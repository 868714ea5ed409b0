"""Plugin files: the page's own code, and every way in which a file can be wrong."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from bench.api import Method, MethodInfo, MethodSpec, RequestError, derive_seed
from bench.check import CHECKS, Status, run_battery
from bench.engine.choice import choose_methods
from bench.engine.sources import method_sources
from bench.plugins import load_plugin, method_class, method_spec
from bench.registry import METHODS, METRICS

PAGE = Path(__file__).parents[2] / "docs" / "add-a-method.md"
BLOCKS = {m[1]: m[0] for m in re.findall(r"```python\n(# (\S+\.py)\n.*?)```", PAGE.read_text(), re.DOTALL)}
GOOD = """
import torch
from bench.api import Method, MethodInfo, Upscaled

class {cls}(Method):
    info = MethodInfo(name="{name}", display="{cls}", summary="a test")
    def upscale(self, lr, size, *, seed):
        return Upscaled(torch.zeros(3, *size))
"""


@pytest.fixture(autouse=True)
def clean_registries():
    """Take out what a test registered."""
    import bench.plugins as plugins

    before, metrics = set(METHODS.names()), set(METRICS.names())
    loaded = dict(plugins._LOADED)
    yield
    for name in set(METHODS.names()) - before:
        METHODS.forget(name)
    for name in set(METRICS.names()) - metrics:
        METRICS.forget(name)
    plugins._LOADED.clear()
    plugins._LOADED.update(loaded)


def _write(folder: Path, text: str, name: str = "plugin.py") -> Path:
    (folder / name).write_text(textwrap.dedent(text))
    return folder / name


def _refused(path: Path) -> str:
    """The message of a refusal, after which the registry must be what it was."""
    before = METHODS.names()
    with pytest.raises(RequestError) as caught:
        load_plugin(path)
    assert METHODS.names() == before
    assert str(path) in str(caught.value)
    return str(caught.value)


def _weights_of_the_page(file: str, folder: Path) -> Path | None:
    """What the page says that each of its methods loads."""
    if file == "scaled.py":
        torch.save({"gain": torch.tensor(0.95)}, folder / "gain.pth")
        return folder / "gain.pth"
    if file == "fixed.py":
        (folder / "fixed").mkdir()
        for s in (2, 3, 4):
            near = torch.zeros(3 * s * s, 3, 3, 3)
            near[range(3 * s * s), [c // (s * s) for c in range(3 * s * s)], 1, 1] = 1.0  # every pixel s x s times
            state = {"0.weight": near, "0.bias": torch.zeros(3 * s * s)}
            torch.save(state, folder / "fixed" / f"x{s}.pth")
        return folder / "fixed"
    return None


PLUGIN_FILES = [file for file in BLOCKS if "/" not in file]


@pytest.mark.parametrize("file", PLUGIN_FILES)
def test_the_pages_code_runs_as_it_stands(tmp_path, file):
    path = _write(tmp_path, BLOCKS[file], file)
    (name,) = load_plugin(path)
    spec = method_spec(name)
    assert spec.root == path
    method = method_class(spec)(spec.options())
    weights = _weights_of_the_page(file, tmp_path)
    if weights is not None:
        assert f"--weights {name}=PATH" in spec.weights_how
        with pytest.raises(RequestError, match=f"--weights {name}="):
            method.load(None, torch.device("cpu"), torch.float32)
    method.load(weights, torch.device("cpu"), torch.float32)
    lr = torch.rand(3, 12, 16, generator=torch.Generator().manual_seed(0))
    seed = derive_seed(0, "image")
    with torch.inference_mode():
        sr = method.upscale(lr, (29, 35), seed=seed).image
        assert tuple(sr.shape) == (3, 29, 35)
        assert torch.equal(sr, method.upscale(lr, (29, 35), seed=seed).image)
        assert (not torch.equal(sr, method.upscale(lr, (29, 35), seed=seed + 1).image)) == spec.info.stochastic


@pytest.mark.parametrize("file", PLUGIN_FILES)
def test_the_pages_code_passes_what_the_page_says_to_run(tmp_path, file):
    """Catches a page that teaches what `bench check` refuses."""
    (name,) = load_plugin(_write(tmp_path, BLOCKS[file], file))
    weights = _weights_of_the_page(file, tmp_path)
    (choice,) = choose_methods([name], weights=str(weights) if weights is not None else None, overrides=())
    report = run_battery(choice, device="cpu")
    assert not report.of(Status.FAILED), report.of(Status.FAILED)
    if file == "fixed.py":
        assert "smallest sufficient product" in choice.spec.info.resize_rule
        assert any(result.remark.startswith("up to 3 of them") for result in report.results if result.name == "stages")


def test_the_pages_package_is_a_method_that_is_listed_without_torch(tmp_path, monkeypatch):
    """Catches a MethodSpec on the page that cannot be built, found or loaded."""
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "__init__.py").write_text("")
    for file in ("my_package/info.py", "my_package/method.py"):
        _write(tmp_path, BLOCKS[file], file)
    monkeypatch.syspath_prepend(tmp_path)
    METHODS.add("mine", "my_package.info:MINE", origin="package my-package")
    (choice,) = choose_methods(["mine"], weights=None, overrides=("mine.sharpen=0.2",))
    report = run_battery(choice, device="cpu")
    assert {result.name for result in report.of(Status.FAILED)} <= {"spec-light"}  # no entry point of another process
    (info,) = [result for result in report.results if result.name == "info"]
    assert info.status is Status.PASSED
    code = "import sys, my_package.info; sys.exit('torch' in sys.modules)"
    paths = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": paths}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


@pytest.mark.parametrize("contract", [MethodInfo, MethodSpec])
def test_the_page_has_a_row_for_every_field_of_the_contract(contract):
    """Catches a field that is added and told nobody."""
    rows = [line.split("|")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    named = {word for row in rows for word in re.findall(r"`(\w+)`", row)}
    assert {field.name for field in dataclasses.fields(contract)} <= named


def test_the_page_names_the_checks_and_options_that_there_are():
    """Catches a check that the page's example names and nobody has."""
    names = {check.name for check in CHECKS}
    text = PAGE.read_text()
    assert set(re.search(r"--only (\S+)`", text)[1].split(",")) <= names
    assert set(re.findall(r"^(?:failed|passed|skipped)\s+(\S+)", text, re.MULTILINE)) <= names


def test_the_page_keeps_its_promise_of_twenty_lines():
    lines = [line for line in BLOCKS["sharp.py"].splitlines() if line.strip() and not line.startswith("#")]
    assert len(lines) <= 20


def test_every_option_the_page_names_exists():
    for name, key in re.findall(r"--set (\w+)\.(\w+)=", PAGE.read_text()):
        options = method_spec(name).options if name in METHODS.names() else None
        assert options is None or key in options.model_fields, (name, key)


def test_several_methods_and_a_second_loading(tmp_path):
    path = _write(tmp_path, GOOD.format(cls="One", name="one") + GOOD.format(cls="Two", name="two"))
    assert load_plugin(path) == ("one", "two")
    assert load_plugin(path) == ("one", "two")
    assert load_plugin(str(path)) == ("one", "two")


def test_two_files_of_one_name_do_not_share_a_module(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    load_plugin(_write(tmp_path / "a", GOOD.format(cls="One", name="one")))
    load_plugin(_write(tmp_path / "b", GOOD.format(cls="One", name="two")))
    assert method_class(method_spec("one")) is not method_class(method_spec("two"))


def test_a_file_that_registers_by_itself_is_not_registered_twice(tmp_path):
    code = GOOD.format(cls="One", name="one").replace("class One", "@METHODS.register('one')\nclass One")
    assert load_plugin(_write(tmp_path, "from bench.registry import METHODS\n" + code)) == ("one",)


def test_a_file_may_register_a_spec(tmp_path):
    code = GOOD.format(cls="One", name="one") + (
        "from pathlib import Path\nfrom bench.api import MethodSpec\nfrom bench.registry import METHODS\n"
        "METHODS.add('one', MethodSpec(info=One.info, factory=f'{__name__}:One', root=Path(__file__)), origin='mine')\n"
    )
    assert load_plugin(_write(tmp_path, code)) == ("one",)
    assert method_class(method_spec("one")).__name__ == "One"


def test_a_worker_that_has_not_loaded_the_file_finds_the_class(tmp_path):
    load_plugin(_write(tmp_path, GOOD.format(cls="One", name="one")))
    spec = method_spec("one")
    import bench.plugins as plugins

    METHODS.forget("one")
    plugins._LOADED.clear()
    del sys.modules[spec.factory.partition(":")[0]]
    assert method_class(spec).__name__ == "One"


def test_dataclasses_and_forward_references_work_in_a_plugin(tmp_path):
    """A module that is not in sys.modules while it runs breaks both."""
    code = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass D:\n    x: int = 1\n"
    )
    assert load_plugin(_write(tmp_path, code + GOOD.format(cls="One", name="one"))) == ("one",)


def test_a_helper_base_class_without_info_is_no_method(tmp_path):
    code = GOOD.format(cls="One", name="one").replace(
        "class One(Method)", "class Base(Method):\n    pass\n\nclass One(Base)"
    )
    assert load_plugin(_write(tmp_path, code)) == ("one",)


def test_a_missing_file_is_named(tmp_path):
    assert "does not exist" in _refused(tmp_path / "nowhere.py")


def test_a_folder_is_refused(tmp_path):
    assert "cannot be read" in _refused(tmp_path)


def test_a_syntax_error_is_named_with_its_line(tmp_path):
    assert "line 3: syntax error" in _refused(_write(tmp_path, "x = 1\n\ndef broken(:\n"))


@pytest.mark.parametrize("data", [b"\xff\xfe\x00junk", b"x = 1\x00", b"\x89PNG\r\n\x1a\n"])
def test_a_binary_file_is_refused(tmp_path, data):
    (tmp_path / "binary.py").write_bytes(data)
    _refused(tmp_path / "binary.py")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("raise RuntimeError('at import')", "RuntimeError: at import"),
        ("import no_such_module_here", "ModuleNotFoundError"),
        ("1 / 0", "ZeroDivisionError"),
        ("raise SystemExit(0)", "SystemExit"),
    ],
)
def test_what_it_raises_is_named_with_its_line(tmp_path, line, fault):
    path = _write(tmp_path, f"import torch\n\n\n{line}\n")
    message = _refused(path)
    assert f"{path}, line 4: {fault}" in message


def test_the_line_is_the_plugins_own_not_the_librarys(tmp_path):
    assert "line 2: " in _refused(_write(tmp_path, "import numpy\nnumpy.zeros(-1)\n"))


def test_a_taken_name_is_named_with_both_owners(tmp_path):
    message = _refused(_write(tmp_path, GOOD.format(cls="Mine", name="bicubic")))
    assert "line 5" in message
    assert "'bicubic'" in message
    assert "assr-bench" in message
    assert method_spec("bicubic").factory == "methods.classic.method:Bicubic"


def test_a_second_method_with_a_taken_name_takes_the_first_one_back(tmp_path):
    _refused(_write(tmp_path, GOOD.format(cls="One", name="one") + GOOD.format(cls="Mine", name="bicubic")))


def test_a_taken_name_in_its_own_registration_is_refused(tmp_path):
    code = "from bench.registry import METHODS\n" + GOOD.format(cls="Mine", name="bicubic")
    message = _refused(_write(tmp_path, code + "METHODS.register('first')(Mine)\nMETHODS.register('bicubic')(Mine)\n"))
    assert "already registered" in message


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("x = 1", "no Method in it"),
        ("from bench.api import Method", "no Method in it"),
        ("from bench.api import Method\nclass M(Method):\n    pass", "class M has no `info"),
        ("from bench.api import Method\nclass M(Method):\n    info = {'name': 'm'}", "M.info is not a MethodInfo"),
        (GOOD.format(cls="M", name="m").replace("def upscale", "def upsample"), "does not define upscale"),
        (GOOD.format(cls="M", name="a/b"), "cannot be a folder name"),
        (GOOD.format(cls="M", name="a.b"), "cannot be a folder name"),
        (GOOD.format(cls="M", name=""), "cannot be a folder name"),
        (GOOD.format(cls="M", name="m") + "    Options = dict\n", "not a subclass of MethodOptions"),
        (
            "from bench.registry import METHODS\nMETHODS.add('m', 42, origin='me')",
            "expected a MethodSpec or a subclass",
        ),
        ("from bench.registry import METHODS\nMETHODS.register('m')(dict)", "is a dict"),
        (
            GOOD.format(cls="M", name="m") + "from bench.registry import METHODS\nMETHODS.register('n')(M)\n",
            "calls itself 'm'",
        ),
    ],
)
def test_a_file_without_a_usable_method_says_what_is_wrong(tmp_path, code, fault):
    assert fault in _refused(_write(tmp_path, code))


def test_a_repaired_file_loads_after_a_failure(tmp_path):
    path = _write(tmp_path, "1 / 0\n" + GOOD.format(cls="One", name="one"))
    _refused(path)
    assert load_plugin(_write(tmp_path, GOOD.format(cls="One", name="one"))) == ("one",)


def test_a_metric_alone_is_enough_for_a_plugin(tmp_path):
    code = "from bench.registry import METRICS\n@METRICS.register('mymetric')\nclass M:\n    pass\n"
    assert load_plugin(_write(tmp_path, code)) == ()
    assert "mymetric" in METRICS.names()


def test_a_class_of_an_installed_package_hashes_what_it_imports_of_it(tmp_path, monkeypatch):
    (tmp_path / "mypkg").mkdir()
    (tmp_path / "mypkg" / "__init__.py").write_text("from mypkg import net\n")
    (tmp_path / "mypkg" / "net.py").write_text("")
    (tmp_path / "mypkg" / "train.py").write_text("")
    _write(tmp_path / "mypkg", GOOD.format(cls="Mine", name="mine"), "method.py")
    monkeypatch.syspath_prepend(tmp_path)
    METHODS.add("mine", "mypkg.method:Mine", origin="package mypkg")
    spec = method_spec("mine")
    assert spec.root == tmp_path / "mypkg"
    assert method_class(spec).__module__ == "mypkg.method"
    own = {name for name in method_sources(spec.factory, root=spec.root) if name.startswith("mypkg")}
    assert own == {"mypkg", "mypkg.net", "mypkg.method"}


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(RequestError, match="Did you mean 'bicubic'"):
        method_spec("bicubik")


def test_code_that_is_not_there_names_the_target(tmp_path):
    spec = MethodSpec(info=MethodInfo(name="x", display="X", summary=""), factory="no_such.module:X", root=tmp_path)
    with pytest.raises(RequestError, match=r"no_such\.module:X.*ModuleNotFoundError"):
        method_class(spec)
    with pytest.raises(RequestError, match="is not a Method class"):
        method_class(MethodSpec(info=spec.info, factory="pathlib:Path", root=tmp_path))


def test_every_shipped_method_has_a_spec_and_a_class():
    for name in ("nearest", "bilinear", "bicubic", "lanczos", "precomputed", "command", "spandrel"):
        assert issubclass(method_class(method_spec(name)), Method)


VERSION = """
from torch.nn.functional import interpolate
from bench.api import Method, MethodInfo, Upscaled


class Edited(Method):
    info = MethodInfo(name="edited", display="Edited {version}", summary="s")

    def upscale(self, lr, size, *, seed):
        return Upscaled(interpolate(lr[None], size=size)[0])
"""


def test_an_edited_plugin_takes_the_place_of_its_older_version_in_one_process(tmp_path: Path) -> None:
    """Catches a notebook that must be started again after every edit, or that goes on with the old code."""
    file = tmp_path / "edited.py"
    for version in ("one", "two", "one"):
        file.write_text(VERSION.replace("{version}", version))
        assert load_plugin(file) == ("edited",)
        assert method_spec("edited").info.display == f"Edited {version}"
    file.write_text(VERSION.replace("{version}", "three") + "\nraise ValueError('half-way')\n")
    with pytest.raises(RequestError, match="half-way"):
        load_plugin(file)
    assert method_spec("edited").info.display == "Edited one"
    other = tmp_path / "other.py"
    other.write_text(VERSION)
    with pytest.raises(RequestError, match="already registered"):
        load_plugin(other)
