"""LIIF: local implicit image function."""
