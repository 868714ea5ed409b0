"""2,000 mutated inputs, the same in every run: images, weights, cards, records, options. Each is read or refused with a
sentence; nothing else may come of it.

Files are spoiled byte by byte, cut, doubled and spliced; texts also lose and change their values, which keeps them
readable long enough to reach the checks behind the parser.
"""

from __future__ import annotations

import io
import json
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save

from bench.api import BenchError, CellId, Output, Record, Score, UnitStatus
from bench.api.run import RunManifest
from bench.api.yaml_model import read_yaml
from bench.data.cards import read_card
from bench.data.unpack import unpack_images
from bench.engine.choice import choose_methods
from bench.engine.folder import CellFolder, StoredUnit, read_units
from bench.imaging import ImageError, LoadedImage, read_image
from bench.imaging.limit import VARIABLE
from bench.session.config import make_config
from bench.session.protocol_file import find_protocol, with_knobs
from bench.weights.published import PublishedCard
from bench.weights.reader import read_card as read_weights_card
from bench.weights.reader import read_weights

ROOT = Path(__file__).parents[2]
PIXELS = 2**22
"""Limit of an image here, so that a mutated header costs 12 MB at most."""
ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 1.5, 10**30, float("inf"), "", "x" * 5000, "../../evil", "a\0b", "=1", "\ud800"),
    *([], {}, [[]], {"a": {}}, "nan", "1e400", "٣", "-0", [1] * 50),
)


def spoiled(rng: random.Random, data: bytes) -> bytes:
    """The bytes with a few faults of one kind."""
    kind = rng.randrange(6)
    spot, length = rng.randrange(len(data)), rng.randrange(1, 40)
    if kind == 0:
        return data[:spot]
    if kind == 1:
        return data[:spot] + data[spot + length :]
    if kind == 2:
        return data[:spot] + data[spot : spot + length] + data[spot:]
    if kind == 3:
        return data[:spot] + rng.randbytes(length) + data[spot + length :]
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 8)):
        changed[rng.randrange(len(data) if kind == 4 else min(len(data), 64))] = rng.choice(
            (0, 255, rng.randrange(256))
        )
    return bytes(changed)


