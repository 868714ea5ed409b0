"""Servers and archives that mean harm, or are only broken: a sentence, nothing outside the folder, nothing that sticks.

Every server is one on this machine.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import time
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image

import bench.archive as bounds
import bench.transfer as transfer
from bench.api import Unavailable
from bench.data.cards import Card, Download
from bench.data.fetch import fetch_card
from bench.data.unpack import unpack_images
from bench.download import ResumingDownloader
from bench.metrics.download import obtain
from bench.metrics.weights import WeightsFile
from bench.weights.fetch import fetch_weights
from bench.weights.published import PublishedCard, WeightsDownload


def png(seed: int = 0) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def zipped(entries: dict[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", packing) as packed:
        for name, content in entries.items():
            packed.writestr(name, content)
    return stream.getvalue()


def tarred(entries: dict[str, bytes], kind: str = "") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=f"w:{kind}", format=tarfile.GNU_FORMAT) as packed:
        for name, content in entries.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def spoiled(data: bytes, share: float) -> bytes:
    """The same bytes with a few of them turned over, from a place in the middle on."""
    at = int(len(data) * share)
    return data[:at] + bytes(byte ^ 0x5A for byte in data[at : at + 40]) + data[at + 40 :]


def twins() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        packed.writestr("a.png", png())
        with pytest.warns(UserWarning, match="Duplicate"):
            packed.writestr("a.png", png(1))
    return stream.getvalue()


PHOTOS = {f"T/{name}.png": png(seed) for seed, name in enumerate("ab")}
NOISE = {f"T/{seed}.png": np.random.default_rng(seed).bytes(40_000) for seed in range(3)}
BAD: dict[str, Callable[[], bytes]] = {
    "no archive": lambda: b"<html>log in</html>",
    "nothing": lambda: b"",
    "cut off": lambda: zipped(PHOTOS)[:-60],
    "a wrong count": lambda: zipped({"T/a.png": png()}),
    "damaged deflate": lambda: spoiled(zipped(NOISE), 0.5),
    "damaged LZMA in a zip": lambda: spoiled(zipped(NOISE, zipfile.ZIP_LZMA), 0.5),
    "damaged bzip2 in a zip": lambda: spoiled(zipped(NOISE, zipfile.ZIP_BZIP2), 0.5),
    "damaged xz": lambda: spoiled(tarred(NOISE, "xz"), 0.5),
    "damaged bz2": lambda: spoiled(tarred(NOISE, "bz2"), 0.5),
    "damaged gz": lambda: spoiled(tarred(NOISE, "gz"), 0.5),
    "a tar cut off": lambda: tarred(NOISE)[:70_000],
    "a name that is no UTF-8, tar": lambda: tarred({"T/caf\udce9.png": png(), "T/b.png": png(1)}),
    "a name that is no UTF-8, zip": lambda: zipped({"T/caf\u00e9.png": png(), "T/b.png": png(1)}).replace(
        "\u00e9".encode(), b"\xe9\xff"
    ),
    "a name with a line break": lambda: tarred({"T/a\nb.png": png(), "T/b.png": png(1)}),
    "a very long name": lambda: tarred({f"T/{'n' * 250}.png": png(), "T/b.png": png(1)}),
    "name twins": twins,
    "twins of one stem": lambda: zipped({"a.png": png(), "a.bmp": png(1)}),
    "a password": lambda: zipped(PHOTOS).replace(b"PK\x01\x02\x14\x03\x14\0\0\0", b"PK\x01\x02\x14\x03\x14\0\1\0"),
    "a bomb": lambda: zipped({"T/a.png": b"\0" * (80 << 20), "T/b.png": png()}),
    "a bomb beside the images": lambda: tarred({"x.bin": b"\0" * (80 << 20), **PHOTOS}, "gz"),
    "no image": lambda: bz2.compress(b"x"),
    "one file, packed": lambda: gzip.compress(png()),
    "an xz of no tar": lambda: lzma.compress(b"\0" * 5000),
}


def card(server, count: int | None = 2) -> Card:
    return Card(
        name="Tiny", title="t", loader="folder", count=count, licence="l", source="s", obtain="Ask.",
        downloads=(Download(url=f"{server.url}/tiny.zip"),),
    )  # fmt: skip


def left(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and path.suffix != ".lock")


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_archive_is_named_and_does_not_stick(kind: str, server, tmp_path: Path) -> None:
    """Catches a traceback, and an archive "not kept" that lies in the workshop and is taken again for ever."""
    server.files["/tiny.zip"] = BAD[kind]()
    with pytest.raises(Unavailable) as refused:
        fetch_card(card(server), [tmp_path])
    str(refused.value).encode("utf-8")  # it can be printed
    assert left(tmp_path) == []
    server.files["/tiny.zip"], server.etag = zipped({"a.png": png(), "b.png": png(1)}), '"mended"'
    fetch_card(card(server), [tmp_path])
    assert left(tmp_path) == ["Tiny/a.png", "Tiny/b.png"]


@pytest.mark.parametrize("pack", [zipped, lambda entries: tarred(entries, "xz")])
def test_an_archive_is_bounded_in_size_by_its_own_and_in_number(pack, tmp_path: Path, monkeypatch) -> None:
    """Catches an unpacker that believes the archive, and a bound that honest archives of photographs reach."""
    archive, target = tmp_path / "a.zip", tmp_path / "out"
    target.mkdir()
    archive.write_bytes(pack({f"{n}.png": png(n) for n in range(40)}))
    monkeypatch.setattr(bounds, "SPARE", 0)
    assert unpack_images(archive, target) == 40
    monkeypatch.setattr(bounds, "MOST_ENTRIES", 39)
    with pytest.raises(Unavailable, match="more than 39 files"):
        unpack_images(archive, target)
    monkeypatch.setattr(bounds, "MOST_ENTRIES", 40)
    archive.write_bytes(pack({"a.png": b"\0" * 2_000_000}))
    for path in target.iterdir():
        path.unlink()
    with pytest.raises(Unavailable, match="20 times its size"):
        unpack_images(archive, target)
    assert not list(target.iterdir())


def published(server, **download: str) -> PublishedCard:
    return PublishedCard(
        name="w", method="liif", label="x", display="X", title="t", source="s", file="w.pth", licence="l",
        obtain="Ask.", downloads=(WeightsDownload(url=f"{server.url}/w.zip", **download),),
    )  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        lambda: zipped({"w.pth": b"\0" * (80 << 20)}),
        lambda: spoiled(zipped({"w.pth": NOISE["T/0.png"]}, zipfile.ZIP_LZMA), 0.5),
        lambda: spoiled(zipped({"w.pth": NOISE["T/0.png"]}, zipfile.ZIP_BZIP2), 0.5),
        lambda: zipped({"other.pth": b"x"}),
        lambda: b"",
    ],
    ids=["bomb", "lzma", "bzip2", "absent", "empty"],
)
def test_a_bad_archive_of_weights_is_named_and_leaves_nothing(content, server, tmp_path: Path) -> None:
    """Catches a second unpacker without the bounds of the first."""
    server.files["/w.zip"] = content()
    with pytest.raises(Unavailable, match=r"w\.pth"):
        fetch_weights(published(server, member="w.pth"), root=tmp_path)
    assert left(tmp_path) == []


def redirecting(server, monkeypatch, place: str) -> None:
    """https://safe.example answers with a redirect; everything else is asked as it is."""
    get = requests.get

    def ask(url: str, **options: object) -> requests.Response:
        if not url.startswith("https://"):
            return get(url, **options)  # type: ignore[arg-type]
        answer = requests.Response()
        answer.status_code, answer.url = 302, url
        answer.headers["Location"] = place
        answer.raw = io.BytesIO()
        return answer

    monkeypatch.setattr(transfer.requests, "get", ask)


