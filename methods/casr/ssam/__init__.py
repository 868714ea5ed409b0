"""SSAM: superpixel structure alignment."""

from methods.casr.ssam.depth import Depth, DepthAnything, ProxyDepth
from methods.casr.ssam.module import Aligned, Ssam, depth_at

__all__ = ["Aligned", "Depth", "DepthAnything", "ProxyDepth", "Ssam", "depth_at"]
