"""LIIF and LTE beside their papers' own arithmetic: CPU seconds of one image, as a ratio, in one process.

Run: python benchmarks/authors_decoding.py [--weights FILE] [--side 48] [--scale 4] [--repeats 5] [--threads 1]
Networks of the papers' size (EDSR-baseline; random weights, or LIIF's from a file) on one LR image. "as published" is
the decoding as the papers' sections describe it and their evaluation runs it: 30,000 queries at a time, each of which
looks up the whole (unfolded) feature vector of four LR pixels and sends it through the whole MLP. Both sides have the
same weights and end in the same image; the encoder counts on both.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

import torch
from costs import least, photograph
from torch.nn import functional

from methods.blocks.arbsr import ArbSR, bilinear_at
from methods.blocks.coordinates import Size, cell_of, make_coord
from methods.blocks.fourier import FourierDecoder
from methods.blocks.mlp import MLP
from methods.liif.method import load_network
from methods.liif.network import LIIFNetwork
from methods.lte.method import LteArchitecture

_QUERIES = 30_000
"""Queries at a time in both papers' evaluation."""
_EDGE = 1e-6
"""How far within the image a moved query stays, and how far it is moved beyond half a pixel."""
Answer = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(moved coordinates (Q, 2), query minus centre in half LR pixels (Q, 2)) -> (Q, 3)."""


def main() -> None:
    """Print a row per method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, help="LIIF's; without it both networks are random")
    parser.add_argument("--side", type=int, default=48, help="of the LR image")
    parser.add_argument("--scale", type=float, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    lr = photograph((options.side, options.side))
    size = (round(options.side * options.scale),) * 2
    liif = (LIIFNetwork() if options.weights is None else load_network(options.weights)).eval()
    lte = ArbSR(LteArchitecture(ensemble="area")).eval()
    print(f"{options.side} x {options.side} to {size[1]} x {size[0]}: CPU s, least of {options.repeats}")
    print(f"{'':>6}{'as published':>14}{'here':>8}{'ratio':>8}{'encoder':>9}{'layers alone':>14}{'largest gap':>13}")
    with torch.inference_mode():
        row("LIIF", liif, lambda: published_liif(liif, lr, size), lr, size, options.repeats)
        row("LTE", lte, lambda: published_lte(lte, lr, size), lr, size, options.repeats)


def row(
    label: str,
    network: LIIFNetwork | ArbSR,
    published: Callable[[], torch.Tensor],
    lr: torch.Tensor,
    size: Size,
    n: int,
) -> None:
    """Both sides by turns, so that what else the machine does meets both alike."""
    pairs = [(least(published, 1), least(lambda: network.upsample(lr, size), 1)) for _ in range(n)]
    theirs, ours = (min(side) for side in zip(*pairs, strict=True))
    encoder = least(lambda: network.encoder(lr), n)
    layers = least(lambda: hidden_layers(network, 4 * size[0] * size[1]), n)
    gap = float((published() - network.upsample(lr, size)).abs().max())
    print(f"{label:>6}{theirs:14.3f}{ours:8.3f}{theirs / ours:8.2f}{encoder:9.3f}{layers:14.3f}{gap:13.1e}", flush=True)


def hidden_layers(network: LIIFNetwork | ArbSR, count: int) -> None:
    """The matrix products that every query and neighbour needs whatever the rest does: what bounds the decoding."""
    layers = [layer for layer in network.decoder.imnet.layers if isinstance(layer, torch.nn.Linear)][:-1]
    if isinstance(network, LIIFNetwork):
        del layers[0]  # once per LR pixel
    rows = torch.randn(1024, layers[0].in_features)
    for layer in layers:
        weight, out = layer.weight.t().contiguous(), torch.empty(1024, layer.out_features)
        for _ in range(-(-count // 1024)):
            torch.mm(rows, weight, out=out)


def published_liif(network: LIIFNetwork, lr: torch.Tensor, size: Size) -> torch.Tensor:
    """LIIF, section 3: f(unfolded feature, relative coordinate, cell) of four neighbours, weighted by opposite areas.

    Args:
        network: Of the defaults.
        lr: (1, 3, h, w) in [-1, 1].
        size: (H, W).
    Returns:
        (1, 3, H, W).
    """
    features, lr_size = network.encoder(lr), (lr.shape[-2], lr.shape[-1])
    cell = (cell_of(size) * torch.tensor(lr_size)).float()

    def colours(coord: torch.Tensor) -> torch.Tensor:
        # section 3.2, feature unfolding; the evaluation unfolds for every 30,000 queries again
        unfolded = functional.unfold(features, 3, padding=1).unflatten(2, lr_size)

        def answer(moved: torch.Tensor, relative: torch.Tensor) -> torch.Tensor:
            inputs = torch.cat((_nearest(unfolded, moved), relative), dim=1)
            return _mlp(network.decoder.imnet, torch.cat((inputs, cell.expand(len(relative), 2)), dim=1))

        return _ensemble(answer, coord, lr_size)

    return _in_queries(colours, size)


def published_lte(network: ArbSR, lr: torch.Tensor, size: Size) -> torch.Tensor:
    """LTE, section 3: f(A * [cos pi(<F, d> + p(c)), sin pi(...)]) of four neighbours, and the interpolated image.

    Args:
        network: With ensemble "area".
        lr: (1, 3, h, w) in [-1, 1].
        size: (H, W).
    Returns:
        (1, 3, H, W).
    """
    decoder, lr_size = network.decoder, (lr.shape[-2], lr.shape[-1])
    assert isinstance(decoder, FourierDecoder)
    features = network.encoder(lr)
    # their frequencies are (y, x) pairs, channel by channel; here all of y come before all of x
    amplitudes = decoder.coef(features)
    frequencies = decoder.freq(features).unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2).contiguous()
    cell = (cell_of(size) * torch.tensor(lr_size)).float()

    def answer(moved: torch.Tensor, relative: torch.Tensor) -> torch.Tensor:
        amplitude = _nearest(amplitudes, moved)
        frequency = torch.stack(_nearest(frequencies, moved).split(2, dim=1), dim=2)
        angle = (frequency * relative[:, :, None]).sum(dim=1) + decoder.phase(cell.expand(len(relative), 2))
        waves = torch.cat(((math.pi * angle).cos(), (math.pi * angle).sin()), dim=1)
        return _mlp(decoder.imnet, amplitude * waves)

    def colours(coord: torch.Tensor) -> torch.Tensor:
        return _ensemble(answer, coord, lr_size) + bilinear_at(lr, coord[None])[0]

    return _in_queries(colours, size)


def _ensemble(answer: Answer, coord: torch.Tensor, lr_size: Size) -> torch.Tensor:
    """Both papers' local ensemble: a query moved by half an LR pixel to either side finds its four neighbours."""
    scale = torch.tensor(lr_size, dtype=coord.dtype)
    centres = make_coord(lr_size).to(coord.dtype).T.reshape(1, 2, *lr_size)
    answers, areas = [], []
    for down in (-1, 1):
        for right in (-1, 1):
            moved = (coord + torch.tensor((down, right)) / scale + _EDGE).clamp(-1 + _EDGE, 1 - _EDGE)
            relative = (coord - _nearest(centres, moved)) * scale
            answers.append(answer(moved, relative))
            areas.append((relative[:, 0] * relative[:, 1]).abs() + 1e-9)
    total = sum(areas)
    return torch.stack([a * (area / total)[:, None] for a, area in zip(answers, areas[::-1], strict=True)]).sum(0)


def _mlp(imnet: MLP, values: torch.Tensor) -> torch.Tensor:
    """Layer by layer, each into new memory as in the papers' networks."""
    for layer in imnet.layers:
        values = layer(values) if isinstance(layer, torch.nn.Linear) else functional.relu(values)
    return values


def _nearest(maps: torch.Tensor, coord: torch.Tensor) -> torch.Tensor:
    """(1, C, h, w) at (Q, 2) coordinates: (Q, C)."""
    found = functional.grid_sample(maps, coord.flip(-1)[None, None], mode="nearest", align_corners=False)
    return found[0, :, 0].T


def _in_queries(colours: Callable[[torch.Tensor], torch.Tensor], size: Size) -> torch.Tensor:
    """An image, 30,000 queries at a time."""
    coord = make_coord(size).float()
    found = torch.cat([colours(part) for part in coord.split(_QUERIES)])
    return found.T.reshape(1, 3, *size)


if __name__ == "__main__":
    main()
