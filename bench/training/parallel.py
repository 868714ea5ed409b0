"""Several processes that train together: each takes its share of every batch, and their gradients are averaged.

`torchrun` starts them, mmengine's communication joins them. The model is not wrapped in DistributedDataParallel, whose
hooks expect one backward pass a step: here a step has one per part of the batch and per side of a game, so gradients
are averaged when all of them are there.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

import torch
from mmengine.dist import all_reduce, all_reduce_params, barrier, get_rank, get_world_size, is_main_process

from bench.api import RequestError

T = TypeVar("T")


def join(device: str) -> None:
    """Meet the other processes that torchrun started; alone, do nothing.

    Args:
        device: "cpu" (gloo) or "cuda" (nccl; a process each on the GPU of its number).
    Raises:
        RequestError: one GPU for all of them.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or torch.distributed.is_initialized():
        return
    if device not in ("cpu", "cuda"):
        raise RequestError(
            f"--device {device}: each of several processes takes the GPU of its number; give --device cuda"
        )
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    torch.distributed.init_process_group("nccl" if device == "cuda" else "gloo")


def is_first() -> bool:
    """Whether this process writes files and talks; true for one that is alone."""
    return is_main_process()


def processes() -> int:
    """How many there are."""
    return get_world_size()


def share(parts: Sequence[T]) -> list[T]:
    """This process's parts of a batch.

    Raises:
        RequestError: processes that cannot have equally many.
    """
    count = get_world_size()
    if len(parts) % count:
        raise RequestError(f"{len(parts)} parts of a batch cannot be shared alike by {count} processes")
    own = len(parts) // count
    return list(parts[get_rank() * own : (get_rank() + 1) * own])


def average(tensors: Sequence[torch.Tensor]) -> None:
    """Replace tensors by their means over the processes, in place; all processes must call it with alike ones."""
    if get_world_size() > 1:
        all_reduce_params(list(tensors), op="mean")


def agreed(value: bool, device: torch.device) -> bool:
    """Whether any process says so: what all must do together is decided together."""
    if get_world_size() == 1:
        return value
    said = torch.tensor(float(value), device=device)
    all_reduce(said, "max")
    return bool(said)


def wait() -> None:
    """Until all processes are here."""
    barrier()
