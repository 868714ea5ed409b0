"""The Python face of the harness: what a notebook, a training loop and the command line call."""

from bench.session.calls import Run, load, run, score
from bench.session.config import RunConfig, make_config, read_config
from bench.session.request import build_request

__all__ = ["Run", "RunConfig", "build_request", "load", "make_config", "read_config", "run", "score"]
