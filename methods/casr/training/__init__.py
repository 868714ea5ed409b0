"""The training of CASR: its last stage, which names those before it (superpixels, backbone, SARM)."""

from methods.casr.training.stage2 import SarmTask

TASK = SarmTask
