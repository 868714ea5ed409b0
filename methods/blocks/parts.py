"""What folders of published models hold, for the key of what is made with them (no torch here)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

SD_FOLDERS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
"""What is read of a copy of Stable Diffusion."""


def content_of(parts: Iterable[tuple[str, Path | None]], stable_diffusion: str = "sd") -> str:
    """One line about folders; hub ids are options and stand for themselves.

    Args:
        parts: Name and folder of each.
        stable_diffusion: The name of that of which `SD_FOLDERS` alone are read.
    """
    from bench.imaging.hashing import content_files, content_hash

    lines = []
    for name, root in parts:
        if root is None or not root.is_dir():
            continue
        files = None
        if name == stable_diffusion:
            files = [file for part in SD_FOLDERS for file in content_files(root / part)]
        try:
            lines.append(f"{name}:{content_hash(root, files)}")
        except OSError as fault:  # loading will say it properly
            lines.append(f"{name}:unreadable:{fault.filename}")
    return "+".join(lines)
