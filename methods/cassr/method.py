"""The adapter of CasSR to the harness."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from bench.api import Method, MethodOptions, RequestError, Size, Upscaled
from bench.weights.reader import load_into, read_architecture, read_weights
from methods.cassr.architecture import CassrArchitecture
from methods.cassr.cascade import upscale
from methods.cassr.info import CASSR as SPEC
from methods.cassr.info import CassrOptions
from methods.cassr.loading import load_csc, load_full
from methods.cassr.network import Cassr, OutsideSr
from methods.cassr.settings import Settings
from methods.cassr.text import DESCRIPTION, NEGATIVE, NOTHING
from methods.spandrel.info import SpandrelOptions

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_FULL_ONLY = ("sd_path", "scedit_ckpt", "caption", "negative", "encode_tile", "decode_tile", "decode_overlap")
"""Options that do nothing without Stable Diffusion."""


class CassrMethod(Method):
    """Passes of a diffusion model; stochastic, and the same for the same seed. The stages are the passes' images."""

    info = SPEC.info
    Options = CassrOptions
    options: CassrOptions

    def __init__(self, options: MethodOptions | None = None) -> None:
        super().__init__(options)
        if not isinstance(self.options, CassrOptions):
            raise RequestError(f"cassr takes CassrOptions, got {type(self.options).__name__}")
        self.network: Cassr | None = None
        self._device = torch.device("cpu")

    def load(self, weights: Path | None, device: torch.device, dtype: torch.dtype) -> None:
        """Build the network that the file describes and fill it; the full one around Stable Diffusion.

        Args:
            weights: Trained weights; None: fresh adapters around Stable Diffusion.
            device: Where to compute.
            dtype: Of the computation, unless `precision` asks for less.
        Raises:
            RequestError: a file or folder is missing, damaged, or of another method or shape; options that do not fit.
        """
        network, self.notes = load_network(weights, self.options)
        network.settings = settings_of(network, self.options)
        if self.options.scedit_ckpt is not None:
            load_csc(network, self.options.scedit_ckpt)
        if self.options.iam_weights is not None:
            network.outside_sr = _outside(self.options.iam_weights, device)
        network.check_activation()
        wanted = _DTYPES[self.options.precision]
        self.network = network.place(device, dtype if wanted == torch.float32 else wanted)
        self._device = device

    def upscale(self, lr: torch.Tensor, size: Size, *, seed: int) -> Upscaled:
        """See `Method.upscale`. The stages are the images of the passes.

        Raises:
            RequestError: before `load`.
        """
        if self.network is None:
            raise RequestError("cassr was asked for an image before its weights were loaded")
        said = self.options
        image = lr[None].to(self._device, torch.float32)
        with torch.inference_mode():
            images = upscale(self.network, image, size, [seed], arb=said.arb, policy=said.policy, s_max=said.s_max)
        stages = tuple(each[0].float().clone() for each in images)
        return Upscaled(stages[-1], stages)


def load_network(weights: Path | None, options: CassrOptions | None = None) -> tuple[Cassr, tuple[str, ...]]:
    """The network of a weights file, on the CPU in float32, and what a user must know of it.

    Args:
        weights: Of any size; None: the full size with fresh adapters.
        options: Say where Stable Diffusion lies.
    Raises:
        RequestError: missing, damaged, of another method or shape; an option that does nothing with such weights.
    """
    said = options if options is not None else CassrOptions()
    read = read_weights(weights) if weights is not None else None
    architecture = read_architecture(CassrArchitecture, read, method="cassr") if read is not None else None
    if read is None or architecture is None or architecture.codec == "vae":
        return load_full(said.sd_path, read)
    _refuse_idle(said, architecture, read.path.name)
    network = Cassr(architecture)
    load_into(network, read.tensors, read.path)
    return network.eval(), ()


def settings_of(network: Cassr, options: CassrOptions) -> Settings:
    """How a network runs: as options say, else as suits its size.

    Raises:
        RequestError: tiles that do not lie on what the network's levels divide.
    """
    given = {
        "iam": options.iam,
        "steps": options.steps,
        "cfg": options.cfg,
        "iam_steps": options.iam_steps,
        "tile": options.tile,
        "overlap": options.overlap,
        "smallest": options.min_side,
    }
    if options.prompt == "null" and not options.negative:
        given["cfg"] = 1.0  # both branches would be the same
    if options.iam is None and options.iam_weights is not None:
        given["iam"] = "sr"
    if options.iam is None and options.scedit_ckpt is not None:
        given["iam"] = "scedit"
    trained, wanted = network.settings.mam, options
    mam = replace(
        trained,
        ref=wanted.mam and wanted.mam_ref,
        lr=wanted.mam and wanted.mam_lr,
        residual=trained.residual if wanted.mam_residual is None else wanted.mam_residual,
        features=wanted.mam_feat or trained.features,
        order=wanted.mam_order or trained.order,
    )
    try:
        settings = replace(
            network.settings,
            **{name: value for name, value in given.items() if value is not None},
            sampler=options.sampler,
            start=options.start,
            prompt=prompt_of(options),
            negative=NEGATIVE if options.negative else NOTHING,
            mam=mam,
            colour=options.color_fix,
            weights=options.merge,
            encode_tile=options.encode_tile,
            decode_tile=options.decode_tile,
            decode_overlap=options.decode_overlap,
        )
    except ValueError as fault:
        raise RequestError(f"cassr: {fault}") from None
    if options.iam_steps is not None and settings.iam in ("sr", "lr"):
        raise RequestError(f"cassr.iam_steps does nothing with iam {settings.iam}, which does not sample; leave it out")
    named = {"tile": settings.tile, "overlap": settings.overlap, "encode_tile": settings.encode_tile}
    for name, value in named.items():
        if value % network.multiple:
            raise RequestError(f"cassr.{name}={value}: expected a multiple of {network.multiple} with these weights")
    return settings


def prompt_of(options: CassrOptions) -> str:
    """What is said of every image."""
    if options.prompt == "caption":
        return f"{options.caption}, {DESCRIPTION}"
    return DESCRIPTION if options.prompt == "desc" else NOTHING


def _refuse_idle(options: CassrOptions, architecture: CassrArchitecture, name: str) -> None:
    """Refuse options that would change nothing but the label of the row.

    Raises:
        RequestError: names the option.
    """
    for option in _FULL_ONLY:
        if getattr(options, option) != CassrOptions.model_fields[option].default:
            raise RequestError(
                f"cassr.{option} is for weights of the full size, beside Stable Diffusion; {name} needs none: leave "
                "it out, or run Stable Diffusion itself with --weights cassr=untrained"
            )
    if options.start == "noise" and (
        architecture.anchor == "bicubic" or (architecture.anchor == "reference" and options.iam == "lr")
    ):
        raise RequestError(
            f"cassr.start does nothing with {name} here: the latent of the LR image is its residual to itself, zero; "
            "leave it out"
        )


def _outside(path: Path, device: torch.device) -> OutsideSr:
    """A checkpoint of spandrel as a restorer: the model at its own scale, then one resize.

    Raises:
        RequestError: not a checkpoint that the library knows.
    """
    from methods.spandrel.method import Spandrel

    model = Spandrel(SpandrelOptions())
    try:
        model.load(path, device, torch.float32)
    except RequestError as fault:
        raise RequestError(f"cassr.iam_weights={path}: {fault}") from fault
    return lambda images, size: torch.stack([model.upscale(image, size, seed=0).image for image in images])
