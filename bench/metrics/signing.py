"""Signatures of network metrics: what a number depends on, in one line, in one order."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from bench.api import Protocol


def sign(name: str, *tokens: str, protocol: Protocol, scale: float) -> str:
    """The signature of a metric that ignores the protocol's luma and shave.

    Args:
        name: The metric.
        tokens: Its own part: colour, input, implementation, weights, ending with the version of our code.
        protocol: Gives how SR is rounded, how the pair is made, and which images are averaged.
        scale: Nominal scale; decides the downsampler.
    Returns:
        Such as `lpips|rgb|in:[-1,1]|..|shave:0|q:u8|agg:img|lr:matlab-bicubic|size:floor-crop|v1`.
    """
    *own, code = tokens
    first = f"-first{protocol.first}" if protocol.first is not None else ""
    shared = ["shave:0", protocol.quantise_token(), f"agg:img{first}", *protocol.pair_tokens(scale)]
    return "|".join([name, *own, *shared, code])


def package_token(package: str) -> str:
    """`package@version` of an installed package, without importing it."""
    try:
        return f"{package}@{version(package)}"
    except PackageNotFoundError:
        return f"{package}@missing"
