"""Interpolations: nearest, bilinear, bicubic (MATLAB), Lanczos."""
