"""assr-bench: how arbitrary-scale super-resolution is compared."""

__version__ = "0.1.0"