def test_a_redirect_from_https_to_http_is_refused_without_a_checksum(server, tmp_path: Path, monkeypatch) -> None:
    """Catches bytes that anyone on the way may have made; the insecure server is not even asked."""
    server.files["/f.bin"] = b"x" * 100
    redirecting(server, monkeypatch, f"{server.url}/f.bin")
    part, target = tmp_path / "f.part", tmp_path / "f.bin"
    for digits in ("", "4fb2"):
        with pytest.raises(Unavailable, match="from https to http"):
            ResumingDownloader(part, sha256=digits)("https://safe.example/f.bin", target, None)
    assert not server.requests
    digest = "09ecb6ebc8bcefc733f6f2ec44f791abeed6a99edf0cc31519637898aebd52d8"
    ResumingDownloader(part, sha256=digest)("https://safe.example/f.bin", target, None)
    assert target.read_bytes() == b"x" * 100


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:text/plain,x"])
def test_a_redirect_to_something_else_than_the_web_is_refused(place: str, server, tmp_path, monkeypatch) -> None:
    """Catches a library that opens whatever it is told to."""
    redirecting(server, monkeypatch, place)
    with pytest.raises(Unavailable, match="no web address"):
        ResumingDownloader(tmp_path / "p", sha256="0" * 64)("https://safe.example/f", tmp_path / "f", None)


def test_redirects_that_never_end_end(server, tmp_path, monkeypatch) -> None:
    """Catches a circle of redirects."""
    redirecting(server, monkeypatch, "https://safe.example/again")
    with pytest.raises(Unavailable, match="redirects"):
        ResumingDownloader(tmp_path / "p")("https://safe.example/f", tmp_path / "f", None)


@pytest.fixture
def dripping(server, monkeypatch) -> Callable[[bytes], None]:
    """The server sends a head, and then one byte at a time; or drips the head as well."""
    monkeypatch.setattr(transfer, "PATIENCE", 0.6)

    def use(head: bytes) -> None:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            server.requests.append((handler.path, None))
            try:
                handler.wfile.write(head)
                for _ in range(100):
                    handler.wfile.write(b"x")
                    time.sleep(0.05)
            except OSError:
                pass
            handler.close_connection = True

        server.answer = answer

    return use


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: "])
def test_a_server_that_drips_is_left_after_a_bounded_time(head: bytes, server, dripping, tmp_path: Path) -> None:
    """Catches a timeout per byte, under which one byte in five seconds holds a download for days."""
    dripping(head)
    with pytest.raises(Unavailable, match="less than 16 KiB in"):
        ResumingDownloader(tmp_path / "p", attempts=2, connect=0.3)(f"{server.url}/f", tmp_path / "f", None)
    assert len(server.requests) == 2
    assert not (tmp_path / "f").exists()


def test_metrics_weights_and_sets_all_wait_no_longer(server, dripping, tmp_path: Path, monkeypatch) -> None:
    """Catches a downloader of its own beside the bounded one."""
    dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    monkeypatch.setenv("ASSR_BENCH_DOWNLOAD", "1")
    file = WeightsFile("checkpoints/x-00000000.pth", f"{server.url}/x-00000000.pth")
    for fetch in (
        lambda: fetch_card(card(server), [tmp_path]),
        lambda: fetch_weights(published(server), root=tmp_path),
        lambda: obtain(file, tmp_path / "torch"),
    ):
        with pytest.raises(Unavailable, match="less than 16 KiB in"):
            fetch()
