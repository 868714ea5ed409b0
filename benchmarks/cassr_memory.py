"""Peak memory of CasSR's full size, without having it: one pass on torch's meta device, counting the tensors that live.

    python benchmarks/cassr_memory.py [--side 2048] [--dtype bfloat16] [--tile 512]

Weights and everything that the pass computes; what an allocator keeps beside it is not counted, and attention is
counted as a fused kernel has it, without its matrix of scores.
"""

from __future__ import annotations

import argparse
import weakref
from collections import Counter
from dataclasses import replace
from unittest.mock import patch

import torch
from torch import nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from methods.blocks.stable_diffusion import blank_vae
from methods.blocks.unet import new_unet
from methods.cassr.architecture import CassrArchitecture
from methods.cassr.denoiser import Parts
from methods.cassr.network import Cassr

META = torch.device("meta")


class Live(TorchDispatchMode):
    """Bytes of the tensors that were made within it and still live, and their peak."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = self.peak = 0
        self._holders: Counter[int] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor) and tensor.device == META:
                storage = tensor.untyped_storage()
                self._hold(storage._cdata, storage.nbytes())
                weakref.finalize(tensor, self._release, storage._cdata, storage.nbytes())
        return result

    def _hold(self, key: int, size: int) -> None:
        self._holders[key] += 1
        if self._holders[key] == 1:
            self.bytes += size
            self.peak = max(self.peak, self.bytes)

    def _release(self, key: int, size: int) -> None:
        self._holders[key] -= 1
        if not self._holders[key]:
            self.bytes -= size


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
    with torch.no_grad(), patch.object(functional, "scaled_dot_product_attention", fused), Live() as live:
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
