"""The training of CasArbi."""

from methods.casarbi.training.task import CasArbiTask

TASK = CasArbiTask
