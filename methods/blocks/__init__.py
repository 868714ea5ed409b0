"""Blocks that several methods share: EDSR features, coordinates, the continuous decoder, reading weights."""
