"""What a method costs before its first image: CPU seconds of fresh processes, and their ratio to importing torch alone.

    python benchmarks/start.py [--methods liif,casarbi,casr,cassr] [--repeats 3]

Two lines for each method: importing and loading it, and everything that `bench run --methods NAME` does in its own
process until the first image is computed. The last line is what the class of diffusers' UNet would cost, which CASR and
CasSR are compatible with and do not import.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

# where compiled files may not be written, every start compiles what an installed package has compiled
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
_CPU = "import resource as r; u = r.getrusage(r.RUSAGE_SELF); print('cpu', u.ru_utime + u.ru_stime, flush=True)"
_LOAD = """
from bench.engine.choice import choose_methods
from bench.engine.inference import Runner
Runner(choose_methods(["{name}"])[0], device="cpu")
"""
_RUN = """
import sys, tempfile
from bench.cli.app import main
from bench.engine.inference import Runner
def stop(*_, **__):
    {cpu}
    raise KeyboardInterrupt
Runner.infer = stop
with tempfile.TemporaryDirectory() as out:
    sys.argv = ["bench", "run", "--methods", "{name}", "--scales", "4", "--limit", "1", "--metrics", "psnr"]
    sys.argv += ["--device", "cpu", "--out", out + "/run"]
    try:
        main()
    except SystemExit:
        pass
"""
_UNET = "import torch\nfrom diffusers.models.unets.unet_2d_condition import UNet2DConditionModel"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", default="liif,casarbi,casr,cassr")
    parser.add_argument("--repeats", type=int, default=3)
    words = parser.parse_args()
    programs = {"torch alone": f"import torch\n{_CPU}"}
    for name in words.methods.split(","):
        programs[f"{name}, loaded"] = f"{_LOAD.format(name=name)}\n{_CPU}"
        programs[f"{name}, bench run"] = _RUN.format(name=name, cpu=_CPU)
    programs["torch, diffusers' UNet"] = f"{_UNET}\n{_CPU}"
    base = 0.0
    print(f"{'':28}{'CPU s':>8}{'ratio':>8}")
    for name, program in programs.items():
        spent = min(_spent(program) for _ in range(words.repeats))
        base = base or spent
        print(f"{name:28}{spent:8.2f}{spent / base:8.2f}", flush=True)


def _spent(program: str) -> float:
    """CPU seconds that a process had spent when it printed them."""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=600)
    return float(done.stdout.partition("cpu ")[2].split()[0])


if __name__ == "__main__":
    main()
