"""From the run of an ablation to what is written of it: tables, records, and what a later figure needs to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.ablation.plan import AblationPlan, PlannedVariant
from bench.ablation.record import ABLATION_FILE, AblationRecord, VariantRecord
from bench.ablation.weights import training_notes
from bench.analysis.ablation import AblationResult, PrintedValue, ablation_result, printed_values
from bench.analysis.reported import reported_table
from bench.api import MetricInfo
from bench.imaging.atomic import atomic_write
from bench.metrics.catalog import known_infos
from bench.report.ablation_tables import AblationText, ablation_tables
from bench.report.plain import PlainTable, render_plain

if TYPE_CHECKING:
    from bench.session import Run
    from bench.weights.card import WeightsCard

EXPORTS = ("ablation.md", "ablation.tex", "ablation.csv", ABLATION_FILE)


@dataclass(frozen=True, kw_only=True)
class AblationOutcome:
    """What an ablation gave."""

    plan: AblationPlan
    result: AblationResult
    tables: tuple[PlainTable, ...]

    def text(self, output: str) -> str:
        """The tables as text, md, tex, csv or json; the last two hold every number once."""
        tables = self.tables if output in ("text", "md", "tex") else self.tables[-1:]
        return "\n".join(render_plain(table, output) for table in tables)

    def write(self, out: Path) -> None:
        """Write EXPORTS into the run folder.

        Raises:
            OSError: the disk refuses.
        """
        record = AblationRecord(
            name=self.plan.name,
            title=self.plan.title,
            default=self.plan.default,
            variants=tuple(
                VariantRecord(name=v.name, label=v.label, method=v.method, of=v.of, settings=dict(v.settings))
                for v in self.plan.ready
            ),
        )
        texts = {name: self.text(Path(name).suffix[1:]) for name in EXPORTS[:-1]} | {ABLATION_FILE: record.to_json()}
        for name, text in texts.items():
            with atomic_write(out / name) as file:
                file.write(text)


def ablation_outcome(plan: AblationPlan, run: Run, *, how_to_train: str = "") -> AblationOutcome:
    """The tables of a run that `plan.config` asked for.

    Args:
        plan: What was planned.
        run: What was measured.
        how_to_train: The command that trains what is absent; "" where nothing is.
    """
    infos: Mapping[str, MetricInfo] = known_infos(
        [*run.frames.summary["metric"], *(v.metric for v in plan.variants for v in _printed(plan, v))]
    )
    rows = {variant.name: run.frames.row(variant.method, variant.name) for variant in plan.ready}
    result = ablation_result(run.frames, list(rows.values()), rows[plan.default], infos)
    text = AblationText(
        title=f"{plan.title} ({plan.spec.info.display})",
        source=plan.content.source if plan.content is not None else "",
        reported={rows[v.name].key: _printed(plan, v) for v in plan.ready},
        absent=[variant.label for variant in plan.absent],
        absent_reported={v.label: printed for v in plan.absent if (printed := _printed(plan, v))},
        notes=[*_absences(plan, how_to_train), *_weights(plan, run), *run.frames.warnings],
    )
    return AblationOutcome(plan=plan, result=result, tables=tuple(ablation_tables(result, text, infos)))


def _printed(plan: AblationPlan, variant: PlannedVariant) -> tuple[PrintedValue, ...]:
    """What the paper prints of a variant; of a sweep over it, at the point that is its own."""
    content = plan.content
    if content is None or not variant.of or (variant.settings and variant.name != plan.default):
        return ()
    said = content.variants[variant.of]
    if said.cited and content.cited is not None:
        at = content.cited
        return tuple(PrintedValue(at.dataset, at.scale, metric, text) for metric, text in said.cited.items())
    if not said.reported:
        return ()
    return printed_values(row for row in reported_table(content.reported) if row.label == said.reported)


def _absences(plan: AblationPlan, how_to_train: str) -> list[str]:
    lines = [f"{variant.label}: {variant.absent}." for variant in plan.absent]
    trainable = [v for v in plan.absent if plan.content is not None and plan.content.variants[v.of].train is not None]
    return [*lines, f"To train: {how_to_train}"] if trainable and how_to_train else lines


def _weights(plan: AblationPlan, run: Run) -> list[str]:
    """What the rows' weights are: shipped ones by their name, trained ones by their training."""
    cards: dict[str, WeightsCard] = {}
    shared: dict[str, list[str]] = {}
    for variant in plan.ready:
        row = run.frames.row(variant.method, variant.name)
        trained = plan.content is not None and plan.content.variants[variant.of].train is not None
        if trained and (card := _card(plan, variant)) is not None:
            cards[variant.label] = card
        elif row.trained or row.weights_file:
            shared.setdefault(row.trained or row.weights_file, []).append(variant.label)
    if len(shared) == 1 and not cards:
        return [f"Weights of all rows: {next(iter(shared))}."]
    return [*(f"Weights {name}: {', '.join(labels)}." for name, labels in shared.items()), *training_notes(cards)]


def _card(plan: AblationPlan, variant: PlannedVariant) -> WeightsCard | None:
    from bench.plugins import method_spec
    from bench.weights.reader import read_card

    path = variant.weights
    if not isinstance(path, Path):
        spec = method_spec(variant.method)
        path = spec.weights.get(path or spec.default_weights or "")
    return read_card(path) if path is not None and path.with_suffix(".json").is_file() else None
