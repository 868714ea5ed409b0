"""Metrics over the scales of a run, with bands and training ranges."""
