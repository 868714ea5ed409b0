"""Where parameters are looked up, what is said when they are missing, and that nothing is fetched unasked."""

from __future__ import annotations

import hashlib
import http.server
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from bench.api import Unavailable
from bench.api.presets import PRESETS
from bench.metrics import weights
from bench.metrics.catalog import make_metric
from bench.metrics.download import obtain
from bench.metrics.weights import WeightsFile, check_published, find_weights, hash_token, missing, weights_hash

NEEDS = {
    "lpips": "alexnet-owt-7be5be79.pth",
    "lpips_vgg": "vgg16-397923af.pth",
    "lpips_squeeze": "squeezenet1_1-b8a52dc0.pth",
    "musiq": "musiq_koniq_ckpt-e95806b9.pth",
    "dists": "DISTS_weights-f5e65c96.pth",
    "maniqa": "ckpt_koniq10k.pt",
    "clipiqa": "RN50.pt",
    "fid": "pt_inception-2015-12-05-6726825d.pth",
    "pyiqa:ilniqe": "ILNIQE_templateModel.mat",
}
PROTOCOL = next(iter(PRESETS.values()))


@pytest.fixture
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which nothing was ever downloaded."""
    monkeypatch.delenv("TORCH_HOME", raising=False)
    monkeypatch.delenv(weights.DOWNLOAD_ENV, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def put(root: Path, relative: str, content: bytes = b"parameters") -> Path:
    path = root / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("name", "file"), NEEDS.items())
def test_a_metric_without_its_file_says_which_one_it_lacks(no_weights: Path, name: str, file: str) -> None:
    metric = make_metric(name)
    reason = metric.unavailable()
    assert reason is not None
    assert file in reason
    assert str(no_weights / "torch" / "hub") in reason
    assert "https://" in reason
    assert weights.DOWNLOAD_ENV in reason
    assert "missing" in metric.signature(PROTOCOL, 4.0) or name.startswith("lpips")


def test_listing_signing_and_availability_import_neither_torch_nor_pyiqa() -> None:
    code = (
        "import sys; from bench.metrics.catalog import make_metric; from bench.api.presets import PRESETS\n"
        f"for name in {[*NEEDS, 'selfssim', 'pyiqa:ms_ssim', 'pyiqa:topiq_nr']!r}:\n"
        "    m = make_metric(name); m.signature(next(iter(PRESETS.values())), 4.0); m.unavailable()\n"
        "sys.exit(any(heavy in sys.modules for heavy in ('torch', 'pyiqa', 'lpips', 'torchvision')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_root_order_argument_then_torch_home_then_cache(no_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = put(no_weights, "torch/hub/pyiqa/a.mat")
    assert find_weights("pyiqa/a.mat", None) == cached
    home = put(no_weights / "home", "hub/pyiqa/a.mat")
    monkeypatch.setenv("TORCH_HOME", str(no_weights / "home"))
    assert find_weights("pyiqa/a.mat", None) == home
    given = put(no_weights / "given", "hub/pyiqa/a.mat")
    assert find_weights("pyiqa/a.mat", no_weights / "given") == given


def test_the_hub_folder_itself_is_accepted_as_root(tmp_path: Path) -> None:
    path = put(tmp_path / "hub", "checkpoints/a.pth")
    assert find_weights("checkpoints/a.pth", tmp_path / "hub") == path
    assert find_weights("checkpoints/a.pth", tmp_path) == path
    plain = put(tmp_path / "parameters", "checkpoints/a.pth")
    assert find_weights("checkpoints/a.pth", tmp_path / "parameters") == plain


def test_missing_names_file_folder_and_address(tmp_path: Path) -> None:
    text = missing("pyiqa/a.mat", tmp_path, "https://example.org/a.mat")
    assert "'a.mat'" in text
    assert str(tmp_path / "hub" / "pyiqa") in text
    assert "https://example.org/a.mat" in text


def test_hash_follows_a_file_that_was_replaced(tmp_path: Path) -> None:
    path = put(tmp_path, "hub/pyiqa/a.mat", b"one")
    assert weights_hash(path) == hashlib.sha256(b"one").hexdigest()[:12]
    put(tmp_path, "hub/pyiqa/a.mat", b"another")
    assert weights_hash(path) == hashlib.sha256(b"another").hexdigest()[:12]
    token = hash_token((WeightsFile("pyiqa/a.mat", ""), WeightsFile("pyiqa/b.mat", "")), tmp_path)
    assert token == f"w:{weights_hash(path)}+missing"


def test_a_damaged_file_is_told_from_the_published_one_by_the_digits_in_its_name(tmp_path: Path) -> None:
    file = WeightsFile("checkpoints/net-0123abcd.pth", "https://example.org/net-0123abcd.pth")
    path = put(tmp_path, "hub/checkpoints/net-0123abcd.pth", b"cut short")
    with pytest.raises(Unavailable, match=r"expected 0123abcd.*https://example\.org"):
        check_published(path, file)
    digits = hashlib.sha256(b"cut short").hexdigest()[:8]
    check_published(path, WeightsFile(f"checkpoints/net-{digits}.pth", ""))


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path):
    """A web server on the loopback interface, with the list of paths that were asked for."""
    folder = tmp_path / "published"
    folder.mkdir()
    asked: list[str] = []

    class Handler(_Quiet):
        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as http_server:
        threading.Thread(target=http_server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{http_server.server_address[1]}", asked
        http_server.shutdown()


def published(server, content: bytes = b"the real thing", *, name: str = "") -> WeightsFile:
    folder, address, _ = server
    name = name or f"net-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    (folder / name).write_bytes(content)
    return WeightsFile(f"checkpoints/{name}", f"{address}/{name}")


@pytest.mark.parametrize("setting", [None, "", "0", "no"])
def test_nothing_is_fetched_unless_allowed(server, tmp_path: Path, monkeypatch, setting: str | None) -> None:
    monkeypatch.delenv(weights.DOWNLOAD_ENV, raising=False)
    if setting is not None:
        monkeypatch.setenv(weights.DOWNLOAD_ENV, setting)
    file = published(server)
    with pytest.raises(Unavailable, match=file.relative.split("/")[1]):
        obtain(file, tmp_path / "root")
    assert server[2] == []
    assert not (tmp_path / "root").exists()


def test_allowed_download_is_verified_kept_and_not_repeated(server, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(weights.DOWNLOAD_ENV, "1")
    file = published(server)
    path = obtain(file, tmp_path / "root")
    assert path == tmp_path / "root" / "hub" / file.relative
    assert path.read_bytes() == b"the real thing"
    assert obtain(file, tmp_path / "root") == path
    assert len(server[2]) == 1
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_other_bytes_than_published_are_not_kept(server, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(weights.DOWNLOAD_ENV, "1")
    file = published(server, b"an error page", name="net-0123abcd.pth")
    with pytest.raises(Unavailable, match="nothing was kept"):
        obtain(file, tmp_path / "root")
    assert list((tmp_path / "root" / "hub" / "checkpoints").iterdir()) == []


def test_a_failed_download_says_address_and_target(server, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(weights.DOWNLOAD_ENV, "1")
    gone = WeightsFile("checkpoints/gone-0123abcd.pth", f"{server[1]}/gone-0123abcd.pth")
    with pytest.raises(Unavailable, match=r"gone-0123abcd\.pth could not be fetched to .*404"):
        obtain(gone, tmp_path / "root")
    assert find_weights(gone.relative, tmp_path / "root") is None
