"""assr-bench: how arbitrary-scale super-resolution methods compare.

`bench.run(...)`, `bench.score(...)` and `bench.load(...)` are what the command line calls; they are imported when they
are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.session import Run, load, run, score

__version__ = "0.1.0"
__all__ = ["Run", "__version__", "load", "run", "score"]


def __getattr__(name: str) -> Any:
    if name in ("Run", "load", "run", "score"):
        from bench import session

        return getattr(session, name)
    raise AttributeError(f"module 'bench' has no attribute '{name}'")
