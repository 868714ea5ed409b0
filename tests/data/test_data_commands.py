"""`bench data fetch | verify` as a person meets them: words and exit codes."""

from __future__ import annotations

import socket

import pytest
import typer
from typer.testing import CliRunner

from bench.api import BenchError
from bench.cli import data as commands
from bench.data import cards as cards_module
from bench.data import fetch as fetch_module
from bench.data.cards import Download


@pytest.fixture
def run():
    app = typer.Typer()
    commands.register(app)

    def call(*words):
        return CliRunner().invoke(app, ["data", *map(str, words)])

    return call


def test_verify_says_how_it_checked(run):
    result = run("verify", "sample")
    assert result.exit_code == 0
    assert "sample: ok" in result.stdout
    assert "8 images" in result.stdout


def test_verify_leaves_with_1_where_a_set_differs(run, tmp_path, save_image):
    save_image(tmp_path / "Set5" / "baby.png", (8, 8))
    result = run("verify", "Set5", "--data-root", tmp_path)
    assert result.exit_code == 1
    assert "1 image, expected 5; other pixels: baby.png; missing: bird" in result.stderr


def test_only_counted_is_not_sold_as_verified(run, tmp_path, save_image):
    for i in range(24):
        save_image(tmp_path / "Kodak24" / f"kodim{i + 1:02d}.png", (8, 8))
    result = run("verify", "kodak24", "--data-root", tmp_path)
    assert result.exit_code == 0
    assert "was not compared (no checksums are known)" in result.stdout
    assert "as published" not in result.stdout


def test_a_set_that_is_here_is_not_fetched(run, tmp_path, save_image):
    for i in range(24):
        save_image(tmp_path / "Kodak24" / f"kodim{i + 1:02d}.png", (8, 8))
    result = run("fetch", "Kodak24", "--data-root", tmp_path)
    assert result.exit_code == 0
    assert "already in" in result.stdout
    assert "lies inside a package" in run("fetch", "sample").stdout


def test_an_unreachable_host_is_a_plain_error_with_exit_code_2(tmp_path, monkeypatch, capsys):
    import sys

    from bench.cli import app

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    card = cards_module.cards()["Kodak24"].model_copy(
        update={"downloads": (Download(url=f"http://127.0.0.1:{port}/a.zip"),)}
    )
    monkeypatch.setattr(fetch_module, "cards", lambda: {"Kodak24": card})
    monkeypatch.setattr(sys, "argv", ["bench", "data", "fetch", "Kodak24", "--data-root", str(tmp_path)])
    with pytest.raises(SystemExit) as left:
        app.main()
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert "refuses the connection" in error
    assert "Traceback" not in error


def test_an_unknown_set_is_a_request_error(run):
    result = run("verify", "sett5")
    assert isinstance(result.exception, BenchError)
    assert "Did you mean 'Set5'" in str(result.exception)
