"""Dataset cards: one YAML file per public set, read strictly.

They lie in `datasets/` of the source tree, and beside this code in a wheel.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

import bench
from bench.api import PRESETS, RequestError, WrittenScale
from bench.api.yaml_model import read_yaml

Loader = Literal["folder", "paired", "lr-only", "union", "embedded"]


class Download(BaseModel):
    """One file to fetch."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(pattern=r"^https?://")
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """None where none could be verified; images are then counted, and compared with the manifest if there is one."""
    member: str = ""
    """The folder inside an archive that holds the set; nothing else is unpacked."""

    @property
    def name(self) -> str:
        """The file name in the URL."""
        return self.url.rsplit("/", 1)[-1]


class Card(BaseModel):
    """What is known of a public set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    title: str
    loader: Loader
    count: int | None = Field(default=None, ge=1)
    """Images (pairs for a paired set); None where it is not certain."""
    licence: str
    source: str
    """Who made it: the publication."""
    homepage: str | None = None
    obtain: str
    """Where to get it, for a person."""
    aliases: tuple[str, ...] = ()
    """Other names that its folder commonly has."""
    hr: tuple[str, ...] = ()
    """Subfolders with HR images (LR images for an LR-only set), beside the common ones."""
    lr: tuple[str, ...] = ()
    scales: tuple[WrittenScale, ...] = ()
    """Scales of a paired set's LR images."""
    parts: tuple[str, ...] = ()
    downloads: tuple[Download, ...] = ()
    manifest: str | None = None
    """Stem of the files in manifests/ that hold the sha256 of files and of decoded pixels."""
    default_protocol: str | None = None
    notes: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Card:
        if (self.loader == "union") != bool(self.parts):
            raise ValueError("a union, and only a union, names parts")
        if self.default_protocol is not None and self.default_protocol not in PRESETS:
            raise ValueError(f"unknown default_protocol '{self.default_protocol}'")
        return self


@lru_cache(maxsize=1)
def cards() -> Mapping[str, Card]:
    """All cards by name.

    Raises:
        RequestError: a card is damaged (names the file and the field), or the cards are not installed.
    """
    folder = _folder()
    found = [read_card(entry.read_bytes(), entry.name) for entry in folder.iterdir() if entry.name.endswith(".yaml")]
    return MappingProxyType({card.name: card for card in sorted(found, key=lambda card: card.name.lower())})


def read_card(text: str | bytes, where: str) -> Card:
    """Parse one card.

    Args:
        text: YAML.
        where: File name, for the message.
    Raises:
        RequestError: not YAML, or not a card.
    """
    return read_yaml(text, Card, where=where, what="a dataset card")


def read_manifest(stem: str, kind: Literal["files", "pixels"]) -> Mapping[str, str]:
    """File name -> sha256 of one set, in the format of `sha256sum`.

    Args:
        stem: `Card.manifest`.
        kind: Of the files' bytes, or of the decoded pixels (see `verify.pixels_sha256`).
    Raises:
        RequestError: there is no such manifest.
    """
    name = f"{stem}.sha256" if kind == "files" else f"{stem}.pixels.sha256"
    entry = _folder() / "manifests" / name
    if not entry.is_file():
        raise RequestError(f"the manifest {name} is missing beside the dataset cards; install the package again")
    pairs = (line.split(maxsplit=1) for line in entry.read_text("utf-8").splitlines() if line.strip())
    return {file.strip().lstrip("*"): digest for digest, file in pairs}


def _folder() -> Traversable:
    packaged = files("bench.data") / "cards"
    if packaged.is_dir():
        return packaged
    source = Path(str(bench.__file__)).resolve().parent.parent / "datasets"
    if not any(source.glob("*.yaml")):
        raise RequestError(f"the dataset cards are neither in the package nor in {source}; install the package again")
    return source
