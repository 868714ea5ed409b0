"""References that are sampled once and kept: a folder of images beside what they were made with.

A triplet is a number: crop box, orientation and degradation are drawn from its own generator and so replayed, and the
reference is the file of that number. Sampling 20 steps for each training step would cost more than the training.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from bench.api import RequestError
from bench.training.images import read_rgb
from methods.cassr.network import Cassr

_RECORD = "references.json"


class References:
    """A folder of references, filled as they are asked for."""

    def __init__(self, folder: Path, made_with: dict[str, Any]) -> None:
        """Open it, or begin it.

        Args:
            folder: Where.
            made_with: What decides the images; the same as last time.
        Raises:
            RequestError: it holds references of something else.
        """
        self._folder, path = folder, folder / _RECORD
        if path.is_file():
            try:
                seen = dict(json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError, RecursionError) as fault:
                raise RequestError(f"{path} is damaged ({fault}); give another folder for references") from None
            differing = sorted(key for key in seen.keys() | made_with.keys() if seen.get(key) != made_with.get(key))
            if differing:
                raise RequestError(
                    f"{folder} holds references that were made with {differing[0]} {seen.get(differing[0])}, this "
                    f"training has {made_with.get(differing[0])}; give another folder for references"
                )
        else:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(made_with, indent=1), encoding="utf-8")

    def of(self, network: Cassr, lr: torch.Tensor, size: tuple[int, int], numbers: list[int]) -> torch.Tensor:
        """References in 8 bit, (B, 3, H, W) in [0, 1]; the missing ones are made.

        Args:
            network: Makes them.
            lr: (B, 3, h, w) in [0, 1].
            size: (H, W).
            numbers: Of the triplets; also the seeds.
        """
        missing = [place for place, number in enumerate(numbers) if not self._file(number).is_file()]
        if missing:
            made = network.activate(lr[missing], size, [numbers[place] for place in missing])
            for place, image in zip(missing, (made * 255).round().byte().cpu(), strict=True):
                self._write(numbers[place], image.permute(1, 2, 0).numpy())
        images = np.stack([read_rgb(self._file(number)) for number in numbers])
        return torch.from_numpy(images).permute(0, 3, 1, 2).to(lr.device).float() / 255

    def _file(self, number: int) -> Path:
        return self._folder / f"{number:06d}.png"

    def _write(self, number: int, image: np.ndarray) -> None:
        part = self._folder / f".{number:06d}-{os.getpid()}.png"
        Image.fromarray(image).save(part)
        part.replace(self._file(number))  # whole or not at all: a training may be ended at any time
