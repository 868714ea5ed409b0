"""The training of CASR: its last stage, which names those before it (superpixels, backbone, SARM)."""

from methods.casr.stage2 import SarmTask

TASK = SarmTask
