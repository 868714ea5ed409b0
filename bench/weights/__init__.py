"""Weights files and the cards beside them: `reader`, which inference imports, and `writer`, which a training does."""
