"""`--executor ray`: the records of a local run, from a cluster that loses a machine; and never another's cluster."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import bench
from bench.api import CellId, MethodOptions, RequestError
from bench.engine.choice import choose_methods
from bench.engine.events import Silent
from bench.engine.making import InferJob, InferUnit, Opened
from bench.engine.on_ray.cluster import open_cluster
from bench.engine.on_ray.files import Received, Sent
from bench.engine.on_ray.inference import Worker
from bench.engine.on_ray.parcel import pack
from bench.engine.origin import source_of
from bench.engine.request import ClusterPlace, RunRequest
from bench.engine.run import execute
from bench.plugins import load_plugin
from bench.registry import METHODS
from tests.engine.same_records import images_of, records_of

Build = Callable[..., RunRequest]

PLUGIN = """
import os
from pathlib import Path
from torch.nn.functional import interpolate
from bench.api import Method, MethodInfo, MethodOptions, Upscaled

class Options(MethodOptions):
    file: Path | None = None

class Ending(Method):
    info = MethodInfo(name="ending", display="Ending", summary="s")
    Options = Options

    def begin(self, *, image, scale):
        self.image = image

    def upscale(self, lr, size, *, seed):
        if self.image == "photo 1":
            os._exit(7)
        return Upscaled(interpolate(lr[None], size=size, mode="bicubic")[0])
"""


@pytest.fixture
def ending(tmp_path: Path) -> Iterator[Path]:
    """The file of a method that ends its process at one image."""
    path = tmp_path / "ending.py"
    path.write_text(PLUGIN)
    load_plugin(path)
    yield path
    METHODS.forget("ending")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Two nodes on this machine, with two cores each as far as Ray knows."""
    pytest.importorskip("ray", reason="needs ray: pip install 'assr-bench[ray]'")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    made.second = made.add_node(num_cpus=2)  # type: ignore[attr-defined]
    yield made
    made.shutdown()


def test_a_run_that_loses_a_node_ends_with_the_records_of_a_local_one(cluster: Any, tmp_path: Path) -> None:
    """Catches units that go down with their node, and numbers or pixels that depend on who computed them."""
    finished: list[str] = []

    class Killing(Silent):
        def unit(self, cell: CellId, image: str, *, error: str = "") -> None:
            finished.append(image)
            if len(finished) == 3:
                cluster.remove_node(cluster.second, allow_graceful=False)

    wanted: dict[str, Any] = {"scales": (2, 3), "limit": 2, "metrics": ("psnr", "ssim"), "device": "cpu"}
    local = bench.run("bicubic,liif,lte", out=tmp_path / "local", **wanted)
    lost = bench.run(
        "bicubic,liif,lte",
        out=tmp_path / "ray",
        executor="ray",
        ray_address=cluster.address,
        procs=4,
        workers=1,
        listener=Killing(),
        **wanted,
    )
    assert sum(node.is_alive() if hasattr(node, "is_alive") else True for node in cluster.list_all_nodes()) == 1
    assert local.complete
    assert lost.complete
    assert lost.tally.failures == []
    assert len(finished) == 12
    assert records_of(tmp_path / "ray") == records_of(tmp_path / "local")
    assert images_of(tmp_path / "ray") == images_of(tmp_path / "local")


def test_an_image_that_ends_its_worker_fails_alone_after_three_tries(
    cluster: Any, make_request: Build, ending: Path
) -> None:
    """Catches a run that asks for new workers for ever."""
    place = ClusterPlace(cluster.address, shared_fs=True)
    tally = execute(make_request(methods="ending", executor="ray", cluster=place, procs=2, device="cpu")).tally
    assert tally.inferred == 3
    (failure,) = tally.failures
    assert failure.image == "photo 1"
    assert "was lost (killed, out of memory, or its machine gone), 3 times; --executor local" in failure.error


def test_a_worker_needs_no_file_of_the_machine_of_the_command(
    cluster: Any, make_request: Build, ending: Path, photos: Path
) -> None:
    """Catches a path that a worker follows though its machine has no such file: plug-in, image and run folder."""
    import ray

    (choice,) = choose_methods(["ending"])
    request = make_request(methods="ending")
    (sample, *_) = request.datasets[0].samples(2.0)
    unit = InferUnit(sample, source_of(sample), "key", "images/ending/Photos/x2-s0/photo 0.png")
    job = InferJob(choice, "", request.protocol, 2.0, 0, (unit,), request.out)
    ray.init(address=cluster.address, namespace="test", log_to_driver=False)
    try:
        parcel = pack(job, Sent(), shared=False)
        shutil.rmtree(photos)
        ending.unlink()
        worker = ray.remote(Worker).remote("cpu")
        opened, made = [ray.get(reference) for reference in worker.make.remote(parcel)]
    finally:
        ray.shutdown()
    assert isinstance(opened, Opened)
    assert made.error == ""
    assert made.png.startswith(b"\x89PNG")
    assert not request.out.exists()


def test_a_finished_run_starts_no_cluster(make_request: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a cluster that is started, or joined, only to find that there is nothing to do."""
    execute(make_request())

    def refuse(*args: object, **how: object) -> None:
        raise AssertionError("a cluster was opened")

    monkeypatch.setattr("bench.engine.on_ray.inference.open_cluster", refuse)
    monkeypatch.setattr("bench.engine.on_ray.scoring.open_cluster", refuse)
    tally = execute(make_request(executor="ray", workers=2)).tally
    assert (tally.inferred, tally.scored, tally.reused) == (0, 0, 4)


def test_without_ray_the_extra_is_named(make_request: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches an ImportError as an answer to a documented option."""
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RequestError, match=r"pip install 'assr-bench\[ray\]'"):
        execute(make_request(executor="ray"))


