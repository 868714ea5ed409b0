"""Where metric parameters lie on this machine, what their bytes hash to, and what to say when they are not there.

Nothing here imports torch or touches the network. The layout is that of torch's hub folder, which torchvision, pyiqa
and pytorch-fid share: `<root>/hub/checkpoints/FILE` and `<root>/hub/pyiqa/FILE`, with root = `--weights-root`, else
`TORCH_HOME`, else `$XDG_CACHE_HOME/torch`, else `~/.cache/torch` (torch.hub.get_dir).

Policy: `bench run` and `bench score` fetch what is missing before they begin, unless `ASSR_BENCH_DOWNLOAD=0`. Scoring
itself starts a download only with `ASSR_BENCH_DOWNLOAD=1` (see `bench.metrics.download`).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.api import RequestError, Unavailable, user_path
from bench.api.paths import private_folder
from bench.imaging.hashing import file_sha256

DOWNLOAD_ENV = "ASSR_BENCH_DOWNLOAD"
"""1: a metric may fetch what it lacks while it scores; 0: nothing is ever fetched; unset: before a run, not in it."""

PYIQA_WEIGHTS = "https://huggingface.co/chaofengc/IQA-PyTorch-Weights/resolve/main/"
"""Where pyiqa fetches its files from (pyiqa.archs.arch_util.get_url_from_name)."""

TORCHVISION_WEIGHTS = "https://download.pytorch.org/models/"
"""Where torchvision fetches its files from; the name of each ends in the first 8 digits of its sha256."""

_NAMED_HASH = re.compile(r"-([0-9a-f]{8,64})\.\w+$")


@dataclass(frozen=True)
class WeightsFile:
    """One published file of parameters.

    Attributes:
        relative: Path below the hub folder, such as "checkpoints/vgg16-397923af.pth".
        url: Where the library that owns it would fetch it.
        sha256: First digits of its sha256 (at least 8); empty: those in its name, if there are any.
    """

    relative: str
    url: str
    sha256: str = ""

    def expected_hash(self) -> str:
        """First digits of the sha256 of the published file; empty where they are not known."""
        match = _NAMED_HASH.search(self.relative)
        return self.sha256 or (match[1] if match else "")


def pyiqa_file(name: str) -> WeightsFile:
    """The file `name` of pyiqa's collection."""
    return WeightsFile(f"pyiqa/{name}", PYIQA_WEIGHTS + name)


def torchvision_file(name: str) -> WeightsFile:
    """The file `name` of torchvision's collection."""
    return WeightsFile(f"checkpoints/{name}", TORCHVISION_WEIGHTS + name)


def weights_home(weights_root: Path | None) -> Path:
    """The root folder in force: the argument, else `TORCH_HOME`, else torch's default. It need not exist."""
    if weights_root is not None:
        return user_path(weights_root)
    if home := os.environ.get("TORCH_HOME"):
        return user_path(home)
    try:
        return user_path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "torch"
    except RequestError:
        return private_folder("assr-bench") / "torch"


def hub_folder(weights_root: Path | None) -> Path:
    """The hub folder below the root; the root itself where it is one (named hub, or holding checkpoints/ or pyiqa/)."""
    home = weights_home(weights_root)
    if not (home / "hub").is_dir() and (
        home.name == "hub" or any((home / d).is_dir() for d in ("checkpoints", "pyiqa"))
    ):
        return home
    return home / "hub"


def find_weights(relative_name: str, weights_root: Path | None) -> Path | None:
    """Look a file up.

    Args:
        relative_name: Path below the hub folder, such as "pyiqa/niqe_modelparameters.mat".
        weights_root: `--weights-root`; None: `TORCH_HOME`, else torch's default. The hub folder itself will do too.
    Returns:
        The file, or None where there is none.
    """
    path = hub_folder(weights_root) / relative_name
    return path if path.is_file() else None


def missing(relative_name: str, root: Path | None, url: str) -> str:
    """The reason to give for a file that is not there: the name expected, where it was looked for, how to get it.

    Args:
        relative_name: Path below the hub folder.
        root: What `find_weights` was given.
        url: Where the library would download it from; may be empty.
    Returns:
        One sentence for a list, a log or an error.
    """
    folder = (hub_folder(root) / relative_name).parent
    whence = f"get it from {url}" if url else "it is not published at a fixed address"
    return (
        f"the weights file '{Path(relative_name).name}' is missing; expected in {folder}; {whence}, or set "
        f"{DOWNLOAD_ENV}=1 to have it fetched; --weights-root or TORCH_HOME names another folder"
    )


def downloads_allowed() -> bool:
    """Whether the user lets metrics fetch what they lack (`ASSR_BENCH_DOWNLOAD=1`)."""
    return os.environ.get(DOWNLOAD_ENV, "").strip().lower() in ("1", "true", "yes")


def downloads_forbidden() -> bool:
    """Whether the user forbids every download (`ASSR_BENCH_DOWNLOAD=0`)."""
    return os.environ.get(DOWNLOAD_ENV, "").strip().lower() in ("0", "false", "no")


def unavailable_files(files: tuple[WeightsFile, ...], weights_root: Path | None) -> str | None:
    """Why a metric that needs these files cannot be computed; None where all are there or may be fetched."""
    absent = [file for file in files if find_weights(file.relative, weights_root) is None]
    if not absent or (downloads_allowed() and all(file.url for file in absent)):
        return None
    return "; ".join(missing(file.relative, weights_root, file.url) for file in absent)


def weights_hash(path: Path) -> str:
    """First 12 hex digits of the sha256 of a file."""
    return full_hash(path)[:12]


def full_hash(path: Path) -> str:
    """The sha256 of a file, 64 hex digits.

    Raises:
        Unavailable: the file cannot be read.
    """
    try:
        return file_sha256(path)
    except OSError as fault:
        raise Unavailable(f"the weights file {path} cannot be read: {fault.strerror or fault}") from fault


def hash_token(files: tuple[WeightsFile, ...], weights_root: Path | None) -> str:
    """The signature token of the bytes in use: `w:<hash>[+<hash>..]`, `w:missing` where a file is not there."""
    paths = [find_weights(file.relative, weights_root) for file in files]
    return "w:" + "+".join(weights_hash(path) if path is not None else "missing" for path in paths)


def check_published(path: Path, file: WeightsFile) -> None:
    """Refuse a file whose bytes are not the published ones, where the published hash is known.

    Raises:
        Unavailable: damaged, cut short, or something else under that name; names both hashes.
    """
    expected, seen = file.expected_hash(), full_hash(path)
    if expected and not seen.startswith(expected):
        raise Unavailable(
            f"{path} is not the published file: its sha256 begins with {seen[: len(expected)]}, expected {expected}; "
            f"it is damaged or something else under that name. Remove it and get it from {file.url}"
        )


def package_token(package: str) -> str:
    """The signature token of an installed package, `package@version`, without importing it."""
    try:
        return f"{package}@{version(package)}"
    except PackageNotFoundError:
        return f"{package}@missing"
