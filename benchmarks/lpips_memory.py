"""Time and peak memory of LPIPS: our tiled evaluation against the `lpips` package, each in its own process.

    python benchmarks/lpips_memory.py [--size 4320x7680] [--net alex|vgg|squeeze] [--threads 1] [--no-package]

Backbone parameters as for any run (TORCH_HOME); without them the figures are measured with made-up values, which cost
the same. Prints CPU seconds, peak resident memory and, where both ran, the ratio and the difference.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def main() -> None:
    """Run both in child processes and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="4320x7680", help="height x width")
    parser.add_argument("--net", default="alex", choices=("alex", "vgg", "squeeze"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-package", action="store_true", help="skip the package (10.5 GB at 4320x7680 with alex)")
    parser.add_argument("--child", choices=("ours", "package"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(measure(args)))
        return
    results = {}
    for who in ("ours",) if args.no_package else ("ours", "package"):
        command = [sys.executable, __file__, "--child", who, "--size", args.size, "--net", args.net]
        done = subprocess.run([*command, "--threads", str(args.threads)], capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"{who}: failed: {done.stderr.strip().splitlines()[-1:]}")
            continue
        results[who] = json.loads(done.stdout.splitlines()[-1])
        print(f"{who:8} {args.net} {args.size}: {results[who]}")
    if len(results) == 2:
        ours, package = results["ours"], results["package"]
        print(
            f"memory ratio {package['peak_mb'] / ours['peak_mb']:.2f}, CPU ratio {package['cpu_s'] / ours['cpu_s']:.2f}"
        )
        print(f"difference {abs(package['value'] - ours['value']):.2e}")


def measure(args: argparse.Namespace) -> dict[str, float]:
    """One evaluation of a noisy pair; CPU seconds without imports and loading, peak memory with them."""
    import torch

    torch.set_num_threads(args.threads)
    height, width = (int(side) for side in args.size.split("x"))
    hr = smooth_image(height, width)
    sr = np.clip(hr.astype(np.int16) + np.random.default_rng(1).integers(-9, 10, hr.shape, np.int16), 0, 255)
    sr = sr.astype(np.uint8)
    root = made_up_root(args.net)
    started = None
    if args.child == "ours":
        from bench.metrics.lpips_metric import LPIPS, LPIPSVGG, LPIPSSqueeze

        metric = {"alex": LPIPS, "vgg": LPIPSVGG, "squeeze": LPIPSSqueeze}[args.net]()
        network = metric.network() if root is None else unpublished_network(metric.files, root)
        started = time.process_time()
        value = network.distance(network.features(sr), network.features(hr), (height, width))
    else:
        import lpips

        model = lpips.LPIPS(net=args.net, verbose=False, pnet_rand=root is not None)
        if root is not None:
            load_into(model, args.net, root)
        as_tensor = [torch.from_numpy(a).permute(2, 0, 1)[None].float() / 255 for a in (sr, hr)]
        started = time.process_time()
        with torch.inference_mode():
            value = model(*as_tensor, normalize=True).item()
    seconds = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"value": value, "cpu_s": round(seconds, 1), "peak_mb": round(peak)}


def smooth_image(height: int, width: int) -> np.ndarray:
    """A deterministic picture with structure at several sizes, uint8 (height, width, 3)."""
    y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None]
    planes = [128 + 60 * np.sin(x / a) * np.cos(y / b) + 50 * np.sin((x + y) / c) for a, b, c in _WAVES]
    return np.stack([plane.clip(0, 255).astype(np.uint8) for plane in planes], axis=2)


_WAVES = ((7.0, 11.0, 90.0), (23.0, 5.0, 41.0), (3.0, 170.0, 13.0))


def made_up_root(net: str) -> Path | None:
    """None where the published backbone is at hand, else a file of seeded values of the right shapes."""
    import torch
    import torchvision

    from bench.metrics.lpips_files import ALEX, SQUEEZE, VGG
    from bench.metrics.weights import find_weights

    files = {"alex": ALEX, "vgg": VGG, "squeeze": SQUEEZE}[net]
    if find_weights(files.backbone.relative, None) is not None:
        return None
    torch.manual_seed(0)
    path = Path(tempfile.gettempdir()) / f"made-up-{net}.pth"
    with torch.device("meta"):
        features = getattr(torchvision.models, files.model)().features
    state = {
        f"features.{k}": torch.randn(v.shape) / max(1.0, v[0].numel()) ** 0.5 for k, v in features.state_dict().items()
    }
    torch.save(state, path)
    return path


def unpublished_network(files: object, path: Path) -> object:
    """Our network around made-up values, which a run would refuse."""
    import dataclasses

    import torch

    from bench.metrics.lpips_network import features_hash, load_network

    state = {k.removeprefix("features."): v for k, v in torch.load(path, weights_only=True).items()}
    return load_network(dataclasses.replace(files, features_sha256=features_hash(state)), path)


def load_into(model: object, net: str, path: Path) -> None:
    """Put made-up values into the package's slices."""
    import torch

    state = torch.load(path, weights_only=True)
    for name, parameter in model.net.named_parameters():
        parameter.data.copy_(state["features." + name.split(".", 1)[1]])


if __name__ == "__main__":
    main()
