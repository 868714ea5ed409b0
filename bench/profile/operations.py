"""Floating-point operations of one image, by torch's own counter, and the names of the operators that it cannot count.

A convolution or a product of matrices has a formula; 1 MAC is 2 FLOPs. Formulas for attention on the CPU and for
sampling at places are added here. Operators that work value by value have none, as in papers: they are listed with
their calls, interpolation as the ones that it is made of. What runs outside torch (numpy, another program) is not seen.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from bench.profile.measured import FLOPS_PER_MAC, Operations

OUTSIDE = "it runs outside torch"
"""Why a method has no count whose tensors see no arithmetic."""

_MOVES = """
_local_scalar_dense _to_copy _unsafe_index _unsafe_index_put _unsafe_view arange cat channel_shuffle clone complex
constant_pad_nd copy copy_ detach_ embedding empty empty_like empty_permuted empty_strided eye fill fill_ flip full
full_like gather im2col index index_put index_put_ index_select lift lift_fresh lift_fresh_copy linspace masked_fill
masked_fill_ masked_select max_pool2d_with_indices new_empty new_empty_strided new_full new_ones new_zeros normal_
ones ones_like pixel_shuffle pixel_unshuffle rand rand_like randn randn_like reflection_pad1d reflection_pad2d
reflection_pad3d repeat replication_pad1d replication_pad2d replication_pad3d resize_ roll scalar_tensor scatter
scatter_ select_scatter slice_scatter sort stack topk tril triu uniform_ where zero_ zeros zeros_like
"""
"""Operators that move, make, draw or order values, beside the views: nobody counts them."""
_TAPS = (4, 0, 16)
"""Multiplications with an addition per value that is sampled: bilinear, nearest and bicubic, as torch numbers them."""


def count_operations(run: Callable[[], object]) -> Operations:
    """Carry something out once and count.

    Args:
        run: Computes one image.
    """
    seen = _Seen()
    counter = FlopCounterMode(display=False, custom_mapping=_formulas())
    # the counter's own tracker hooks gradients, which fails in inference mode on a module that returns a parameter
    counter.mod_tracker = _Untracked()  # type: ignore[assignment]
    with seen, counter:  # the outer mode sees what the counter leaves after taking compound operators apart
        run()
    known = {packet for packet in seen.calls if packet in counter.flop_registry}
    unknown = {str(packet): calls for packet, calls in seen.calls.items() if packet not in known}
    if not known and not unknown:
        return Operations(flops=None, reason=OUTSIDE)
    return Operations(flops=int(counter.get_total_flops()), unknown=dict(sorted(unknown.items(), key=_most_called)))


class _Untracked:
    """In the place of torch's tracker of modules: everything is counted as one."""

    parents = frozenset({"Global"})

    def __enter__(self) -> _Untracked:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to undo."""


class _Seen(TorchDispatchMode):
    """Operators that compute, with their calls."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[Any] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if not _moves(func, result):
            self.calls[func._overloadpacket] += 1
        return result


def _moves(func: Any, result: Any) -> bool:
    """Whether an operator only moves values, or works on whole numbers (indices, sizes) and truths alone."""
    name = str(func._overloadpacket).rpartition(".")[2]
    if func.is_view or name in _MOVES.split() or func.namespace == "prim":
        return True
    tensors = [each for each in (result if isinstance(result, tuple | list) else (result,)) if _is_tensor(each)]
    return not any(each.is_floating_point() or each.is_complex() for each in tensors)


def _is_tensor(value: object) -> bool:
    return isinstance(value, torch.Tensor)


def _most_called(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def _formulas() -> dict[Any, Callable[..., int]]:
    """Operators that the counter lacks -> FLOPs from the shapes of arguments and result."""
    aten = torch.ops.aten
    return {
        aten._scaled_dot_product_flash_attention_for_cpu: _attention,
        aten.grid_sampler_2d: _sampling,
        aten._grid_sampler_2d_cpu_fallback: _sampling,
    }


def _attention(query: Sequence[int], key: Sequence[int], value: Sequence[int], *_: Any, **__: Any) -> int:
    """Q K^T and its product with V; the softmax works value by value."""
    *outer, queries, width = query
    return FLOPS_PER_MAC * math.prod(outer) * queries * key[-2] * (width + value[-1])


def _sampling(
    image: Sequence[int], grid: Sequence[int], mode: int, *_: Any, out_shape: Sequence[int], **__: Any
) -> int:
    return FLOPS_PER_MAC * _TAPS[mode] * math.prod(out_shape)
