"""LoRA in the UNet and in the VAE's encoder, through peft; a fresh one changes nothing (B = 0).

Source: CASR freezes all pre-trained weights and trains LoRA of rank 16 (VAE encoder) and 32 (UNet); [inferred] where
they sit, and the strength alpha / r with peft's alpha of 8, follow S3Diff.
"""

from __future__ import annotations

from typing import Any

from torch import nn

UNET_TARGETS = (
    *("to_k", "to_q", "to_v", "to_out.0"),
    *("conv", "conv1", "conv2", "conv_shortcut", "conv_out"),
    *("proj_in", "proj_out", "ff.net.2", "ff.net.0.proj"),
)
VAE_TARGETS = r"^encoder\..*(conv1|conv2|conv_in|conv_shortcut|conv|conv_out|to_k|to_q|to_v|to_out\.0)$"


def add_lora(model: nn.Module, rank: int, targets: tuple[str, ...] | str, *, alpha: int) -> None:
    """Freeze a model and put a LoRA into it; rank 0: only freeze it.

    Args:
        model: A UNet, or a VAE of diffusers.
        rank: r.
        targets: Ends of module names, or one pattern for whole names.
        alpha: What the LoRA computes counts alpha / rank.
    """
    model.requires_grad_(False)
    if not rank:
        return
    from peft import LoraConfig, inject_adapter_in_model

    named: Any = targets if isinstance(targets, str) else list(targets)
    config = LoraConfig(r=rank, lora_alpha=alpha, init_lora_weights="gaussian", target_modules=named)
    inject_adapter_in_model(config, model)
    for parameter in lora_parameters(model):
        parameter.requires_grad_(True)


def lora_parameters(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that `add_lora` put in."""
    return [parameter for name, parameter in model.named_parameters() if is_lora(name)]


def is_lora(name: str) -> bool:
    """Whether a tensor of this name belongs to a LoRA."""
    return ".lora_A." in name or ".lora_B." in name
