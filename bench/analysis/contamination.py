"""Training sets against test sets: whether a method was trained on the images that it is scored on.

A method tells names, so names are compared, with the parts of a set kept apart ("DIV2K train" is not DIV2K-valid), with
the aliases and parts of dataset cards, and with collections that are known to hold others. Where the images of the test
set are known by content, they are compared with the manifests of the training sets too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import PurePath

from bench.api import MethodSpec
from bench.data.cards import Card, cards, read_manifest
from bench.engine.origin import short
from bench.registry import METHODS

_SPLITS = {"train": "train", "training": "train", "valid": "valid", "val": "valid", "validation": "valid"}
_SPLITS |= {"test": "test", "testing": "test"}
_HOLDS = {
    # BSDS500's train, val and test parts are BSDS300's train, BSDS300's test (= BSD100) and 200 new images
    # [Arbelaez et al., PAMI 2011, section 5]
    "bsds500": ("BSDS500 train", "BSDS500 val", "BSDS500 test"),
    "bsds500 train": ("BSDS300 train",),
    "bsds500 valid": ("BSDS300 test",),
    "bsds300": ("BSDS300 train", "BSDS300 test"),
    "bsds300 test": ("BSD100",),
    # the 91 images of Yang et al. and 200 of BSDS300 [Kim et al., VDSR, CVPR 2016, section 5.1]
    "291": ("T91", "BSDS300 train"),
    "df2k": ("DIV2K train", "Flickr2K"),
    "df2kost": ("DF2K", "OST"),
    "ffhq70k": ("FFHQ",),
    # made from photographs of CelebA [Karras et al., ICLR 2018, appendix C]
    "celeba": ("CelebA-HQ",),
}
"""A set, or a part of one, and the sets of which it holds all images; keys as `_part` reads them."""
_DIVIDED = frozenset({"div2k", "div8k", "realsr", "drealsr", "coz"})
"""Sets that have a part to train on and one to test on: the bare name says neither."""
_SHARE = 0.5
"""Image names of a set that must be those of a training set before the names say something: "1", "2" are common."""
_NAMED = 3

Part = tuple[str, str]
"""A set and which part of it: ("div2k", "valid"); the part is empty where nobody says it."""


class Seen(StrEnum):
    """Whether a method was trained on images of a test set."""

    YES = "yes"
    MAYBE = "maybe"
    NO = "no"
    """No training set is known to hold one of them."""
    UNKNOWN = "unknown"
    """Nobody says what it was trained on."""


@dataclass(frozen=True)
class Overlap:
    """What one training set has in common with a test set.

    Attributes:
        seen: YES or MAYBE.
        train_set: As the method names it.
        reason: Behind "trained on DIV2K, ".
        images: Images of the test set by which it is known; empty where names of sets tell it.
    """

    seen: Seen
    train_set: str
    reason: str
    images: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The overlap in words, without the method."""
        return f"trained on {self.train_set}, {self.reason}"


@dataclass(frozen=True)
class Exposure:
    """The answer for a method and a test set.

    Attributes:
        seen: The strongest of all training sets.
        overlaps: One for each training set that has one, surest first.
    """

    seen: Seen
    overlaps: tuple[Overlap, ...] = ()

    @property
    def sentence(self) -> str:
        """The overlaps in words; "" without any."""
        return "; ".join(overlap.sentence for overlap in self.overlaps)


UNSTATED = Exposure(Seen.UNKNOWN)
"""The answer where nobody says what a method was trained on."""


def stated_train_sets(method: str, trained: str, weights_file: str = "") -> tuple[str, ...] | None:
    """The training sets of a method as it is registered.

    Args:
        method: Registered name.
        trained: What its weights are called; empty for a user's own and for none.
        weights_file: Of a user's own weights.
    Returns:
        Names, none for a method without parameters; None where nobody says: no such method, weights that are not its
        own, or a method that leaves it out.
    """
    spec = METHODS.find(method)
    if spec is None or weights_file or (isinstance(spec, MethodSpec) and spec.weights and trained not in spec.weights):
        return None
    return spec.info.train_sets or (() if spec.info.parameters == 0 else None)


def exposure(train_sets: Iterable[str] | None, dataset: str, images: Mapping[str, str] | None = None) -> Exposure:
    """Whether a method was trained on a test set, and by which of its training sets that is known.

    Args:
        train_sets: As methods and papers name them, such as "BSDS500 train"; None where nobody says.
        dataset: A registered name, or a folder's.
        images: Image id -> short hash of its files (`ImageSet.images`), where they are known.
    """
    if train_sets is None:
        return UNSTATED
    found = [overlap for name in train_sets if (overlap := _overlap(name, dataset, images or {})) is not None]
    found.sort(key=lambda overlap: overlap.seen is not Seen.YES)
    return Exposure(found[0].seen if found else Seen.NO, tuple(found))


