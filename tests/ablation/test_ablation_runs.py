"""`bench ablate` as it is typed: what is computed, what is not computed again, and the table."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ablation.conftest import GAINS, write_gains
from tests.cli.conftest import untimed

Calls = Callable[[], list[str]]
WORDS = ("ablate", "up/gains", "--plugin", "up.py", "--out", "run", "--workers", "0")


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "ablation.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _measured(text: str) -> list[str]:
    """The lines of the table and below it, without the progress."""
    return text[text.index("Gains (Up)") :].splitlines()


@pytest.mark.usefixtures("up", "photos")
def test_one_more_variant_computes_only_that(bench, newcomer: Path, calls: Calls):
    """Catches rows whose identity is their place in the file, and a folder that is begun anew."""
    first = bench(*WORDS)
    assert first.code == 0, first.err
    assert sorted(calls()) == ["0.9"] * 3 + ["1"] * 3
    write_gains(newcomer, "half: {options: {gain: 0.5}}")
    assert bench(*WORDS).code == 0
    assert calls() == ["0.5"] * 3
    text = (newcomer / "ablations" / "up" / "gains.yaml").read_text()
    (newcomer / "ablations" / "up" / "gains.yaml").write_text(text.replace("gain: 0.9", "gain: 0.8"))
    assert bench(*WORDS).code == 0
    assert calls() == ["0.8"] * 3, "a variant that says something else is another one under the same name"


@pytest.mark.usefixtures("photos")
def test_killed_and_typed_again_gives_the_same_table(process, bench, up: Path, newcomer: Path, calls: Calls):
    """Catches a table over what was finished before the kill, and work that is done twice."""
    whole = bench(*WORDS[:-4], "--out", "whole", "--workers", "0")
    assert whole.code == 0
    calls()
    killed = process(*WORDS, env={"UP_DIES_AT": "4"})
    assert killed.code == -9
    assert len(calls()) == 4
    resumed = bench(*WORDS)
    assert resumed.code == 0, resumed.err
    assert len(calls()) == 3
    assert _measured(resumed.out)[:-1] == _measured(whole.out)[:-1]
    for name in ("ablation.csv", "ablation.tex", "ablation.md"):
        assert (newcomer / "run" / name).read_text() == (newcomer / "whole" / name).read_text()
    assert untimed(newcomer / "run" / "records.csv") == untimed(newcomer / "whole" / "records.csv")


@pytest.mark.usefixtures("up", "photos", "calls")
def test_differences_are_those_of_the_summary(bench, newcomer: Path):
    """Catches a difference that is taken the wrong way round, or against another row than the default."""
    done = bench(*WORDS)
    means = {}
    with (newcomer / "run" / "summary.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            means[row["variant"], row["metric"]] = float(row["mean"])
    rows = {(row["variant"], row["metric"]): row for row in _rows(newcomer / "run")}
    assert set(rows) == {(label, metric) for label in ("darker", "as it is") for metric in ("psnr", "ssim")}
    for metric in ("psnr", "ssim"):
        dark = rows["darker", metric]
        assert float(dark["delta"]) == pytest.approx(means["dark", metric] - means["one", metric])
        assert float(dark["low"]) <= float(dark["delta"]) <= float(dark["high"])
        assert rows["as it is", metric]["delta"] == ""
    shown = re.search(r"^darker +(\S+) +(\S+) +(\S+) +(\S+)$", done.out, re.MULTILINE)
    assert shown is not None
    assert float(shown[2]) == pytest.approx(float(rows["darker", "psnr"]["delta"]), abs=0.005)
    assert max(map(len, _measured(done.out)[:8])) <= 80


@pytest.mark.usefixtures("up", "calls")
def test_a_difference_that_is_certain_is_marked(bench, newcomer: Path):
    """Catches a mark by the size of a difference alone, and one for fewer images than any test needs."""
    from bench.imaging import write_png
    from tests.cli.conftest import make_photo

    for count, mark in ((5, ""), (7, "*")):
        (newcomer / "Photos").mkdir(exist_ok=True)
        for index in range(count):
            write_png(newcomer / "Photos" / f"p{index}.png", make_photo(index))
        done = bench(*WORDS, "--metrics", "psnr")
        line = next(line for line in done.out.splitlines() if line.startswith("darker "))
        assert re.fullmatch(rf"darker +\d+\.\d\d +-\d+\.\d\d{re.escape(mark)}", line), line
        assert "No difference can be certain here" not in done.out
        verdicts = {row["verdict"] for row in _rows(newcomer / "run") if row["variant"] == "darker"}
        assert verdicts == {"worse" if mark else "too few images"}


@pytest.mark.usefixtures("up", "calls")
def test_too_many_cells_for_the_images_are_named(bench):
    """Catches a table without a mark that looks as if nothing differed, where no difference could have been certain."""
    words = ("--dataset", "sample", "--limit", "6", "--metrics")
    assert "No difference can be certain here: 2 cells on 6 images" in bench(*WORDS, *words, "psnr,ssim").out
    one = bench(*WORDS, *words, "psnr").out
    assert "No difference can be certain here" not in one
    assert re.search(r"^darker .*\*$", one, re.MULTILINE)


@pytest.mark.usefixtures("up", "photos", "calls")
def test_the_paper_stands_in_the_same_columns(bench, newcomer: Path, compile_latex):
    """Catches a printed number beside another row, a direction that is not compared, and text that LaTeX refuses."""
    text = GAINS.replace("default: one", "cited: {dataset: 50%_&$, scale: 2}\ndefault: one")
    text = text.replace("{gain: 0.9}", "{gain: 0.9}, cited: {psnr: 30.10, musiq: 60.5}")
    text = text.replace("{gain: 1}", "{gain: 1}, cited: {psnr: 30.0, musiq: 61}")
    write_gains(newcomer, text=text)
    done = bench(*WORDS)
    assert re.search(r"^reported: 50%_&\$ ×2\ndarker +30\.10 +\+0\.10 .*\nas it is +30\.0 ", done.out, re.MULTILINE)
    assert re.search(r"PSNR moves as reported in 0 of 1 cell \(not: darker on Photos\s×2\)", done.out)
    compile_latex(newcomer, (newcomer / "run" / "ablation.tex").read_text())
    rows = {(row["variant"], row["metric"]): row for row in _rows(newcomer / "run")}
    assert rows["darker", "psnr"]["reported"] == "30.10"
    assert float(rows["darker", "psnr"]["reported_delta"]) == pytest.approx(0.1)
    markdown = (newcomer / "run" / "ablation.md").read_text()
    assert "| darker" in markdown
    assert "30.10" in markdown


@pytest.mark.usefixtures("up", "photos")
def test_variants_can_be_chosen_and_planned(bench, newcomer: Path, calls: Calls):
    """Catches a choice that loses the default, and a plan that runs something."""
    write_gains(newcomer, "half: {options: {gain: 0.5}}")
    plan = bench(*WORDS, "--variants", "half", "--dry-run", "--scale", "2,3", "--limit", "2")
    assert "4 cells" in plan.out
    assert "8 images to compute" in plan.out
    assert calls() == []
    assert not (newcomer / "run").exists()
    assert bench(*WORDS, "--variants", "half", "--limit", "1").code == 0
    assert sorted(calls()) == ["0.5", "1"]
    wrong = bench(*WORDS, "--variants", "halv")
    assert wrong.code == 2
    assert "Did you mean 'half'" in wrong.err


@pytest.mark.usefixtures("up", "photos", "calls")
def test_json_alone_on_stdout(bench):
    """Catches progress or file names between the braces."""
    done = bench(*WORDS, "--format", "json")
    found = json.loads(done.out)
    assert found["default"] == "as it is"
    assert {row["variant"] for row in found["rows"]} == {"darker", "as it is"}


@pytest.mark.usefixtures("up", "photos", "calls")
def test_a_failed_image_leaves_a_count_and_no_difference(bench, newcomer: Path):
    """Catches a mean over the images that went well, and an exit code that hides the failure."""
    write_gains(newcomer, "broken: {options: {mode: no-such-mode}}")
    done = bench(*WORDS)
    assert done.code == 1
    assert re.search(r"^broken +0/3 +0/3 *$", done.out, re.MULTILINE), done.out


def test_the_lists_say_what_can_be_run(bench, up: Path):
    """Catches ablations of plug-ins that are not found, and methods without any that look like a mistake of ours."""
    everything = bench("ablate", "--plugin", up).out
    for name in ("casr/decomposition", "casarbi/scg", "casarbi/strategy", "blind_assr/components", "up/gains"):
        assert re.search(rf"^{name} +\d+/\d+ +ready", everything, re.MULTILINE), everything
    own = bench("ablate", "up", "--plugin", up).out
    assert "up/gains" in own
    assert "casarbi" not in own
    none = bench("ablate", "lanczos")
    assert none.code == 2
    assert "--sweep lanczos.OPTION=VALUE,VALUE" in none.err
