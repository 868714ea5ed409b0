"""Hugging Face's result files, read by its own client."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import bench
from bench.api import RequestError
from bench.export import Options, export_run

HUB = {"Photos": "us/photos"}


def test_the_hubs_own_client_reads_them(finished: Path, tmp_path: Path) -> None:
    """Catches keys that the Hub passes over, values as text, and numbers of another cell: read as the Hub reads it."""
    hub = pytest.importorskip("huggingface_hub")
    if not hasattr(hub, "parse_eval_result_entries"):
        pytest.skip("this huggingface_hub is older than the format")
    options = Options(datasets=HUB, models={"bicubic": "us/bicubic"}, source_url="https://example.org/run")
    written = export_run([finished], "hf-eval", tmp_path, options=options)
    path = tmp_path / "us" / "bicubic" / ".eval_results" / "assr-bench-Photos.yaml"
    assert path in written.files
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    entries = hub.parse_eval_result_entries(content)
    assert hub.eval_result_entries_to_yaml(entries) == content
    summary = bench.load(finished).summary
    own = summary[(summary["method"] == "bicubic") & ~summary["metric"].str.contains("@")]
    expected = {f"{row.metric}-x{row.scale:g}": (row.mean, row.signature) for row in own.itertuples()}
    assert {entry.task_id for entry in entries} == set(expected)
    for entry in entries:
        mean, signature = expected[entry.task_id]
        assert entry.value == mean
        assert f"signature {signature};" in entry.notes
        assert entry.dataset_id == "us/photos"
        assert entry.source_url == "https://example.org/run"
        assert entry.date is None
        assert entry.verify_token is None


def test_no_set_gets_a_hub_id_that_nobody_gave(finished: Path, tmp_path: Path) -> None:
    """Catches an id made up from the set's name."""
    with pytest.raises(RequestError, match=r"--hub-dataset NAME=OWNER/DATASET .*\(Photos\)"):
        export_run([finished], "hf-eval", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_numbers_of_one_task_are_refused(finished: Path, tmp_path: Path) -> None:
    """Catches two scales under one task name, of which a leaderboard would show either."""
    with pytest.raises(RequestError, match="would be of the task 'psnr'"):
        export_run([finished], "hf-eval", tmp_path, options=Options(datasets=HUB, task="{metric}"))
    with pytest.raises(RequestError, match="--task"):
        export_run([finished], "hf-eval", tmp_path, options=Options(datasets=HUB, task="{protokoll}"))


@pytest.mark.parametrize("address", ["ftp://x", "example.org", "https://two words"])
def test_an_address_is_an_address(finished: Path, tmp_path: Path, address: str) -> None:
    """Catches a source that the Hub would refuse after upload."""
    with pytest.raises(RequestError, match="--source-url"):
        export_run([finished], "hf-eval", tmp_path, options=Options(datasets=HUB, source_url=address))


def test_two_rows_are_not_one_model(finished: Path, tmp_path: Path) -> None:
    """Catches the file of one method written over that of another, whose numbers are then gone without a word."""
    models = {"bicubic": "us/model", "nearest": "us/model"}
    with pytest.raises(RequestError, match="two rows cannot be one model"):
        export_run([finished], "hf-eval", tmp_path / "out", options=Options(datasets=HUB, models=models))
    assert not (tmp_path / "out").exists()
