"""Protocols of one's own: from a file or knob by knob; strict, signed, and named by where they come from."""

from __future__ import annotations

from pathlib import Path

import pytest

import bench
from bench.api import RequestError, get_protocol
from bench.engine.folder import RunFolder
from bench.engine.manifest import merged_protocols
from bench.engine.stored import StoredRun
from bench.session.protocol_file import find_protocol, split_knobs, with_knobs

_OPTIONS = {"datasets": "sample", "limit": 1, "metrics": "psnr", "workers": 0}


def test_file_is_its_base_with_its_knobs(tmp_path: Path) -> None:
    """Catches a file that starts from another base, or of which a knob is read and dropped."""
    path = tmp_path / "ours.yaml"
    path.write_text("base: basicsr-y\nshave: 0\nssim_shave: 4\ncoarse_above: 4\n", encoding="utf-8")
    found = find_protocol(str(path))
    assert found.name == "ours"
    assert {name: mine for name, (mine, _) in found.differences(get_protocol("basicsr-y")).items()} == {
        "shave": "0",
        "ssim_shave": 4,
        "coarse_above": 4.0,
    }


def test_numbers_are_those_of_the_preset_with_the_same_knobs(tmp_path: Path) -> None:
    """Catches a protocol that is named and signed but not followed, in the LR or in the score."""
    path = tmp_path / "mine.yaml"
    path.write_text("psnr_colour: y601s\nssim_colour: y601s\nshave: s\n", encoding="utf-8")
    mine = bench.run("bicubic", 2, protocol=str(path), out=tmp_path / "a", **_OPTIONS)
    preset = bench.run("bicubic", 2, protocol="basicsr-y", out=tmp_path / "b", **_OPTIONS)
    knobs = bench.run(
        "bicubic", 2, protocol="sample", set=["protocol.psnr_colour=y601s", "protocol.shave=s"], out=tmp_path / "c",
        **_OPTIONS,
    )  # fmt: skip
    for run in (mine, knobs):
        assert run.summary["mean"][0] == preset.summary["mean"][0]
        assert run.summary["signature"][0] == preset.summary["signature"][0]
    assert "Protocol: `mine`" in mine.table()
    assert "sample,psnr_colour=y601s,shave=s" in knobs.table()


def test_every_knob_that_is_set_is_in_the_signature(tmp_path: Path) -> None:
    """Catches shave:0 under a protocol whose own is s that is signed as the preset."""
    plain = bench.run("bicubic", 2, protocol="basicsr-y", out=tmp_path / "a", **_OPTIONS)
    bare = bench.run("bicubic", 2, protocol="basicsr-y", set="protocol.shave=0", out=tmp_path / "b", **_OPTIONS)
    assert "|shave:0|" in bare.summary["signature"][0]
    assert "|shave:s|" in plain.summary["signature"][0]
    assert bare.summary["mean"][0] != plain.summary["mean"][0]


def test_knobs_and_methods_options_are_told_apart() -> None:
    """Catches a knob that is looked for among a method's options, or the other way round."""
    assert split_knobs(["casr.ssam=false", "protocol.shave=0"]) == (("casr.ssam=false",), {"shave": "0"})
    assert with_knobs(get_protocol("sample"), {}) is get_protocol("sample")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shaev: s\n", "Did you mean 'shave'"),
        ("shave: twice\n", "ours.yaml: shave"),
        ("ssim_clamp: 1\n", "ours.yaml: ssim_clamp"),
        ("shave: -1\n", "at least 0"),
        ("base: basicsr\n", "Did you mean 'basicsr-y'"),
        ("lr_given: true\n", "a set says itself"),
        ("- shave\n", "expected knobs"),
        ("shave: [\n", "is not YAML"),
    ],
)
def test_what_is_no_protocol_is_refused_by_its_key(tmp_path: Path, text: str, said: str) -> None:
    """Catches a mistyped knob that is passed over, and a traceback."""
    path = tmp_path / "ours.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RequestError, match=said):
        find_protocol(str(path))


def test_no_file_takes_a_presets_name(tmp_path: Path) -> None:
    """Catches a table that says basicsr-y of something else."""
    (tmp_path / "basicsr-y.yaml").write_text("shave: 0\n", encoding="utf-8")
    with pytest.raises(RequestError, match="is the name of a preset"):
        find_protocol(str(tmp_path / "basicsr-y.yaml"))
    with pytest.raises(RequestError, match="cannot be read"):
        find_protocol(str(tmp_path / "absent.yaml"))


@pytest.mark.parametrize("item", ["protocol.shave", "protocol.shaev=0", "protocol.shave=wide"])
def test_wrong_knobs_are_refused(item: str) -> None:
    """Catches a knob that is typed wrong and ignored."""
    with pytest.raises(RequestError, match="--set protocol"):
        with_knobs(get_protocol("sample"), split_knobs([item])[1])


def test_run_json_holds_the_protocols_and_not_only_where_they_lay(tmp_path: Path) -> None:
    """Catches a file that was edited between two runs: each cell was made under the knobs of its own time."""
    path, out = tmp_path / "mine.yaml", tmp_path / "run"
    made = []
    for scale, crop in ((2, 2), (3, 6), (4, 6)):
        path.write_text(f"hr_mod: {crop}\n", encoding="utf-8")
        bench.run("nearest", scale, protocol=str(path), out=out, **_OPTIONS)
        made.append(find_protocol(str(path)))
    manifest = RunFolder(out).manifest()
    assert manifest is not None
    assert manifest.made_under == (made[0], made[1])
    run = StoredRun([out])
    assert {cell.id.scale: run.protocol(cell).hr_mod for cell in run.cells()} == {2.0: 2, 3.0: 6, 4.0: 6}
    assert merged_protocols(manifest.made_under, made[:1]) == (made[1], made[0])
