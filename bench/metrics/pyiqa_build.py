"""Building a pyiqa network from the files of this run's weights folder, and from nothing else.

pyiqa fixes its folder when it is imported, prints while it loads, unpickles its files freely and fetches what it lacks.
Here it looks where we look, is silent, reads weights only, and cannot connect unless the user allowed it.
"""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from bench.api import Unavailable
from bench.api.errors import without_advice
from bench.metrics.offline import NetworkBlocked, no_network
from bench.metrics.weights import DOWNLOAD_ENV, downloads_allowed, hub_folder

STRICT_CHECKPOINT = ("maniqa", "maniqa-kadid", "maniqa-pipal")
"""Their checkpoint is loaded strictly and holds the timm backbone too, so the backbone's own file is not needed."""


def build_metric(name: str, weights_root: Path | None) -> Any:
    """pyiqa's inference model of a metric, on the CPU.

    Raises:
        Unavailable: a file is missing, damaged or of other shapes, or a package is; says which. Never random weights.
    """

    def make() -> Any:
        import torch
        from pyiqa import create_metric

        backbones = _without_backbone_files() if name in STRICT_CHECKPOINT else contextlib.nullcontext()
        with backbones:
            return create_metric(name, device=torch.device("cpu"))

    return build(f"pyiqa's {name}", make, weights_root)


def build(what: str, make: Callable[[], Any], weights_root: Path | None, cache: Path | None = None) -> Any:
    """Run a constructor of pyiqa under this module's conditions.

    Args:
        what: Name for messages.
        make: Imports and builds.
        weights_root: As for `find_weights`.
        cache: pyiqa's folder of files; None: `<hub>/pyiqa`.
    Raises:
        Unavailable: see `build_metric`.
    """
    with offline_unless_allowed(what):
        try:
            with _environment(hub_folder(weights_root), cache):
                return make()
        except (Unavailable, NetworkBlocked):
            raise
        except Exception as fault:
            text = without_advice(" ".join(str(fault).split()))
            shown = text if len(text) <= 300 else text[:300] + "…"
            raise Unavailable(f"{what} cannot be built: {type(fault).__name__}: {shown}") from fault


@contextlib.contextmanager
def offline_unless_allowed(what: str) -> Iterator[None]:
    """Turn any attempt to connect, also one that the library then ignored, into a reason.

    Raises:
        Unavailable: something wanted to download; says what.
    """
    if downloads_allowed():
        yield
        return
    with no_network() as attempts:
        try:
            yield
        except Exception as fault:
            if attempts:
                raise Unavailable(_wanted(what, attempts)) from fault
            raise
    if attempts:
        raise Unavailable(_wanted(what, attempts))


@contextlib.contextmanager
def _environment(hub: Path, cache: Path | None) -> Iterator[None]:
    import torch

    usual = torch.hub.get_dir()
    try:
        torch.hub.set_dir(str(hub))
        with (
            mock.patch.dict(os.environ, {"TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1"}),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            logging.getLogger("pyiqa").setLevel(logging.WARNING)
            from pyiqa.utils import download_util

            with (
                mock.patch.object(download_util, "DEFAULT_CACHE_DIR", str(cache or hub / "pyiqa")),
                mock.patch.object(download_util, "download_url_to_file", _announced(download_util)),
            ):
                yield
    finally:
        torch.hub.set_dir(usual)


def _announced(download_util: Any) -> Callable[..., Any]:
    """pyiqa's downloader; where downloads are forbidden, the refusal names the file instead of a host."""
    real = download_util.download_url_to_file

    @functools.wraps(real)
    def fetch(url: str, target: str, *args: Any, **kwargs: Any) -> Any:
        if not downloads_allowed():
            raise Unavailable(
                f"the weights file {target} is not there ({url}); set {DOWNLOAD_ENV}=1 to have it fetched"
            )
        return real(url, target, *args, **kwargs)

    return fetch


@contextlib.contextmanager
def _without_backbone_files() -> Iterator[None]:
    import timm

    def create(*args: Any, **kwargs: Any) -> Any:
        return real(*args, **{**kwargs, "pretrained": False})

    real = timm.create_model
    with mock.patch.object(timm, "create_model", create):
        yield


def _wanted(what: str, attempts: list[str]) -> str:
    return (
        f"{what} lacks a file and would download it from {attempts[0]}; nothing was fetched. "
        f"Set {DOWNLOAD_ENV}=1 to allow it, or put the file into the weights folder"
    )
