"""`bench profile` as it is typed."""

from __future__ import annotations

import csv
import io
import json

import pytest

from tests.profile.conftest import made_profile

__all__ = ["made_profile"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--methods", "biqubic"), "Did you mean 'bicubic'"),
        ((), "--methods"),
        (("--methods", "bicubic", "--lr", "0x10"), "--lr 0x10"),
        (("--methods", "bicubic", "--lr", "64x"), "--lr 64x"),
        (("--methods", "bicubic", "--lr", "99999999"), "choose a smaller scale or size"),
        (("--methods", "bicubic", "--scales", "2,99999999"), "choose a smaller scale or size"),
        (("--methods", "bicubic", "--scales", ","), "no scale given"),
        (("--methods", "bicubic", "--scales", "0"), "scale 0"),
        (("--methods", "bicubic", "--repeats", "0"), "--repeats"),
        (("--methods", "bicubic", "--turns", "0"), "--turns"),
        (("--methods", "bicubic", "--device", "tpu"), "--device auto, cpu, cuda or cuda:N"),
        (("--methods", "bicubic", "--layout", "sideways"), "across"),
        (("--methods", "bicubic", "--layout", "down", "--format", "csv"), "md, tex"),
        (("--methods", "bicubic", "--format", "xls"), "json"),
        (("--methods", "bicubic", "--set", "bicubic.a=1"), "takes no options"),
        (("--methods", "bicubic", "--weights", "bicubic=nowhere.pth"), "nowhere.pth"),
        (("--methods", "bicubic", "--plugin", "nowhere.py"), "nowhere.py"),
        (("--methods", "bicubic", "--against", "nowhere"), "nowhere"),
        (("--read", "nowhere"), "nowhere"),
    ],
)
def test_a_wrong_request_measures_nothing(bench, words, said):
    """Catches a process that is started for a request that cannot be carried out, and a traceback."""
    done = bench("profile", *words)
    assert done.code == 2, done
    assert said in done.err
    assert "imported in" not in done.err


def test_a_method_that_only_looks_images_up_is_refused(bench, photos):
    done = bench("profile", "--methods", "precomputed", "--set", f"precomputed.folder={photos}")
    assert done.code == 2
    assert "computes nothing" in done.err


def test_a_method_is_measured_and_all_forms_are_written(process, newcomer):
    """Catches a form that cannot be written, and an --out folder that --read and --against do not take."""
    words = ("profile", "--methods", "bicubic", "--lr", "16x8", "--scales", "3", "--repeats", "2")
    done = process(*words, "--out", "cost")
    assert done.code == 0, done.err
    assert "×3  48×24" in done.out
    assert "it runs outside torch" in " ".join(done.out.split())
    assert {path.name for path in (newcomer / "cost").iterdir()} == {
        *(f"profile.{kind}" for kind in ("json", "csv", "md", "tex")),
        *(f"{layout}.{kind}" for layout in ("across", "down") for kind in ("md", "tex")),
    }
    stored = json.loads((newcomer / "cost" / "profile.json").read_text("utf-8"))
    (task,) = stored["methods"][0]["measured"]
    assert (task["lr"], task["size"], len(task["seconds"])) == ([8, 16], [24, 48], 2)


def test_a_stored_profile_is_printed_in_every_form(bench, made_profile, newcomer):
    """Catches a failure that the exit code does not tell, and a form that measures again."""
    (newcomer / "profile.json").write_text(made_profile.to_json(), encoding="utf-8")
    text = bench("profile", "--read", ".", "--against", "profile.json")
    assert text.code == 1
    assert "2 of 2 medians" in text.out
    lines = list(csv.DictReader(io.StringIO(bench("profile", "--read", ".", "--format", "csv").out)))
    assert lines[0]["display"] == "CASR (lite)"
    assert json.loads(bench("profile", "--read", ".", "--format", "json").out)["machine"]["threads"] == 2
    assert "| reported, A6000" in bench("profile", "--read", ".", "--layout", "down").out
    assert r"\begin{tabular}" in bench("profile", "--read", ".", "--layout", "across", "--format", "tex").out
