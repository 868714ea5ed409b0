"""Keys: whatever can change a pixel must change the key, and nothing else may."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from bench.api import MethodInfo, MethodOptions, MethodSpec, RequestError, Scale, ScalePair
from bench.engine.keys import (
    code_hash,
    digest,
    method_key,
    output_key,
    pair_code_hash,
    score_key,
    score_keys,
    weights_hash,
)
from bench.engine.sources import method_sources


class PathOptions(MethodOptions):
    """Options of which one names a file or folder."""

    table: Path | None = None


def make_spec(
    root: Path,
    *,
    options: type[MethodOptions] = MethodOptions,
    reads: Callable[[Path], Iterable[Path]] | None = None,
    fingerprint: Callable[[MethodOptions, str, float], str] | None = None,
) -> MethodSpec:
    info = MethodInfo(name="m", display="M", summary="")
    return MethodSpec(
        info=info, factory="m_of_no_package:M", root=root, options=options, reads=reads, fingerprint=fingerprint
    )


def key(spec: MethodSpec, weights: Path | None, **options: object) -> str:
    return method_key(spec, weights, options, dtype="float32", tile=None)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "method"
    (folder / "configs").mkdir(parents=True)
    (folder / "method.py").write_text("x = 1\n")
    (folder / "configs" / "lite.yaml").write_text("a: 1\n")
    (folder / "README.md").write_text("words\n")
    return folder


def test_code_changes_the_key_and_words_about_it_do_not(code: Path) -> None:
    def hashed() -> str:
        return code_hash(method_sources("m_of_no_package:M", root=code))

    first = hashed()
    (code / "README.md").write_text("other words\n")
    (code / "configs" / "lite.yaml").write_text("a: 2\n")
    (code / "method.py").write_text('"""Words."""\n\nx = 1  # one\n')
    assert hashed() == first
    (code / "method.py").write_text("x = 22\n")
    assert hashed() != first


def test_the_key_of_a_method_holds_what_its_weights_hold_and_not_where_they_lie(code: Path, tmp_path: Path) -> None:
    """Catches `method_key` hashing the path of the weights in place of their bytes."""
    spec = make_spec(code)
    one, two = tmp_path / "one.pt", tmp_path / "deep" / "two.pt"
    two.parent.mkdir()
    one.write_bytes(b"same")
    two.write_bytes(b"same")
    before = key(spec, one)
    assert key(spec, two) == before
    one.write_bytes(b"else")
    assert key(spec, one) != before


def test_a_part_of_a_folder_of_weights_that_is_replaced_unnoticeably_changes_the_key(
    code: Path, tmp_path: Path
) -> None:
    """Catches an identity by name, size and date: `cp -p` of another checkpoint keeps all three."""
    spec, part = make_spec(code), tmp_path / "w" / "model.bin"
    part.parent.mkdir()
    part.write_bytes(b"first")
    os.utime(part, ns=(10**18, 10**18))
    before = key(spec, part.parent)
    part.write_bytes(b"other")
    os.utime(part, ns=(10**18, 10**18))
    assert key(spec, part.parent) != before


def test_a_folder_of_weights_may_be_renamed_and_hold_words(code: Path, tmp_path: Path) -> None:
    spec = make_spec(code)
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "model.bin").write_bytes(b"1")
    before = key(spec, tmp_path / "w")
    (tmp_path / "w" / "notes.txt").write_text("of the training")
    moved = (tmp_path / "w").rename(tmp_path / "v")
    assert key(spec, moved) == before


def test_what_a_method_reads_of_a_folder_is_all_that_counts_of_it(code: Path, tmp_path: Path) -> None:
    spec = make_spec(code, reads=lambda folder: [folder / "classes.txt"])
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "classes.txt").write_text("cat")
    (tmp_path / "w" / "unused.bin").write_bytes(b"1")
    before = weights_hash(spec, tmp_path / "w")
    (tmp_path / "w" / "unused.bin").write_bytes(b"2")
    assert weights_hash(spec, tmp_path / "w") == before
    (tmp_path / "w" / "classes.txt").write_text("dog")
    assert weights_hash(spec, tmp_path / "w") != before


def test_weights_that_cannot_be_read_are_named_with_what_to_do(code: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(RequestError, match=r"cannot read .*pipe: expected a regular file; .*--weights m=PATH"):
        weights_hash(make_spec(code), pipe)


def test_a_file_that_an_option_names_is_known_by_what_it_holds(code: Path, tmp_path: Path) -> None:
    """Catches a table that is edited under its name, and one that is moved and makes everything stale."""
    spec = make_spec(code, options=PathOptions)
    table, other = tmp_path / "a.csv", tmp_path / "b.csv"
    table.write_text("1")
    before = key(spec, None, table=str(table))
    table.rename(other)
    assert key(spec, None, table=str(other)) == before
    other.write_text("2")
    assert key(spec, None, table=str(other)) != before
    assert key(spec, None, table="vendor/table") != key(spec, None, table="vendor/other")


def test_of_a_folder_that_an_option_names_a_fingerprint_says_what_counts(code: Path, tmp_path: Path) -> None:
    """Catches a folder of outputs in which one more image makes all the others stale."""
    said = make_spec(code, options=PathOptions, fingerprint=lambda options, image, scale: "of this image")
    silent = make_spec(code, options=PathOptions)
    (tmp_path / "outputs").mkdir()
    before = [key(spec, None, table=str(tmp_path / "outputs")) for spec in (said, silent)]
    (tmp_path / "outputs" / "new.png").write_bytes(b"image")
    after = [key(spec, None, table=str(tmp_path / "outputs")) for spec in (said, silent)]
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_each_axis_of_a_method_changes_its_key(code: Path, tmp_path: Path) -> None:
    weights = tmp_path / "w.pt"
    weights.write_bytes(b"w")
    spec = make_spec(code)
    keys = {
        method_key(spec, None, {}, dtype="float32", tile=None),
        method_key(spec, weights, {}, dtype="float32", tile=None),
        method_key(spec, None, {"a": 1}, dtype="float32", tile=None),
        method_key(spec, None, {}, dtype="float16", tile=None),
        method_key(spec, None, {}, dtype="float32", tile=128),
    }
    assert len(keys) == 5


def test_each_axis_of_an_image_changes_its_key() -> None:
    base = {"method": "m", "source": "s", "pair": "p", "image": "i", "scale": 4.0, "seed": 0, "extra": ""}
    other = {"method": "n", "source": "t", "pair": "q", "image": "j", "scale": 3.6, "seed": 1, "extra": "e"}
    keys = {output_key(**base)} | {output_key(**{**base, name: value}) for name, value in other.items()}  # type: ignore[arg-type]
    assert len(keys) == 8


def test_a_score_depends_on_the_image_the_signature_and_the_other_images() -> None:
    assert len({score_key("a", "s"), score_key("b", "s"), score_key("a", "t"), score_key("a", "s", "b")}) == 4


@pytest.mark.parametrize("scale", [4.0, 3.6, ScalePair(1.5, 2.0)])
def test_keys_are_digests_of_what_they_name(scale: Scale) -> None:
    """Catches a quick way to a key that names something else than the plain one: stored images would be lost."""
    parts = {"method": "m", "source": 's "1"', "pair": "p", "image": "bäby\\", "seed": 3, "extra": "\u2028"}
    words = [*list(parts.values())[:3], pair_code_hash(), parts["image"], scale, parts["seed"], parts["extra"]]
    assert output_key(scale=scale, **parts) == digest(words)  # type: ignore[arg-type]
    assert score_keys("k", ['s"', "ü"], "other") == [digest(["k", name, "other"]) for name in ('s"', "ü")]
    assert score_key("k", "s") == digest(["k", "s"])
