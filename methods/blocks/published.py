"""Reading what others published with diffusers and transformers: whole, without a hub where that is forbidden, and with
a sentence where something is missing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.api import RequestError
from bench.api.errors import without_advice

_HALF = ".fp16."
"""In the names of files that hold the weights in half precision beside or instead of the whole ones."""
_WEIGHTS = (".safetensors", ".bin")


def complete(kind: Any, path: Path | str, folder: str = "", needed: str = "", **fixed: Any) -> Callable[..., Any]:
    """A loader that refuses weights with holes, which these libraries would fill with random values.

    Args:
        kind: A class with `from_pretrained`.
        path: A folder or a hub id.
        folder: Below it; "": the folder itself.
        needed: Only tensors whose names begin so count.
        **fixed: What else the class is told.
    Returns:
        A function that loads the model; raises ValueError where a tensor is missing.
    """

    def load(**said: Any) -> Any:
        if _only_half(Path(path) / folder):
            said["variant"] = "fp16"
        if folder:
            said["subfolder"] = folder
        model, info = kind.from_pretrained(str(path), output_loading_info=True, **fixed, **said)
        absent = sorted(name for name in info["missing_keys"] if name.startswith(needed))
        if absent:
            raise ValueError(f"the weights lack '{absent[0]}' ({len(absent)} tensors in all).")
        return model

    return load


def read_part(load: Callable[..., Any], path: Path | str, *, what: str, option: str, folder: str = "") -> Any:
    """Call a loader, and turn what these libraries say of missing files into a sentence.

    Args:
        load: Takes `local_files_only`.
        path: A folder or a hub id; a hub is asked unless `ASSR_BENCH_DOWNLOAD` is 0.
        what: What is expected there, and where one gets it.
        option: Its name, such as casr.sd_path.
        folder: The part below the folder; "": the folder itself.
    Raises:
        RequestError: nothing there that can be read.
    """
    root = Path(path)
    local = root.is_dir() or os.environ.get("ASSR_BENCH_DOWNLOAD") == "0"
    try:
        if root.is_dir() and not (root / folder).is_dir():
            raise FileNotFoundError(f"there is no folder '{folder}' in it.")
        return load(local_files_only=local)
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, ImportError, EOFError, *_damage()) as fault:
        where = f"{path}/{folder}" if folder else str(path)
        reason = next((line for line in str(fault).splitlines() if line.strip()), type(fault).__name__)
        reason = reason if without_advice(str(fault)) == str(fault) else f"{without_advice(str(fault))}."
        raise RequestError(
            f"{option}={path}: cannot read {where}: {reason} Expected {what}; a folder is given with "
            f"--set {option}=FOLDER"
        ) from fault


def _damage() -> tuple[type[Exception], ...]:
    """What readers of weights raise of a damaged file."""
    from pickle import UnpicklingError

    from safetensors import SafetensorError

    return UnpicklingError, SafetensorError


def _only_half(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    files = [path.name for path in folder.iterdir() if path.suffix in _WEIGHTS]
    return bool(files) and all(_HALF in name for name in files)
