"""Fetching from a server on this machine: resume, checksum, archives, and what is left behind when it fails."""

from __future__ import annotations

import hashlib
import io
import socket
import tarfile
import zipfile

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

import bench.data.fetch as fetch_module
from bench.api import RequestError, Unavailable
from bench.data.cards import Card, Download, cards
from bench.data.fetch import fetch, fetch_card
from bench.data.verify import verify
from bench.download import ResumingDownloader

BLOCK = 1 << 14


def png(seed: int, mode="RGB") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (160, 160, 3), dtype=np.uint8)).convert(mode).save(
        stream, "PNG"
    )
    return stream.getvalue()


def zipped(names, folder="Tiny/HR/") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for seed, name in enumerate(names):
            packed.writestr(f"{folder}{name}", png(seed))
        packed.writestr("Tiny/LR/a.png", png(9))
        packed.writestr("readme.txt", "x")
    return stream.getvalue()


def card(server, name="Tiny", count=2, **download):
    values = {"url": f"{server.url}/tiny.zip", "member": "Tiny/HR", **download}
    return Card(
        name=name, title="t", loader="folder", count=count, licence="l", source="s", obtain="Ask.",
        downloads=(Download(**values),),
    )  # fmt: skip


def sha(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def left(root):
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file() and p.suffix != ".lock")


def test_a_zip_is_unpacked_checked_and_moved_into_place(server, tmp_path):
    server.files["/tiny.zip"] = body = zipped(["a.png", "b.png"])
    seen = []
    found = fetch_card(
        card(server, sha256=sha(body)), [tmp_path], progress=lambda name, done, total: seen.append((name, done, total))
    )
    assert left(tmp_path) == ["Tiny/a.png", "Tiny/b.png"]
    assert (found.already, found.folder) == (False, tmp_path / "Tiny")
    assert seen[-1] == ("tiny.zip", len(body), len(body))
    assert (tmp_path / "Tiny" / "a.png").read_bytes() == png(0)


def test_a_second_fetch_asks_nobody(server, tmp_path):
    server.files["/tiny.zip"] = zipped(["a.png", "b.png"])
    fetch_card(card(server), [tmp_path])
    asked = len(server.requests)
    assert fetch_card(card(server), [tmp_path]).already
    assert len(server.requests) == asked


def test_an_interruption_is_resumed_at_its_byte(server, tmp_path):
    server.files["/tiny.zip"] = body = zipped(["a.png", "b.png"])
    server.cut["/tiny.zip"] = [50_000, 40_000]
    fetch_card(card(server, sha256=sha(body)), [tmp_path])
    starts = [int(wanted.removeprefix("bytes=").rstrip("-")) for _, wanted in server.requests if wanted]
    assert len(server.requests) == 3
    assert len(starts) == 2
    assert 0 <= 50_000 - starts[0] < BLOCK
    assert 0 <= starts[0] + 40_000 - starts[1] < BLOCK
    assert left(tmp_path) == ["Tiny/a.png", "Tiny/b.png"]


def test_after_giving_up_the_next_call_goes_on(server, tmp_path):
    server.files["/tiny.zip"] = zipped(["a.png", "b.png"])
    server.cut["/tiny.zip"] = [2 * BLOCK, BLOCK, BLOCK]
    with pytest.raises(Unavailable, match=f"{4 * BLOCK} bytes are kept, and the same command goes on"):
        fetch_card(card(server), [tmp_path])
    assert not (tmp_path / "Tiny").exists()
    fetch_card(card(server), [tmp_path])
    assert server.requests[-1][1] == f"bytes={4 * BLOCK}-"
    assert left(tmp_path) == ["Tiny/a.png", "Tiny/b.png"]


