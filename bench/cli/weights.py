"""`bench weights list | fetch | verify`: published checkpoints, fetched and held against their cards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options as opt
from bench.cli.downloads import download_progress
from bench.cli.listing import columns_of, show_rows
from bench.cli.output import say, warn

Name = Annotated[str, typer.Argument(help="The name of a card, or of its method; 'bench weights list' lists them.")]
WeightsDir = Annotated[
    Path | None,
    typer.Option(
        help="Where published checkpoints lie, searched like PATH. Default: $ASSR_BENCH_WEIGHTS, then the user's cache."
    ),
]


@dataclass(frozen=True)
class WeightsRow:
    """One line of `bench weights list`."""

    name: str
    use: str
    file: str
    licence: str
    figures: str
    status: str


def register(app: typer.Typer) -> None:
    """Add the commands."""
    weights = typer.Typer(help="Published checkpoints: list, fetch and verify them.", no_args_is_help=True)
    weights.command("list", help="List the cards of published checkpoints, and where each file is.")(list_weights)
    weights.command("fetch", help="Download a checkpoint, check it, and put it where --weights finds it.")(fetch_one)
    weights.command("verify", help="Compare a checkpoint with the size and checksum on its card.")(verify_one)
    app.add_typer(weights, name="weights")


def list_weights(
    plugin: opt.Plugin = None,
    weights_dir: WeightsDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON with every field.")] = False,
) -> None:
    """One line per card."""
    from bench.weights.place import find_file, weights_roots, why_not_published
    from bench.weights.published import published_cards

    load_plugins(plugin)
    rows = []
    for card in published_cards().values():
        path = find_file(card, weights_roots(weights_dir))
        status = "not here" if card.file else "needs no weights"
        if path is not None:
            reason = why_not_published(card, path)
            status = f"{path} {reason}" if reason else f"ready: {path}"
        use = f"--weights {card.method}={card.label}" if card.label else ""
        figures = "; ".join(f"{', '.join(table.values)} ({table.protocol})" for table in card.figures)
        rows.append(WeightsRow(card.name, use, card.file, card.licence, figures, status))
    show_rows(rows, columns_of(WeightsRow, extra=("licence", "figures")), as_json=as_json)


def fetch_one(
    name: Name,
    plugin: opt.Plugin = None,
    weights_dir: WeightsDir = None,
    url: Annotated[
        str, typer.Option(help="Where to get the file, instead of what the card says; its checksum must be the card's.")
    ] = "",
) -> None:
    """Download a checkpoint."""
    from bench.weights.fetch import fetch_weights
    from bench.weights.place import find_file, weights_roots
    from bench.weights.published import find_card

    load_plugins(plugin)
    with download_progress() as progress:
        fetched = fetch_weights(find_card(name), root=weights_dir, url=url, progress=progress)
    card = fetched.card
    found = find_file(card, weights_roots()) is not None
    given = card.label if found else fetched.path
    say(f"{card.name}: {'already at' if fetched.already else 'fetched to'} {fetched.path}")
    say(f"use it with --weights {card.method}={given}")


def verify_one(name: Name, plugin: opt.Plugin = None, weights_dir: WeightsDir = None) -> None:
    """Compare a checkpoint with its card; leaves with 1 where it differs."""
    from bench.api import RequestError
    from bench.weights.place import find_file, how_to_get, weights_roots, why_not_published
    from bench.weights.published import find_card

    load_plugins(plugin)
    card = find_card(name)
    path = find_file(card, weights_roots(weights_dir))
    if path is None:
        raise RequestError(f"{card.file} is not here; {how_to_get(card)}")
    reason = why_not_published(card, path)
    if reason:
        warn(f"{card.name}: {path} {reason}")
        raise typer.Exit(1)
    how = (
        f"sha256 {card.sha256[:12]}…"
        if card.sha256
        else "no checksum of it is known, so only its first bytes were read"
    )
    say(f"{card.name}: ok in {path} ({how})")


def load_plugins(plugins: list[Path] | None) -> None:
    """Load plug-in files; their cards lie in a folder `published` beside them."""
    from bench.plugins import load_plugin

    for path in plugins or ():
        load_plugin(path)
