"""What a reader of a run needs to know of the machine and the packages; gathered without importing any of them."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_PACKAGES = (
    "assr-bench",
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "scikit-image",
    "opencv-python-headless",
    "pillow",
    "pyiqa",
    "lpips",
    "mmengine",
    "spandrel",
)


@lru_cache(maxsize=1)
def describe_environment() -> dict[str, Any]:
    """Packages, git commit of the harness where it runs from a checkout, processor, memory."""
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "git": _git(Path(__file__).resolve().parents[2]),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": _memory_gb(),
    }


def hardware(environment: Mapping[str, Any]) -> str:
    """The machine of a run in words; "" where run.json does not say."""
    parts = [str(environment.get("processor") or "")]
    if environment.get("cores"):
        parts.append(f"{environment['cores']} cores")
    if environment.get("memory_gb"):
        parts.append(f"{environment['memory_gb']} GB")
    if environment.get("device"):
        parts.append(str(environment["device"]))
    return ", ".join(part for part in parts if part)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _git(folder: Path) -> dict[str, Any]:
    if not (folder / ".git").exists():
        return {}

    def ask(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()

    try:
        return {"commit": ask("rev-parse", "HEAD"), "dirty": bool(ask("status", "--porcelain", "-uno"))}
    except (OSError, subprocess.SubprocessError):
        return {}


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError):
        return None
