"""CASR: one small-scale model applied in cycles, on superpixel images (arXiv 2602.22159)."""
