"""The full network from what others published: SD-Turbo, SAM and DepthAnything, in the folders that their makers give.

Whatever is missing is named with how to get it. SD-Turbo is needed; without SAM there is no SARM, without DepthAnything
no ControlNet, without trained adapters the image is what SD-Turbo makes of superpixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.api import RequestError
from bench.weights.reader import Weights, load_into, read_architecture
from methods.blocks.published import complete, read_part
from methods.blocks.stable_diffusion import check_base, read_stable_diffusion, vae_factor
from methods.casr.architecture import CasrArchitecture
from methods.casr.network import Casr, Parts
from methods.casr.semantics import SamSemantics
from methods.casr.ssam import DepthAnything
from methods.casr.ssam.depth import DEPTH_ANYTHING

_SD = "SD-Turbo (a copy of huggingface.co/stabilityai/sd-turbo, or that hub id)"
_SAM = "SAM (a copy of huggingface.co/facebook/sam-vit-base, or that hub id)"


@dataclass(frozen=True)
class Sources:
    """Where the parts lie: folders, or hub ids where a hub is reachable.

    Attributes:
        sd: SD-Turbo with its subfolders unet, vae, text_encoder and tokenizer.
        sam: SAM; None: there is none.
        depth: DepthAnything; None: there is none.
    """

    sd: Path | None = None
    sam: Path | None = None
    depth: Path | None = None


def load_full(sources: Sources, weights: Weights | None) -> tuple[Casr, tuple[str, ...]]:
    """Build the full network.

    Args:
        sources: Where SD-Turbo, SAM and DepthAnything lie.
        weights: Trained adapters; None: fresh ones, which change nothing.
    Returns:
        The network on the CPU in float32, and what a user must know of it: what is missing and therefore off.
    Raises:
        RequestError: no SD-Turbo, a part that cannot be read, or adapters of another shape.
    """
    parts = load_parts(sources)
    if weights is None:
        architecture = _fitting(parts)
    else:
        architecture = read_architecture(CasrArchitecture, weights, method="casr")
        check_fit(architecture, parts, whose=f"the weights {weights.path}")
    network = Casr(architecture, parts)
    if weights is not None:
        load_into(network, weights.tensors, weights.path)
    return network.eval(), (*_untrained(weights), *_switch_off(network))


def load_parts(sources: Sources) -> Parts:
    """What a full network is built around.

    Raises:
        RequestError: no SD-Turbo, or a part that cannot be read.
    """
    if sources.sd is None:
        raise RequestError(
            f"the full size of casr needs {_SD}: give it with --set casr.sd_path=FOLDER, or use the shipped weights "
            "with --weights casr=lite"
        )
    unet, vae, text = read_stable_diffusion(sources.sd, what=_SD, option="casr.sd_path")
    semantics = _sam(sources.sam) if sources.sam is not None else None
    depth = DepthAnything(sources.depth) if sources.depth is not None else None
    return Parts(unet=unet, vae=vae, text=text, semantics=semantics, depth=depth)


def _switch_off(network: Casr) -> list[str]:
    """Drop what cannot run, and say so."""
    notes = []
    sarm = network.architecture.sarm
    if sarm is not None and sarm.lr_semantics and network.semantics is None:
        network.sarm = None
        notes.append(f"SARM is off, because there is no {_SAM}: give it with --set casr.sam_path=FOLDER")
    if network.controlnet is not None and (network.ssam is None or network.ssam.depth is None):
        network.controlnet = None
        notes.append(
            f"the ControlNet is off, because there is no {DEPTH_ANYTHING}: give it with --set casr.depth_path=FOLDER"
        )
    return notes


def _untrained(weights: Weights | None) -> list[str]:
    if weights is not None:
        return []
    return [
        "untrained adapters: LoRA, ControlNet and SARM change nothing, superpixels come from k-means instead of the "
        "network; tables leave this result out. Trained ones: --weights casr=FILE (made by 'bench train casr')"
    ]


def check_fit(architecture: CasrArchitecture, parts: Parts, *, whose: str) -> None:
    """Whether a full architecture is one around these parts.

    Args:
        architecture: Of weights or of a training.
        parts: What was loaded.
        whose: Whose architecture it is, for messages.
    Raises:
        RequestError: another UNet, VAE or SAM, or an architecture that needs none of them.
    """
    if architecture.codec != "vae":
        raise RequestError(f"{whose} need no SD-Turbo: leave out --set casr.sd_path")
    wanted, factor = architecture.unet, architecture.factor
    check_base(parts.unet, parts.vae, wanted=wanted, factor=factor, whose=whose, option="casr.sd_path")
    if parts.semantics is not None and parts.semantics.channels != architecture.semantic_dim:
        raise RequestError(
            f"{whose} belong to a SAM with {architecture.semantic_dim} channels; that in casr.sam_path has "
            f"{parts.semantics.channels}"
        )


def _fitting(parts: Parts) -> CasrArchitecture:
    """The paper's architecture around these parts; superpixels by k-means, since there is no trained network."""
    full = CasrArchitecture.full()
    assert full.ssam is not None
    factor, semantics = vae_factor(parts.vae), parts.semantics
    return full.model_copy(
        update={
            "unet": parts.unet.architecture,
            "factor": factor,
            "control_embedding": full.control_embedding[-round(math.log2(factor)) - 1 :],
            "semantic_dim": full.semantic_dim if semantics is None else semantics.channels,
            "ssam": full.ssam.model_copy(update={"backend": "slic"}),
        }
    )


def _sam(path: Path) -> SamSemantics:
    from transformers import SamModel

    load = complete(SamModel, path, needed="vision_encoder.")
    model: Any = read_part(load, path, what=_SAM, option="casr.sam_path")
    return SamSemantics(model.vision_encoder.float())
