"""What a process of its own does for one method: import, load, and measure one task after the other.

Everything is measured as `bench run` runs it: through `Runner`, in inference mode, in tiles where there are any.
"""

from __future__ import annotations

import builtins
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.api import RequestError, Scale, Size, UnitError, Upscaled
from bench.profile.measured import Loading, Machine, Measured, Stage
from bench.profile.request import ProfileRequest, Task

if TYPE_CHECKING:
    import torch

    from bench.engine.choice import MethodChoice
    from bench.engine.inference import Runner
    from bench.profile.memory import Meter
    from bench.profile.timing import Clock


@dataclass(frozen=True)
class Message:
    """What a child tells its parent.

    Attributes:
        content: A machine, a loading, a measurement, a note, or why it ends early.
        failed: Whether it is the last.
    """

    content: Machine | Loading | Measured | str
    failed: bool = False


def measure(request: ProfileRequest, index: int, tell: Callable[[Message], None]) -> None:
    """Profile one row of a request in this process.

    Args:
        request: Of all rows.
        index: Which row.
        tell: Is given every result as it comes; a failure is told, not raised.
    """
    try:
        choice = request.choices()[index]
        runner, loading, machine, meter = _load(choice, request)
        tell(Message(machine))
        tell(Message(loading))
        for note in runner.method.notes:
            tell(Message(note))
        for task in request.tasks:
            tell(Message(_measured(runner, task, request, meter)))
    except (RequestError, UnitError) as fault:
        tell(Message(str(fault), failed=True))
    except MemoryError:
        tell(Message("out of memory", failed=True))


def _load(choice: MethodChoice, request: ProfileRequest) -> tuple[Runner, Loading, Machine, Meter]:
    from bench.engine.environment import describe_environment

    with imports_timed() as torch_imports:
        import torch
    if request.threads is not None:
        torch.set_num_threads(request.threads)
    from bench.engine.inference import Runner
    from bench.profile.memory import meter_of
    from bench.profile.parameters import count_parameters

    started = time.perf_counter()
    with imports_timed() as imports:
        runner = Runner(choice, device=request.device, tile=request.tile)
    whole = time.perf_counter() - started
    device = torch.device(runner.device)
    meter = meter_of(device)
    _try_out(runner, request)
    counted = count_parameters(runner.method)
    environment = describe_environment()
    machine = Machine(
        processor=environment["processor"],
        cores=environment["cores"] or 1,
        threads=torch.get_num_threads(),
        memory_gb=environment["memory_gb"],
        device="cpu" if device.type == "cpu" else torch.cuda.get_device_name(device),
        torch=torch.__version__,
        python=environment["python"],
        platform=environment["platform"],
    )
    loading = Loading(
        torch=torch_imports.seconds,
        code=imports.seconds,
        reading=max(0.0, whole - imports.seconds),
        memory=meter.now(),
        memory_kind=meter.kind,
        parameters=choice.spec.info.parameters if counted is None else counted.total,
        frozen=None if counted is None else counted.frozen,
    )
    return runner, loading, machine, meter


def _try_out(runner: Runner, request: ProfileRequest) -> None:
    """One tiny image: what methods and counters import with their first one belongs to the loaded state."""
    from bench.profile.operations import count_operations

    with contextlib.suppress(UnitError):  # too small for it: the first task then has the rest
        count_operations(lambda: _call(runner, photograph((16, 16)), (32, 32), 2.0, request))