def test_a_file_that_changed_meanwhile_is_not_glued_together(server, tmp_path):
    server.files["/tiny.zip"] = zipped(["old.png", "b.png"])
    server.cut["/tiny.zip"] = [2 * BLOCK, BLOCK, BLOCK]
    with pytest.raises(Unavailable):
        fetch_card(card(server), [tmp_path])
    server.files["/tiny.zip"], server.etag = zipped(["new.png", "b.png"]), '"two"'
    fetch_card(card(server), [tmp_path])
    assert left(tmp_path) == ["Tiny/b.png", "Tiny/new.png"]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_server_without_versions_or_ranges_starts_over(server, tmp_path, ranges):
    server.files["/tiny.zip"] = zipped(["a.png", "b.png"])
    server.etag, server.ranges = ("", True) if ranges else ('"one"', False)
    server.cut["/tiny.zip"] = [3 * BLOCK]
    fetch_card(card(server), [tmp_path])
    assert left(tmp_path) == ["Tiny/a.png", "Tiny/b.png"]


def test_a_part_that_is_whole_already_is_taken(server, tmp_path):
    server.files["/f.bin"] = body = b"x" * 5000
    part = tmp_path / "f.part"
    part.write_bytes(body)
    ResumingDownloader(part, sha256=sha(body))(f"{server.url}/f.bin", tmp_path / "f.bin", None)
    assert (tmp_path / "f.bin").read_bytes() == body
    part.write_bytes(body + b"more")
    ResumingDownloader(part, sha256=sha(body))(f"{server.url}/f.bin", tmp_path / "f.bin", None)
    assert (tmp_path / "f.bin").read_bytes() == body


def test_a_wrong_checksum_leaves_nothing(server, tmp_path):
    server.files["/tiny.zip"] = zipped(["a.png", "b.png"])
    with pytest.raises(Unavailable, match="expected sha256 0000"):
        fetch_card(card(server, sha256="0" * 64), [tmp_path])
    assert left(tmp_path) == []


def test_a_set_of_another_count_leaves_nothing(server, tmp_path):
    server.files["/tiny.zip"] = zipped(["a.png", "b.png", "c.png"])
    with pytest.raises(Unavailable, match="is not Tiny: 3 images, expected 2"):
        fetch_card(card(server), [tmp_path])
    assert not (tmp_path / "Tiny").exists()


def test_other_pixels_than_the_manifest_are_refused(server, tmp_path, monkeypatch):
    names = ["baby.png", "bird.png", "butterfly.png", "head.png", "woman.png"]
    server.files["/tiny.zip"] = zipped(names)
    fake = card(server, name="Set5", count=5).model_copy(update={"manifest": "Set5"})
    with pytest.raises(Unavailable, match=r"other pixels: baby\.png"):
        fetch_card(fake, [tmp_path])
    assert not (tmp_path / "Set5").exists()


def test_an_error_page_is_not_an_archive(server, tmp_path):
    server.files["/tiny.zip"] = b"<html>please log in</html>"
    with pytest.raises(Unavailable, match="not a zip or tar archive"):
        fetch_card(card(server), [tmp_path])
    assert left(tmp_path) == []


def test_a_moved_address_and_an_unreachable_host_are_said(server, tmp_path):
    with pytest.raises(Unavailable, match="answers 404"):
        fetch_card(card(server), [tmp_path])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Unavailable, match="refuses the connection"):
        fetch_card(card(server, url=f"http://127.0.0.1:{port}/tiny.zip"), [tmp_path])
    assert left(tmp_path) == []


@pytest.mark.parametrize("name", ["../../evil.png", "/evil.png", "Tiny\\evil.png"])
def test_a_path_that_leaves_its_folder_is_not_unpacked(server, tmp_path, name):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as packed:
        info = tarfile.TarInfo(name)
        info.size = len(png(0))
        packed.addfile(info, io.BytesIO(png(0)))
    server.files["/tiny.tgz"] = stream.getvalue()
    with pytest.raises(Unavailable, match="leaves its folder"):
        fetch_card(card(server, url=f"{server.url}/tiny.tgz", member=""), [tmp_path / "root"])
    assert not list(tmp_path.rglob("*evil*"))


