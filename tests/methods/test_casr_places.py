"""Where the tokens of tiles lie in the whole image: what SARM is told, against a map that says it itself."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from methods.blocks.tiles import grid
from methods.casr.passes import _places, _tokens

MULTIPLE = 8
"""Output pixels per token."""


@pytest.mark.parametrize("size", [(64, 160), (160, 64), (96, 96)])
@pytest.mark.parametrize("square", [1, 2, 4])
def test_places_are_what_the_tokens_of_a_map_of_rows_and_columns_say(size: tuple[int, int], square: int) -> None:
    """Catches `_places` that takes columns for rows, and an order of places that is not that of the tokens."""
    rows, columns = (torch.arange(side // MULTIPLE, dtype=torch.float32) for side in size)
    says = torch.stack(torch.meshgrid(rows, columns, indexing="ij"))[None]
    tiles = grid(size, tile=64, overlap=16)
    parts = [functional.avg_pool2d(tile.reduced(MULTIPLE).of(says), square) for tile in tiles]
    places = _places(tiles, (parts[0].shape[-2], parts[0].shape[-1]), MULTIPLE)
    torch.testing.assert_close(places, _tokens(parts)[0])
