"""`bench reproduce`: exactly the cells that the cards of published figures tell, run and held against the figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.api import BenchError, RequestError, Scale, unknown_name
from bench.data import resolve_dataset
from bench.metrics.catalog import metric_info
from bench.report.reproduced import ReproducedCell
from bench.session.calls import Run
from bench.session.config import RunConfig, make_config
from bench.weights.place import find_file, published_file, weights_roots
from bench.weights.published import PublishedCard

DEFAULT_OUT = Path("results/runs/reproduce")


@dataclass(frozen=True)
class Piece:
    """What one run gives of a card: datasets whose figures have the same scales and metrics under one protocol."""

    card: PublishedCard
    protocol: str
    datasets: tuple[str, ...]
    scales: tuple[Scale, ...]
    metrics: tuple[str, ...]

    def config(self, *, out: Path, **others: Any) -> RunConfig:
        """The request.

        Args:
            out: The folder of all run folders; each card and protocol has its own.
            others: Further fields of `RunConfig`.
        """
        card = self.card
        return make_config(
            {
                "methods": (card.method,),
                "weights": {card.method: card.label} if card.label else None,
                "datasets": self.datasets,
                "scales": self.scales,
                "metrics": self.metrics,
                "protocol": self.protocol,
                "out": out / f"{card.name}-{self.protocol}",
                **others,
            }
        )


def pieces_of(card: PublishedCard) -> tuple[Piece, ...]:
    """The runs that give every figure of a card and no other cell."""
    metrics: dict[tuple[str, str, Scale], list[str]] = {}
    for table in card.figures:
        for dataset, values in table.values.items():
            for scale in values:
                metrics.setdefault((table.protocol, dataset, scale), []).append(table.metric)
    scales: dict[tuple[str, str, tuple[str, ...]], list[Scale]] = {}
    for (protocol, dataset, scale), names in metrics.items():
        scales.setdefault((protocol, dataset, tuple(dict.fromkeys(names))), []).append(scale)
    datasets: dict[tuple[str, tuple[Scale, ...], tuple[str, ...]], list[str]] = {}
    for (protocol, dataset, names), found in scales.items():
        datasets.setdefault((protocol, tuple(found), names), []).append(dataset)
    return tuple(
        Piece(card, protocol, tuple(names), found, measured) for (protocol, found, measured), names in datasets.items()
    )


def reproduce(
    cards: Sequence[PublishedCard],
    *,
    do: Callable[[RunConfig], Run],
    datasets: Sequence[str] = (),
    out: Path = DEFAULT_OUT,
    data_root: Path | None = None,
    **others: Any,
) -> tuple[ReproducedCell, ...]:
    """Measure the figures of cards.

    Args:
        cards: Those without figures are passed over.
        do: Carries out a request, such as `lambda config: carry_out(build_request(config))`.
        datasets: Only figures on these; empty: on all.
        out: The folder of the run folders; what is in them already is not computed again.
        data_root: Where datasets lie.
        others: Further fields of `RunConfig` (device, workers, plugin).
    Returns:
        The figures in the order of the cards. A set or weights that are not here leave a reason instead of a number.
    Raises:
        RequestError: a set that no card tells of, weights that are here but not the published ones, or nothing at all
            could be measured.
    """
    _refuse_unknown(datasets, cards)
    cards = [_on(card, datasets) for card in cards] if datasets else cards
    cells: list[ReproducedCell] = []
    for card in cards:
        away = _why_no_weights(card)
        for piece in pieces_of(card):
            missing = {name: away or _why_no_set(name, piece.scales, data_root) for name in piece.datasets}
            here = tuple(name for name, reason in missing.items() if not reason)
            run = None
            if here:
                part = Piece(card, piece.protocol, here, piece.scales, piece.metrics)
                run = do(part.config(out=out, data_root=data_root, **others))
            cells += _compare(piece, run, missing)
            if run is not None and run.tally.interrupted:
                raise KeyboardInterrupt
    if cells and all(cell.measured is None and not cell.failed for cell in cells):
        reasons = "; ".join(dict.fromkeys(cell.note for cell in cells))
        raise RequestError(f"nothing could be measured: {reasons}")
    return _in_order(cells, cards)


def _on(card: PublishedCard, datasets: Sequence[str]) -> PublishedCard:
    """A card without the figures on other sets."""
    figures = (
        table.model_copy(update={"values": {name: table.values[name] for name in datasets if name in table.values}})
        for table in card.figures
    )
    return card.model_copy(update={"figures": tuple(table for table in figures if table.values)})


def _refuse_unknown(datasets: Sequence[str], cards: Sequence[PublishedCard]) -> None:
    known = dict.fromkeys(name for card in cards for table in card.figures for name in table.values)
    for name in datasets:
        if name not in known:
            raise unknown_name("set with published figures", name, known, "bench weights list")


def _why_no_weights(card: PublishedCard) -> str:
    """Reason that the weights of a card are not here; "" where they are, or it needs none."""
    if not card.file:
        return ""
    roots = weights_roots()
    try:
        published_file(card, roots)
    except RequestError as fault:
        if find_file(card, roots) is not None:
            raise
        return f"{card.file} is not on this machine: {fault}"
    return ""


def _why_no_set(name: str, scales: Sequence[Scale], data_root: Path | None) -> str:
    try:
        resolve_dataset(name, data_root=data_root).samples(scales[0])
    except BenchError as fault:
        return str(fault)
    return ""


def _compare(piece: Piece, run: Run | None, missing: Mapping[str, str]) -> Iterator[ReproducedCell]:
    """The figures of a piece beside the means of its run."""
    means: dict[tuple[str, Scale, str], dict[Any, Any]] = {}
    display = piece.card.display
    if run is not None:
        display = run.frames.rows[0].display
        for line in run.frames.summary.to_dict("records"):
            means[line["dataset"], line["scale"], line["metric"]] = line
    for table in piece.card.figures:
        if table.protocol != piece.protocol:
            continue
        for dataset in piece.datasets:
            for scale in piece.scales:
                if scale not in table.values.get(dataset, ()):
                    continue
                line = means.get((dataset, scale, table.metric), {})
                mean = float(line.get("mean", math.nan))
                ran = not missing[dataset]
                yield ReproducedCell(
                    row=display,
                    card=piece.card.name,
                    weights=piece.card.citation,
                    protocol=piece.protocol,
                    dataset=dataset,
                    scale=scale,
                    metric=table.metric,
                    source=table.source,
                    published=table.values[dataset][scale],
                    measured=None if math.isnan(mean) else mean,
                    tolerance=table.tolerance,
                    decimals=metric_info(table.metric).decimals,
                    signature="" if math.isnan(mean) else str(line["signature"]),
                    note=missing[dataset] or str(line.get("note", "")),
                    failed=ran and math.isnan(mean),
                )


def _in_order(cells: Sequence[ReproducedCell], cards: Sequence[PublishedCard]) -> tuple[ReproducedCell, ...]:
    """As the cards list their figures, whatever runs they came from."""
    places = {
        (card.name, table.protocol, table.metric, dataset, scale): number
        for number, (card, table, dataset, scale) in enumerate(
            (card, table, dataset, scale)
            for card in cards
            for table in card.figures
            for dataset, values in table.values.items()
            for scale in values
        )
    }
    return tuple(sorted(cells, key=lambda c: places[c.card, c.protocol, c.metric, c.dataset, c.scale]))