def changed(rng: random.Random, value: Any) -> Any:
    """Plain values with one of them, somewhere inside, gone, doubled or of another kind."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value))
        rest = {name: inner for name, inner in value.items() if name != key}
        if rng.random() < 0.1:
            return rest
        if rng.random() < 0.1:
            return {**value, "more": rng.choice(ODD)}
        return {**value, key: changed(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.7:
        spot = rng.randrange(len(value))
        return [*value[:spot], changed(rng, value[spot]), *value[spot + 1 :]]
    return rng.choice(ODD)


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


def said_by(act: Callable[[], object]) -> str:
    """The refusal of one call; "" where it was done. Any other exception passes, and fails the test."""
    try:
        act()
    except (BenchError, ImageError) as fault:
        assert str(fault)  # noqa: PT017 - what is raised is not known beforehand
        return str(fault)
    return ""


def pictures() -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)
    made: dict[str, Image.Image] = {
        "png": Image.fromarray(rgb),
        "palette.png": Image.fromarray(rgb).convert("P"),
        "rgba.png": Image.fromarray(np.dstack([rgb, rgb[..., :1]])),
        "gray16.png": Image.fromarray(rng.integers(0, 65536, (20, 24), dtype=np.uint16)),
        "bw.png": Image.fromarray(rgb).convert("1"),
        "jpg": Image.fromarray(rgb),
        "cmyk.jpg": Image.fromarray(rgb).convert("CMYK"),
        "bmp": Image.fromarray(rgb),
        "tif": Image.fromarray(rgb),
        "gray16.tif": Image.fromarray(rng.integers(0, 65536, (20, 24), dtype=np.uint16)),
        "webp": Image.fromarray(rgb),
    }
    formats = {"jpg": "JPEG", "tif": "TIFF"}
    found = {}
    for name, image in made.items():
        stream = io.BytesIO()
        kind = name.rpartition(".")[2]
        image.save(stream, formats.get(kind, kind.upper()))
        found[name] = stream.getvalue()
    return found


def png_of_any_header(rng: random.Random) -> bytes:
    """A PNG whose check sums are right and whose header and pixels are anything."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    side = lambda: rng.choice((0, 1, 7, 300, 2**16, 2**20, 2**20 + 1, 2**31 - 1, 2**32 - 1))  # noqa: E731
    header = struct.pack(">IIBBBBB", side(), side(), rng.choice((0, 1, 2, 4, 8, 16, 99)), *(rng.randrange(8),) * 4)
    extra = [chunk(rng.choice((b"acTL", b"eXIf", b"tRNS", b"PLTE", b"iCCP")), rng.randbytes(rng.randrange(30)))]
    parts = [chunk(b"IHDR", header[: rng.choice((13, 13, 13, 5))]), *extra, chunk(b"IDAT", zlib.compress(bytes(500)))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_mutated_images_are_read_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches any exception of a decoder that is not the one callers know; 900 files."""
    monkeypatch.setenv(VARIABLE, str(PIXELS))
    rng, originals = random.Random(1), pictures()
    outcomes = {"read": 0, "refused": 0}
    for number in range(900):
        name = rng.choice(list(originals))
        data = png_of_any_header(rng) if number % 5 == 0 else spoiled(rng, originals[name])
        path = tmp_path / f"i.{name.rpartition('.')[2]}"
        path.write_bytes(data)
        read: list[LoadedImage] = []
        alpha = rng.choice(("refuse", "white", "black"))
        said = said_by(lambda path=path, alpha=alpha, read=read: read.append(read_image(path, alpha=alpha)))
        assert str(path) in said or read[0].pixels.size <= 3 * PIXELS
        outcomes["refused" if said else "read"] += 1
    assert min(outcomes.values()) > 100, outcomes  # both ways are walked


def weights_files() -> dict[str, bytes]:
    tensors = {"body.weight": torch.arange(6.0).view(2, 3), "body.bias": torch.ones(2)}
    stream = io.BytesIO()
    torch.save({"params": tensors, "epoch": 3}, stream)
    old = io.BytesIO()
    torch.save(tensors, old, _use_new_zipfile_serialization=False)
    about = {"assr-bench": json.dumps({"format": 1, "method": "liif", "architecture": {"width": 8}})}
    return {"w.pth": stream.getvalue(), "o.pth": old.getvalue(), "w.safetensors": save(tensors, about)}


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_mutated_weights_are_read_or_refused(tmp_path: Path) -> None:
    """Catches torch's and safetensors' own exceptions, and code that is run; 200 files."""
    rng, originals = random.Random(2), weights_files()
    for _ in range(200):
        name = rng.choice(list(originals))
        path = tmp_path / name
        path.write_bytes(spoiled(rng, originals[name]))
        said = said_by(lambda path=path: read_weights(path))
        assert not said or str(path) in said
        assert "weights_only" not in said


def test_mutated_archives_are_unpacked_or_refused(tmp_path: Path) -> None:
    """Catches a decompressor's own exception, and a file outside the folder; 100 files."""
    import tarfile
    import zipfile

    rng, photo = random.Random(3), pictures()["png"]
    zipped, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in "abc":
            packed.writestr(f"T/{name}.png", photo)
    with tarfile.open(fileobj=tarred, mode="w:gz") as packed_tar:
        for name in "abc":
            info = tarfile.TarInfo(f"T/{name}.png")
            info.size = len(photo)
            packed_tar.addfile(info, io.BytesIO(photo))
    target = tmp_path / "in" / "out"
    target.mkdir(parents=True)
    for _ in range(100):
        path = tmp_path / "a.zip"
        path.write_bytes(spoiled(rng, rng.choice((zipped.getvalue(), tarred.getvalue()))))
        said = said_by(lambda path=path: unpack_images(path, target))
        assert not said or "a.zip" in said
        assert [child.name for child in target.parent.iterdir()] == ["out"]


def cards() -> list[tuple[Callable[[bytes, Path], object], Any]]:
    """What reads a card, and a card as plain values."""
    import yaml

    def weights(content: bytes, path: Path) -> object:
        path.with_suffix(".json").write_bytes(content)
        return read_weights_card(path.with_suffix(".safetensors"))

    def published(content: bytes, path: Path) -> object:
        return read_yaml(content, PublishedCard, where=path.name, what="a card")

    found: list[tuple[Callable[[bytes, Path], object], Any]] = []
    for file in sorted((ROOT / "datasets").glob("*.yaml")):
        found.append((lambda content, path: read_card(content, path.name), yaml.safe_load(file.read_text("utf-8"))))
    for file in sorted(ROOT.glob("methods/*/published/*.yaml")):
        found.append((published, yaml.safe_load(file.read_text("utf-8"))))
    for file in sorted(ROOT.glob("methods/*/weights/*.json")):
        found.append((weights, json.loads(file.read_text("utf-8"))))
    return found


def test_mutated_cards_are_read_or_refused(tmp_path: Path) -> None:
    """Catches a traceback for a card that somebody edited, or that means harm; 300 files."""
    rng, known = random.Random(4), cards()
    for number in range(300):
        read, values = rng.choice(known)
        # JSON is YAML as well
        content = encoded(changed(rng, values)) if number % 2 else spoiled(rng, json.dumps(values, indent=1).encode())
        said = said_by(lambda read=read, content=content: read(content, tmp_path / "card.yaml"))
        assert not said or "card." in said


def record_lines() -> Iterator[Record]:
    for number in range(3):
        output = Output(
            key="k" * 32, path=f"images/bicubic/Set5/x2-s0/i{number}.png", sha256="a" * 64, size=(20, 24), depth=8,
            lr_sha256="b" * 64, tile=None, seconds=0.25,
        )  # fmt: skip
        cell = CellId("bicubic", "", "Set5", 2.0, 0)
        scores = (Score("psnr", 30.5, "psnr|y601s|v1", "c" * 32, ""),)
        yield Record(cell, f"i{number}", UnitStatus.OK, output, scores, "", pair="p", origin="o", source="s", file="f")


def test_mutated_records_are_read_or_refused(tmp_path: Path) -> None:
    """Catches a traceback for one line of a run folder; 300 files."""
    rng, records = random.Random(5), list(record_lines())
    lines = [record.to_json().strip() for record in records]
    path, where = tmp_path / "x2-s0.jsonl", CellFolder(records[0].cell, "bicubic")
    for number in range(300):
        spot = rng.randrange(len(lines))
        one = encoded(changed(rng, json.loads(lines[spot]))) if number % 2 else spoiled(rng, lines[spot].encode())
        content = [line.encode() for line in lines]
        content[spot] = one
        path.write_bytes(b"\n".join(content) + b"\n")
        read: list[StoredUnit] = []
        said = said_by(lambda read=read: read.extend(read_units(path, where)))
        assert not said or str(path) in said
        stored = [unit.output.path for unit in read if unit.output is not None]
        assert not [place for place in stored if ".." in place or not place.startswith("images/")]
    for number in range(50):
        text = encoded(changed(rng, {"version": number % 4, "request": {}, "rows": []}))
        said = said_by(lambda text=text: RunManifest.from_json(text, "run.json"))
        assert not said or "run.json" in said


def test_mutated_tables_are_audited_or_refused(tmp_path: Path) -> None:
    """Catches the csv module's own errors, and a table of someone else that ends an audit; 100 files."""
    from bench.analysis.audit.reading import read_evidence

    rng = random.Random(7)
    header = "method,variant,dataset,image,scale,seed,metric,value"
    lines = [f"m{n},-,Set5,i{n % 5},2,0,psnr,{30 + n / 7:.2f}" for n in range(20)]
    text = "\n".join([header, *lines]) + "\n"
    hostile = [b"\0" * 50, b'"' * 3, b"x" * 200_000, text.encode("utf-16"), b"", header.encode()]
    for number in range(100):
        path = tmp_path / "t.csv"
        path.write_bytes(hostile[number] if number < len(hostile) else spoiled(rng, text.encode()))
        said = said_by(lambda path=path: read_evidence(str(path)))
        assert not said or "t.csv" in said


WORDS = (
    *("bicubic", "casr", "liif", "nobody", "", ",", "a=b=c", "2", "-1", "0", "nan", "inf", "1e400", "9" * 400, "٣"),
    *(
        "../..",
        "~nobody/x",
        "a\0b",
        "=cmd()",
        "casr.fixed=4,3",
        "x.y=",
        ".=",
        "psnr",
        "é" * 300,
        "\udcff",
        "{}",
        "[",
        "*",
    ),
)


def test_mutated_options_are_taken_or_refused() -> None:
    """Catches a traceback for what somebody typed; 200 requests, 200 options."""
    rng = random.Random(6)
    keys = ("methods", "scales", "datasets", "metrics", "seeds", "set", "limit", "workers", "tile", "alpha", "protocol")
    for _ in range(200):
        values: dict[str, Any] = {"methods": "bicubic", "scales": "2"}
        for key in rng.sample(keys, rng.randrange(1, 4)):
            values[key] = rng.choice((rng.choice(WORDS), [rng.choice(WORDS), rng.choice(WORDS)], rng.choice(ODD)))
        said_by(lambda values=values: make_config(values).plain())
    names = ("casr", "casarbi", "cassr", "blind_assr", "liif", "lte", "precomputed", "command", "spandrel")
    protocol = find_protocol("sample")
    from bench.plugins import method_spec

    for number in range(200):
        name, word = rng.choice(names), str(rng.choice((*WORDS, *ODD)))
        if number % 4:
            key = rng.choice([*method_spec(name).options.model_fields, "nothing"])
            said_by(lambda name=name, key=key, word=word: choose_methods([name], overrides=[f"{name}.{key}={word}"]))
        else:
            knob = rng.choice(("shave", "scales", "crop", "lr_side", "aggregate", "x"))
            said_by(lambda knob=knob, word=word: with_knobs(protocol, {knob: word}))
