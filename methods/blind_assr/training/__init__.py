"""The training of the blind arbitrary-scale model: its last stage, which names the one before it."""

from methods.blind_assr.training.stage2 import SrTask

TASK = SrTask
