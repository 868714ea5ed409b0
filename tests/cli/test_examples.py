"""The recipes of docs/examples, each against a stand-in that takes the program's arguments and writes its names.

A stand-in enlarges by MATLAB's bicubic, so the row of a recipe has to have the numbers of the method `bicubic`: another
image, scale or size under a name shows at once.
"""

from __future__ import annotations

import csv
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.imaging import read_image, write_png
from bench.imaging.resize import imresize_u8

PAGES = Path(__file__).parents[2] / "docs" / "examples"
FAST = ["--metrics", "psnr", "--workers", "0"]

_HEAD = """
import argparse, sys
from pathlib import Path
import numpy as np
from bench.imaging import read_image, write_png
from bench.imaging.resize import imresize
def enlarge(source, target, height, width):
    sr = imresize(read_image(source).pixels.astype(np.float64), (height, width))
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    write_png(Path(target), np.clip(np.floor(sr + 0.5), 0, 255).astype(np.uint8))
def sides(source):
    return read_image(source).pixels.shape[:2]
def arguments(*names, **kinds):
    parser = argparse.ArgumentParser()
    for name in names:
        parser.add_argument(name, **kinds.get(name.strip("-"), {}))
    return parser.parse_args()
"""
_DEMO = """
args = arguments("--input", "--model", "--scale", "--output", "--gpu")
height, width = (side * int(args.scale) for side in sides(args.input))
enlarge(args.input, args.output, height, width)
"""
_THERA = """
args = arguments("in_file", "out_file", "--scale", "--size", "--checkpoint", "--no-ensemble",
                 size={"type": int, "nargs": 2}, **{"no-ensemble": {"action": "store_true"}})
enlarge(args.in_file, args.out_file, *args.size)
"""
_GSASR = """
import math
args = arguments("--input_img_path", "--save_sr_path", "--scale", "--model", scale={"type": float})
for path in Path(args.input_img_path).iterdir():
    height, width = (math.floor(side * args.scale) for side in sides(path))
    name = f"{path.stem}_{args.model}{path.suffix}"
    enlarge(path, Path(args.save_sr_path) / args.model / f"x{args.scale}" / name, height, width)
"""
_ARBSR = """
args = arguments("--dir_img", "--sr_size", "--resume", "--n_GPUs")
height, width = (int(float(side)) for side in args.sr_size.split("+"))
assert all(1 < new / old <= 4 for new, old in zip((height, width), sides(args.dir_img)))
enlarge(args.dir_img, f"experiment/quick_test/results/{height}x{width}.png", height, width)
"""
_LINF = """
import os, yaml
args = arguments("--config", "--model", "--sample", "--name", sample={"type": int})
config = yaml.safe_load(open(args.config))
scale = int(config["eval_type"].split("-")[1])
spec = config["test_dataset"]["dataset"]["args"]
for index, name in enumerate(sorted(os.listdir(spec["root_path_1"]))[:args.sample]):
    height, width = sides(os.path.join(spec["root_path_2"], name))
    target = f"sample/{args.name}/{801 + index}x{scale}_zero.png"
    enlarge(os.path.join(spec["root_path_1"], name), target, height, width)
"""
_CIAOSR = """
import runpy
args = arguments("config", "checkpoint", "--save-path")
test = runpy.run_path(args.config)["data"]["test"]
for path in Path(test["lq_folder"]).iterdir():
    height, width = sides(Path(test["gt_folder"]) / path.name)
    assert (height, width) == tuple(side * test["scale"] for side in sides(path))
    enlarge(path, Path(args.save_path) / path.name, height, width)
"""
_CIAOSR_CONFIG = """
val_scale = 4   #TODO
data_type = 'Urban100'  #TODO {Set5, Set14}
data_dir = "data"
lq_path = f'{data_dir}/Classical/' + data_type + '/LRbicx'+str(val_scale)
gt_path = f'{data_dir}/Classical/' + data_type + '/GTmod12'
data = dict(test=dict(lq_folder=lq_path, gt_folder=gt_path, scale=val_scale, filename_tmpl='{}'))
"""
_METASR = """
args = arguments("--model", "--test_only", "--save_results", "--data_test", "--scale", "--save",
                 test_only={"action": "store_true"}, save_results={"action": "store_true"})
for scale in map(float, args.scale.split("+")):
    for path in Path(f"benchmark/{args.data_test}/LR_bicubic/X{scale:.2f}").iterdir():
        start = f"experiment/{args.save}/results/{path.stem}_x{scale}_"
        height, width = (int(side * scale) for side in sides(path))
        enlarge(path, start + "SR.png", height, width)
        enlarge(path, start + "LR.png", *sides(path))
        write_png(Path(start + "HR.png"), read_image(Path(args.data_test) / path.name).pixels)
"""
_LERF = """
args = arguments("--expDir", "--testDir", "--resultRoot", "--lutName")
for scale in (2, 3, 4):
    pair = f"X{scale:.2f}_{scale:.2f}"
    for path in Path(args.testDir, "Set5", "LR_bicubic", "rrLR_" + pair).iterdir():
        start = f"{args.resultRoot}/{args.expDir.split('/')[-1]}/{pair}/Set5/{path.stem}"
        height, width = (side * scale for side in sides(path))
        enlarge(path, f"{start}_{args.lutName}.png", height, width)
        enlarge(path, f"{start}_lr.png", *sides(path))
        write_png(Path(f"{start}_gt.png"), read_image(Path("Set5") / path.name).pixels)
        np.save(f"{start}_{args.lutName}_hyper.npy", np.zeros(2))
"""

