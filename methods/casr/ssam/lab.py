"""sRGB to CIELAB, in which superpixels measure how far colours are apart.

Source: IEC 61966-2-1 (sRGB) and CIE 1976 L*a*b* under D65; equals scikit-image's `rgb2lab` (tests).
"""

from __future__ import annotations

import torch

_TO_XYZ = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
_WHITE = (0.95047, 1.0, 1.08883)


def rgb_to_lab(image: torch.Tensor) -> torch.Tensor:
    """Convert.

    Args:
        image: (B, 3, H, W) sRGB in [0, 1]; values outside are clipped.
    Returns:
        (B, 3, H, W): L in [0, 100], a and b within about [-110, 110].
    """
    image = image.clamp(0, 1)
    linear = torch.where(image > 0.04045, ((image + 0.055) / 1.055) ** 2.4, image / 12.92)
    xyz = torch.einsum("ij,bjhw->bihw", image.new_tensor(_TO_XYZ), linear)
    xyz = xyz / image.new_tensor(_WHITE)[:, None, None]
    x, y, z = torch.where(xyz > 0.008856, xyz.clamp_min(1e-6) ** (1 / 3), 7.787 * xyz + 16 / 116).unbind(1)
    return torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), dim=1)
