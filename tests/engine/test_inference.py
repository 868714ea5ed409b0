"""What a method raises or gives back, and what the person who wrote it is told."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from bench.api import (
    Method,
    MethodInfo,
    MethodOptions,
    MethodSpec,
    RequestError,
    Size,
    Tiling,
    UnitError,
    Upscaled,
    get_protocol,
)
from bench.engine.choice import MethodChoice, choose_methods
from bench.engine.inference import Runner
from bench.plugins import load_plugin
from bench.registry import METHODS

RGB = get_protocol("sample")
FAULTY = """from torch.nn.functional import interpolate
from bench.api import Method, MethodInfo, Upscaled
class Up(Method):
    info = MethodInfo(name="up", display="Up", summary="s")
    def enlarge(self, lr, size):
        return interpolate(lr, size=size, mode="bicubic")
    def upscale(self, lr, size, *, seed):
        return Upscaled(self.enlarge(lr, size))
"""


class Mock(Method):
    """Returns what the class attribute says."""

    info: ClassVar[MethodInfo] = MethodInfo(name="mock", display="Mock", summary="", tiling=Tiling.NONE)
    answer: ClassVar[object] = None

    def upscale(self, lr: torch.Tensor, size: Size, *, seed: int) -> Upscaled:
        if isinstance(Mock.answer, Exception):
            raise Mock.answer
        if callable(Mock.answer):
            return Upscaled(Mock.answer(lr, size))
        return Upscaled(torch.full((3, *size), 0.5))


class Drastic(BaseException):
    """What some libraries raise so that nobody catches it."""


class Raw(Method):
    """Returns or raises what the class attributes say."""

    info: ClassVar[MethodInfo] = MethodInfo(name="raw", display="Raw", summary="")
    answer: ClassVar[Callable[[torch.Tensor], Any]]
    fault: ClassVar[BaseException | None] = None

    def upscale(self, lr: torch.Tensor, size: Size, *, seed: int) -> Upscaled:
        if Raw.fault is not None:
            raise Raw.fault
        return Raw.answer(torch.full((3, *size), 0.5))


def infer_raw(tiling: Tiling = Tiling.NONE, *, fault: BaseException | None = None) -> None:
    Raw.fault = fault
    info = MethodInfo(name="raw", display="Raw", summary="", tiling=tiling)
    spec = MethodSpec(info=info, factory=f"{__name__}:Raw", root=Path(__file__))
    runner = Runner(MethodChoice(spec, None, MethodOptions(), "", True), device="cpu")
    runner.infer(np.zeros((4, 5, 3), np.float32), (8, 10), RGB, image="a", scale=2.0, seed=0)


def make_runner() -> Runner:
    spec = MethodSpec(info=Mock.info, factory=f"{__name__}:Mock", root=Path(__file__))
    return Runner(MethodChoice(spec, None, MethodOptions(), "", True), device="cpu")


def infer(answer: object) -> None:
    Mock.answer = answer
    lr = np.zeros((4, 5, 3), np.float32)
    make_runner().infer(lr, (8, 10), RGB, image="a", scale=2.0, seed=0)


def test_a_wrong_size_is_refused_and_never_resized() -> None:
    with pytest.raises(UnitError, match=r"returned shape \(3, 9, 10\), expected \(3, 8, 10\)"):
        infer(lambda _, size: torch.zeros(3, size[0] + 1, size[1]))


def test_nan_is_refused_with_its_count() -> None:
    def answer(_: torch.Tensor, size: Size) -> torch.Tensor:
        image = torch.zeros(3, *size)
        image[0, 0, 0] = float("nan")
        image[1, 0, 0] = float("inf")
        return image

    with pytest.raises(UnitError, match="NaN or infinite values in 2 of 240"):
        infer(answer)


def test_an_exception_of_a_method_is_a_failed_unit_with_its_type() -> None:
    with pytest.raises(UnitError, match="mock raised ZeroDivisionError: by zero"):
        infer(ZeroDivisionError("by zero"))


def test_a_missing_cuda_device_is_the_requests_fault() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    spec = MethodSpec(info=Mock.info, factory=f"{__name__}:Mock", root=Path(__file__))
    with pytest.raises(RequestError, match="--device cpu"):
        Runner(MethodChoice(spec, None, MethodOptions(), "", True), device="cuda")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda image: image, "returned a bare Tensor, expected Upscaled: wrap it in Upscaled(image)"),
        (lambda image: image.numpy(), "returned a bare ndarray, expected Upscaled: wrap it in Upscaled(image)"),
        (lambda image: (image, ()), "returned a tuple, expected Upscaled: wrap it in Upscaled(image, stages)"),
        (lambda image: [image], "returned a list, expected Upscaled: wrap it in Upscaled(image, stages)"),
        (lambda _: None, "returned a NoneType, expected Upscaled"),
        (lambda image: Upscaled(image.numpy()), "returned a ndarray, expected a torch.Tensor"),
        (lambda image: Upscaled(image.to_sparse()), "layout sparse_coo, expected a dense one: return image.to_dense()"),
        (lambda image: Upscaled((image * 255).byte()), "returned uint8 values, expected floating ones"),
        (lambda image: Upscaled(image, None), "stages of type NoneType, expected a tuple of tensors"),
        (lambda image: Upscaled(image, image), "stages of type Tensor, expected a tuple of tensors"),
        (lambda image: Upscaled(image, (image.numpy(),)), "expected a tuple of tensors"),
    ],
)
@pytest.mark.parametrize("tiling", [Tiling.NONE, Tiling.SUPPORTED])
def test_a_wrong_type_is_told_how_to_mend_it(answer: Callable[[torch.Tensor], Any], said: str, tiling: Tiling) -> None:
    """Catches an AttributeError or a TypeError of the harness in place of the sentence, whole or tiled."""
    Raw.answer = staticmethod(answer)
    with pytest.raises(UnitError, match=re.escape(said)):
        infer_raw(tiling)


@pytest.mark.parametrize("fault", [SystemExit(3), GeneratorExit(), Drastic("no more"), RecursionError("deep")])
def test_whatever_a_method_raises_fails_only_its_unit(fault: BaseException) -> None:
    """Catches `except Exception`: a plug-in that raises a BaseException would end the whole run."""
    with pytest.raises(UnitError, match=f"raw raised {type(fault).__name__}"):
        infer_raw(fault=fault)


def test_ctrl_c_is_not_a_failed_unit() -> None:
    with pytest.raises(KeyboardInterrupt):
        infer_raw(fault=KeyboardInterrupt())


def test_a_message_that_cannot_be_read_does_not_end_the_run() -> None:
    class Mute(Exception):  # noqa: N818 - an exception of someone else's making
        def __str__(self) -> str:
            raise RuntimeError("no words")

    with pytest.raises(UnitError, match=r"raised Mute: its message cannot be read \("):
        infer_raw(fault=Mute())


def test_an_error_on_purpose_keeps_its_words_and_has_no_traceback() -> None:
    with pytest.raises(UnitError) as caught:
        infer_raw(fault=RequestError("it only enlarges"))
    assert str(caught.value) == "it only enlarges"
    assert caught.value.details == ""


def test_the_place_is_the_methods_own_line_and_the_traceback_is_whole(tmp_path: Path) -> None:
    """Catches the innermost frame of a library, a path of this machine, and a traceback that is lost."""
    file = tmp_path / "up.py"
    file.write_text(FAULTY)
    (name,) = load_plugin(file)
    try:
        runner = Runner(choose_methods([name], weights=None, overrides=())[0], device="cpu")
        with pytest.raises(UnitError) as caught:
            runner.infer(np.zeros((4, 5, 3), np.float32), (8, 10), RGB, image="a", scale=2.0, seed=0)
    finally:
        METHODS.forget(name)
    message = str(caught.value)
    assert re.fullmatch(r"up raised ValueError: .* \(up\.py:6 in enlarge\)", message), message
    assert str(tmp_path) not in message
    assert "Traceback (most recent call last)" in caught.value.details
    assert "return interpolate(lr" in caught.value.details
    assert "functional.py" in caught.value.details


def test_a_package_names_the_file_below_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "upper"
    (package / "net").mkdir(parents=True)
    for folder in (package, package / "net"):
        (folder / "__init__.py").write_text("")
    (package / "net" / "block.py").write_text("def run():\n    return 1 // 0\n")
    (package / "method.py").write_text(
        "from bench.api import Method, MethodInfo\nfrom upper.net.block import run\n"
        "class Upper(Method):\n    info = MethodInfo(name='upper', display='Upper', summary='s')\n"
        "    def upscale(self, lr, size, *, seed):\n        return run()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    spec = MethodSpec(
        info=MethodInfo(name="upper", display="Upper", summary="s"), factory="upper.method:Upper", root=package
    )
    runner = Runner(MethodChoice(spec, None, MethodOptions(), "", True), device="cpu")
    with pytest.raises(UnitError, match=r"ZeroDivisionError: .* \(upper/net/block\.py:2 in run\)$"):
        runner.infer(np.zeros((4, 5, 3), np.float32), (8, 10), RGB, image="a", scale=2.0, seed=0)


def test_a_long_message_is_cut_and_kept_on_one_line() -> None:
    with pytest.raises(UnitError) as caught:
        infer_raw(fault=ValueError("first line\n  second line\n" + "x" * 5000))
    assert "first line second line" in str(caught.value)
    assert len(str(caught.value)) < 600
    assert "x" * 5000 in caught.value.details
