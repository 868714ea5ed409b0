"""What CASR minimises: reconstruction, adversarial, depth and self-similarity losses."""

from methods.casr.losses.objective import LossConfig, Objective

__all__ = ["LossConfig", "Objective"]