def _measured(runner: Runner, task: Task, request: ProfileRequest, meter: Meter) -> Measured:
    import torch

    from bench.profile.operations import count_operations
    from bench.profile.timing import cuda_clock, timed, wall_clock

    device = torch.device(runner.device)
    clock = cuda_clock(device) if device.type == "cuda" else wall_clock
    lr = photograph(task.lr)
    kept: list[Upscaled] = []

    def once() -> None:
        kept.clear()  # the result before must not lie in memory beside this one
        kept.append(_call(runner, lr, task.size, task.scale, request))

    counted = [count_operations(once)] if request.warmup else []
    fresh = meter.reset()
    seconds = timed(once, repeats=request.repeats, warmup=max(0, request.warmup - 1), clock=clock)
    peak = meter.peak()
    counted = counted or [count_operations(once)]
    stages: tuple[Stage, ...] = ()
    why = ""
    if request.stages and (between := _between(kept[0], task.size)):
        tile = kept.pop().tile
        try:
            stages = _stages(runner, [lr, *between], task, request, clock)
        except UnitError as fault:
            why = str(fault)
    else:
        tile = kept.pop().tile
    return Measured(
        lr=task.lr,
        size=task.size,
        scale=task.scale,
        seconds=seconds,
        stages=stages,
        stages_why=why,
        operations=counted[0],
        peak=peak,
        peak_since_start=not fresh,
        tile=tile,
    )


def _call(runner: Runner, lr: torch.Tensor, size: Size, scale: Scale, request: ProfileRequest) -> Upscaled:
    """One image as a run computes it, without what the harness does to it before and after."""
    import torch

    from bench.engine.tiled import upscale

    def call(part: torch.Tensor, part_size: Size) -> Upscaled:
        return runner.call(part, part_size, image="profile", scale=scale, seed=request.seed)

    with torch.inference_mode():
        return upscale(call, runner.choice.spec.info.tiling, lr, size, tile=runner.tile)


def _between(result: Upscaled, size: Size) -> list[torch.Tensor]:
    """The images between LR and result, on the CPU; a stage of the full size is the result itself, or no image."""
    return [
        stage.detach().float().cpu().clamp(0, 1) for stage in result.stages if tuple(stage.shape[-2:]) != tuple(size)
    ]


def _stages(
    runner: Runner, images: list[torch.Tensor], task: Task, request: ProfileRequest, clock: Clock
) -> tuple[Stage, ...]:
    """Each stage by itself: the method on the image of the stage before, for the size of this one.

    Raises:
        UnitError: such a call is itself a cascade, or the method refuses it, so that stages cannot be told apart.
    """
    from bench.profile.timing import timed

    sizes = [(int(image.shape[-2]), int(image.shape[-1])) for image in images[1:]] + [task.size]
    stages = []
    for number, (image, size) in enumerate(zip(images, sizes, strict=True), start=1):
        scale = max(size[0] / image.shape[-2], size[1] / image.shape[-1])
        if _between(_call(runner, image, size, scale, request), size):
            raise UnitError(f"stage {number} by itself is more than one stage")
        seconds = timed(
            lambda i=image, s=size, x=scale: _call(runner, i, s, x, request),
            repeats=request.repeats,
            warmup=0,
            clock=clock,
        )
        stages.append(Stage(size=size, seconds=seconds))
    return tuple(stages)


def photograph(size: Size) -> torch.Tensor:
    """An LR image with the content of a photograph, since superpixels and tiles depend on it: float32 (3, h, w)."""
    import numpy as np

    from bench.data.embedded import SAMPLE_FILES, SAMPLE_SIDE, sample_folder
    from bench.engine.inference import as_tensor
    from bench.imaging.io import read_image
    from bench.imaging.resize import imresize_u8

    whole = read_image(sample_folder() / SAMPLE_FILES[0]).pixels[:SAMPLE_SIDE, :SAMPLE_SIDE, :3]
    return as_tensor(np.divide(imresize_u8(whole, size), 255, dtype=np.float32))


class ImportTime:
    """Seconds spent in import statements."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._inside = False

    def timed(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """`__import__` with its time added up; imports within imports count once."""

        def importing(*args: Any, **kwargs: Any) -> Any:
            if self._inside:
                return original(*args, **kwargs)
            self._inside = True
            started = time.perf_counter()
            try:
                return original(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - started
                self._inside = False

        return importing


@contextlib.contextmanager
def imports_timed() -> Iterator[ImportTime]:
    """The time of all import statements that are carried out inside."""
    clock, original = ImportTime(), builtins.__import__
    builtins.__import__ = clock.timed(original)
    try:
        yield clock
    finally:
        builtins.__import__ = original
