"""The contract of a super-resolution method, and the light description that can be read without importing torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from bench.api.scale import Scale

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from bench.api.sizes import Size


class Tiling(StrEnum):
    """Who splits a large image: nobody, the harness (feathered tiles), or the method itself."""

    NONE = "none"
    SUPPORTED = "supported"
    INTERNAL = "internal"


UNTRAINED = "untrained"
"""The weights label of a method without trained weights; the variants of its rows begin with it."""


def weights_label(variant: str) -> str:
    """What a variant ("lite", "lite,option=value") says of its weights; of a method without any it is an option."""
    return variant.split(",", 1)[0]


def as_typed(value: object) -> str:
    """An option's value as `--set` takes it: null, true, false; several numbers with an x between them."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, tuple):
        return "x".join(f"{each:g}" if isinstance(each, float) else str(each) for each in value)
    return str(value)


class MethodOptions(BaseModel):
    """Base of a method's options (`--set NAME.KEY=VALUE`): strict, frozen, unknown keys refused, numbers finite.

    The docstring below a field is its help in `bench methods NAME`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


@dataclass(frozen=True, kw_only=True)
class MethodInfo:
    """What a table, a list and an audit need to know of a method."""

    name: str
    display: str
    """The paper's name, as tables print it; the variant is added in brackets."""
    summary: str
    paper: str = ""
    licence: str = ""
    stochastic: bool = False
    """True where the result depends on the seed; deterministic methods run one seed only."""
    train_scales: tuple[float, float] | None = None
    train_sets: tuple[str, ...] = ()
    tiling: Tiling = Tiling.NONE
    parameters: int | None = None
    resize_rule: str = ""
    """How a network of fixed scales is brought to the exact size, as one sentence for the notes of a table; "" where
    the method computes any size itself."""


@dataclass(frozen=True)
class Sought:
    """The unit that a method which computes nothing is asked for.

    Attributes:
        image: The image id within its dataset.
        scale: The nominal scale.
        lr: float32 (h, w, 3), as methods are given it, channels last.
        size: (height, width) of the result.
        slack: Pixels by which a side may differ from that.
        alpha: What to do with pixels that are not opaque: "refuse", or put them over "white" or "black".
    """

    image: str
    scale: Scale
    lr: NDArray[np.float32]
    size: Size
    slack: int = 0
    alpha: Literal["refuse", "white", "black"] = "refuse"


@dataclass(frozen=True, kw_only=True)
class MethodSpec:
    """A registered method: its description, and where the code is that runs it.

    Reading a spec must not import torch, so that listing methods and finding a finished run complete stays fast.
    """

    info: MethodInfo
    factory: str
    """"package.module:Class" of the `Method`; imported when the first image is computed."""
    root: Path
    """The folder (or the file) in which the method's code lies. The output key holds what the factory's module imports
    within its package, not all that lies here."""
    shared: tuple[Path, ...] = ()
    """Further files or folders that decide what the method computes: code that it finds by a computed name, data that
    it reads beside its weights."""
    options: type[MethodOptions] = MethodOptions
    weights: Mapping[str, Path] = field(default_factory=dict)
    """Shipped or known weights: label -> file. Empty for a method that has none to load."""
    default_weights: str | None = None
    """The label used when the user names none; None: no weights are needed, or `weights_how` says what to give."""
    reads: Callable[[Path], Iterable[Path]] | None = None
    """A folder of weights -> the files in it that `load` reads, which alone identify it. None: all but prose, see
    `bench.imaging.hashing.content_files`."""
    weights_how: str = ""
    """How to get weights that are not shipped, for the error message."""
    needs_weights: bool = False
    """True where nothing can be computed without `--weights`: a request that names none is refused before any work."""
    minimised: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Weights label -> metrics that were part of the training's loss and so flatter these weights; tables say it."""
    untrained: bool = False
    """True where `--weights NAME=untrained` runs the method with parts that nobody trained for the task; tables leave
    such rows out."""
    fingerprint: Callable[[MethodOptions, str, Scale], str] | None = None
    """(options, image id, scale) -> what else decides this unit's SR image: the hash of files that `upscale` reads (a
    folder of outputs, an external program). It enters the output key in place of the content of folders that options
    name, imports no torch, and never raises for a missing file: the unit fails later with the reason."""
    fingerprint_per_image: bool = True
    """False where `fingerprint` looks neither at the image id nor at the scale (an external program, parts of a
    pipeline): what it names is then part of the row's origin."""
    elsewhere: bool = False
    """True where the images are made by other software, whose sizes a protocol may allow to be one pixel off
    (`sr_size`); the method reads `Method.slack`."""
    prepares: bool = False
    """True where `prepare` computes the images of a cell together, so that they must not be shared out to processes."""
    looks_up: bool = False
    """True where `upscale` finds results by the unit that `begin` announced and computes nothing: it cannot answer for
    images that nobody prepared."""
    reader: Callable[[MethodOptions, Sought], NDArray[np.float32]] | None = None
    """Of a method that looks results up: the same image as `upscale` gives after `begin`, as an array (3, H, W). A run
    then asks this function, and neither imports the factory nor torch."""
    missing: Callable[[MethodOptions, str, Scale], str] | None = None
    """(options, image id, scale) -> why there is no result for this unit; empty where there is one. A request for which
    there is none at all is refused before anything is written."""


