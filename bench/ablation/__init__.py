"""Ablations: variants of a method from a file or a sweep, planned as rows of one run, trained on one budget."""

from bench.ablation.files import AblationFile, all_ablations, find_ablation, read_ablation

__all__ = ["AblationFile", "all_ablations", "find_ablation", "read_ablation"]
