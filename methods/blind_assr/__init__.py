"""The blind arbitrary-scale model with dual degradation representations and cycle consistency."""
