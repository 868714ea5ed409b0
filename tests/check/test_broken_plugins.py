"""Plug-ins that are wrong in one way each: the battery must say so, say why, and say nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bench.check import CASES, CHECKS, Report, Status, run_battery
from bench.engine.choice import MethodChoice

Load = Callable[..., MethodChoice]
GOOD = """
import random
import numpy as np
import torch
from torch.nn.functional import interpolate
from bench.api import Method, MethodInfo, MethodSpec, Tiling, Upscaled, derive_seed

class Up(Method):
    info = MethodInfo(name="up", display="Up", summary="bicubic"{info})
{more}
    def enlarge(self, lr, size):
        return interpolate(lr[None], size=size, mode="bicubic")[0]

    def upscale(self, lr, size, *, seed):
        {body}
"""


@dataclass(frozen=True)
class Fault:
    """A mistake.

    Attributes:
        body: The lines of `upscale`.
        failed: The checks that must fail, and no others.
        said: What must stand in the reason of the first of them.
        info: Further arguments of MethodInfo.
        more: Further lines of the class.
    """

    body: str
    failed: tuple[str, ...]
    said: str
    info: str = ""
    more: str = ""


FAULTS = {
    "one pixel too many at fractional scales": Fault(
        """import math
        s = size[0] / lr.shape[1]
        grown = math.ceil(lr.shape[1] * s + 0.25), math.ceil(lr.shape[2] * s)
        return Upscaled(self.enlarge(lr, grown))""",
        ("exact-size", "per-axis", "fractions", "large"),
        r"expected shape \(3, 2, 2\) for LR 1 x 1 to 2 x 2 .*; got \(3, 3, 2\)",
    ),
    "the ratio of the rows for both axes, then a crop": Fault(
        """s = max(size[0] / lr.shape[1], size[1] / lr.shape[2])
        image = self.enlarge(lr, (round(lr.shape[1] * s), round(lr.shape[2] * s)))
        return Upscaled(image[:, :size[0], :size[1]].contiguous())""",
        ("per-axis",),
        r"expected the edge in the middle of the rows .*; got it at 8\d%",
    ),
    "noise of the global generator": Fault(
        "image = self.enlarge(lr, size)\n        return Upscaled(image + 0.01 * torch.randn_like(image))",
        ("global-random", "reload"),
        r"under another global random state; got a difference of 0\.0\d+; draw from torch\.Generator",
    ),
    "noise of numpy's global generator": Fault(
        "return Upscaled(self.enlarge(lr, size) + 0.01 * float(np.random.rand()))",
        ("global-random", "reload"),
        "under another global random state",
    ),
    "noise of the system's entropy": Fault(
        "return Upscaled(self.enlarge(lr, size) + 0.01 * random.SystemRandom().random())",
        ("repeatable", "global-random", "order", "reload", "seeds"),
        "expected the same image for the same call",
    ),
    "a seed that is ignored": Fault(
        "return Upscaled(self.enlarge(lr, size))",
        ("seeds",),
        r"another image for another seed \(info\.stochastic is True\); got the same image",
        info=", stochastic=True",
    ),
    "a seed that counts though it is said not to": Fault(
        "return Upscaled(self.enlarge(lr, size) + 1e-4 * (seed % 7 + 1))",
        ("seeds",),
        r"one image for all seeds \(info\.stochastic is False\)",
    ),
    "NaN on a constant image": Fault(
        """image = self.enlarge(lr, size)
        spread = lr.amax() - lr.amin()
        return Upscaled((image - lr.amin()) / spread * spread + lr.amin())""",
        ("flat",),
        "returned NaN or infinite values in 2304 of 2304 places",
    ),
    "bytes": Fault(
        "return Upscaled((self.enlarge(lr, size).clamp(0, 1) * 255).byte())",
        ("floating",),
        "returned uint8 values, expected floating ones",
    ),
    "a sparse tensor": Fault(
        "return Upscaled(self.enlarge(lr, size).to_sparse())",
        ("floating",),
        r"layout sparse_coo, expected a dense one: return image\.to_dense\(\)",
    ),
    "an array": Fault(
        "return Upscaled(self.enlarge(lr, size).numpy())", ("first-image",), "expected a tensor .* got a ndarray"
    ),
    "a tensor without values": Fault(
        "return Upscaled(self.enlarge(lr, size).to('meta'))",
        ("first-image",),
        "expected something that can be looked at; got NotImplementedError",
    ),
    "one number for the training scales": Fault(
        "return Upscaled(self.enlarge(lr, size))", ("info",), "got TypeError", info=", train_scales=4.0"
    ),
    "0 to 255": Fault(
        "return Upscaled(self.enlarge(lr, size) * 255)",
        ("range",),
        r"expected values about \[0, 1\] .* got .* to 2\d\d",
    ),
    "-1 to 1": Fault("return Upscaled(self.enlarge(lr, size) * 2 - 1)", ("range",), "undo the scaling"),
    "writing into lr": Fault(
        "return Upscaled(self.enlarge(lr.clamp_(0, 1), size))", ("lr-kept",), "expected the LR image as it was"
    ),
    "a bare tensor": Fault(
        "return self.enlarge(lr, size)", ("first-image",), r"returned a bare Tensor.*wrap it in Upscaled\(image\)"
    ),
    "an exception": Fault(
        "return Upscaled(self.enlarge(lr, size).view(-1, 7))",
        ("first-image",),
        r"up raised RuntimeError: .* \(up\.py:15 in upscale\)",
    ),
    "an exception on thin images alone": Fault(
        "return Upscaled(self.enlarge(lr[:, :, : lr.shape[2] // 2 * 2], size))",
        ("exact-size",),
        r"up raised .* \(up\.py:12 in enlarge\)",
    ),
    "tiles that do not know the whole": Fault(
        """image = self.enlarge(lr, size)
        return Upscaled((image - image.mean()) * 1.1 + 0.5)""",
        ("tiles",),
        r"expected the whole image from 32-px tiles within 1/255 .* got a difference of \d+\.\d/255 on average",
        info=", tiling=Tiling.SUPPORTED",
    ),
    "tiles of another shape of memory": Fault(
        "return Upscaled(self.enlarge(lr.view(3, *lr.shape[1:]), size).view(-1).view(3, *size) if lr.view(-1).numel() "
        "else None)",
        ("tiles",),
        "up raised RuntimeError: view size is not compatible",
        info=", tiling=Tiling.SUPPORTED",
    ),
    "what was before": Fault(
        """image = self.enlarge(lr, size)
        self.level = 0.9 * getattr(self, "level", float(lr.mean())) + 0.1 * float(lr.mean())
        return Upscaled(image + self.level - lr.mean())""",
        ("repeatable", "global-random", "order", "seeds"),
        "expected the same image for the same call",
    ),
    "a buffer that is used again": Fault(
        """image = self.enlarge(lr, size)
        self.buffer.resize_(3, *size).copy_(image)
        return Upscaled(self.buffer)""",
        ("order",),
        "a later call wrote into it",
        more="    buffer = torch.empty(0)\n",
    ),
    "parameters that are drawn anew": Fault(
        "return Upscaled(self.enlarge(lr, size) + self.bias)",
        ("reload",),
        "set every parameter in `load`",
        more="    def load(self, weights, device, dtype):\n        self.bias = 0.01 * torch.rand(1)\n",
    ),
    "stages with a batch axis": Fault(
        "image = self.enlarge(lr, size)\n        return Upscaled(image, (image[None],))",
        ("stages",),
        r"stage 1 is float32 \(1, 3, \d+, \d+\)",
    ),
    "a stage that is not finite": Fault(
        "image = self.enlarge(lr, size)\n        return Upscaled(image, (image, image / 0))",
        ("stages",),
        "stage 2 is not",
    ),
    "images that see those beside them": Fault(
        "return Upscaled(self.enlarge(lr, size))",
        ("batch",),
        "3 images at once to be those that it computes one by one",
        more="""    batch = 3
    def upscale_batch(self, lrs, size, *, seeds):
        return [Upscaled(self.enlarge(lr, size) + 1e-6 * lrs.mean()) for lr in lrs]
