"""Wrong requests: exit code 2, what was expected and seen and what to type next, and nothing is left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

WRONG = {
    "method": (
        "run --methods bicubik --scales 2",
        ["unknown method 'bicubik'", "Did you mean 'bicubic'?", "bench methods"],
    ),
    "metric": ("run --methods bicubic --scales 2 --metrics psnrr", ["Did you mean 'psnr'?", "bench metrics"]),
    "dataset": ("run --methods bicubic --scales 2 --datasets Set55", ["Did you mean 'Set5'?", "bench datasets"]),
    "folder": (
        "run --methods bicubic --scales 2 --datasets ./Photo",
        ["no folder './Photo'", "Did you mean 'Photos'?"],
    ),
    "protocol": (
        "run --methods bicubic --scales 2 --protocol clasic-y",
        ["Did you mean 'classic-y'?", "bench protocols"],
    ),
    "method option": (
        "run --methods liif --scales 2 --set liif.chunks=9",
        ["Did you mean 'chunk'?", "bench methods liif"],
    ),
    "option of none": ("run --methods bicubic --scales 2 --set bicubic.x=1", ["'bicubic' takes no options", "x"]),
    "option of another": ("run --methods bicubic --scales 2 --set liif.chunk=9", ["not among the methods of this run"]),
    "option without a value": ("run --methods bicubic --scales 2 --set chunk", ["METHOD.OPTION=VALUE"]),
    "option of a wrong kind": ("run --methods liif --scales 2 --set liif.chunk=many", ["liif.chunk", "'many'"]),
    "option that is required": ("run --methods precomputed --scales 2", ["--set precomputed.folder=VALUE"]),
    "flag": ("run --methods bicubic --scales 2 --weight lite", ["No such option: --weight", "--weights"]),
    "command": ("rum", ["No such command 'rum'", "'run'"]),
    "scale 0": ("run --methods bicubic --scales 0", ["scale 0", "at least 1", "--scales 2,3.6,8"]),
    "scale -1": ("run --methods bicubic --scales -1", ["scale -1", "at least 1"]),
    "scale NaN": ("run --methods bicubic --scales 2,NaN", ["scale NaN", "at least 1"]),
    "scale inf": ("run --methods bicubic --scales inf", ["scale inf", "at least 1"]),
    "scale 8;12": ("run --methods bicubic --scales 8;12", ["'8;12' is not a scale", "separated by commas"]),
    "no scale": ("run --methods bicubic --scales ,", ["no scale given"]),
    "no method": ("run --methods , --scales 2", ["no method given"]),
    "seed": ("run --methods bicubic --scales 2 --seeds 0,x", ["--seeds 0,x", "--seeds 0,1,2"]),
    "device": ("run --methods bicubic --scales 2 --device gpu", ["device 'gpu'", "auto, cpu, cuda or cuda:N"]),
    "executor": ("run --methods bicubic --scales 2 --executor slurm", ["slurm", "local"]),
    "limit": ("run --methods bicubic --scales 2 --limit 0", ["--limit"]),
    "set that is not here": ("run --methods bicubic --scales 2 --datasets Set5", ["Set5", "bench data fetch Set5"]),
    "weights file": ("run --methods liif --scales 2 --weights my.pth", ["'my.pth'", "neither a shipped label (lite"]),
    "weights of none": ("run --methods bicubic --scales 2 --weights lite", ["none of bicubic takes weights"]),
    "plugin": ("run --methods bicubic --scales 2 --plugin my.py", ["my.py does not exist"]),
    "file as a dataset": (
        "run --methods bicubic --scales 2 --datasets Photos/p0.png",
        ["is a file", "folder of images"],
    ),
    "file as a run folder": ("run --methods bicubic --scales 2 --out Photos/p0.png", ["p0.png", "--out"]),
    "folder below a file": ("run --methods bicubic --scales 2 --out Photos/p0.png/run", ["Not a directory", "--out"]),
    "folder that cannot be": ("run --methods bicubic --scales 2 --out /proc/run", ["/proc/run", "--out"]),
    "table of nothing": ("table results/runs/none", ["no run folder", "--out folder of a finished"]),
    "table of another folder": ("table Photos", ["not a run folder", "run.json"]),
    "score of nothing": ("score none Photos --scale 1 --protocol sample", ["SR_FOLDER none is not a folder"]),
    "score against nothing": ("score Photos none --scale 1 --protocol sample", ["'none'", "no folder"]),
    "upscale of nothing": ("upscale bicubic none.png out.png --scale 2", ["none.png", "No such file"]),
    "upscale without a size": ("upscale bicubic Photos/p0.png out.png", ["either --scale", "or --size"]),
    "upscale with two sizes": (
        "upscale bicubic Photos/p0.png out.png --scale 2 --size 9x9",
        ["either --scale", "or --size"],
    ),
    "upscale to JPEG": ("upscale bicubic Photos/p0.png out.jpg --scale 2", ["out.jpg", "PNG", ".png"]),
    "upscale to no folder": ("upscale bicubic Photos/p0.png no/out.png --scale 2", ["folder no does not exist"]),
    "upscale to a strange size": ("upscale bicubic Photos/p0.png out.png --size 100", ["--size 100", "WIDTHxHEIGHT"]),
    "upscale to nothing": ("upscale bicubic Photos/p0.png out.png --size 0x10", ["--size 0x10", "WIDTHxHEIGHT"]),
    "upscale by an unknown method": ("upscale bicubik Photos/p0.png out.png --scale 2", ["Did you mean 'bicubic'?"]),
    "protocols of an unknown name": ("protocols clasic-y", ["Did you mean 'classic-y'?"]),
    "methods of an unknown name": ("methods bicubik", ["Did you mean 'bicubic'?"]),
}
"""name -> (the command, what the message must hold)."""


@pytest.mark.parametrize(("command", "expected"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_request_says_what_to_type_and_leaves_nothing(
    command: str, expected: list[str], bench: Callable, photos: Path, newcomer: Path
) -> None:
    words = command.split()
    defaults = ["--metrics", "psnr", "--datasets", "Photos", "--workers", "0"] if words[0] == "run" else []
    for name, value in zip(defaults[::2], defaults[1::2], strict=True):
        if name not in words:
            words += [name, value]
    done = bench(*words)
    assert (done.code, done.out) == (2, "")
    message = " ".join(done.err.replace("│", " ").split())
    assert [text for text in expected if text not in message] == [], message
    assert sorted(path.relative_to(newcomer).as_posix() for path in newcomer.rglob("*")) == [
        "Photos", "Photos/p0.png", "Photos/p1.png", "Photos/p2.png",
    ]  # fmt: skip


@pytest.mark.parametrize("option", ["--out", "--out=", "--data-root", "--protocol"])
def test_an_option_with_nothing_behind_it_is_refused(
    option: str, bench: Callable, photos: Path, newcomer: Path
) -> None:
    """Catches `--out "$OUT"` of an unset variable, which filled the current folder with a run."""
    words = [option] if option.endswith("=") else [option, ""]
    done = bench("run", "--methods", "bicubic", "--scales", 2, "--datasets", photos, "--metrics", "psnr", *words)
    assert (done.code, done.out) == (2, "")
    assert f"behind {option.rstrip('=')} is empty" in done.err
    assert not (newcomer / "run.json").exists()
    assert bench("table", "").code == 2


def test_two_images_of_one_name_are_refused_and_both_named(bench: Callable, photos: Path) -> None:
    (photos / "p1.jpg").write_bytes((photos / "p1.png").read_bytes())
    done = bench("run", "--methods", "bicubic", "--scales", 2, "--datasets", photos, "--metrics", "psnr")
    assert done.code == 2
    assert all(text in done.err for text in ("p1.jpg", "p1.png", "move one of them away"))


def test_the_command_alone_shows_its_help(bench: Callable) -> None:
    assert "Run methods on datasets at scales" in bench("-h").out
    assert "Usage: bench " in bench("run", "--help").out


def test_help_shows_no_holes_where_brackets_were(bench: Callable) -> None:
    for command in ("run", "score", "upscale", "table", "train", "methods", "datasets", "metrics", "protocols"):
        text = " ".join(bench(command, "--help").out.replace("│", " ").split())
        assert "extra ," not in text
        assert "extra )" not in text
