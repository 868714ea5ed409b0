"""The cards of rows of a run: what the registry, the card beside the weights and run.json know of a method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from bench.analysis.contamination import stated_train_sets
from bench.analysis.costs import parameters
from bench.api import MethodSpec, RequestError, RowInfo, RunManifest, weights_label
from bench.engine.environment import hardware
from bench.leaderboard.entry import Card, Kind
from bench.plugins import method_spec
from bench.weights.beside import card_beside
from bench.weights.card import WeightsCard


def run_card(row: RowInfo, manifests: Mapping[Path, RunManifest]) -> Card:
    """What is known of a row of a run: by its registered method, the card of its weights, and run.json."""
    spec = _spec(row.method)
    own = {folder: manifest for folder, manifest in manifests.items() if any(r.key == row.key for r in manifest.rows)}
    label = weights_label(row.variant)
    weights = spec.weights.get(label) if spec is not None else None
    card = card_beside(weights) if weights is not None else None
    info = spec.info if spec is not None else None
    # a user's own weights were trained on nobody knows what
    known = info if not row.weights_file else None
    return Card(
        display=row.display,
        method=row.method,
        variant=row.variant,
        kind=Kind.MEASURED,
        source=", ".join(folder.name for folder in own),
        summary=info.summary if info is not None else "",
        paper=info.paper if info is not None else "",
        licence=info.licence if info is not None else "",
        parameters=parameters(row),
        train_scales=known.train_scales if known is not None else None,
        train_sets=stated_train_sets(row.method, row.trained, row.weights_file),
        minimised=row.minimised,
        weights=_weights(row, card, own.values()),
        hardware="; ".join(dict.fromkeys(hardware(manifest.environment) for manifest in own.values())),
        notes=tuple(note for note in (row.resize_rule,) if note),
    )


def _spec(method: str) -> MethodSpec | None:
    """The registered method; None for one that this installation does not have."""
    with suppress(RequestError):
        return method_spec(method)
    return None


def _weights(row: RowInfo, card: WeightsCard | None, manifests: Iterable[RunManifest]) -> dict[str, str]:
    """Heading -> text."""
    used = {plan.origin for m in manifests for plan in m.cells if (plan.cell.method, plan.cell.variant) == row.key}
    origins = {name: o for m in manifests for name, o in m.origins.items() if name in used}
    facts = {
        "Weights": row.weights_file or row.trained,
        "Hash of the weights": ", ".join(dict.fromkeys(o.weights for o in origins.values() if o.weights)),
        "Hash of the code": ", ".join(dict.fromkeys(f"{o.code_name} {o.code}" for o in origins.values())),
    }
    if card is not None:
        folders = [str(folder) for folder in card.data.get("folders", ())]
        facts |= {
            "Made by": card.made_by,
            "Trained on": f"{', '.join(folders)} ({card.data.get('images', '?')} images)" if folders else "",
            "Steps": f"{card.steps:,}" if card.steps else "",
            "Training time": f"{card.train_seconds / 3600:.1f} h" if card.train_seconds else "",
            "Trained with": card.machine,
            "Note": card.note,
        }
    return {heading: text for heading, text in facts.items() if text}
