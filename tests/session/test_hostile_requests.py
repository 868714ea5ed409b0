"""Options, configurations and cards that are garbled or made to hurt: refused at once, with a sentence."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import pytest

import bench
from bench.ablation.files import read_ablation
from bench.ablation.record import read_record
from bench.api import RequestError
from bench.api.yaml_text import LARGEST, MOST, YamlError, load_yaml
from bench.data.cards import read_card
from bench.data.resolve import resolve_dataset
from bench.engine.choice import choose_methods
from bench.plugins import load_plugin
from bench.profile.measured import Profile
from bench.session.config import make_config, read_config
from bench.session.protocol_file import find_protocol, with_knobs
from bench.training.config import TrainConfig
from bench.training.config import read_config as read_training

ROOT = Path(__file__).parents[2]
_NEXT = "\n".join(f"{name}: &{name} [{', '.join(['*' + before] * 9)}]" for before, name in pairwise("abcdefghi"))
BOMB = f"a: &a [{', '.join(['lol'] * 9)}]\n{_NEXT}\n"
"""Nine levels of nine: 4 * 10^8 values in 500 bytes."""
MERGES = (
    "a: &a {x: 1}\n"
    + "\n".join(f"{name}: &{name} {{<<: [{', '.join(['*' + before] * 9)}]}}" for before, name in pairwise("abcdefghi"))
    + "\n"
)
"""The same through merge keys, which PyYAML itself expands while it reads."""
HOSTILE = {
    "a bomb": BOMB.encode(),
    "merge keys": MERGES.encode(),
    "an endless alias": b"a: &a [*a]",
    "Latin-1": "title: caf\u00e9".encode("latin-1"),
    "5000 digits": b"a: " + b"9" * 5000,
    "no such day": b"a: 2001-99-99",
    "half a list": b"a: [",
    "deep": b"[" * 20_000,
    "a list as a key": b"? [1, 2]\n: 3",
    "a tag that runs code": b'!!python/object/apply:os.system ["true"]',
    "no number": b"!!int x",
    "an empty number": b'!!int ""',
    "a NUL": b"a: \0",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_yaml_that_hurts_is_refused_at_once_with_one_line(kind: str) -> None:
    """Catches a loader that expands aliases, and any exception that is not the one that callers know."""
    with pytest.raises(YamlError) as refused:
        load_yaml(HOSTILE[kind])
    assert str(refused.value)
    assert "\n" not in str(refused.value)


def test_yaml_is_bounded_by_what_it_stands_for_and_by_its_length() -> None:
    """Catches a bound on the number of aliases, which a few large ones pass, and none at all on plain text."""
    half = f"a: &a [{', '.join(['1'] * (MOST // 2))}]\n"
    assert len(load_yaml(half)["a"]) == MOST // 2
    with pytest.raises(YamlError, match="aliases of aliases"):
        load_yaml(half + "b: [*a, *a]\n")
    with pytest.raises(YamlError, match="characters"):
        load_yaml("#" * (LARGEST + 1))
    assert load_yaml("base: &b {x: 1}\nmore: {<<: *b, y: 2}")["more"] == {"x": 1, "y": 2}


@pytest.mark.parametrize("kind", HOSTILE)
def test_every_file_of_yaml_answers_with_its_name(kind: str, tmp_path: Path) -> None:
    """Catches a reader of its own beside the bounded one: cards, requests, protocols, trainings, ablations."""
    path = tmp_path / "hostile.yaml"
    path.write_bytes(HOSTILE[kind])
    for read in (
        lambda: read_card(path.read_bytes(), path.name),
        lambda: read_config(path),
        lambda: find_protocol(str(path)),
        lambda: read_training(TrainConfig, path),
        lambda: read_ablation(path),
    ):
        with pytest.raises(RequestError, match=r"hostile\.yaml"):
            read()


@pytest.mark.parametrize("value", ["[", "9" * 5000, "2001-99-99", "!!python/name:os.system", "&a [*a]", "nan", ".inf"])
def test_a_value_behind_set_that_is_no_value_is_named(value: str, tmp_path: Path) -> None:
    """Catches the tracebacks of --set 'steps=[' and of a number of 5,000 digits."""
    path = tmp_path / "t.yaml"
    path.write_text("steps: 3\n")
    with pytest.raises(RequestError, match=r"steps|lr"):
        read_training(TrainConfig, path, [f"steps={value}"])
    with pytest.raises(RequestError, match="lr"):
        read_training(TrainConfig, path, [f"lr={value}"])
    with pytest.raises(RequestError, match="shave"):
        with_knobs(find_protocol("sample"), {"shave": value})


@pytest.mark.parametrize("name", ["~nobodyhere/x", "~nobodyhere/x::~nobodyhere/y", "::~nobodyhere/y"])
def test_a_home_folder_of_nobody_is_said(name: str) -> None:
    """Catches the RuntimeError of Path.expanduser."""
    with pytest.raises(RequestError, match="no user 'nobodyhere'"):
        resolve_dataset(name)


def test_every_path_of_a_request_may_name_nobody(tmp_path: Path) -> None:
    """Catches one place that still expands ~ by itself."""
    asked = {"methods": "bicubic", "scales": 2, "limit": 1, "metrics": "psnr", "workers": 0, "out": tmp_path / "run"}
    for change in (
        {"methods": "liif", "weights": "liif=~nobodyhere/w.pth"},
        {"plugin": [Path("~nobodyhere/p.py")]},
        {"protocol": "~nobodyhere/p.yaml"},
        {"methods": "precomputed", "set": ["precomputed.folder=~nobodyhere/sr"]},
        {"methods": "casr", "set": ["casr.sd_path=~nobodyhere/sd"]},
        {"weights_root": Path("~nobodyhere/w"), "metrics": "lpips"},
        {"data_root": Path("~nobodyhere/d"), "datasets": "Set5"},
    ):
        with pytest.raises(RequestError, match="nobodyhere"):
            bench.run(**{**asked, **change})
    assert not any(ROOT.glob("~*"))


@pytest.mark.parametrize(
    "item",
    [
        *(f"casr.fixed={factors}" for factors in ("0", "nan", "inf", "4,-3", "9", "1", "x", "4,,nan")),
        *("casr.s_max=inf", "cassr.s_max=inf", "cassr.cfg=inf", "command.timeout=inf", "lte.cell_clip=inf"),
        *(f"casr.tile={'9' * 5000}", "casarbi.rho=nan"),
    ],
)
def test_a_number_that_no_method_can_use_is_refused_before_loading(item: str) -> None:
    """Catches an option that is found wrong image by image, after minutes of loading."""
    name = item.partition(".")[0]
    more = ["command.run=x {input} {output}"] if name == "command" else []
    with pytest.raises(RequestError, match=rf"{name}\.\w+"):
        choose_methods([name], overrides=[item, *more])
    assert choose_methods(["casr"], overrides=["casr.fixed=4,3,1.5"])


@pytest.mark.parametrize("text", ["1" * 5000, "9" * 30, "1e9", "nan", "-1", "\u0663"])
def test_seeds_and_sizes_out_of_range_are_refused_before_any_work(text: str, tmp_path: Path) -> None:
    """Catches the OverflowError after all work, and a run folder that is then unusable."""
    for key in ("seeds", "limit", "workers", "tile"):
        if (key, text) == ("seeds", "\u0663"):
            continue  # an Arabic 3, which is a whole number
        with pytest.raises(RequestError, match=key):
            bench.run(**{"methods": "bicubic", "scales": 2, "out": tmp_path / "run", key: text})
    assert not (tmp_path / "run").exists()


def test_a_seed_is_read_as_it_is_written(tmp_path: Path) -> None:
    """Catches a seed 10 that nobody typed, out of 1_0."""
    with pytest.raises(RequestError, match="whole numbers"):
        bench.run(methods="bicubic", scales=2, out=tmp_path / "run", seeds="1_0")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["run.json", "records/bicubic/sample/x2-s0.jsonl", "ablation.json", "profile.json"])
def test_a_pipe_in_place_of_a_file_of_a_run_ends_in_words(name: str, tmp_path: Path) -> None:
    """Catches a reader that waits for the other end of a pipe for ever."""
    out = tmp_path / "run"
    if not name.startswith(("ablation", "profile")):
        bench.run(methods="bicubic", scales=2, datasets="sample", metrics="psnr", limit=1, workers=0, out=out)
        (out / name).unlink()
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(out / name)
    readers = {"ablation.json": read_record, "profile.json": Profile.read}
    with pytest.raises(RequestError, match=r"regular file|holds no ablation"):
        readers.get(name, bench.load)(out)


@pytest.mark.parametrize("key", ["out", "data_root", "weights_root", "plugin", "protocol"])
def test_an_empty_text_is_no_path_and_no_name(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a run into the current folder because a shell variable had no value."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError, match=key.replace("_", "[-_]")):
        bench.run(**{"methods": "bicubic", "scales": 2, "limit": 1, "out": "run", key: ""})
    assert not list(tmp_path.iterdir())


def test_paths_of_a_request_are_read_as_a_shell_reads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a folder called ~ beside the configuration that named it, and run.json failing in the middle."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert make_config({"methods": "bicubic", "scales": 2, "out": "~/runs/a"}).out == tmp_path / "runs" / "a"
    for out, words in (("~nobodyhere/x", "no user"), ("a\udc80", "no UTF-8 text")):
        with pytest.raises(RequestError, match=words):
            make_config({"methods": "bicubic", "scales": 2, "out": out})


@pytest.mark.parametrize(
    "text",
    [
        "methods: bicubic\nmethods: lanczos",
        "scales: 1:30",
        "seeds: 010",
        "limit: 1_0",
        "limit: 0x10",
        "a: {b: 1, b: 2}",
    ],
)
def test_what_two_people_read_as_two_values_is_no_configuration(text: str, tmp_path: Path) -> None:
    """Catches a scale of 90 out of 1:30, a seed of 8 out of 010, and the last of two lists of methods."""
    (tmp_path / "c.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(RequestError, match=r"is given twice; leave one out|expected a number in plain decimals"):
        read_config(tmp_path / "c.yaml")


def test_a_key_of_a_json_request_stands_once_and_numbers_are_numbers(tmp_path: Path) -> None:
    """Catches the last of two lists of methods, and one image out of `limit: true`."""
    (tmp_path / "c.json").write_text('{"methods": "bicubic", "methods": "lanczos"}', encoding="utf-8")
    with pytest.raises(RequestError, match="'methods' is given twice"):
        read_config(tmp_path / "c.json")
    for key in ("limit", "workers", "tile", "procs"):
        with pytest.raises(RequestError, match=rf"--{key} True: expected a whole number"):
            make_config({"methods": "bicubic", "scales": 2, key: True})
    with pytest.raises(RequestError, match="NUL"):
        make_config({"methods": "bicubic", "scales": 2, "out": "a\0b"})


def test_a_plugin_that_never_ends_is_refused() -> None:
    """Catches a device that is read to its end, which fills the memory."""
    with pytest.raises(RequestError, match="regular file"):
        load_plugin("/dev/zero")


def test_a_configuration_that_never_ends_is_refused(tmp_path: Path) -> None:
    """Catches a pipe or a device that is read to its end."""
    os.mkfifo(tmp_path / "c.yaml")
    for path in (tmp_path / "c.yaml", Path("/dev/zero")):
        with pytest.raises(RequestError, match="regular file"):
            read_config(path)
    with pytest.raises(RequestError, match="regular file"):
        find_protocol(str(tmp_path / "c.yaml"))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"seeds": ' + "9" * 5000 + "}", "\xff", "NaN", '{"scales": NaN}'])
def test_a_request_as_json_that_hurts_is_refused(text: str, tmp_path: Path) -> None:
    """Catches a RecursionError, and a ValueError of Python's own limit of digits."""
    path = tmp_path / "r.json"
    path.write_bytes(text.encode("latin-1"))
    asked = {"methods": "bicubic", "scales": 2, "out": tmp_path / "run"}
    with pytest.raises(RequestError):
        bench.run(**{**asked, **read_config(path)})


def test_a_large_folder_as_a_set_is_looked_at_no_deeper_than_a_layout_reaches(tmp_path: Path, monkeypatch) -> None:
    """Catches a walk through everything below `--datasets .`: each folder that is listed is counted."""
    for top in range(40):
        for below in range(20):
            (tmp_path / f"d{top}" / f"e{below}" / "f").mkdir(parents=True)
    listed: list[str] = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path=".": (listed.append(str(path)), scandir(path))[1])
    with pytest.raises(RequestError, match="no image in"):
        resolve_dataset(tmp_path)
    assert not [path for path in listed if "/e" in path.removeprefix(str(tmp_path))]
