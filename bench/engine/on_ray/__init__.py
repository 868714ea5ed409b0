"""Runs on a Ray cluster (`--executor ray`); the extra `ray` brings what this needs."""