COMMANDS = {
    "lte": ("LTE", {"demo.py": _DEMO}),
    "srno": ("SRNO", {"demo.py": _DEMO}),
    "thera": ("Thera", {"super_resolve.py": _THERA}),
    "gsasr": ("GSASR", {"inference_paper_benchmark.py": _GSASR}),
    "arbsr": ("ArbSR", {"quick_test.py": _ARBSR}),
    "linf": ("LINF", {"test.py": _LINF}),
    "ciaosr": ("CiaoSR", {"tools/test.py": _CIAOSR}),
}
IMPORTS = {"metasr": ("results", "main.py", _METASR), "lerf": ("lerf-lut", "resample/eval_lut_sr.py", _LERF)}


@pytest.fixture
def set5(photos: Path, newcomer: Path) -> Path:
    """A folder `Set5` of three images whose names begin alike and whose sides 2, 3 and 4 divide."""
    folder = newcomer / "Set5"
    folder.mkdir()
    for path, name in zip(sorted(photos.iterdir()), ("img", "img2", "bird"), strict=True):
        write_png(folder / f"{name}.png", read_image(path).pixels[:, :60])
    return folder


def commands(page: str) -> list[list[str]]:
    """The lines of a page that a reader types, word by word."""
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    lines = "\n".join(re.findall(r"^```bash\n(.*?)^```", text, re.DOTALL | re.MULTILINE)).splitlines()
    lines = [line.removeprefix("PYTHONPATH=. ").replace("path/to/Set5", "./Set5") for line in lines]
    return [[re.sub(r"(^|=)python(?=$| )", rf"\1{sys.executable}", word) for word in shlex.split(x)] for x in lines]


def lay_stand_ins(page: str, here: Path, programs: dict[str, str]) -> None:
    """The stand-ins, and the wrappers of the page under the names that their first lines say."""
    for name, code in programs.items():
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(_HEAD + code)
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    for block in re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        name = re.match(r"# (\w+\.py)", block)
        assert name is not None
        (here / name[1]).write_text(block)