def test_links_in_a_tar_are_never_written(server, tmp_path):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as packed:
        link = tarfile.TarInfo("Tiny/link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        packed.addfile(link)
        info = tarfile.TarInfo("./Tiny/a.png")
        info.size = len(png(0))
        packed.addfile(info, io.BytesIO(png(0)))
    server.files["/tiny.tar"] = stream.getvalue()
    fetch_card(card(server, count=1, url=f"{server.url}/tiny.tar", member="Tiny"), [tmp_path])
    assert left(tmp_path) == ["Tiny/a.png"]


def test_single_images_are_fetched_one_by_one(server, tmp_path):
    server.files = {f"/{name}.png": png(seed) for seed, name in enumerate("ab")}
    one = card(server)
    files = tuple(Download(url=f"{server.url}/{n}.png", sha256=sha(server.files[f"/{n}.png"])) for n in "ab")
    fetch_card(one.model_copy(update={"downloads": files}), [tmp_path])
    assert left(tmp_path) == ["Tiny/a.png", "Tiny/b.png"]


def test_an_archive_is_kept_while_another_set_needs_it(server, tmp_path, monkeypatch):
    server.files["/tiny.zip"] = zipped(["a.png", "b.png"])
    first, second = card(server), card(server, name="Small", count=1, member="Tiny/LR")
    monkeypatch.setattr(fetch_module, "cards", lambda: {"Tiny": first, "Small": second})
    fetch("tiny", data_root=tmp_path)
    fetch("small", data_root=tmp_path)
    assert len(server.requests) == 1
    assert left(tmp_path) == ["Small/a.png", "Tiny/a.png", "Tiny/b.png"]


def test_a_half_set_in_the_way_is_not_overwritten(server, tmp_path):
    (tmp_path / "Tiny").mkdir()
    (tmp_path / "Tiny" / "mine.png").write_bytes(png(5))
    with pytest.raises(RequestError, match=r"(?s)has 2 images, but .* holds 1.*first move .*Tiny away"):
        fetch_card(card(server), [tmp_path])
    assert left(tmp_path) == ["Tiny/mine.png"]


def test_two_fetches_of_one_set_do_not_meet(server, tmp_path):
    (tmp_path / ".fetch").mkdir()
    with FileLock(tmp_path / ".fetch" / "Tiny.lock"), pytest.raises(RequestError, match="another process is fetching"):
        fetch_card(card(server), [tmp_path])


def test_a_root_that_cannot_be_written_is_named(server, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(RequestError, match=r"cannot write below .*file"):
        fetch_card(card(server), [tmp_path / "file"])


def test_a_set_without_an_address_says_where_to_ask(tmp_path):
    with pytest.raises(Unavailable, match="no address to download DIV8K"):
        fetch("div8k", data_root=tmp_path)
    with pytest.raises(RequestError, match="Did you mean 'Kodak24'"):
        fetch("kodak42", data_root=tmp_path)
    assert fetch("sample", data_root=tmp_path)[0].already


@pytest.mark.reference
def test_verify_accepts_the_same_pixels_in_another_file(tmp_path, reference_root):
    folder = tmp_path / "Set5"
    folder.mkdir()
    for path in (reference_root / "data" / "test" / "Set5").iterdir():
        Image.open(path).save(folder / f"{path.stem}.{'bmp' if path.stem == 'bird' else 'png'}", compress_level=1)
    (found,) = verify("set5", data_root=tmp_path)
    assert found.ok
    assert len(found.recoded) == 5
    changed = np.array(Image.open(folder / "head.png"))
    changed[0, 0, 0] ^= 1
    Image.fromarray(changed).save(folder / "head.png")
    (folder / "baby.png").write_bytes(b"")
    (folder / "woman.png").rename(folder / "lady.png")
    (found,) = verify("Set5", data_root=tmp_path)
    assert not found.ok
    assert found.different == ("head.png",)
    assert (found.missing, found.unexpected) == (("woman",), ("lady.png",))
    assert found.unreadable[0].startswith("baby.png")


def test_the_embedded_set_is_the_one_that_was_described():
    (found,) = verify("sample")
    assert found.ok
    assert found.checked
    assert cards()["sample"].count == found.count