""",
    ),
    "one seed for a whole batch": Fault(
        """noise = torch.randn(3, *size, generator=torch.Generator().manual_seed(seed))
        return Upscaled(self.enlarge(lr, size) + 0.01 * noise)""",
        ("batch",),
        "mixes images or seeds up",
        info=", stochastic=True",
        more="""    batch = 8
    def upscale_batch(self, lrs, size, *, seeds):
        return [self.upscale(lr, size, seed=seeds[0]) for lr in lrs]
""",
    ),
    "a batch that lacks an image": Fault(
        "return Upscaled(self.enlarge(lr, size))",
        ("batch",),
        "returned 2 results for a batch of 3 images",
        more="""    batch = 8
    def upscale_batch(self, lrs, size, *, seeds):
        return [Upscaled(self.enlarge(lr, size)) for lr in lrs[1:]]
""",
    ),
    "an empty display name": Fault(
        "return Upscaled(self.enlarge(lr, size))", ("info",), "info.display", info=", licence='' , paper=''"
    ),
    "scales the wrong way round": Fault(
        "return Upscaled(self.enlarge(lr, size))", ("info",), r"\(lowest, highest\)", info=", train_scales=(4, 1)"
    ),
}


def reason(report: Report, name: str) -> str:
    (result,) = [item for item in report.results if item.name == name]
    assert result.next, result
    return f"expected {result.expected}; got {result.seen}; {result.next}"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_plugin_fails_what_it_breaks_and_nothing_else(fault: str, load: Load) -> None:
    """Catches a check that never fails, and one that fails for another one's reason."""
    wrong = FAULTS[fault]
    text = GOOD.format(info=wrong.info, body=wrong.body, more=wrong.more)
    if fault == "an empty display name":
        text = text.replace('display="Up"', 'display=" "')
    report = run_battery(load(text), device="cpu")
    failed = {result.name for result in report.of(Status.FAILED)}
    assert failed == set(wrong.failed), [reason(report, name) for name in failed]
    assert re.search(wrong.said, reason(report, wrong.failed[0])), reason(report, wrong.failed[0])


