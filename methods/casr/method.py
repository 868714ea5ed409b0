"""The adapter of CASR to the harness."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from bench.api import Method, MethodOptions, RequestError, Size, Upscaled
from bench.weights.reader import load_into, read_architecture, read_weights
from methods.casr.architecture import CasrArchitecture, SsamArchitecture
from methods.casr.cycle import Sampling, upscale
from methods.casr.info import CASR as SPEC
from methods.casr.info import CasrOptions
from methods.casr.network import Casr
from methods.casr.passes import TileSettings
from methods.casr.text import Prompter, find_tagger

_CPU = torch.device("cpu")
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class CasrMethod(Method):
    """Cycles of one deterministic network; the stages are their images."""

    info = SPEC.info
    Options = CasrOptions
    options: CasrOptions

    def __init__(self, options: MethodOptions | None = None) -> None:
        super().__init__(options)
        if not isinstance(self.options, CasrOptions):
            raise RequestError(f"casr takes CasrOptions, got {type(self.options).__name__}")
        said = self.options
        self.network: Casr | None = None
        self._device = torch.device("cpu")
        self.sampling = Sampling(
            policy=said.policy,
            fixed=said.fixed,
            s_max=said.s_max,
            s_min=said.s_min,
            ssam=said.ssam,
            depth=said.depth,
            colour=said.colour,
            consistency=said.consistency,
        )

    def load(self, weights: Path | None, device: torch.device, dtype: torch.dtype) -> None:
        """Build the network that the file describes and fill it; the full one around the parts that the options name.

        Args:
            weights: Trained weights; None: fresh adapters around SD-Turbo.
            device: Where to compute.
            dtype: Of the computation, unless `precision` asks for less.
        Raises:
            RequestError: a file or folder is missing, damaged, or of another method or shape; options that do not fit.
        """
        network, self.notes = load_network(weights, self.options)
        network.settings = settings_of(network, self.options, device)
        if network.ssam is not None:
            network.ssam.architecture = superpixels_of(network, self.options)
        tagger = find_tagger(self.options.tagger) if self.options.tagger is not None else None
        network.prompter = Prompter(self.options.prompt, tagger)
        wanted = _DTYPES[self.options.precision]
        self.network = network.place(device, dtype if wanted == torch.float32 else wanted)
        self._device = device

    def upscale(self, lr: torch.Tensor, size: Size, *, seed: int) -> Upscaled:
        """See `Method.upscale`. The stages are the images of the cycles; the seed is not used.

        Raises:
            RequestError: before `load`, or a size below that of the LR image.
        """
        if self.network is None:
            raise RequestError("casr was asked for an image before its weights were loaded")
        if size[0] < lr.shape[-2] or size[1] < lr.shape[-1]:
            raise RequestError(
                f"casr enlarges: expected a size of at least {lr.shape[-2]} x {lr.shape[-1]} (height x width), got "
                f"{size[0]} x {size[1]}"
            )
        image = lr[None].to(self._device, torch.float32) * 2 - 1
        with torch.inference_mode():
            found = upscale(self.network, image, size, self.sampling)
            stages = tuple(each[0].div_(2).add_(0.5) for each in found)
        return Upscaled(stages[-1] if stages else lr.float().clone(), stages)


def load_network(weights: Path | None, options: CasrOptions | None = None) -> tuple[Casr, tuple[str, ...]]:
    """The network of a weights file, on the CPU in float32, and what is missing for it.

    Args:
        weights: Of any size; None: the full size with fresh adapters.
        options: Say where SD-Turbo, SAM and DepthAnything lie.
    Raises:
        RequestError: missing, damaged, of another method or shape; an option that does nothing with such weights.
    """
    said = options if options is not None else CasrOptions()
    read = read_weights(weights) if weights is not None else None
    architecture = read_architecture(CasrArchitecture, read, method="casr") if read is not None else None
    if read is None or architecture is None or architecture.codec == "vae":
        from methods.casr.loading import Sources, load_full

        return load_full(Sources(said.sd_path, said.sam_path, said.depth_path), read)
    for name in ("sd_path", "sam_path", "depth_path", "tagger"):
        if getattr(said, name) is not None:
            raise RequestError(
                f"casr.{name} is for weights of the full size; {read.path} needs nothing beside it: leave it out, or "
                "run SD-Turbo itself with --weights casr=untrained"
            )
    _refuse_idle(said, architecture, read.path)
    network = Casr(architecture)
    load_into(network, read.tensors, read.path)
    return network, ()


def _refuse_idle(options: CasrOptions, architecture: CasrArchitecture, path: Path) -> None:
    """Refuse options that would change nothing but the label of the row.

    Raises:
        RequestError: names the option.
    """
    idle = ("prompt",) if architecture.codec == "overlap" else ("prompt", "decode_tile", "decode_overlap")
    for name in idle:
        if getattr(options, name) != CasrOptions.model_fields[name].default:
            what = "its text is one learned token" if name == "prompt" else "its latents are not decoded in tiles"
            raise RequestError(f"casr.{name} does nothing with {path.name}: {what}; leave it out")


def _room(device: torch.device) -> int | None:
    """A quarter of the free memory in megabytes; None where the system does not say."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] // 4 // 2**20
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    free = [int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    return free[0] // 4 // 2**10 if free else None


def settings_of(network: Casr, options: CasrOptions, device: torch.device = _CPU) -> TileSettings:
    """How tiles go through a network: as options say, else as suits its size and the memory that is free.

    Raises:
        RequestError: tiles that do not lie on the network's tokens.
    """
    said = {
        "tile": options.tile,
        "overlap": options.overlap,
        "smallest": options.min_side,
        "weights": options.merge,
        "batch": options.batch,
        "kept": options.kept if options.kept is not None else _room(device),
        "keys": options.keys,
        "decode_tile": options.decode_tile,
        "decode_overlap": options.decode_overlap,
        "sarm": options.sarm,
        "lr_semantics": options.lr_semantics,
        "phases": options.phases,
    }
    try:
        found = replace(network.settings, **{name: value for name, value in said.items() if value is not None})
    except ValueError as fault:
        raise RequestError(f"casr: {fault}") from None
    for name, value in (("tile", found.tile), ("overlap", found.overlap)):
        if value % network.multiple:
            raise RequestError(f"casr.{name}={value}: expected a multiple of {network.multiple} with these weights")
    return found


def superpixels_of(network: Casr, options: CasrOptions) -> SsamArchitecture:
    """How superpixels are made: as options say, else as the weights were trained.

    Raises:
        RequestError: a network that these weights do not have.
    """
    assert network.ssam is not None
    said = {"backend": options.sp_backend, "space": options.sp_space, "up": options.sp_up}
    if said["backend"] == "ssn" and network.ssam.ssn is None:
        raise RequestError("casr.sp_backend=ssn: these weights hold no superpixel network; use slic")
    found = network.ssam.architecture.model_copy(update={k: v for k, v in said.items() if v is not None})
    if found.backend == "slic":
        network.ssam.ssn = None
    return found
