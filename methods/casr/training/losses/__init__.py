"""What CASR minimises: reconstruction, adversarial, depth and self-similarity losses."""

from methods.casr.training.losses.objective import LossConfig, Objective

__all__ = ["LossConfig", "Objective"]
