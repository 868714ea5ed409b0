"""Rows have names of their own: two checkpoints of one method, variants, labels, and what is typed twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import bench
from bench.api import RequestError
from bench.session import Run

Call = Callable[..., Run]
GAIN = """
import torch
from torch.nn.functional import interpolate
from bench.api import Method, MethodInfo, MethodOptions, Upscaled


class GainOptions(MethodOptions):
    shift: float = 0.0


class Gain(Method):
    info = MethodInfo(name="gain", display="Gain", summary="bicubic times a gain")
    Options = GainOptions

    def load(self, weights, device, dtype):
        self.gain = torch.load(weights, weights_only=True)["gain"]

    def upscale(self, lr, size, *, seed):
        image = interpolate(lr[None], size=size, mode="bicubic")[0]
        return Upscaled(image * self.gain + self.options.shift)
"""


@pytest.fixture
def gain(tmp_path: Path) -> dict[str, Path]:
    """The plug-in and two checkpoints of it."""
    (tmp_path / "gain.py").write_text(GAIN, encoding="utf-8")
    for name, value in (("wA", 1.0), ("wB", 0.8)):
        torch.save({"gain": torch.tensor(value)}, tmp_path / f"{name}.pth")
    return {name: tmp_path / f"{name}.{end}" for name, end in (("gain", "py"), ("wA", "pth"), ("wB", "pth"))}


def test_two_checkpoints_of_one_plugin_stand_in_one_table(run: Call, photos: Path, gain: dict[str, Path]) -> None:
    """Catches a row that silently replaces the other, and a file name as a row's name."""
    made = run(f"a=gain:{gain['wA']},b=gain:{gain['wB']}", datasets=photos, plugin=gain["gain"])
    psnr = made.summary.loc[made.summary["metric"] == "psnr"].set_index("variant")["mean"]
    assert psnr["a"] > psnr["b"] + 1
    table = made.table()
    assert "Gain (a)" in table
    assert "Gain (b)" in table
    assert "wA" not in table


def test_labels_are_printed_and_can_be_changed_afterwards(
    run: Call, photos: Path, gain: dict[str, Path], tmp_path: Path
) -> None:
    rows = f"a=gain:{gain['wA']},b=gain:{gain['wB']}"
    made = run(rows, datasets=photos, plugin=gain["gain"], name={"a": "IMDN [12]"})
    assert "IMDN" in made.table()
    later = bench.load(tmp_path / "run")
    renamed = later.table("tex", rename={"IMDN [12]": "Ours & theirs", "b": "Worse"})
    assert r"Ours \& theirs" in renamed
    assert "Worse" in renamed
    only = later.table(variants=["gain:b"])
    assert "Gain (b)" in only
    assert "IMDN" not in only
    with pytest.raises(RequestError, match="would be called 'Gain \\(b\\)'"):
        later.table(rename={"IMDN [12]": "Gain (b)"})
    with pytest.raises(RequestError, match="unknown row of this run"):
        later.table(rename={"nobody": "x"})
    with pytest.raises(RequestError, match="unknown variant of this run"):
        later.table(variants=["c"])


def test_a_variant_beside_its_row(run: Call, photos: Path, gain: dict[str, Path]) -> None:
    """Catches `--versus` that changes all rows of the method, or none."""
    rows = f"a=gain:{gain['wA']},b=gain:{gain['wB']}"
    made = run(rows, datasets=photos, plugin=gain["gain"], versus=["a.shift=0.1"], set=["b.shift=0.05"])
    assert list(dict.fromkeys(made.summary["variant"])) == ["a", "a,shift=0.1", "b"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"methods": "bicubic,bicubic"}, "'bicubic' is given twice"),
        ({"methods": "bicubic,bicubic:x"}, "neither a shipped label"),
        ({"methods": "a=bicubic,a=nearest"}, "names 'a' twice"),
        ({"methods": "a b=bicubic"}, "may have letters, digits"),
        ({"methods": "a=bicubic,b=bicubic"}, "the same method with the same weights and options"),
        ({"metrics": "psnr,psnr"}, "'psnr' is given twice"),
        ({"methods": "liif", "set": ["liif.chunk=99", "liif.chunk=98"]}, "gives liif.chunk twice"),
        ({"methods": "liif,lte", "weights": "liif=lite,liif=lite"}, "names 'liif' twice"),
        ({"methods": "liif", "weights": {"lite": "lite"}}, "not among the methods"),
        ({"name": ["bicubic=A", "bicubic=B"]}, "names 'bicubic' twice"),
        ({"name": ["nearest=A"]}, "not among the methods"),
        ({"name": ["bicubic="]}, "expected METHOD=LABEL"),
        ({"methods": "bicubic,nearest", "name": ["bicubic=X", "nearest=X"]}, "two rows would be called 'X'"),
        ({"versus": [""]}, "--versus needs"),
        ({"seeds": "99999999999999999999999999"}, "a seed is at least 0 and at most"),
        ({"seeds": "-1"}, "a seed is at least 0"),
    ],
)
def test_what_is_named_twice_or_not_at_all_is_an_error(
    run: Call, photos: Path, tmp_path: Path, values: dict[str, object], words: str
) -> None:
    """Catches a repetition that is dropped without a word."""
    with pytest.raises(RequestError, match=words):
        run(**{"methods": "bicubic", "datasets": photos, **values})  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


def test_lite_weights_under_a_name_of_ones_own_are_still_called_lite(run: Call, photos: Path) -> None:
    """Catches lite results under a bare name."""
    made = run("mine=liif", datasets=photos, limit=1)
    assert "LIIF (mine, lite)" in made.table()
    labelled = run("mine=liif", datasets=photos, limit=1, name=["mine=LIIF"])
    assert "With lite weights: LIIF." in labelled.table()
