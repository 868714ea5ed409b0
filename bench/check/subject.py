"""The method under test: loaded once, called through the engine, its first answers kept for several checks."""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.api import UnitError, Upscaled, derive_seed
from bench.check.cases import FIRST, Case
from bench.check.verdict import Broken, NotApplicable
from bench.engine.choice import MethodChoice
from bench.engine.inference import Runner
from bench.engine.returned import require_finite

if TYPE_CHECKING:
    import torch

SEED = derive_seed(0, "check")


@dataclass(frozen=True)
class Second:
    """A second loading of the same method.

    Attributes:
        ran: Source files of which a function ran while it was loaded and gave its first image.
        first: That image, of the first case.
    """

    ran: frozenset[Path]
    first: torch.Tensor


class Subject:
    """One method with its weights and options.

    Raises:
        RequestError: it cannot be loaded.
    """

    def __init__(self, choice: MethodChoice, *, device: str = "auto", quick: bool = False) -> None:
        self.choice = choice
        self.device = device
        self.quick = quick
        self.runner = Runner(choice, device=device)
        self.gray_only = False
        self._kept: dict[tuple[Case, int], Upscaled] = {}
        self._second: Second | None = None

    @property
    def name(self) -> str:
        """The registered name."""
        return self.choice.name

    def cases(self, cases: Iterable[Case]) -> list[Case]:
        """Those that are to be tried."""
        return [case for case in cases if case.quick or not self.quick]

    def keep(self, case: Case, seed: int = SEED) -> Upscaled:
        """The answer for a case, computed once; nobody may write into it."""
        if (case, seed) not in self._kept:
            self._kept[case, seed] = _cloned(self.call(case, seed))
        return self._kept[case, seed]

    def call(self, case: Case, seed: int = SEED, *, lr: torch.Tensor | None = None, noise: int = 0) -> Upscaled:
        """What the method returns now, as it is.

        Args:
            case: What it is asked for.
            seed: The unit's seed.
            lr: The LR image in place of the case's.
            noise: State of the global random generators before the call, which has no business with the result.
        Raises:
            Broken: it raised, or returned no `Upscaled`.
            NotApplicable: it looks its results up and has none for this case.
        """
        with _global_noise(noise):
            return self._ask(self.runner, case, seed, lr)

    def lr(self, case: Case) -> torch.Tensor:
        """The LR image of a case as this method gets it, a new tensor every time."""
        colour = case.kind in ("photo", "overshoot")
        return (replace(case, kind="gray") if self.gray_only and colour else case).tensor()

    def image(self, result: Upscaled, case: Case) -> torch.Tensor:
        """The image of an answer as dense float64 on the CPU; of any shape, so that each check judges one thing.

        Raises:
            Broken: it is no tensor.
        """
        import torch

        if not isinstance(result.image, torch.Tensor):
            raise Broken(
                expected=f"a tensor as the image for {case.label}",
                seen=f"a {type(result.image).__name__}",
                next="return Upscaled(image) with a torch.Tensor",
            )
        return result.image.detach().to_dense().to("cpu", torch.float64)

    def finite(self, case: Case) -> torch.Tensor:
        """`kept_image` of a case, once it is finite.

        Raises:
            Broken: it has NaN or infinities.
        """
        image = self.kept_image(case)
        try:
            require_finite(image, self.name)
        except UnitError as fault:
            raise as_broken(fault, case) from fault
        return image

    def kept_image(self, case: Case, seed: int = SEED) -> torch.Tensor:
        """`image` of `keep`."""
        return self.image(self.keep(case, seed), case)

    def answers(self) -> list[tuple[Case, Upscaled]]:
        """Everything kept so far."""
        return [(case, result) for (case, _), result in self._kept.items()]

    def accept_gray_only(self) -> None:
        """Give it gray images from now on, as luma protocols do."""
        self.gray_only = True
        self._kept.clear()

    def second(self) -> Second:
        """A second loading, under another state of the global random generators."""
        if self._second is None:
            ran: set[str] = set()
            with _global_noise(1), _recorded(ran):
                runner = Runner(self.choice, device=self.device)
                first = self.image(self._ask(runner, FIRST, SEED, None), FIRST)
            self._second = Second(frozenset(Path(name).resolve() for name in ran), first)
        return self._second

    def _ask(self, runner: Runner, case: Case, seed: int, lr: torch.Tensor | None) -> Upscaled:
        given = self.lr(case) if lr is None else lr
        try:
            return runner.call(given, case.size, image=case.image, scale=case.scale, seed=seed)
        except UnitError as fault:
            if self.choice.spec.looks_up and not fault.details:
                raise NotApplicable(f"it looks its results up: {fault}") from fault
            raise as_broken(fault, case) from fault


def as_broken(fault: UnitError, case: Case) -> Broken:
    """An error of the engine as a verdict."""
    then = "mend that line; --traceback shows how it came there" if fault.details else "do as it says"
    return Broken(expected=f"an image for {case.label}", seen=str(fault), next=then, details=fault.details)


def difference(a: torch.Tensor, b: torch.Tensor) -> float:
    """The largest absolute difference of two images; infinite where their shapes differ."""
    return float((a - b).abs().max()) if a.shape == b.shape else math.inf


def _cloned(result: Upscaled) -> Upscaled:
    """A copy that no later call of the method can write into."""
    import torch

    image = result.image.detach().clone() if isinstance(result.image, torch.Tensor) else result.image
    return Upscaled(image, tuple(stage.detach().clone() for stage in result.stages), result.tile)


@contextmanager
def _global_noise(state: int) -> Iterator[None]:
    """Set the global random generators, and put them back."""
    import torch

    before = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        random.seed(state)
        np.random.seed(state)
        torch.manual_seed(state)
        try:
            yield
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])


@contextmanager
def _recorded(files: set[str]) -> Iterator[None]:
    """Note the source file of every Python function that is called inside."""

    def note(frame: object, event: str, _: object) -> None:
        if event == "call":
            files.add(frame.f_code.co_filename)  # type: ignore[attr-defined]

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(before)
