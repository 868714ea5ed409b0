"""LTE: local texture estimator."""
