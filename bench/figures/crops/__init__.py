"""Crops of a run side by side: the same part of an image as every method made it."""
