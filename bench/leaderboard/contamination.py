"""Training sets against test sets, by name: which of a method's training sets may hold the images it is scored on.

Names are all that a card of a method has; sets that are known to share images under other names are listed here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from bench.data.cards import cards

_SAME = {
    # BSDS500's train, val and test parts are BSDS300's train, BSDS300's test (= BSD100) and 200 new images
    # [Arbelaez et al., PAMI 2011, section 5]
    "bsds500": ("bsd100",),
    "bsds500val": ("bsd100",),
    "bsds500validation": ("bsd100",),
    "bsds300": ("bsd100",),
    "bsds300test": ("bsd100",),
    "ffhq70k": ("ffhq",),
}
"""Training set -> test sets of which it holds images, without spaces and signs."""


def contamination(train_sets: Iterable[str], dataset: str) -> str:
    """A sentence that names the training set that holds images of a dataset; "" where none is known to.

    Args:
        train_sets: As methods name them, such as "BSDS500 train".
        dataset: A registered name, or a folder's.
    """
    names = _names(dataset)
    for train in train_sets:
        key = _key(train)
        if key in names or names & set(_SAME.get(key, ())):
            return f"trained on {train}, which holds images of {dataset}"
    return ""


def _names(dataset: str) -> set[str]:
    """A set's own name and those that its folder commonly has; those of its parts, where it is a union."""
    card = cards().get(dataset)
    if card is None:
        return {_key(dataset)}
    own = {_key(name) for name in (card.name, *card.aliases)}
    return own.union(*(_names(part) for part in card.parts))


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.lower())
