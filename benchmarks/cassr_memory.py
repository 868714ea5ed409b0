"""Peak memory of CasSR's full size, without having it: one pass on torch's meta device, counting the tensors that live.

    python benchmarks/cassr_memory.py [--side 2048] [--dtype bfloat16] [--tile 512]

Weights and everything that the pass computes; what an allocator keeps beside it is not counted, and attention is
counted as a fused kernel has it, without its matrix of scores.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from unittest.mock import patch

import torch
from torch import nn
from torch.nn import functional

from bench.profile.live import LiveTensors
from methods.blocks.stable_diffusion import blank_vae
from methods.blocks.unet import new_unet
from methods.cassr.architecture import CassrArchitecture
from methods.cassr.denoiser import Parts
from methods.cassr.network import Cassr

META = torch.device("meta")


class Words(nn.Module):
    """CLIP's text encoder as the pass sees it."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, prompts):
        """(B, 77, 768)."""
        return torch.empty(len(prompts), 77, 768, device=META, dtype=self.dtype)


def fused(q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False, **_):
    """The shape of attention's result."""
    return q.new_empty((*q.shape[:-1], v.shape[-1]))


def peak_of(*, side: int, dtype: torch.dtype, tile: int, iam: str) -> tuple[int, int]:
    """Bytes of the weights (without the text encoder, 0.12 B parameters), and the peak of one step and decoding."""
    said = CassrArchitecture.full()
    with META:
        unet = new_unet(said.unet, inputs=4, outputs=4, padding="zeros")
        network = Cassr(said, Parts(unet=unet, vae=blank_vae(), text=Words(dtype)))
    network.place(META, dtype)
    network.settings = replace(network.settings, steps=1, iam_steps=1, tile=tile, overlap=tile // 4)
    weights = sum(each.numel() * each.element_size() for each in (*network.parameters(), *network.buffers()))
    with torch.no_grad(), patch.object(functional, "scaled_dot_product_attention", fused), LiveTensors() as live:
        up = torch.empty(1, 3, side, side, device=META)
        network.sample(up, torch.empty_like(up), [0], stage=iam or None)
    return weights, live.peak


def main() -> None:
    """Print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--tile", type=int, default=512)
    parser.add_argument("--dtype", default="bfloat16", choices=["float32", "bfloat16", "float16"])
    said = parser.parse_args()
    for stage in ("", "scedit"):
        weights, peak = peak_of(side=said.side, dtype=getattr(torch, said.dtype), tile=said.tile, iam=stage)
        name = stage or "controlled model"
        print(
            f"{name}: weights {weights / 2**30:.2f} GiB, computed {peak / 2**30:.2f} GiB, {said.dtype}, {said.side} px"
        )


if __name__ == "__main__":
    main()
