"""The two passes over the tiles of an image: encoders first, then SARM over all of them, then decoders and merging.

Source: CASR section SARM (bottleneck features are cached, attended to together, decoded one by one, merged by
MultiDiffusion). What pass one leaves for pass two is kept up to a limit and computed again beyond it, so that memory
does not grow with the image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import torch
from torch.nn import functional

from bench.api import Size
from methods.blocks.codec import UnshuffleCodec, VaeCodec
from methods.blocks.controlnet import ControlNet
from methods.blocks.tiles import Tile, Weights, merge
from methods.blocks.unet import UNet
from methods.casr.architecture import CasrArchitecture
from methods.casr.sarm import Sarm


@dataclass(frozen=True, kw_only=True)
class TileSettings:
    """How an image goes through the network in tiles.

    Attributes:
        tile: Longest side of a tile in output pixels, a multiple of the network's `multiple`.
        overlap: Least overlap of neighbouring tiles.
        smallest: Images are mirrored up to at least this side. [inferred]
        weights: How latents of overlapping tiles are weighted.
        batch: Tiles that are computed at once.
        kept: Megabytes of skips that are kept between the passes; further tiles' encoders run twice. The method sets
            it by the free memory.
        keys: Above so many tokens, those that are attended to are averages over squares of a tile's tokens; the
            queries stay. [ours] Bounds the quadratic cost; at the full size (16384) 8K images stay below it.
        decode_tile, decode_overlap: Of the VAE's decoder, in latent pixels. [inferred]
        sarm: False: tiles do not see each other.
        lr_semantics: False: SARM without the attention to the input's semantics.
        phases: 4: the mean of four images, for which the latent's grid lies differently. [ours]
    """

    tile: int = 256
    overlap: int = 32
    smallest: int = 64
    weights: Weights = "none"
    batch: int = 4
    kept: int = 512
    keys: int = 4096
    decode_tile: int = 64
    decode_overlap: int = 8
    sarm: bool = True
    lr_semantics: bool = True
    phases: Literal[1, 4] = 1

    def __post_init__(self) -> None:
        if self.overlap < 0 or self.tile < max(2 * self.overlap, 2):
            raise ValueError(f"a tile must be at least twice its overlap, got {self.tile} and {self.overlap}")


class Encoded(NamedTuple):
    """What pass one knows of some tiles, tile by tile and within a tile image by image."""

    z: torch.Tensor
    h: torch.Tensor
    skips: tuple[torch.Tensor, ...]
    emb: torch.Tensor

    @property
    def megabytes(self) -> float:
        """Memory of what pass two needs beside h."""
        return sum(each.numel() * each.element_size() for each in (self.z, *self.skips)) / 2**20


class Scene(NamedTuple):
    """What a cycle shows the network, padded.

    Attributes:
        s: (B, 3, H, W) in [-1, 1].
        depth: (B, 1, H, W) in [0, 1]; None: no ControlNet.
        text: (B, L, D).
        semantics: (B, M, D); None: no attention to them.
        anchor: (B, 3, H, W) in [-1, 1], the bicubic enlargement; None: the network is not shown it.
    """

    s: torch.Tensor
    depth: torch.Tensor | None
    text: torch.Tensor
    semantics: torch.Tensor | None
    anchor: torch.Tensor | None = None


def phase_offsets(factor: int, phases: int) -> list[tuple[int, int]]:
    """Rows and columns that are put before an image, so that each lies differently on a grid of `factor`.

    Of four, no two share a row or a column of the grid's cell, as queens would have it.
    """
    quarters = [(0, 0), (2, 2), (1, 3), (3, 1)][:phases]
    return list(dict.fromkeys((rows * factor // 4, columns * factor // 4) for rows, columns in quarters))


class Passable(Protocol):
    """What the passes need of a network; `network.Casr` is one."""

    architecture: CasrArchitecture
    codec: UnshuffleCodec | VaeCodec
    unet: UNet
    controlnet: ControlNet | None
    sarm: Sarm | None

    @property
    def multiple(self) -> int:
        """Image pixels per bottleneck token, along one side."""
        ...

    def clean(self, z: torch.Tensor, predicted: torch.Tensor) -> torch.Tensor:
        """The clean latent of a prediction."""
        ...


def predict(network: Passable, scene: Scene, tiles: Sequence[Tile], settings: TileSettings) -> torch.Tensor:
    """The merged clean latent of a padded image.

    Args:
        network, scene: What, of what.
        tiles: Of equal size, covering the image.
        settings: How.
    Returns:
        (B, C, H / factor, W / factor).
    """
    factor = network.codec.factor
    groups = [tiles[start : start + settings.batch] for start in range(0, len(tiles), settings.batch)]
    size: Size = (scene.s.shape[-2] // factor, scene.s.shape[-1] // factor)
    parts = _decoded(network, scene, groups, settings)
    return merge(parts, [tile.reduced(factor) for tile in tiles], size, weights=settings.weights)


def _decoded(
    network: Passable, scene: Scene, groups: Sequence[Sequence[Tile]], settings: TileSettings
) -> Iterator[torch.Tensor]:
    count = len(scene.s)
    refining = settings.sarm and network.sarm is not None
    kept: list[Encoded | None] = []
    features: list[torch.Tensor] = []
    if refining:
        room = torch.inf if torch.is_grad_enabled() else settings.kept
        for group in groups:
            found = _encode(network, scene, group)
            features += found.h.split(count)
            room -= found.megabytes
            kept.append(found if room >= 0 else None)
        features = _refine(network, features, [tile for group in groups for tile in group], scene, settings)
    for number, group in enumerate(groups):
        known = kept[number] if refining else None
        if refining:
            kept[number] = None
        z, h, skips, emb = known if known is not None else _encode(network, scene, group)
        if refining:
            h = torch.cat(features[: len(group)])
            del features[: len(group)]
        text = scene.text.repeat(len(group), 1, 1)
        yield from network.clean(z, network.unet.up(h, skips, emb, text)).split(count)


def _encode(network: Passable, scene: Scene, group: Sequence[Tile]) -> Encoded:
    image = torch.cat([tile.of(scene.s) for tile in group])
    text = scene.text.repeat(len(group), 1, 1)
    z = network.codec.encode(image)
    if scene.anchor is not None:
        z = torch.cat((z, network.codec.encode(torch.cat([tile.of(scene.anchor) for tile in group]))), dim=1)
    seen = z.to(text.dtype)
    control = None
    if scene.depth is not None and network.controlnet is not None:
        depth = torch.cat([tile.of(scene.depth) for tile in group])
        shown = (
            torch.cat((image / 2 + 0.5, depth), dim=1)
            if network.architecture.control_input == "sp+depth"
            else depth.expand(-1, 3, -1, -1)
        )
        control = network.controlnet(
            seen,
            network.architecture.timestep,
            text,
            shown.to(text.dtype),
            strength=network.architecture.conditioning_scale,
        )
    return Encoded(z, *network.unet.down_mid(seen, network.architecture.timestep, text, control))


def _refine(
    network: Passable, features: Sequence[torch.Tensor], tiles: Sequence[Tile], scene: Scene, settings: TileSettings
) -> list[torch.Tensor]:
    """SARM over the features of all tiles, each (B, C, h, w)."""
    assert network.sarm is not None
    height, width = features[0].shape[-2:]
    square = 1
    while len(tiles) * (height // square) * (width // square) > settings.keys and square < min(height, width):
        square *= 2
    keys, key_places = None, None
    if square > 1:
        pooled = [functional.avg_pool2d(each, square) for each in features]
        keys, key_places = _tokens(pooled), _places(tiles, (pooled[0].shape[-2], pooled[0].shape[-1]), network.multiple)
    refined = network.sarm(
        _tokens(features),
        scene.semantics,
        keys=keys,
        places=_places(tiles, (height, width), network.multiple).to(scene.s.device),
        key_places=None if key_places is None else key_places.to(scene.s.device),
    )
    per_tile = refined.transpose(1, 2).unflatten(2, (len(tiles), height, width))
    return list(per_tile.unbind(2))


def _tokens(features: Sequence[torch.Tensor]) -> torch.Tensor:
    """T maps (B, C, h, w) -> (B, T h w, C)."""
    return torch.cat([each.flatten(2).transpose(1, 2) for each in features], dim=1)


def _places(tiles: Sequence[Tile], size: Size, multiple: int) -> torch.Tensor:
    """(T h w, 2): row and column of every token's centre in the whole image, in tokens of the network."""
    found = []
    for tile in tiles:
        axes = [
            (first + (torch.arange(length) + 0.5) * ((last - first) / length)) / multiple - 0.5
            for (first, last), length in zip((tile.rows, tile.columns), size, strict=True)
        ]
        found.append(torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).flatten(0, 1))
    return torch.cat(found)
