"""Metrics over the values of an option that an ablation swept: `bench figure sweep`."""
