"""Looking up the card beside a weights file, where it is no fault that there is none."""

from __future__ import annotations

from pathlib import Path

from bench.imaging.regular import read_regular
from bench.weights.card import WeightsCard


def card_beside(weights: Path) -> WeightsCard | None:
    """The card of a weights file, found by its name; None where there is none that speaks of this file.

    Args:
        weights: The file; a folder has no card.
    """
    try:
        card = WeightsCard.model_validate_json(read_regular(weights.with_suffix(".json")))
    except (OSError, ValueError):
        return None
    return card if card.file == weights.name else None
