"""The training of CasSR: its last stage, which names those before it (restorer, diffusion)."""

from methods.cassr.training.tuner import TunerTask

TASK = TunerTask
