"""Folders of published models that bring code: it is never run, and nobody is asked whether to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.api import RequestError


def test_code_beside_a_depth_model_is_neither_run_nor_offered(tmp_path: Path, monkeypatch) -> None:
    """Catches transformers' default, which asks the person at the terminal whether to run it."""
    from methods.casr.ssam.depth import DepthAnything

    marker = tmp_path / "ran"
    folder = tmp_path / "model"
    folder.mkdir()
    named = {"AutoConfig": "code.Config", "AutoModelForDepthEstimation": "code.Model"}
    (folder / "config.json").write_text(json.dumps({"model_type": "own", "auto_map": named}))
    (folder / "code.py").write_text(f"open({str(marker)!r}, 'w').close()\nclass Config: pass\nclass Model: pass\n")

    def asked(*_: object) -> str:
        raise AssertionError("somebody was asked")

    monkeypatch.setattr("builtins.input", asked)
    with pytest.raises(RequestError, match=r"casr\.depth_path") as refused:
        DepthAnything(folder)
    assert "trust" not in str(refused.value)
    assert not marker.exists()


def test_no_library_tells_through_us_to_run_what_is_in_a_file(tmp_path: Path) -> None:
    """Catches the text of torch and transformers in an error of a part of a pipeline, or of a plug-in's own reader."""
    import torch

    from bench.engine.faults import describe
    from bench.plugins import method_spec
    from methods.blocks.published import read_part

    (tmp_path / "w.bin").write_bytes(b"\x80\x02cos\nsystem\nq\0X\4\0\0\0trueq\1\x85q\2Rq\3.")

    def load(**_: object) -> object:
        return torch.load(tmp_path / "w.bin", weights_only=True)

    with pytest.raises(Exception, match="weights_only") as torchs:
        load()
    with pytest.raises(RequestError, match="code in a file is never run"):
        read_part(load, tmp_path, what="a model", option="casr.sd_path")
    assert "weights_only" not in describe(torchs.value, method_spec("liif"))


def test_every_class_that_could_run_code_of_a_folder_is_told_not_to() -> None:
    """Catches the next Auto class that is loaded without a word about it."""
    import ast

    root = Path(__file__).parents[2]
    for path in [*(root / "methods").rglob("*.py"), *(root / "bench").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and any(
                isinstance(part, ast.Name) and part.id.startswith("Auto") and part.id[4:5].isupper()
                for part in [node.func, *node.args, getattr(node.func, "value", None)]
            ):
                if getattr(node.func, "id", "") == "AutoencoderKL":
                    continue
                said = {word.arg: word.value for word in node.keywords}
                trust = said.get("trust_remote_code")
                assert isinstance(trust, ast.Constant), f"{path}:{node.lineno}"
                assert trust.value is False, f"{path}:{node.lineno}"
