"""Several sets pooled as one, such as CASR's "Benchmark": one mean over all images, not a mean of means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bench.api import Dataset, Sample, Scale, Unavailable


class UnionDataset(Dataset):
    """The images of all parts; an id is `<part>-<id in the part>`, such as Set5-baby."""

    def __init__(self, name: str, parts: Sequence[Dataset], *, default_protocol: str | None = None) -> None:
        """Pool some sets.

        Args:
            name: As tables show it.
            parts: At least one; all of one kind and with names of their own.
            default_protocol: Used where the user names none.
        Raises:
            ValueError: no part, mixed kinds, or two parts of one name.
        """
        kinds = {part.kind for part in parts}
        if len(kinds) != 1:
            raise ValueError(f"the parts of {name} must all be of one kind, got {sorted(kinds)}")
        if len({part.name for part in parts}) != len(parts):
            raise ValueError(f"two parts of {name} have one name: {[part.name for part in parts]}")
        self.name = name
        self.parts = tuple(parts)
        self.kind = kinds.pop()
        self.default_protocol = default_protocol

    def samples(self, scale: Scale) -> Sequence[Sample]:
        """The samples of all parts, sorted by id.

        Raises:
            Unavailable: a part is not here; names every missing part, for a pooled mean of the rest is another number.
            RequestError: of a part.
        """
        found: list[Sample] = []
        missing: list[str] = []
        for part in self.parts:
            try:
                found += [replace(sample, id=f"{part.name}-{sample.id}") for sample in part.samples(scale)]
            except Unavailable as fault:
                missing.append(str(fault))
        if missing:
            raise Unavailable(
                f"{self.name} pools {len(self.parts)} sets, {len(missing)} not here:\n" + "\n".join(missing)
            )
        return sorted(found, key=lambda sample: sample.id)
