"""The regression of Ma et al.: three random forests and a linear map, read from the authors' model as pyiqa ships it.

Layout of `NRQM_model.mat` (read by position, as pyiqa does): a struct `model` with `linear`, (4, 1), and `rf`, a 1 x 3
cell of structs whose fields 0, 1, 4, 5, 6 are, per node and tree, the left child, the right child, the threshold, the
prediction and the feature; children and features count from 1, a child of 0 ends the walk.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.api import Unavailable
from bench.metrics.matfile import read_mat

Float64 = NDArray[np.float64]
GROUPS = (18, 45, 75)
"""Features that each forest reads."""


@dataclass(frozen=True)
class Forest:
    """Regression trees as columns of (nodes, trees) arrays; children and features count from 0, -1 is none."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    threshold: Float64
    prediction: Float64
    feature: NDArray[np.int64]

    def predict(self, features: Float64) -> float:
        """The mean prediction of all trees for one (n,) feature vector."""
        trees = np.arange(self.left.shape[1])
        node = np.zeros(trees.size, np.int64)
        for _ in range(self.left.shape[0]):
            below = features[self.feature[node, trees]] <= self.threshold[node, trees]
            child = np.where(below, self.left[node, trees], self.right[node, trees])
            if (child < 0).all():
                break
            node = np.where(child < 0, node, child)
        return float(self.prediction[node, trees].mean())


@dataclass(frozen=True)
class ForestModel:
    """linear: (4,), a constant and one weight per forest."""

    linear: Float64
    forests: tuple[Forest, Forest, Forest]

    def predict(self, groups: tuple[Float64, Float64, Float64]) -> float:
        """The quality score of the three feature groups."""
        scores = [forest.predict(group) for forest, group in zip(self.forests, groups, strict=True)]
        return float(np.array([1.0, *scores]) @ self.linear)


@lru_cache(maxsize=2)
def read_model(path: Path) -> ForestModel:
    """Read the model file.

    Raises:
        Unavailable: it is not such a file; names it and what is wrong.
    """
    values = read_mat(path, "Ma et al.'s model file")
    try:
        model = values["model"]
        linear = np.ravel(model["linear"][0, 0]).astype(np.float64)
        cells = model["rf"][0, 0]
        forests = [_forest(cells[0, i][0, 0], GROUPS[i]) for i in range(3)]
    except (ValueError, KeyError, IndexError, TypeError) as fault:
        raise Unavailable(f"{path} is not Ma et al.'s model file ({type(fault).__name__}: {fault})") from fault
    if linear.shape != (4,):
        raise Unavailable(f"{path}: expected 4 linear weights, got {linear.size}")
    return ForestModel(linear, (forests[0], forests[1], forests[2]))


def _forest(fields: Any, features: int) -> Forest:
    left, right, threshold, prediction, feature = (np.atleast_2d(fields[i]) for i in (0, 1, 4, 5, 6))
    arrays = (left, right, threshold, prediction, feature)
    if any(array.shape != left.shape for array in arrays):
        raise ValueError(f"tree arrays of different shapes: {[array.shape for array in arrays]}")
    children = np.stack([left, right]).astype(np.int64) - 1
    attribute = feature.astype(np.int64) - 1
    if children.min() < -1 or children.max() >= left.shape[0] or attribute.max() >= features:
        raise ValueError(f"a tree of {left.shape[0]} nodes points outside itself or beyond {features} features")
    return Forest(children[0], children[1], threshold.astype(np.float64), prediction.astype(np.float64), attribute)
