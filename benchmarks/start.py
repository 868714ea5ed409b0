"""What a method costs before its first image: CPU seconds of importing and loading, in a fresh process each.

    python benchmarks/start.py [--methods liif,casarbi,casr] [--repeats 3]

The last column is the ratio to importing torch alone, which no method can do without. For a method that needs diffusers
three further lines take that import apart: as it is; with packages hidden that diffusers looks for and such weights do
not need; and without the packages' own `__init__` modules, so that only the files of the class are read.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

_CPU = "import resource; u = resource.getrusage(resource.RUSAGE_SELF); print('cpu', u.ru_utime + u.ru_stime)"
_LOAD = """
from bench.engine.choice import choose_methods
from bench.engine.inference import Runner
Runner(choose_methods(["{name}"])[0], device="cpu")
"""
_UNET = "from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel"
_HIDDEN = """
import sys
for name in ("accelerate", "bitsandbytes", "gguf", "peft", "torchao", "transformers"):
    sys.modules[name] = None
"""
_FILES_ALONE = """
import os, sys, types
import diffusers.models
for name in ("unets", "transformers"):
    stub = types.ModuleType("diffusers.models." + name)
    stub.__path__ = [os.path.join(os.path.dirname(diffusers.models.__file__), name)]
    sys.modules[stub.__name__] = stub
"""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", default="liif,casarbi,casr")
    parser.add_argument("--repeats", type=int, default=3)
    words = parser.parse_args()
    programs = {"torch alone": "import torch"}
    programs |= {f"{name}, loaded": _LOAD.format(name=name) for name in words.methods.split(",")}
    programs |= {
        "torch, diffusers' UNet": f"import torch\n{_UNET}",
        "  optional packages hidden": f"import torch\n{_HIDDEN}\n{_UNET}",
        "  and its files alone": f"import torch\n{_HIDDEN}\n{_FILES_ALONE}\n{_UNET}",
    }
    base = 0.0
    print(f"{'':28}{'CPU s':>8}{'ratio':>8}")
    for name, program in programs.items():
        spent = min(_spent(program) for _ in range(words.repeats))
        base = base or spent
        print(f"{name:28}{spent:8.2f}{spent / base:8.2f}", flush=True)


def _spent(program: str) -> float:
    """CPU seconds of a process that carries out some lines."""
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\n{_CPU}"], check=True, capture_output=True, text=True, timeout=600
    )
    return float(done.stdout.rpartition("cpu ")[2])


if __name__ == "__main__":
    main()
