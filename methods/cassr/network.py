"""CasSR: image activation, and sampling under the control of the LR image and the reference.

One pass is `upscale`; `cascade` is what makes other scales of it. Source: CasSR sections 3.2 and 4.1; tiles as in
mixture-of-diffusers (Jimenez 2023), which SeeSR and PASD use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch.nn import functional

from bench.api import RequestError, Size, derive_seed
from methods.blocks.colour import fix_colours
from methods.blocks.padding import mirrored, to_multiple
from methods.blocks.resample import resample
from methods.blocks.tiles import Tile, decode_tiled, grid, merge
from methods.cassr.architecture import CassrArchitecture
from methods.cassr.denoiser import Denoiser, Parts
from methods.cassr.diffusion import Noise, denoise
from methods.cassr.settings import Activation

Predict = Callable[[torch.Tensor, int, torch.Tensor, Tile], torch.Tensor]
"""(z_t, t, text tokens, the tile in output pixels) -> what the network predicts of that tile."""
OutsideSr = Callable[[torch.Tensor, Size], torch.Tensor]
"""A restorer from elsewhere: (B, 3, h, w) in [0, 1] and (H, W) -> (B, 3, H, W)."""


class Cassr(Denoiser):
    """The whole method.

    Attributes:
        outside_sr: A restorer from elsewhere for image activation "sr"; None: the weights' own.
    """

    def __init__(self, architecture: CassrArchitecture | None = None, parts: Parts | None = None) -> None:
        super().__init__(architecture, parts)
        self.outside_sr: OutsideSr | None = None

    def check_activation(self) -> None:
        """Refuse an image activation module that is not there.

        Raises:
            RequestError: says what to give.
        """
        if self.settings.iam == "sr" and self.restorer is None and self.outside_sr is None:
            raise RequestError(
                "cassr.iam=sr: these weights hold no restorer; give one with --set cassr.iam_weights=FILE (such as "
                "Real-ESRGAN)"
            )
        if self.settings.iam == "scedit" and self.csc is None:
            raise RequestError(
                "cassr.iam=scedit: these weights hold no CSC-Tuner; give one with --set cassr.scedit_ckpt=FILE, or "
                "choose another module with --set cassr.iam=controlnet, sr or lr"
            )

    @torch.no_grad()
    def activate(self, x_lr: torch.Tensor, size: Size, seeds: Sequence[int]) -> torch.Tensor:
        """The reference image.

        Args:
            x_lr: (B, 3, h, w) in [0, 1].
            size: (H, W).
            seeds: One per image.
        Returns:
            (B, 3, H, W) in [0, 1].
        Raises:
            RequestError: the weights hold no such module.
        """
        iam, up = self.settings.iam, _enlarged(x_lr, size)
        if iam == "lr":
            return up
        if iam == "sr" and self.outside_sr is not None:
            return self.outside_sr(x_lr, size).to(up).clamp(0, 1)
        self.check_activation()
        if iam == "sr":
            assert self.restorer is not None
            return self.restorer(up).clamp(0, 1)
        drawn = [derive_seed(seed, "activation") for seed in seeds]
        return self.sample(up, up, drawn, stage=iam)

    @torch.no_grad()
    def upscale(self, x_lr: torch.Tensor, size: Size, seeds: Sequence[int]) -> torch.Tensor:
        """One pass: activation, then controlled sampling.

        Args:
            x_lr: (B, 3, h, w) in [0, 1], float32.
            size: (H, W).
            seeds: One per image.
        Returns:
            (B, 3, H, W) float32 in [0, 1].
        """
        up = _enlarged(x_lr, size)
        x_r = up if self.settings.iam == "lr" else self.activate(x_lr, size, seeds)
        return fix_colours(self.sample(up, x_r, seeds), up, self.settings.colour).clamp(0, 1)

    @torch.no_grad()
    def sample(
        self, up: torch.Tensor, x_r: torch.Tensor, seeds: Sequence[int], *, stage: Activation | None = None
    ) -> torch.Tensor:
        """A whole sampling run.

        Args:
            up: (B, 3, H, W) in [0, 1], the enlarged LR image.
            x_r: The same shape, the reference; `up` itself: there is none.
            seeds: One per image.
            stage: None: the controlled model; else that of an image activation module ("scedit", "controlnet").
        Returns:
            (B, 3, H, W) float32 in [0, 1].
        """
        said = self.settings
        size: Size = (up.shape[-2], up.shape[-1])
        whole = to_multiple(size, self.multiple, smallest=said.smallest)
        shown = mirrored(up, whole)
        ref = shown if x_r is up else mirrored(x_r, whole)
        anchor = ref if self.architecture.anchor == "reference" else shown
        latent_size = (whole[0] // self.latents.factor, whole[1] // self.latents.factor)
        noise = Noise(seeds, (self.latents.channels, *latent_size), up.device)
        first = torch.tensor([999])
        start = torch.zeros(1, device=up.device)
        if said.start == "lr":
            start = self._encoded(shown, anchor)
        z = self.diffusion.noised(start, noise(), first)
        tiles = grid(whole, tile=said.tile, overlap=said.overlap)
        predict = self._predictor(shown, ref, stage)
        z = denoise(
            self.diffusion,
            z,
            lambda z, t: self._guided(z, t, tiles, predict),
            steps=said.steps if stage is None else said.iam_steps,
            sampler=said.sampler,
            noise=noise,
        )
        decoded = self._decoded(z)[..., : size[0], : size[1]]
        return self.latents.compose(decoded, anchor[..., : size[0], : size[1]], up).clamp(0, 1)

    def _predictor(self, up: torch.Tensor, ref: torch.Tensor, stage: Activation | None) -> Predict:
        def predict(z: torch.Tensor, t: int, c: torch.Tensor, tile: Tile) -> torch.Tensor:
            rows = len(z) // len(up)
            shown = tile.of(up).repeat(rows, 1, 1, 1)
            if stage == "scedit":
                return self.predict_scedit(z, t, c, shown)
            seen = shown if ref is up else tile.of(ref).repeat(rows, 1, 1, 1)
            lr, r = self.encode_controls(z, t, c, shown, seen)
            # [inferred] the ControlNet as image activation module: L alone, and no MAM
            return self.predict(z, t, c, lr, None if stage == "controlnet" else r)

        return predict

    def _guided(self, z: torch.Tensor, t: int, tiles: Sequence[Tile], predict: Predict) -> torch.Tensor:
        """Classifier-free guidance in every tile, and the mean of the tiles.

        Predictions of one z_t are affine in the noise they mean, so that their weighted means are those of the noise.
        """
        said, factor = self.settings, self.latents.factor
        count, guided = len(z), said.cfg != 1
        c = self.text([said.prompt]).expand(count, -1, -1)
        if guided:
            c = torch.cat((self.text([said.negative]).expand(count, -1, -1), c))

        def of(tile: Tile) -> torch.Tensor:
            part = tile.reduced(factor).of(z)
            if not guided:
                return predict(part, t, c, tile).float()
            null, desc = predict(torch.cat((part, part)), t, c, tile).float().chunk(2)
            return null + said.cfg * (desc - null)

        places = [tile.reduced(factor) for tile in tiles]
        size: Size = (z.shape[-2], z.shape[-1])
        return merge((of(tile) for tile in tiles), places, size, weights=said.weights)

    def _encoded(self, image: torch.Tensor, anchor: torch.Tensor) -> torch.Tensor:
        """The latent, by a VAE in tiles."""
        said, factor = self.settings, self.latents.factor
        size: Size = (image.shape[-2], image.shape[-1])
        if self.codec is None or max(size) <= said.encode_tile:
            return self.latents.encode(image, anchor).float()
        tiles = grid(size, tile=said.encode_tile, overlap=said.encode_overlap)
        parts = (self.latents.encode(tile.of(image), tile.of(anchor)).float() for tile in tiles)
        reduced = [tile.reduced(factor) for tile in tiles]
        return merge(parts, reduced, (size[0] // factor, size[1] // factor), weights="gauss")

    def _decoded(self, z: torch.Tensor) -> torch.Tensor:
        """What the latent means, whole or by a VAE in tiles that are normalised alike."""
        if self.codec is None:
            return functional.pixel_shuffle(z, self.latents.factor) if self.head is None else z
        said, codec, images = self.settings, self.codec, []
        for each in z:
            with codec.shared_statistics(each[None], tile=said.decode_tile):
                images.append(
                    decode_tiled(
                        codec.decode,
                        each[None],
                        factor=codec.factor,
                        tile=said.decode_tile,
                        overlap=said.decode_overlap,
                    )
                )
        return torch.cat(images)


def _enlarged(x_lr: torch.Tensor, size: Size) -> torch.Tensor:
    return resample(x_lr.float(), size).clamp(0, 1)
