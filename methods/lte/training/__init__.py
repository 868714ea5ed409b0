"""The training of LTE."""

from methods.lte.training.task import LteTask

TASK = LteTask
