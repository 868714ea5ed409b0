"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

os.environ["ASSR_BENCH_DOWNLOAD"] = "0"  # no test reaches the network; those of downloads say so themselves


def pytest_configure(config: pytest.Config) -> None:
    """Before several processes start: mmengine's formatter writes a cache when a fresh installation first imports it,
    and a second process that reads the unfinished file cannot import mmengine at all."""
    if getattr(config.option, "numprocesses", None):
        import mmengine.config  # noqa: F401


@pytest.fixture(scope="session")
def reference_root() -> Path:
    """The folder of outside files (test images, published values, metric parameters); skips where there is none."""
    folder = os.environ.get("ASSR_BENCH_REFERENCE", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("ASSR_BENCH_REFERENCE does not point to the reference files")
    return Path(folder)


@pytest.fixture(scope="session")
def made_up_inception(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with seeded values in the layers of FID's network, under the published name."""
    from unittest import mock

    import torch
    from pyiqa.archs import inception

    root = tmp_path_factory.mktemp("inception")
    path = root / "hub" / "pyiqa" / "pt_inception-2015-12-05-6726825d.pth"
    path.parent.mkdir(parents=True)
    torch.manual_seed(0)
    with mock.patch.object(inception, "load_pretrained_network"):
        network = inception.fid_inception_v3()
    torch.save(network.state_dict(), path)
    return root


class FileServer:
    """Files in memory; knows ranges, and can cut a connection after so many bytes, once."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cut: dict[str, list[int]] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.etag = '"one"'
        self.ranges = True
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        wanted = handler.headers.get("Range")
        self.requests.append((handler.path, wanted))
        body = self.files.get(handler.path)
        if body is None:
            handler.send_error(404)
            return
        start = 0
        if wanted and self.ranges and handler.headers.get("If-Range", self.etag) == self.etag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        if start and start >= len(body):
            handler.send_response(416)
            handler.send_header("Content-Range", f"bytes */{len(body)}")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if self.etag:
            handler.send_header("ETag", self.etag)
        if handler.path.endswith("/"):
            handler.send_header("Content-Type", "text/html")
        handler.send_header("Content-Length", str(len(body) - start))
        handler.end_headers()
        cuts = self.cut.get(handler.path, [])
        end = start + cuts.pop(0) if cuts else len(body)
        handler.wfile.write(body[start:end])
        handler.close_connection = True


@pytest.fixture
def server() -> Iterator[FileServer]:
    """A server on this machine, without files."""
    made = FileServer()
    yield made
    made.http.shutdown()
    made.http.server_close()
