"""Datasets: folders, pairs, cards of public sets, and the pixels that a protocol makes of a sample. No torch."""

from bench.data.fingerprint import fingerprint
from bench.data.pair import Pair, prepare
from bench.data.resolve import dataset_names, resolve_dataset

__all__ = ["Pair", "dataset_names", "fingerprint", "prepare", "resolve_dataset"]
