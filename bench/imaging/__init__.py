"""Images as arrays: reading, colour, resizing, degradations, tiling. Torch only where it is asked for."""

from bench.imaging.atomic import atomic_write
from bench.imaging.colour import studio_luma, studio_luma_u8, to_colour, yiq_luma_u8
from bench.imaging.downsample import downsample
from bench.imaging.errors import ImageError
from bench.imaging.io import LoadedImage, read_image, read_png_exact, write_png
from bench.imaging.resize import imresize, imresize_u8, interpolate

__all__ = [
    "ImageError",
    "LoadedImage",
    "atomic_write",
    "downsample",
    "imresize",
    "imresize_u8",
    "interpolate",
    "read_image",
    "read_png_exact",
    "studio_luma",
    "studio_luma_u8",
    "to_colour",
    "write_png",
    "yiq_luma_u8",
]
