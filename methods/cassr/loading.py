"""The full network from what others published: Stable Diffusion 1.5 in diffusers' layout."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from bench.api import RequestError
from bench.weights.reader import Weights, load_into, read_architecture, read_weights
from methods.blocks.stable_diffusion import check_base, read_stable_diffusion, vae_factor
from methods.blocks.unet import padded
from methods.cassr.architecture import CassrArchitecture
from methods.cassr.csc import CscTuner
from methods.cassr.decoder import decoder_shape
from methods.cassr.denoiser import Parts
from methods.cassr.network import Cassr

_SD = (
    "Stable Diffusion 1.5 (a copy of huggingface.co/stable-diffusion-v1-5/stable-diffusion-v1-5, or that hub id "
    "stable-diffusion-v1-5/stable-diffusion-v1-5)"
)
_PREFIX = "csc."


def load_full(sd_path: Path | None, weights: Weights | None) -> tuple[Cassr, tuple[str, ...]]:
    """Build the full network.

    Args:
        sd_path: Stable Diffusion 1.5.
        weights: Trained adapters; None: fresh ones, which change nothing.
    Returns:
        The network on the CPU in float32, and what a user must know of it.
    Raises:
        RequestError: no Stable Diffusion, a part that cannot be read, or adapters of another shape.
    """
    parts = load_parts(sd_path)
    if weights is None:
        return Cassr(fitting(parts), parts).eval(), (
            "untrained adapters: ControlNet, MAM and CSC-Tuner change nothing, so that Stable Diffusion alone denoises "
            "LR's latent; tables leave this result out. Trained ones: --weights cassr=FILE (of 'bench train cassr')",
        )
    architecture = read_architecture(CassrArchitecture, weights, method="cassr")
    wanted, factor, whose = architecture.unet, architecture.factor, f"the weights {weights.path}"
    check_base(parts.unet, parts.vae, wanted=wanted, factor=factor, whose=whose, option="cassr.sd_path")
    network = Cassr(architecture, parts)
    load_into(network, weights.tensors, weights.path)
    return network.eval(), ()


def load_parts(sd_path: Path | None, *, option: str = "cassr.sd_path") -> Parts:
    """What a full network is built around.

    Args:
        sd_path: Stable Diffusion 1.5.
        option: The name of what says where it lies, for messages.
    Raises:
        RequestError: no Stable Diffusion, or a part that cannot be read.
    """
    if sd_path is None:
        raise RequestError(
            f"the full size of cassr needs {_SD}: give it with --set {option}=FOLDER, or take the lite size, which "
            "needs none"
        )
    unet, vae, text = read_stable_diffusion(sd_path, what=_SD, option=option)
    return Parts(unet=unet, vae=vae, text=text)


def fitting(parts: Parts) -> CassrArchitecture:
    """The paper's architecture around these parts: MAM in every decoder layer that has a transformer block."""
    full, geometry, factor = CassrArchitecture.full(), parts.unet.architecture, vae_factor(parts.vae)
    assert full.csc is not None
    kept = round(math.log2(factor)) + 1
    attention = [on for on in reversed(geometry.attention) for _ in range(geometry.layers + 1)]
    layers = tuple(layer for layer, on in enumerate(attention) if on)
    return full.model_copy(
        update={
            "unet": geometry,
            "factor": factor,
            "control_embedding": full.control_embedding[-kept:],
            "csc": full.csc.model_copy(update={"stem": full.csc.stem[-kept:]}),
            "mam": full.mam.model_copy(update={"layers": layers}),
        }
    )


def load_csc(network: Cassr, path: Path, *, option: str = "cassr.scedit_ckpt") -> None:
    """Put the CSC-Tuner of a file into a network.

    Args:
        network: Where it goes, instead of what it had.
        path: What stage csc of a training left; further tensors in it are not read.
        option: The name of what says where it lies, for messages.
    Raises:
        RequestError: no such file, or no CSC-Tuner of this network's shape in it.
    """
    weights = read_weights(path)
    said = read_architecture(CassrArchitecture, weights, method="cassr").csc if weights.architecture else None
    said = said or network.architecture.csc or CassrArchitecture.full().csc
    tensors = {name[len(_PREFIX) :]: each for name, each in weights.tensors.items() if name.startswith(_PREFIX)}
    if said is None or not tensors:
        raise RequestError(f"{option}={path}: expected a CSC-Tuner, but no tensor's name begins with '{_PREFIX}'")
    _, _, skips, reductions = decoder_shape(network.unet)
    tuner: Any = padded(CscTuner(said, skips, reductions), network.architecture.padding)
    load_into(tuner, tensors, path)
    network.csc = tuner.eval()
