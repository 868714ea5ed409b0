"""One of several equal parts of a run, for as many machines that know nothing of each other.

Every part makes the same plan and takes its own images of it, so parts are disjoint and together complete. Each row is
shared out by itself: nobody has to know beforehand how much dearer one method is than another.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from bench.api import RequestError

_WORDS = re.compile(r"([0-9]{1,6})/([0-9]{1,6})", re.ASCII)


@dataclass(frozen=True)
class Shard:
    """Part `number` of `count`, counted from 1."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @staticmethod
    def parse(text: str) -> Shard:
        """The shard of a text such as "3/16".

        Raises:
            ValueError: it is none.

        >>> Shard.parse("3/16")
        Shard(number=3, count=16)
        """
        match = _WORDS.fullmatch(text.strip())
        number, count = (int(match[1]), int(match[2])) if match else (0, 0)
        if not 1 <= number <= count:
            raise ValueError("expected a part and the number of parts, such as 3/16")
        return Shard(number, count)


def share_out(work: Sequence[tuple[Hashable, int]], count: int) -> list[int]:
    """The number of the shard, from 1, of each piece of work.

    Longest first to whoever has least of the same row so far, then least of all: of each row, no shard has more above
    another than its dearest piece.

    Args:
        work: (row, cost) of each piece; costs of one row are in one unit.
        count: Shards.
    Raises:
        RequestError: there are fewer pieces than shards, so that some would have nothing to do.
    """
    if len(work) < count:
        raise RequestError(f"--shard: {len(work)} images cannot be shared out among {count}; ask for fewer parts")
    loads: dict[Hashable, list[int]] = defaultdict(lambda: [0] * count)
    totals = [0] * count
    homes = [0] * len(work)
    for place in sorted(range(len(work)), key=lambda place: -work[place][1]):  # equal ones in the order of the plan
        row, cost = work[place]
        own = loads[row]
        home = min(range(count), key=lambda shard: (own[shard], totals[shard]))
        own[home] += max(1, cost)
        totals[home] += max(1, cost)
        homes[place] = home + 1
    return homes
