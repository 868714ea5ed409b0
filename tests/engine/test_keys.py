"""Keys: whatever can change a pixel must change the key, and nothing else may."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.api import MethodInfo, MethodSpec
from bench.engine.keys import code_hash, file_hash, method_key, output_key, score_key


def make_spec(root: Path) -> MethodSpec:
    return MethodSpec(info=MethodInfo(name="m", display="M", summary=""), factory="m:M", root=root)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "method"
    (folder / "configs").mkdir(parents=True)
    (folder / "method.py").write_text("x = 1\n")
    (folder / "configs" / "lite.yaml").write_text("a: 1\n")
    (folder / "README.md").write_text("words\n")
    return folder


def test_code_and_configuration_change_the_key_but_prose_does_not(code: Path) -> None:
    first = code_hash([code])
    (code / "README.md").write_text("other words\n")
    assert code_hash([code]) == first
    (code / "configs" / "lite.yaml").write_text("a: 2\n")
    second = code_hash([code])
    assert second != first
    (code / "method.py").write_text("x = 22\n")
    assert code_hash([code]) not in (first, second)


def test_weights_are_known_by_their_bytes_not_their_name(tmp_path: Path) -> None:
    one, two = tmp_path / "one.pt", tmp_path / "two.pt"
    one.write_bytes(b"same")
    two.write_bytes(b"same")
    assert file_hash(one) == file_hash(two)
    two.write_bytes(b"else")
    assert file_hash(one) != file_hash(two)


def test_a_folder_of_weights_is_hashed_with_its_names(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "a.bin").write_bytes(b"1")
    first = file_hash(tmp_path / "w")
    (tmp_path / "w" / "a.bin").rename(tmp_path / "w" / "b.bin")
    assert file_hash(tmp_path / "w") != first


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
