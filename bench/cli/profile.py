"""`bench profile`: what methods cost on this machine, as a table and in the form of the papers' tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.api import RequestError, parse_scales
from bench.api.typed_size import parse_size
from bench.cli import options as opt
from bench.cli.output import say, warn, write_text

if TYPE_CHECKING:
    from bench.profile import Profile

_FULL = "full"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("profile", help="Measure what methods cost: parameters, operations, time, memory.")(profile)


def profile(
    methods: Annotated[str, typer.Option(help="METHOD, METHOD:WEIGHTS or NAME=METHOD:WEIGHTS, by commas.")] = "",
    lr: Annotated[str, typer.Option(help="WIDTHxHEIGHT of the LR image, or the side of a square.")] = "128x128",
    scales: Annotated[str, typer.Option(help="Such as 4,8,12; may be fractional, or height x width: 1.5x2.")] = "4",
    weights: opt.Weights = None,
    set_: opt.Set = None,
    name: opt.Name = None,
    plugin: opt.Plugin = None,
    device: opt.Device = "auto",
    tile: Annotated[int | None, typer.Option(min=16, help="LR tile side, for methods that may be tiled.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="That torch computes with; default torch's.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Calls that are timed, per size, stage and turn.")] = 5,
    turns: Annotated[
        int, typer.Option(min=1, help="Rounds through all methods, for a machine whose speed drifts.")
    ] = 1,
    warmup: Annotated[int, typer.Option(min=0, help="Calls before them; operations are counted in the first.")] = 1,
    stages: Annotated[bool, typer.Option("--stages/--no-stages", help="Time each stage of a cascade too.")] = True,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of stochastic methods.")] = 0,
    layout: Annotated[
        str, typer.Option(help="full; or as papers have it: across (methods as columns), down (methods as rows).")
    ] = _FULL,
    output: Annotated[str, typer.Option("--format", help="text, md, tex, csv or json; across and down: md, tex.")] = "",
    out: Annotated[
        Path | None, typer.Option(help="A folder for profile.json and the tables in every form.", show_default=False)
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="An earlier --out folder: do its times agree?", show_default=False)
    ] = None,
    read: Annotated[
        Path | None, typer.Option(help="Measure nothing: print the profile of this folder.", show_default=False)
    ] = None,
) -> None:
    """Measure what methods cost; exit code 1 where one failed."""
    from bench.profile import Profile, ProfileRequest, tasks_of_scales
    from bench.profile import profile as measure

    before = Profile.read(against) if against is not None else None
    if out is not None and out.exists() and not out.is_dir():
        raise RequestError(f"--out {out} is a file; give a folder")
    _check_output(layout, output)
    if read is not None:
        found = Profile.read(read)
    else:
        request = ProfileRequest(
            methods=opt.names(methods),
            tasks=tasks_of_scales(parse_size(lr, "--lr", square=True), parse_scales(scales)),
            weights=weights,
            set=tuple(set_ or ()),
            name=tuple(name or ()),
            plugin=tuple(plugin or ()),
            device=device,
            tile=tile,
            threads=threads,
            repeats=repeats,
            turns=turns,
            warmup=warmup,
            stages=stages,
            seed=seed,
        )
        found = measure(request, warn)
    say(_render(found, layout, output, before).removesuffix("\n"))
    if out is not None:
        _write(found, out, before)
    if not found.complete:
        raise typer.Exit(1)


def _check_output(layout: str, output: str) -> None:
    """Refuse an unknown form before anything is measured."""
    from bench.profile.papers import LAYOUTS
    from bench.report.plain import FORMATS

    if layout not in (_FULL, *LAYOUTS):
        raise RequestError(f"--layout {layout}: choose {', '.join((_FULL, *LAYOUTS))}")
    known = tuple(FORMATS) if layout == _FULL else ("md", "tex")
    if output and output not in known:
        raise RequestError(f"--format {output}: with --layout {layout} choose {', '.join(known)}")


def _render(found: Profile, layout: str, output: str, before: Profile | None) -> str:
    from bench.profile.papers import render_papers
    from bench.profile.table import profile_table
    from bench.report.plain import render_plain

    if layout != _FULL:
        return render_papers(found, layout, output or "md")
    if output == "json":
        return found.to_json()
    return render_plain(profile_table(found, before), output or "text")


def _write(found: Profile, out: Path, before: Profile | None) -> None:
    from bench.profile.papers import LAYOUTS

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise RequestError(f"--out {out} cannot be made: {fault.strerror or fault}") from None
    for kind in ("json", "csv", "md", "tex"):
        write_text(out / f"profile.{kind}", _render(found, _FULL, kind, before))
    for layout in LAYOUTS:
        for kind in ("md", "tex"):
            write_text(out / f"{layout}.{kind}", _render(found, layout, kind, None))
