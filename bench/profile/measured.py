"""What a profile holds, as typed records with one reader and one writer (`profile.json`).

Times are kept one by one, in seconds; memory is in bytes; sizes are (height, width). 1 MAC is 2 FLOPs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from bench.api import RequestError, Scale, Size, counted
from bench.api.record import first_fault
from bench.imaging.regular import read_regular
from bench.profile.timing import Spread

PROFILE_VERSION = 1
FLOPS_PER_MAC = 2
"""A multiplication and an addition."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where it was measured.

    Attributes:
        processor: Model of the CPU.
        cores: Logical ones.
        threads: That torch computes with.
        memory_gb: Of the machine; None where it does not say.
        device: "cpu", or the GPU's name.
        torch: Its version.
        python: Its version.
        platform: Operating system.
    """

    processor: str
    cores: int
    threads: int
    memory_gb: float | None
    device: str
    torch: str
    python: str
    platform: str

    @property
    def words(self) -> str:
        """As a note below a table says it."""
        threads = counted(self.threads, "thread")
        where = f"{self.processor or self.platform}, {threads}" if self.device == "cpu" else self.device
        return f"{where}, torch {self.torch}"


@dataclass(frozen=True, kw_only=True)
class Operations:
    """Arithmetic of one image.

    Attributes:
        flops: Of the operators with a formula; None: not counted.
        unknown: Operators without one -> how often they were called. They compute, and add nothing to `flops`.
        reason: Why `flops` is None.
    """

    flops: int | None
    unknown: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""

    @property
    def macs(self) -> int | None:
        """Multiplications with an addition."""
        return None if self.flops is None else self.flops // FLOPS_PER_MAC


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage of a cascade, timed by itself; `size` is that of its image."""

    size: Size
    seconds: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Loading:
    """What it takes until a method can be asked for an image.

    Attributes:
        torch: Seconds to import torch.
        code: Seconds to import the method and what it needs, loading included.
        reading: Seconds of loading without imports.
        memory: Held afterwards and after one tiny image, in bytes.
        memory_kind: What `memory` is of.
        parameters: Of its networks; None where it has none of torch.
        frozen: Those among them that its training leaves alone.
    """

    torch: float
    code: float
    reading: float
    memory: int
    memory_kind: str
    parameters: int | None
    frozen: int | None


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One size.

    Attributes:
        lr, size: Of the image and of the result.
        scale: As it was asked for.
        seconds: Of each repetition.
        stages: Of a cascade with more than one; empty where they cannot be told apart.
        stages_why: Why not.
        operations: Of the whole image.
        peak: Most memory during the repetitions, in bytes.
        peak_since_start: True where this system told only the peak since the process began.
        tile: LR tile side that was used; None for whole.
    """

    lr: Size
    size: Size
    scale: Scale
    seconds: tuple[float, ...]
    stages: tuple[Stage, ...] = ()
    stages_why: str = ""
    operations: Operations
    peak: int
    peak_since_start: bool = False
    tile: int | None = None

    def and_again(self, later: Measured) -> Measured:
        """The same size with the times of a later turn behind its own; the larger peak counts."""
        alike = [stage.size for stage in self.stages] == [stage.size for stage in later.stages]
        pairs = zip(self.stages, later.stages, strict=True) if alike else ()
        return replace(
            self,
            seconds=self.seconds + later.seconds,
            stages=tuple(replace(one, seconds=one.seconds + two.seconds) for one, two in pairs),
            stages_why=self.stages_why if alike else "they were others from turn to turn",
            peak=max(self.peak, later.peak),
        )

    @property
    def megapixels(self) -> float:
        """Of the result, in millions."""
        return self.size[0] * self.size[1] / 1e6

    @property
    def spread(self) -> Spread:
        """Of the repetitions."""
        return Spread.of(self.seconds)

    @property
    def seconds_per_megapixel(self) -> float:
        """The median over output megapixels."""
        return self.spread.median / self.megapixels


@dataclass(frozen=True, kw_only=True)
class MethodProfile:
    """One row.

    Attributes:
        method, variant, display: As `RowInfo` has them.
        loading: None where loading failed.
        measured: In the order of the scales.
        notes: What loading said.
        failure: What went wrong; what was measured before stands.
    """

    method: str
    variant: str
    display: str
    loading: Loading | None = None
    measured: tuple[Measured, ...] = ()
    notes: tuple[str, ...] = ()
    failure: str = ""

    def and_again(self, later: MethodProfile) -> MethodProfile:
        """The row with a later turn of the same request added; where that broke off, what it measured counts."""
        again = {(task.lr, task.size): task for task in later.measured}
        measured = [
            task.and_again(again[task.lr, task.size]) if (task.lr, task.size) in again else task
            for task in self.measured
        ]
        return replace(self, measured=tuple(measured), failure=later.failure)


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The content of profile.json; times were measured `repeats` at once, in each of `turns`."""

    version: int = PROFILE_VERSION
    machine: Machine
    repeats: int
    turns: int = 1
    warmup: int
    methods: tuple[MethodProfile, ...]

    @property
    def complete(self) -> bool:
        """Whether nothing failed."""
        return not any(row.failure for row in self.methods)

    @property
    def calls(self) -> str:
        """How many times stand behind a median, in words."""
        if self.turns == 1:
            return counted(self.repeats, "call")
        return f"{self.turns * self.repeats} calls in {self.turns} turns through all methods"

    def to_json(self) -> str:
        """The text of the file."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @staticmethod
    def read(path: Path) -> Profile:
        """Read a file, or the one in a folder.

        Raises:
            RequestError: not there, damaged, or of another version.
        """
        file = path / "profile.json" if path.is_dir() else path
        try:
            found = _adapter().validate_json(read_regular(file))
        except OSError as fault:
            raise RequestError(f"profile {file} cannot be read: {fault.strerror or fault}") from None
        except ValidationError as fault:
            raise RequestError(
                f"{file} is no profile of this version ({first_fault(fault)}); give the --out folder of 'bench profile'"
            ) from None
        if found.version != PROFILE_VERSION:
            raise RequestError(f"{file} has format {found.version}, this version reads {PROFILE_VERSION}; measure anew")
        return found


@lru_cache(maxsize=1)
def _adapter() -> TypeAdapter[Profile]:
    return TypeAdapter(Profile)