def values(run: Path) -> dict[str, dict[tuple[str, str], float]]:
    """Row -> (scale, image) -> PSNR."""
    found: dict[str, dict[tuple[str, str], float]] = {}
    with (run / "records.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            found.setdefault(row["method"] if row["variant"] == "-" else row["variant"], {})[
                row["scale"], row["image"]
            ] = float(row["value"])
    return found


@pytest.mark.parametrize("page", COMMANDS)
def test_a_recipe_gives_each_image_the_result_of_its_program(
    bench: Callable, set5: Path, newcomer: Path, page: str
) -> None:
    """Catches a recipe that no longer fits the program's arguments or names, or hands results to other images."""
    row, programs = COMMANDS[page]
    lay_stand_ins(page, newcomer, programs)
    if page == "ciaosr":
        (newcomer / "configs").mkdir()
        (line,) = commands(page)
        config = next(word for text in line for word in text.split() if word.startswith("configs/"))
        (newcomer / config).write_text(_CIAOSR_CONFIG)
    (line,) = commands(page)
    assert line[0] == "bench"
    done = bench(*line[1:], *FAST, "--out", "run")
    assert done.code == 0, done.err
    got = values(newcomer / "run")
    assert len(got["bicubic"]) == 3 * len(line[line.index("--scales") + 1].split(","))
    assert got[row] == pytest.approx(got["bicubic"], abs=0.02)


@pytest.mark.parametrize("page", IMPORTS)
def test_a_recipe_that_imports_scores_the_results_alone(bench: Callable, set5: Path, newcomer: Path, page: str) -> None:
    """Catches inputs and references beside the results that are scored, and a scale read wrongly from its name."""
    row, program, code = IMPORTS[page]
    lay_stand_ins(page, newcomer, {program: code})
    for scale in (2, 3, 4):
        folder = f"X{scale:.2f}" if page == "metasr" else f"rrLR_X{scale:.2f}_{scale:.2f}"
        base = newcomer / ("benchmark" if page == "metasr" else "data/rrBenchmark") / "Set5" / "LR_bicubic" / folder
        for path in set5.iterdir():
            hr = read_image(path).pixels
            base.mkdir(parents=True, exist_ok=True)
            write_png(base / path.name, imresize_u8(hr, (hr.shape[0] // scale, hr.shape[1] // scale)))
    first, second = commands(page)
    subprocess.run(first, check=True, cwd=newcomer)
    done = bench(*second[1:], *FAST)
    assert done.code == 0, done.err
    protocol, out = (second[second.index(option) + 1] for option in ("--protocol", "--out"))
    got = values(newcomer / out)
    assert list(got) == [row]
    scales = ",".join(sorted({scale for scale, _ in got[row]}))
    assert scales == ("2,3" if page == "metasr" else "2,3,4")
    assert len(got[row]) == 3 * len(scales.split(","))
    words = ["--methods", "bicubic", "--datasets", "./Set5", "--scales", scales, "--protocol", protocol, *FAST]
    assert bench("run", *words, "--out", "bicubic").code == 0
    assert got[row] == pytest.approx(values(newcomer / "bicubic")["bicubic"], abs=0.05)


def test_ciaosr_refuses_scales_at_which_the_code_would_make_lr_by_itself(
    bench: Callable, set5: Path, newcomer: Path
) -> None:
    _, programs = COMMANDS["ciaosr"]
    lay_stand_ins("ciaosr", newcomer, programs)
    (line,) = commands("ciaosr")
    line[line.index("--scales") + 1] = "6"
    done = bench(*line[1:], *FAST, "--out", "run")
    assert done.code == 1
    assert "reads LR files at x2, x3 and x4 only" in done.err


def test_the_index_names_every_page_and_the_tests_run_each() -> None:
    pages = {path.stem for path in PAGES.glob("*.md")} - {"index"}
    named = set(re.findall(r"\]\((\w+)\.md\)", (PAGES / "index.md").read_text(encoding="utf-8")))
    assert named == pages == {*COMMANDS, *IMPORTS}
