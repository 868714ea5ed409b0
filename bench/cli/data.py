"""`bench data fetch | verify | show | lr`: bringing public sets here, comparing them with what was published, which
files of a folder are read, LR as files."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.api import counted
from bench.cli import options as opt
from bench.cli.downloads import download_progress
from bench.cli.output import say, warn

if TYPE_CHECKING:
    from bench.data.verify import Verified

_SHOWN = 10
"""Images that `show` prints."""
Name = Annotated[str, typer.Argument(help="The name of a set; 'bench datasets' lists them.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    data = typer.Typer(help="Fetch public datasets, and verify those that are here.", no_args_is_help=True)
    data.command("fetch", help="Download a set, check it, and put it below the data root.")(fetch_set)
    data.command("verify", help="Compare a set with its card: count, file hashes, pixel hashes.")(verify_set)
    data.command("show", help="Say which files of a folder or set would be read, and how they are paired.")(show_set)
    data.command("lr", help="Write the LR images of a protocol, for a model that runs elsewhere.")(write_lr)
    app.add_typer(data, name="data")


def fetch_set(name: Name, data_root: opt.DataRoot = None) -> None:
    """Download a set."""
    from bench.data.fetch import fetch

    with download_progress() as progress:
        fetched = fetch(name, data_root=data_root, progress=progress)
    for found in fetched:
        if found.folder is None:
            say(f"{found.name}: lies inside a package, nothing to fetch")
        elif found.already:
            say(f"{found.name}: already in {found.folder}")
        else:
            say(f"{found.name}: fetched to {found.folder}{_how_checked(found.verified)}")


def verify_set(name: Name, data_root: opt.DataRoot = None) -> None:
    """Compare a set with its card; leaves with 1 where it differs."""
    from bench.data.verify import verify

    reports = verify(name, data_root=data_root)
    for found in reports:
        if found.ok:
            word = "ok" if found.checked else "complete"
            say(f"{found.name}: {word} in {found.folder}{_how_checked(found)}")
        else:
            warn(f"{found.name}: not the published set in {found.folder}: {found.fault}")
    if not all(found.ok for found in reports):
        raise typer.Exit(1)


def show_set(
    dataset: Annotated[str, typer.Argument(metavar="FOLDER", help="A folder, HR_DIR::LR_DIR, or a set's name.")],
    scale: Annotated[
        str, typer.Option(help="Which LR images; a set without its own has the same for every scale.")
    ] = "4",
    everything: Annotated[bool, typer.Option("--all", help="Every image, not only the first ten.")] = False,
    data_root: opt.DataRoot = None,
) -> None:
    """Say which files would be read, and how."""
    from bench.api import parse_scale
    from bench.data import resolve_dataset
    from bench.data.file_list import file_list
    from bench.session.request import default_protocol

    found = resolve_dataset(dataset, data_root=data_root)
    wanted = parse_scale(scale)
    shown = file_list(found, wanted)
    for sentence in shown.sentences:
        say(sentence)
    say(f"name {found.name}, {found.kind}, protocol {default_protocol([found])} unless --protocol says another")
    rows = shown.rows if everything else shown.rows[:_SHOWN]
    for row in rows:
        say(f"  {row}")
    if len(rows) < len(shown.rows):
        say(f"  … and {len(shown.rows) - len(rows)} more (--all)")
    for fault in shown.faults:
        warn(f"will fail: {fault}")


def write_lr(
    dataset: Annotated[str, typer.Argument(metavar="SET", help="A set's name or a folder.")],
    scales: Annotated[str, typer.Option(help="Comma-separated, may be fractional, or a factor per axis: 2,3.6,1.5x2.")],
    out: Annotated[Path, typer.Option(help="A new folder: OUT/x4/<image>.png, and OUT/sizes.csv.")],
    protocol: Annotated[
        str | None, typer.Option(help="A named protocol ('bench protocols') or FILE.yaml. Default: the set's own.")
    ] = None,
    limit: opt.Limit = None,
    alpha: opt.Alpha = None,
    data_root: opt.DataRoot = None,
) -> None:
    """Write LR images, and say how their results are scored."""
    from bench.api import format_scale, parse_scales
    from bench.data import resolve_dataset
    from bench.data.lr_files import write_lr_files
    from bench.session.request import default_protocol, named_protocol

    found = resolve_dataset(dataset, data_root=data_root)
    name = protocol or default_protocol([found])
    wanted = parse_scales(scales)
    written = write_lr_files(found, wanted, named_protocol(name, alpha=alpha), out, limit=limit)
    say(f"{counted(len(written), 'LR image')} of {found.name} in {out}; sizes.csv says how large each result must be")
    say("results in SR_FOLDER, under the same names, are scored with")
    asked = {"--protocol": name, "--limit": limit, "--alpha": alpha, "--data-root": data_root}
    options = shlex.join(word for option, value in asked.items() if value is not None for word in (option, str(value)))
    for scale in wanted:
        say(f"  bench score SR_FOLDER {shlex.quote(dataset)} --scale {format_scale(scale)} {options}")


def _how_checked(found: Verified | None) -> str:
    if found is None:
        return ""
    if not found.checked:
        published = ", as many as were published" if found.expected is not None else ""
        return f": {counted(found.count, 'image')}{published}; what they show was not compared (no checksums are known)"
    parts = [f"{counted(len(found.same), 'file')} equal byte for byte"]
    if found.recoded:
        parts.append(f"{len(found.recoded)} encoded anew with the same pixels (just as good)")
    return f": {counted(found.count, 'image')}, {', '.join(parts)}"
