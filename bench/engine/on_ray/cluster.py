"""The Ray cluster of a run: joined where an address was typed, else started on this machine, and stopped.

A cluster is never joined because of `RAY_ADDRESS`, or because one happens to run on a shared machine. One that is
started here has a folder, ports and a namespace of its own, no dashboard, and tells nobody of its use.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from bench.api import RequestError
from bench.engine.processes import cores, without_interrupts
from bench.engine.request import ClusterPlace

_LONGEST_FOLDER = 30
"""Characters: sockets lie some 70 deeper, and a path to a socket may have 107."""


@dataclass
class Cluster:
    """A connection to a cluster, of which a process has one at most.

    Attributes:
        place: What was asked for.
        folder: Of a cluster that was started here; None for one that was joined.
        users: Who has it open: inference and scoring close it for themselves.
        ours: Whether this run has connected, so that it is to disconnect.
    """

    place: ClusterPlace
    folder: Path | None = None
    users: int = 0
    ours: bool = True
    namespace: str = field(default_factory=lambda: f"assr-bench-{uuid4().hex[:12]}")

    @property
    def home(self) -> str:
        """Where workers make folders of their own; empty: where their machine has temporary files."""
        return str(self.folder) if self.folder is not None else ""

    def close(self) -> None:
        """Disconnect when the last user goes; a cluster that was started here ends, with its folder."""
        global _open
        self.users -= 1
        if self.users > 0:
            return
        _open = None
        if self.ours:
            import ray

            ray.shutdown()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def resource(self, name: str) -> float:
        """How much of a resource ("CPU", "GPU") the machines of the cluster have together."""
        import ray

        return float(ray.cluster_resources().get(name, 0.0))


_open: Cluster | None = None


def open_cluster(place: ClusterPlace, *, cpus: int) -> Cluster:
    """The cluster of this run; whoever opens it closes it.

    Args:
        place: Where it is.
        cpus: Processes that one which is started here must have room for.
    Raises:
        RequestError: Ray is not installed, or no cluster is to be had at the address.
    """
    global _open
    ray = _ray()
    if _open is None:
        if place.address and ray.is_initialized():
            _open = Cluster(place, ours=False)  # the caller of `bench.run` has connected, and knows to what
        elif ray.is_initialized():
            raise RequestError(
                "this process is connected to a Ray cluster already, which was not asked for: give ray_address='auto' "
                "to use it, or call ray.shutdown() first"
            )
        else:
            _open = _join(ray, place) if place.address else _start(ray, place, cpus)
    _open.users += 1
    return _open


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as fault:
        raise RequestError("--executor ray needs ray: pip install 'assr-bench[ray]'") from fault
    return ray


def _join(ray: Any, place: ClusterPlace) -> Cluster:
    cluster, way_on = Cluster(place), "start one with 'ray start --head'"
    try:
        _look_for(place.address)
        if place.address != "auto" and "RAY_AUTH_MODE" not in os.environ:  # Ray sends no token to it unless told to
            way_on = "where 'ray start' said that token authentication is enabled, set RAY_AUTH_MODE=token"
        with _own_sigterm():
            ray.init(address=place.address, namespace=cluster.namespace, log_to_driver=False, logging_level="ERROR")
    except Exception as fault:  # Ray has classes of its own for want of a token, and another in each version
        said = " ".join(str(fault).split())[:300]
        raise RequestError(
            f"--ray-address {place.address}: no Ray cluster is to be had there ({said}); {way_on}, or leave "
            "--ray-address out for one on this machine"
        ) from fault
    return cluster


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Keep this process's answer to SIGTERM: Ray would put an exit in its place, past all that stops in order."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _look_for(address: str) -> None:
    """See that something listens at an address: Ray itself would try for minutes.

    Raises:
        OSError: nobody does.
        ValueError: it is no address.
    """
    if address == "auto":
        return
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or "/" in host:
        raise ValueError("expected auto or HOST:PORT, as 'ray start --head' prints it")
    socket.create_connection((host, int(port)), timeout=10).close()


def _start(ray: Any, place: ClusterPlace, cpus: int) -> Cluster:
    home = tempfile.gettempdir()
    folder = Path(tempfile.mkdtemp(prefix="ab-", dir=home if len(home) <= _LONGEST_FOLDER else "/tmp"))
    cluster = Cluster(place, folder)
    try:
        with without_interrupts([signal.SIGINT]), _own_sigterm():  # SIGTERM is how Ray ends its processes
            ray.init(
                address="local",  # not even RAY_ADDRESS is looked at
                namespace=cluster.namespace,
                _temp_dir=str(folder),
                num_cpus=max(cpus, cores()),
                include_dashboard=False,
                log_to_driver=False,
                logging_level="ERROR",
            )
    except BaseException as fault:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)
        if not isinstance(fault, Exception):
            raise
        said = " ".join(str(fault).split())[:300]
        raise RequestError(
            f"--executor ray: Ray does not start on this machine ({said}); where it is only busy, type the same "
            "command again, finished work is kept; else use --procs N, which needs no Ray"
        ) from fault
    return cluster
