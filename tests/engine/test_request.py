"""Resolving methods, weights and options: a typo must never be swallowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.api import UNTRAINED, MethodInfo, MethodOptions, MethodSpec, RequestError
from bench.engine.choice import choose_methods
from bench.registry import METHODS


def choose(*names: str, weights: str | None = None, overrides: tuple[str, ...] = ()) -> None:
    choose_methods(names, weights=weights, overrides=overrides)


def test_the_shipped_variant_is_named_lite_and_keeps_the_plain_folder() -> None:
    (choice,) = choose_methods(["liif"], weights=None, overrides=[])
    assert (choice.display, choice.variant, choice.folder) == ("LIIF (lite)", "lite", "liif")


def test_a_method_without_weights_has_no_variant() -> None:
    (choice,) = choose_methods(["bicubic"], weights=None, overrides=[])
    assert (choice.display, choice.folder) == ("Bicubic", "bicubic")


def test_users_weights_get_their_own_row_and_folder(tmp_path: Path) -> None:
    file = tmp_path / "mine.safetensors"
    file.write_bytes(b"x")
    (choice,) = choose_methods(["liif"], weights=str(file))
    assert choice.variant.startswith("weights=")
    assert choice.folder.startswith(f"liif+{choice.variant}~")
    assert (choice.weights, choice.weights_file) == (file, "mine.safetensors")


def test_weights_are_known_by_what_they_hold(tmp_path: Path) -> None:
    """Catches a variant that another name of the same file changes, and a shipped file that loses its name."""
    for name, content in (("a.safetensors", b"x"), ("b.safetensors", b"x"), ("c.safetensors", b"y")):
        (tmp_path / name).write_bytes(content)
    one, two, three = (choose_methods([f"liif:{tmp_path / name}.safetensors"])[0].variant for name in "abc")
    assert one == two != three
    (shipped,) = choose_methods(["liif"])
    assert shipped.weights is not None
    (tmp_path / "renamed.safetensors").write_bytes(shipped.weights.read_bytes())
    (again,) = choose_methods([f"liif:{tmp_path / 'renamed.safetensors'}"])
    assert (again.variant, again.display, again.folder) == ("lite", "LIIF (lite)", "liif")


@pytest.mark.parametrize(
    ("names", "weights", "overrides", "message"),
    [
        (("liff",), None, (), "Did you mean 'liif'"),
        (("liif",), "nowhere.pt", (), "neither a shipped label"),
        (("liif",), None, ("liif.ensembel=false",), "unknown option of liif"),
        (("liif",), None, ("ensemble=false",), "expected METHOD.OPTION=VALUE"),
        (("liif",), None, ("bicubic.x=1",), "not among the methods of this run"),
        (("bicubic",), "lite", (), "takes weights"),
        ((), None, (), "no method given"),
    ],
)
def test_mistakes_are_named(
    names: tuple[str, ...], weights: str | None, overrides: tuple[str, ...], message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        choose(*names, weights=weights, overrides=overrides)


def test_null_switches_an_option_off_that_may_be_absent_and_is_text_elsewhere() -> None:
    """Catches a documented value that the command line cannot say, and one that loses the options beside it."""
    overrides = ["lte.tile=null", "lte.cell_clip=null", "lte.chunk=99"]
    (choice,) = choose_methods(["lte"], weights=None, overrides=overrides)
    assert (choice.options.tile, choice.options.cell_clip, choice.options.chunk) == (None, None, 99)  # type: ignore[attr-defined]
    assert choice.variant == "lite,cell_clip=null,chunk=99,tile=null"
    with pytest.raises(RequestError, match="chunk: input should be a valid integer"):
        choose("lte", overrides=("lte.chunk=null",))


@pytest.mark.parametrize(
    ("names", "overrides", "said"),
    [
        (("casarbi",), ("casarbi.scg=Nothing",), "casarbi.scg: input should be 'off', 'lr' or 'prev', got 'Nothing'"),
        (
            ("casr",),
            ("casr.prompt=ram",),
            "--set casr.prompt=ram: prompt ram needs a tagger: --set casr.tagger=PACKAGE",
        ),
        (("casr",), ("casr.fixed=4,Qx",), "casr.fixed: .*, got '4,Qx'; use --set casr.fixed=VALUE"),
        (("a=casr",), ("a.fixed=Qx",), "a.fixed: .*, got 'Qx'; use --set a.fixed=VALUE"),
    ],
)
def test_a_wrong_option_is_named_as_it_was_typed(names: tuple[str, ...], overrides: tuple[str, ...], said: str) -> None:
    """Catches a message in lower case, an option "casr.options" that there is none of, and an option that is called
    by a place inside its value (casr.fixed.0)."""
    with pytest.raises(RequestError, match=said) as fault:
        choose_methods(names, weights=None, overrides=overrides)
    assert ".options" not in str(fault.value)


def test_an_unknown_method_is_told_how_a_file_is_registered() -> None:
    """Catches the list of names as the only way on, for somebody whose method lies in a file."""
    with pytest.raises(RequestError, match=r"unknown method 'mine'\..*'bench run --plugin FILE\.py'"):
        choose("mine")


def test_several_numbers_of_one_option_stay_one_option_in_the_variant() -> None:
    """Catches brackets in a table's row, and commas that make one option look like three."""
    (choice,) = choose_methods(["casr"], weights="untrained", overrides=["casr.fixed=4,3,1.5", "casr.ssam=false"])
    assert choice.variant == "untrained,fixed=4x3x1.5,ssam=false"
    assert choose_methods(["casr"], weights="untrained", overrides=["casr.fixed=4x3x1.5", "casr.ssam=off"])[0] == choice


def test_what_weights_were_trained_by_goes_with_the_weights_and_not_with_options(tmp_path: Path) -> None:
    """Catches a note that is lost with --set, or one on a user's own weights."""
    (one,) = choose_methods(["casr"], weights=None, overrides=["casr.fixed=4,3,1.5"])
    assert one.minimised == ("lpips",)
    (tmp_path / "own.safetensors").write_bytes(b"not read here")
    (other,) = choose_methods(["casr"], weights=f"casr={tmp_path / 'own.safetensors'}", overrides=[])
    assert other.minimised == ()


class _Parted(MethodOptions):
    parts: Path | None = None


def test_untrained_is_a_label_only_where_a_method_offers_it(tmp_path: Path) -> None:
    """Catches a row of untrained parts that looks shipped, or one whose options hide that nobody trained it."""
    spec = MethodSpec(
        info=MethodInfo(name="offering", display="Offering", summary="a test"),
        factory="nowhere:Nothing",
        root=tmp_path,
        options=_Parted,
        weights={"lite": tmp_path},
        default_weights="lite",
        untrained=True,
    )
    METHODS.add("offering", spec, origin="a test")
    try:
        (choice,) = choose_methods(["offering"], weights="offering=untrained", overrides=["offering.parts=here"])
        (plain,) = choose_methods(["offering"], weights="untrained", overrides=[])
        (shipped,) = choose_methods(["offering"], weights=None, overrides=[])
    finally:
        METHODS.forget("offering")
    assert (choice.weights, plain.variant) == (None, "untrained")
    assert choice.display.startswith("Offering (untrained,parts=")
    assert [each.trained == UNTRAINED for each in (choice, plain, shipped)] == [True, True, False]
    assert [each.folder == "offering" for each in (choice, plain, shipped)] == [False, False, True]
    with pytest.raises(RequestError, match="untrained"):
        choose("liif", weights="liif=untrained")
