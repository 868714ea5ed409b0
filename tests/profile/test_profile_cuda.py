"""Clock and memory of a GPU, where there is one."""

from __future__ import annotations

import pytest
import torch

from bench.profile.memory import meter_of
from bench.profile.timing import cuda_clock, wall_clock

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device here"),
]


def test_work_that_is_only_queued_counts_where_it_is_done() -> None:
    """Catches a clock that stops when the last kernel is queued: twenty products cost more than queueing them."""
    device = torch.device("cuda")
    values = torch.ones(4096, 4096, device=device)

    def run() -> None:
        for _ in range(20):
            values @ values

    run()
    torch.cuda.synchronize(device)
    queued = wall_clock(run)
    torch.cuda.synchronize(device)
    assert cuda_clock(device)(run) > queued


def test_the_peak_is_that_of_tensors_since_the_reset() -> None:
    """Catches a peak of before, and one that holds what the allocator only keeps in reserve."""
    device = torch.device("cuda")
    meter = meter_of(device)
    del_later = torch.ones(50_000_000, device=device)
    before = meter.now()
    assert before >= 200_000_000
    del del_later
    assert meter.reset()
    torch.ones(10_000_000, device=device)
    assert 40_000_000 <= meter.peak() - meter.now() < 80_000_000