def _overlap(train_set: str, dataset: str, images: Mapping[str, str]) -> Overlap | None:
    by_name, by_images = _by_name(train_set, dataset), _by_images(train_set, images)
    both = [overlap for overlap in (by_name, by_images) if overlap is not None]
    return next((overlap for overlap in both if overlap.seen is Seen.YES), both[0] if both else None)


@lru_cache(maxsize=4096)
def _by_name(train_set: str, dataset: str) -> Overlap | None:
    """What the names of a training set and of a test set, or of what they hold, have in common."""
    trained, tested = _members(train_set), _members(dataset)
    shared = {part for part in trained & tested if part[1] or part[0] not in _DIVIDED}
    if shared:
        card = _cards_by_part().get(_part(dataset))
        part = next((name for name in (card.parts if card is not None else ()) if shared & _members(name)), "")
        return Overlap(
            Seen.YES, train_set, f"which holds images of {f'{part}, a part of {dataset}' if part else dataset}"
        )
    unsaid = [a for a in trained for b in tested if a[0] == b[0] and (a == b or not (a[1] and b[1]))]
    if unsaid:
        return Overlap(Seen.MAYBE, train_set, f"and nobody says whether that part of it holds images of {dataset}")
    return None


def _by_images(train_set: str, images: Mapping[str, str]) -> Overlap | None:
    """Images of a test set that a training set's manifest lists, by content, else by name."""
    files = _listed_files(train_set) if images else {}
    known = set(files.values())
    same = tuple(image for image, source in images.items() if source.partition("+")[0] in known)
    if same:
        return Overlap(Seen.YES, train_set, f"which holds {len(same)} of {len(images)} images byte for byte", same)
    named = tuple(image for image in images if PurePath(image).stem in files)
    if len(named) >= _NAMED and len(named) >= _SHARE * len(images):
        return Overlap(Seen.MAYBE, train_set, f"whose names {len(named)} of {len(images)} images have", named)
    return None


@lru_cache(maxsize=256)
def _listed_files(train_set: str) -> Mapping[str, str]:
    """Name without suffix -> short hash of every file that the manifests of a training set list."""
    by_part = _cards_by_part()
    own = [by_part[part] for part in sorted(_members(train_set)) if part in by_part]
    stems = dict.fromkeys(card.manifest for card in own if card.manifest is not None)
    listed = (read_manifest(stem, "files") for stem in stems)
    return {PurePath(file).stem: short(digest) for files in listed for file, digest in files.items()}


@lru_cache(maxsize=1024)
def _members(name: str) -> frozenset[Part]:
    """A set and everything that it is known to hold."""
    members: set[Part] = set()
    waiting = [name]
    while waiting:
        part = _part(waiting.pop())
        if part not in members:
            members.add(part)
            waiting += _HOLDS.get(" ".join(part).strip(), ())
            card = _cards_by_part().get(part)
            waiting += [card.name, *card.parts] if card is not None else []
    return frozenset(members)


@lru_cache(maxsize=1)
def _cards_by_part() -> Mapping[Part, Card]:
    """Dataset cards by their names and by those aliases that are names of their own: "DIV2K" is none of DIV2K-valid."""
    by_part = {}
    for card in cards().values():
        own = _words(card.name)
        aliases = [_words(alias) for alias in card.aliases]
        by_part |= dict.fromkeys((part for part in aliases if part[0] != own[0]), card)
    return by_part | {_words(card.name): card for card in cards().values()}


def _part(name: str) -> Part:
    """("div2k", "valid") of "DIV2K-valid", and ("bsds500", "valid") of "BSDS500val" too."""
    base, split = _words(name)
    if not split:
        bases = {part[0] for part in _cards_by_part()} | {key.partition(" ")[0] for key in _HOLDS} | _DIVIDED
        for word, meaning in _SPLITS.items():
            if base.endswith(word) and base.removesuffix(word) in bases:
                return base.removesuffix(word), meaning
    return base, split


def _words(name: str) -> Part:
    """Base and part by the words of a name; what stands behind a comma is about its images and no name."""
    words = [word for word in re.split(r"[^a-z0-9]+", name.partition(",")[0].lower()) if word]
    splits = [_SPLITS[word] for word in words if word in _SPLITS]
    kept = [word for word in words if word not in _SPLITS and word not in ("hr", "lr")]
    return ("".join(kept), splits[0] if splits else "") if kept else ("".join(words), "")
