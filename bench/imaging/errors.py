"""The one error of this package, so that callers above can turn it into a failed image without guessing."""

from __future__ import annotations


class ImageError(ValueError):
    """An image or a request about one is unusable; the message says what was expected and what was seen."""
