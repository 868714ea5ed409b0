"""Every named downsampler against the library it is named after."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from bench.imaging import ImageError, downsample, imresize, imresize_u8

NAMES = ("matlab-bicubic", "pillow-bicubic", "torch-bicubic", "opencv-area")


@pytest.fixture
def image():
    return cv2.GaussianBlur(np.random.default_rng(1).integers(0, 256, (90, 120, 3), dtype=np.uint8), (0, 0), 1.5)


def test_matlab_u8_and_float(image):
    np.testing.assert_array_equal(downsample(image, (30, 40), kernel="matlab-bicubic"), imresize_u8(image, (30, 40)))
    unrounded = downsample(image, (30, 40), kernel="matlab-bicubic", depth="float")
    np.testing.assert_allclose(unrounded, imresize(image, (30, 40)), atol=1e-4)


def test_pillow_u8_is_pillows_own_two_pass_rounding(image):
    """Catches resizing in float and rounding once."""
    expected = np.asarray(Image.fromarray(image).resize((41, 29), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(downsample(image, (29, 41), kernel="pillow-bicubic"), expected)


def test_torch_is_the_antialiased_kernel(image):
    """Catches antialias=False, whose cubic has a = -0.75 and which aliases."""
    tensor = torch.from_numpy(image).permute(2, 0, 1)[None].double()
    expected = torch.nn.functional.interpolate(tensor, size=(29, 41), mode="bicubic", antialias=True)
    got = downsample(image, (29, 41), kernel="torch-bicubic", depth="float")
    np.testing.assert_allclose(got, expected[0].permute(1, 2, 0).numpy(), atol=2e-3)


def test_three_bicubics_agree_in_the_interior(image):
    """Catches a grid shift in any of the three: they differ at borders only."""
    matlab, pillow, torch_ = (downsample(image, (29, 41), kernel=k, depth="float")[4:-4, 4:-4] for k in NAMES[:3])
    np.testing.assert_allclose(matlab, pillow, atol=2e-3)
    np.testing.assert_allclose(matlab, torch_, atol=2e-3)


def test_area_is_the_block_mean_at_whole_ratios(image):
    expected = image.reshape(30, 3, 40, 3, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(downsample(image, (30, 40), kernel="opencv-area", depth="float"), expected, atol=1e-3)


@pytest.mark.parametrize("kernel", NAMES)
@pytest.mark.parametrize("depth", ["u8", "float"])
def test_shapes_types_and_gray(image, kernel, depth):
    """Catches a size given as (width, height), a gray image that grows a channel, u8 values off the 8-bit grid."""
    colour = downsample(image, (13, 31), kernel=kernel, depth=depth)
    gray = downsample(image[:, :, 1], (13, 31), kernel=kernel, depth=depth)
    assert colour.shape == (13, 31, 3)
    assert gray.shape == (13, 31)
    assert colour.dtype == gray.dtype == np.float32
    np.testing.assert_allclose(gray, colour[:, :, 1], atol=1e-3)
    if depth == "u8":
        assert np.array_equal(colour, np.rint(colour))
        assert colour.min() >= 0
        assert colour.max() <= 255


def test_float_depth_keeps_overshoot():
    """Catches clipping where the protocol keeps LR in float (published SRCNN figures need it)."""
    edge = np.zeros((40, 40), np.uint8)
    edge[:, 20:] = 255
    assert downsample(edge, (20, 20), kernel="matlab-bicubic", depth="float").max() > 255


def test_errors_name_what_was_seen(image):
    with pytest.raises(ImageError, match="would be empty: 0 x 3"):
        downsample(image, (0, 3), kernel="matlab-bicubic")
    with pytest.raises(ImageError, match=r"'bicubic'.*matlab-bicubic"):
        downsample(image, (3, 3), kernel="bicubic")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ImageError, match="'f32'"):
        downsample(image, (3, 3), kernel="opencv-area", depth="f32")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ImageError, match="float32"):
        downsample(image.astype(np.float32), (3, 3), kernel="opencv-area")  # pyright: ignore[reportArgumentType]


def test_package_does_not_import_torch():
    """Catches a module-level torch import, which costs seconds in every command."""
    code = (
        "import sys, numpy as np, bench.imaging as b;"
        "b.downsample(np.zeros((8, 8, 3), np.uint8), (4, 4), kernel='matlab-bicubic');"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
