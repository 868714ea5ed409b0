"""Metrics: full-reference, no-reference, set and cross-scale; none of them imports torch before it computes."""

from bench.metrics.base import Metric, ScoredPair
from bench.metrics.catalog import choose_metrics, make_metric, metric_info, metric_names
from bench.metrics.scorer import Scorer

__all__ = ["Metric", "ScoredPair", "Scorer", "choose_metrics", "make_metric", "metric_info", "metric_names"]