def test_the_plugin_that_they_are_all_made_of_passes(load: Load) -> None:
    """Catches faults that fail for something that they share."""
    text = GOOD.format(info=", tiling=Tiling.SUPPORTED", body="return Upscaled(self.enlarge(lr, size))", more="")
    report = run_battery(load(text), device="cpu")
    assert not report.of(Status.FAILED), report
    assert {result.name for result in report.of(Status.SKIPPED)} == {"spec-light", "weights-key"}
    assert len(report.results) == len(CHECKS)


def test_a_first_image_that_fails_leaves_the_rest_out(load: Load) -> None:
    """Catches twenty equal reasons where one is enough, and checks of what it says that are left out with them."""
    report = run_battery(load(GOOD.format(info="", body="raise ValueError('no')", more="")), device="cpu")
    assert [result.name for result in report.of(Status.FAILED)] == ["first-image"]
    assert {result.remark for result in report.of(Status.SKIPPED)} >= {"it gave no first image"}
    assert {result.name for result in report.of(Status.PASSED)} == {"info", "pickle"}
    (first,) = report.of(Status.FAILED)
    assert "Traceback" in first.details
    assert "raise ValueError('no')" in first.details


def test_code_beside_the_plugin_that_is_not_hashed_is_found(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches a key that does not see an edit of a helper module."""
    (tmp_path / "aside").mkdir()
    (tmp_path / "aside" / "sharpen_for_up.py").write_text("def sharpen(image):\n    return image * 1.0\n")
    monkeypatch.syspath_prepend(tmp_path / "aside")
    body = "from sharpen_for_up import sharpen\n        return Upscaled(sharpen(self.enlarge(lr, size)))"
    report = run_battery(load(GOOD.format(info="", body=body, more="")), device="cpu")
    assert [result.name for result in report.of(Status.FAILED)] == ["code-key"]
    assert "sharpen_for_up.py outside of it" in reason(report, "code-key")


def test_a_spec_that_cannot_be_sent_is_told(load: Load) -> None:
    """Catches a lambda, which no worker process can be given."""
    more = GOOD.format(info="", body="return Upscaled(self.enlarge(lr, size))", more="") + (
        "\nfrom pathlib import Path\nfrom bench.registry import METHODS\n"
        "METHODS.add('up', MethodSpec(info=Up.info, factory=f'{__name__}:Up', root=Path(__file__), "
        "fingerprint=lambda options, image, scale: ''), origin='here')\n"
    )
    report = run_battery(load(more), device="cpu")
    assert [result.name for result in report.of(Status.FAILED)] == ["pickle"]
    assert "no lambda" in reason(report, "pickle")


def test_a_spec_that_says_other_things_than_its_class_is_told(load: Load) -> None:
    """Catches a table that prints another stochastic, scale or rule than the class has."""
    choice = load(GOOD.format(info="", body="return Upscaled(self.enlarge(lr, size))", more=""))
    spec = replace(choice.spec, info=replace(choice.spec.info, parameters=3))
    report = run_battery(replace(choice, spec=spec), device="cpu")
    assert [result.name for result in report.of(Status.FAILED)] == ["info"]
    assert "other values of parameters" in reason(report, "info")


def test_weights_that_are_ignored_have_a_key_all_the_same(load: Load, tmp_path: Path) -> None:
    """An image that does not depend on the weights is no fault; a key that does not would be."""
    (tmp_path / "w.pth").write_bytes(b"some weights")
    more = "    def load(self, weights, device, dtype):\n        pass\n"
    text = GOOD.format(info="", body="return Upscaled(self.enlarge(lr, size))", more=more)
    report = run_battery(load(text, weights=str(tmp_path / "w.pth")), device="cpu")
    assert not report.of(Status.FAILED), report
    assert {result.name for result in report.of(Status.SKIPPED)} == {"spec-light", "tiles"}


def test_a_key_without_the_weights_is_found(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a check of the key that compares nothing."""
    import bench.check.identity as identity

    (tmp_path / "w.pth").write_bytes(b"some weights")
    more = "    def load(self, weights, device, dtype):\n        pass\n"
    choice = load(
        GOOD.format(info="", body="return Upscaled(self.enlarge(lr, size))", more=more), weights=str(tmp_path / "w.pth")
    )
    for wrong, said in ((lambda *_, **__: "same", "the same key"), (lambda _, path, *a, **k: str(path), "two keys")):
        monkeypatch.setattr(identity, "method_key", wrong)
        report = run_battery(choice, device="cpu", only=("weights-key",))
        assert said in reason(report, "weights-key")


def test_a_method_for_luma_alone_is_tried_on_gray_images(load: Load) -> None:
    """Catches a battery that fails everything of a method that refuses colour, such as VDSR."""
    body = """if not torch.equal(lr[0], lr[1]):
            raise ValueError("only gray")
        return Upscaled(self.enlarge(lr, size))"""
    report = run_battery(load(GOOD.format(info="", body=body, more="")), device="cpu")
    assert not report.of(Status.FAILED), report
    assert "takes gray images alone" in report.results[0].remark


def test_quick_and_only_leave_out_what_they_say(load: Load) -> None:
    choice = load(GOOD.format(info="", body="return Upscaled(self.enlarge(lr, size))", more=""))
    quick = run_battery(choice, device="cpu", quick=True)
    left = {result.name for result in quick.of(Status.SKIPPED) if "--quick" in result.remark}
    assert left == {"reload", "code-key"}
    only = run_battery(choice, device="cpu", only=("flat", "tiles"))
    assert [result.name for result in only.results] == ["first-image", "flat", "tiles"]


def test_no_two_cases_share_an_image_id() -> None:
    """Catches a method that looks up by id being given the file of another size."""
    assert len({case.image for case in CASES}) == len(CASES)