class _Ray:
    """What of Ray tells of connections."""

    def __init__(self, *, connected: bool) -> None:
        self.connected = connected
        self.how: dict[str, Any] = {}

    def is_initialized(self) -> bool:
        return self.connected

    def init(self, **how: Any) -> None:
        self.how = how

    def shutdown(self) -> None:
        self.connected = False


def test_no_cluster_is_joined_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a run on another user's cluster of a shared machine, be it by `RAY_ADDRESS` or by `auto`."""
    monkeypatch.setenv("RAY_ADDRESS", "elsewhere:6379")
    ray = _Ray(connected=False)
    monkeypatch.setitem(sys.modules, "ray", ray)
    cluster = open_cluster(ClusterPlace(), cpus=3)
    folder = cluster.folder
    assert ray.how["address"] == "local"
    assert ray.how["num_cpus"] >= 3
    assert folder is not None
    assert str(folder) == ray.how["_temp_dir"]
    assert len(ray.how["_temp_dir"]) < 50
    assert open_cluster(ClusterPlace(), cpus=1) is cluster
    cluster.close()
    assert folder.exists()
    cluster.close()
    assert not folder.exists()
    monkeypatch.setitem(sys.modules, "ray", _Ray(connected=True))
    with pytest.raises(RequestError, match="connected to a Ray cluster already, which was not asked for"):
        open_cluster(ClusterPlace(), cpus=1)


def test_a_cluster_that_does_not_start_leaves_nothing_and_a_way_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches the folder of a cluster that never was, and a message of Ray's own as all that is said."""
    made: list[Path] = []

    class Slow(_Ray):
        def init(self, **how: Any) -> None:
            made.append(Path(how["_temp_dir"]))
            raise Exception("The current node timed out during startup.")  # the class that Ray raises

    monkeypatch.setitem(sys.modules, "ray", Slow(connected=False))
    with pytest.raises(RequestError, match=r"timed out during startup.*same command again.*--procs N"):
        open_cluster(ClusterPlace(), cpus=1)
    assert [folder.exists() for folder in made] == [False]


@pytest.mark.parametrize(
    ("address", "said"), [("127.0.0.1:1", "refused"), ("ray://here:1", "HOST:PORT"), ("here", "HOST:PORT")]
)
def test_an_address_without_a_cluster_is_told_so_at_once(
    monkeypatch: pytest.MonkeyPatch, address: str, said: str
) -> None:
    """Catches minutes of waiting, and warnings of a library, for a mistyped port."""
    monkeypatch.setitem(sys.modules, "ray", _Ray(connected=False))
    with pytest.raises(RequestError, match=rf"--ray-address {address}: .*{said}"):
        open_cluster(ClusterPlace(address), cpus=1)


def test_a_cluster_that_asks_for_a_token_is_told_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a traceback of Ray, and a message that sends a user whose cluster runs off to start one."""

    class Guarded(_Ray):
        def init(self, **how: Any) -> None:
            raise Exception("Failed to connect to Ray cluster")  # the class differs from version to version

    monkeypatch.setitem(sys.modules, "ray", Guarded(connected=False))
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(RequestError, match=r"Failed to connect.*set RAY_AUTH_MODE=token"):
            open_cluster(ClusterPlace(address), cpus=1)
        monkeypatch.setenv("RAY_AUTH_MODE", "token")
        with pytest.raises(RequestError, match="start one with 'ray start --head'"):
            open_cluster(ClusterPlace(address), cpus=1)


def test_options_of_a_cluster_belong_to_its_executor(tmp_path: Path) -> None:
    """Catches an address that is silently ignored."""
    with pytest.raises(RequestError, match="--ray-address belongs to --executor ray"):
        bench.run("bicubic", 2, out=tmp_path, ray_address="auto")
    with pytest.raises(RequestError, match="--shared-fs belongs to --executor ray"):
        bench.run("bicubic", 2, out=tmp_path, shared_fs=True)


def test_a_file_in_an_option_is_refused_without_a_shared_file_system(make_request: Build, ending: Path) -> None:
    """Catches a worker that looks for a file which only the machine of the command has."""
    (choice,) = choose_methods(["ending"], overrides=[f"ending.file={ending}"])
    job = InferJob(choice, "", make_request().protocol, 2.0, 0, (), Path("run"))
    with pytest.raises(RequestError, match=r"ending\.file=.*--shared-fs"):
        pack(job, Sent(), shared=False)
    assert pack(job, Sent(), shared=True).contents == {}


def test_a_method_that_cannot_travel_is_told_how_to_do_without_a_cluster(make_request: Build) -> None:
    """Catches the advice to leave out an option that was not given."""

    class Hidden(MethodOptions):
        pass

    (choice,) = choose_methods(["bicubic"])
    job = InferJob(replace(choice, options=Hidden()), "", make_request().protocol, 2.0, 0, (), Path("run"))
    with pytest.raises(RequestError, match=r"bicubic cannot be sent.*--plugin, or leave out --executor ray"):
        pack(job, Sent(), shared=False)


def test_files_of_a_killed_worker_go_when_the_next_one_starts(tmp_path: Path) -> None:
    """Catches temporary folders that fill a shared machine, and a folder that is taken from a living worker."""
    left, young = tmp_path / "assr-bench-files-left", tmp_path / "assr-bench-files-young"
    for folder in (left, young):
        folder.mkdir()
        (folder / "image.png").touch()
    os.utime(left, (0, 0))
    alive = Received(str(tmp_path))
    os.utime(alive.folder, (0, 0))
    other = Received(str(tmp_path))
    assert not left.exists()
    assert young.exists()
    assert alive.folder.exists()
    for received in (alive, other):
        received.clear()
        assert not received.folder.exists()