@dataclass(frozen=True)
class Upscaled:
    """The result of one call.

    Attributes:
        image: float32 (3, H, W), exactly the size asked for, nominally in [0, 1] (the harness clips and rounds).
        stages: The intermediate images of a cascade, each float32 (3, h_i, w_i); may be empty.
        tile: The LR tile side that was used, None where the image went through whole.
    """

    image: torch.Tensor
    stages: tuple[torch.Tensor, ...] = ()
    tile: int | None = None


@dataclass(frozen=True)
class ComingUnit:
    """One image that a method will be asked for, as `prepare` is told of it.

    Attributes:
        image: The image id within its dataset.
        lr: float32 (3, h, w), as `upscale` will be given it.
        size: (height, width) of the result.
        seed: The unit's seed.
    """

    image: str
    lr: torch.Tensor
    size: Size
    seed: int


class Method(ABC):
    """One super-resolution method.

    A subclass sets `info`, names its `Options` if it has any, and implements `upscale`; `load` where it has weights.
    It must be deterministic given (weights, lr, size, seed): draw noise on the CPU from a generator seeded by
    `derive_seed(seed, "stage", i)`, never from the global state.
    """

    info: ClassVar[MethodInfo]
    Options: ClassVar[type[MethodOptions]] = MethodOptions
    slack: int = 0
    """Pixels by which a side may differ from the size asked for: the harness sets it from the protocol, for methods
    whose images come from elsewhere."""
    batch: int = 1
    """LR images of one size that `upscale_batch` takes at once; 1: it is not called. For methods that are faster so and
    whose images are, to the last bit, those of `upscale`; set in `load` where that depends on the device."""
    notes: tuple[str, ...] = ()
    """What a user should know of what was loaded, such as a part that is missing; set by `load`, shown once per run."""

    def __init__(self, options: MethodOptions | None = None) -> None:
        self.options = options if options is not None else self.Options()

    def load(self, weights: Path | None, device: torch.device, dtype: torch.dtype) -> None:  # noqa: B027
        """Read the weights and move to the device; called once, before the first `upscale`.

        Args:
            weights: The file (or folder) to read; None for a method without weights.
            device: Where to compute.
            dtype: The floating type of the computation.
        Raises:
            RequestError: the file is missing, damaged or of another shape (names the file and what was expected).
        """

    def prepare(self, units: Iterable[ComingUnit], *, scale: Scale, seed: int) -> None:  # noqa: B027
        """Told in a run, before the first `upscale` of a dataset at a scale, which images will be asked for.

        For methods that compute many images at once, such as a program that takes a folder. Images that are there
        already are not among them, and `upscale` may come without it: a result must not depend on either.

        Args:
            units: In order; read from the disk one by one while they are iterated over, so keep none that is not
                needed. An image that cannot be read is left out.
            scale: The nominal scale.
            seed: The run's seed, from which the units' are derived.
        Raises:
            UnitError: none of these images can be computed.
        """

    def begin(self, *, image: str, scale: Scale) -> None:  # noqa: B027
        """Told before each `upscale` which unit comes next; for methods that look results up instead of computing them.

        Args:
            image: The image id within its dataset.
            scale: The nominal scale.
        """

    @abstractmethod
    def upscale(self, lr: torch.Tensor, size: Size, *, seed: int) -> Upscaled:
        """Compute the image at exactly `size`.

        Args:
            lr: float32 (3, h, w) in [0, 1], RGB (three equal channels under a luma protocol), on the CPU.
            size: (height, width) of the result; the ratio may be fractional and differ per axis.
            seed: The unit's seed, already derived from (run seed, image id).
        Returns:
            The image (float32, on any device) and the stages.
        """

    def upscale_batch(self, lrs: torch.Tensor, size: Size, *, seeds: Sequence[int]) -> Sequence[Upscaled]:
        """Compute several images of one size at once, each as `upscale` computes it; `begin` is not called.

        Args:
            lrs: float32 (B, 3, h, w), B at most `batch`, else as in `upscale`.
            size: (height, width) of every result.
            seeds: The units' seeds, one for each image.
        Returns:
            One result for each image, in order.
        """
        return [self.upscale(lr, size, seed=seed) for lr, seed in zip(lrs, seeds, strict=True)]
