"""Datasets: folders, pairs, cards of public sets, and the pixels that a protocol makes of a sample. No torch."""

from bench.data.fingerprint import fingerprint
from bench.data.pair import Pair, draw_degradation, prepare
from bench.data.resolve import dataset_names, resolve_dataset, split_datasets
from bench.data.rows import DatasetRow, dataset_row, dataset_rows

__all__ = [
    "DatasetRow",
    "Pair",
    "dataset_names",
    "dataset_row",
    "dataset_rows",
    "draw_degradation",
    "fingerprint",
    "prepare",
    "resolve_dataset",
    "split_datasets",
]
