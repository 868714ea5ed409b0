"""Images as arrays: reading, colour, resizing, degradations, tiling. torch only where it is asked for."""

from bench.imaging.atomic import atomic_write
from bench.imaging.colour import studio_luma, studio_luma_u8, to_colour, yiq_luma_u8
from bench.imaging.degrade import Degradation, apply_kernel, draw_blind_assr, draw_real_esrgan
from bench.imaging.downsample import downsample, pillow_bicubic
from bench.imaging.errors import ImageError
from bench.imaging.io import LoadedImage, read_image, read_png_exact, write_png
from bench.imaging.manifest import read_manifest, write_manifest
from bench.imaging.resize import imresize, imresize_u8, interpolate
from bench.imaging.tiling import tiled, with_backoff

__all__ = [
    "Degradation",
    "ImageError",
    "LoadedImage",
    "apply_kernel",
    "atomic_write",
    "downsample",
    "draw_blind_assr",
    "draw_real_esrgan",
    "imresize",
    "imresize_u8",
    "interpolate",
    "pillow_bicubic",
    "read_image",
    "read_manifest",
    "read_png_exact",
    "studio_luma",
    "studio_luma_u8",
    "tiled",
    "to_colour",
    "with_backoff",
    "write_manifest",
    "write_png",
    "yiq_luma_u8",
]
