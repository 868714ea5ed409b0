"""The training of LIIF."""

from methods.liif.training.task import LiifTask

TASK = LiifTask
