"""Parameters fetched before a run: verified, announced, and never in the way when there is no network."""

from __future__ import annotations

import hashlib
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench.metrics.download import fetch_missing
from bench.metrics.weights import DOWNLOAD_ENV, WeightsFile


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path):
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "good.bin").write_bytes(b"parameters")
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    http.server_close()


def file(server: str, name: str, content: bytes) -> WeightsFile:
    return WeightsFile(f"pyiqa/{name}", f"{server}/{name}", hashlib.sha256(content).hexdigest()[:16])


def test_what_is_missing_is_fetched_verified_and_announced(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(DOWNLOAD_ENV)
    said: list[str] = []
    fetch_missing([file(server, "good.bin", b"parameters")], tmp_path / "home", said.append)
    assert (tmp_path / "home" / "hub" / "pyiqa" / "good.bin").read_bytes() == b"parameters"
    assert len(said) == 1
    fetch_missing([file(server, "good.bin", b"parameters")], tmp_path / "home", said.append)
    assert len(said) == 1, "what is there is not fetched again"


def test_other_bytes_than_published_are_not_kept(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DOWNLOAD_ENV)
    said: list[str] = []
    fetch_missing([file(server, "good.bin", b"something else")], tmp_path / "home", said.append)
    assert not list((tmp_path / "home").rglob("*.bin"))
    assert "other bytes than published" in said[-1]


def test_no_network_is_said_once_per_host_and_raises_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DOWNLOAD_ENV)
    closed = ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    address = f"http://127.0.0.1:{closed.server_port}"
    closed.server_close()
    said: list[str] = []
    files = [file(address, "a.bin", b"a"), file(address, "b.bin", b"b")]
    fetch_missing(files, tmp_path / "home", said.append)
    assert ["could not be fetched" in text for text in said] == [False, True]
    assert not [path for path in (tmp_path / "home").rglob("*") if path.is_file()]


def test_a_user_who_forbids_downloads_is_obeyed(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DOWNLOAD_ENV, "0")
    said: list[str] = []
    fetch_missing([file(server, "good.bin", b"parameters")], tmp_path / "home", said.append)
    assert said == []
    assert not (tmp_path / "home").exists()


def test_an_interruption_is_resumed_at_its_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches parameters of hundreds of megabytes that begin again at every broken connection."""
    monkeypatch.delenv(DOWNLOAD_ENV)
    body = bytes(range(256)) * 400
    asked: list[str | None] = []

    class Cutting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            asked.append(wanted)
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Length", str(len(body) - start))
            if wanted:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.end_headers()
            self.wfile.write(body[start:] if wanted else body[:50_000])
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Cutting) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        fetch_missing([file(f"http://127.0.0.1:{http.server_port}", "big.bin", body)], tmp_path, lambda text: None)
        http.shutdown()
    assert (tmp_path / "hub" / "pyiqa" / "big.bin").read_bytes() == body
    assert asked[0] is None
    assert len(asked) == 2
    assert 0 < int(str(asked[1]).removeprefix("bytes=").rstrip("-")) <= 50_000
    assert [path.name for path in (tmp_path / "hub" / "pyiqa").iterdir()] == ["big.bin"]
