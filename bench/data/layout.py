"""How sets lie on disk: which subfolders hold HR and LR images.

The names are those of common downloads: EDSR's benchmark (HR, LR_bicubic/X4), BasicSR and CiaoSR (GTmod12, LRbicx4,
original), RealSR test sets of StableSR (test_HR, test_LR).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from bench.api import RequestError, Scale, parse_scale
from bench.data.images import has_images

HR_FOLDERS = ("HR", "original", "GTmod12", "GT", "test_HR")
LR_FOLDERS = ("LR", "LR_bicubic", "LRbic", "test_LR", "LQ", "lq")
_SCALED = re.compile(r"[xX_]{0,2}(\d+(?:\.\d+)?(?:[xX]\d+(?:\.\d+)?)?)")


def child(folder: Path, name: str) -> Path | None:
    """A subfolder by name, the exact spelling first, then in any case; name may have several parts ("images/test")."""
    found: Path | None = folder
    for part in Path(name).parts:
        if found is None:
            return None
        exact = found / part
        if exact.is_dir():
            found = exact
            continue
        same = [p for p in subfolders(found) if p.name.lower() == part.lower()]
        found = same[0] if same else None
    return found


def subfolders(folder: Path) -> list[Path]:
    """The folders directly inside one, sorted by name, hidden ones left out; empty where it cannot be listed."""
    try:
        return sorted(p for p in folder.iterdir() if not p.name.startswith(".") and p.is_dir())
    except OSError:
        return []


def hr_folder(root: Path, extra: Sequence[str] = ()) -> Path | None:
    """Where the HR images of a set lie: directly inside its folder, else in the first known subfolder that has images.

    Args:
        root: The folder of the set.
        extra: Names of subfolders that this set is known to use; tried before the common ones.
    """
    return root if has_images(root) else _first(root, (*extra, *HR_FOLDERS))


def lr_only_folder(root: Path, extra: Sequence[str] = ()) -> Path | None:
    """Where the images of an LR-only set lie; as `hr_folder`, in a subfolder for LR images."""
    return root if has_images(root) else _first(root, (*extra, *LR_FOLDERS))


def lr_folders(root: Path, extra: Sequence[str] = ()) -> dict[Scale | None, Path]:
    """The folders of LR images of a set, by the scale that their name tells; None for one that tells none.

    Args:
        root: The folder of the set, or an LR folder itself (with images, or with X2, X3, ... inside).
        extra: Names of LR subfolders that this set is known to use.
    """
    if has_images(root):
        return {None: root}
    found: dict[Scale | None, Path] = dict(_by_scale(root, ""))
    for base in dict.fromkeys((*extra, *LR_FOLDERS)):
        folder = child(root, base)
        if folder is not None and has_images(folder):
            found.setdefault(None, folder)
        elif folder is not None:
            found = {**dict(_by_scale(folder, "")), **found}
        found = {**dict(_by_scale(root, base)), **found}
    return found


def _by_scale(folder: Path, prefix: str) -> Iterable[tuple[Scale, Path]]:
    """Subfolders named by a prefix and a scale, such as X4, LRbicx4 or x1.5x2 (height x width), that hold images."""
    for path in subfolders(folder):
        if path.name.lower().startswith(prefix.lower()):
            match = _SCALED.fullmatch(path.name[len(prefix) :])
            if match and has_images(path):
                with suppress(RequestError):  # "X0" and "x0.5" name no scale
                    yield parse_scale(match[1]), path


def _first(root: Path, names: Iterable[str]) -> Path | None:
    folders = (child(root, name) for name in names)
    return next((folder for folder in folders if folder is not None and has_images(folder)), None)
