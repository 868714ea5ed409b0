"""CasArbi's cost: CPU seconds per output megapixel of each stage, of guidance, and of tiles.

Run: python benchmarks/casarbi_stages.py [--weights FILE] [--scales 4,12] [--side 128] [--threads 1]
A stage is one prior image, two encodings and T denoiser calls; the parts are timed inside the cascade, on its own
intermediate images. The ratios come from one process: guidance off beside on, and tiles beside the whole canvas.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from costs import arguments, least, photograph

from methods.casarbi.cascade import Sampling, predictor, sample_stage, upscale
from methods.casarbi.info import CASARBI
from methods.casarbi.method import load_network
from methods.casarbi.network import CasArbi
from methods.casarbi.plan import plan

_REPEATS = 3


def main() -> None:
    """Print the tables."""
    options = arguments(__doc__, weights=CASARBI.weights["lite"], scales="4,12", side=128).parse_args()
    torch.set_num_threads(options.threads)
    network = load_network(options.weights).to(memory_format=torch.channels_last).eval()  # as the method does
    with torch.inference_mode():
        for scale in (float(each) for each in options.scales.split(",")):
            stages(network, photograph((options.side, options.side)), scale)
        guidance(network, photograph((options.side, options.side)))
        tiles(network, photograph((options.side, options.side)))


def stages(network: CasArbi, lr: torch.Tensor, scale: float) -> None:
    """One row per stage."""
    side = round(lr.shape[-1] * scale)
    sampling = Sampling()
    print(f"\nx{scale:g} of {lr.shape[-1]} x {lr.shape[-1]}: CPU s per output megapixel")
    print(f"{'stage':>14}{'stage s/MP':>12}{'prior':>9}{'encoders':>10}{'T calls':>9}{'tiles':>7}")
    y = lr
    for each in plan((lr.shape[-2], lr.shape[-1]), (side, side), sampling.strategy):
        pixels = each[0] * each[1] / 1e6
        repeats = _REPEATS if pixels < 0.3 else 1
        u = network.anchor(y, each, chunk=sampling.chunk)
        prior = least(lambda y=y, each=each: network.anchor(y, each, chunk=sampling.chunk), repeats)
        encoders = least(lambda y=y, u=u: (network.lr_encoder(y), network.hr_encoder(u)), repeats)
        predict = predictor(network, y, u, sampling)
        calls = least(lambda f=predict, u=u: [f(u, t) for t in range(1, network.shift.schedule.steps + 1)], repeats)
        found: list[torch.Tensor] = []
        total = least(lambda y=y, each=each, out=found: out.append(stage(network, y, each, sampling)), repeats)
        parts = "".join(f"{one / pixels:{wide}.1f}" for one, wide in ((prior, 9), (encoders, 10), (calls, 9)))
        tiled = "yes" if each[0] * each[1] > sampling.max_pixels else "no"
        print(f"{f'{each[1]}x{each[0]}':>14}{total / pixels:12.1f}{parts}{tiled:>7}", flush=True)
        y = found[-1]


def guidance(network: CasArbi, lr: torch.Tensor) -> None:
    """What the guidance adds to a stage of x2."""
    size = (2 * lr.shape[-2], 2 * lr.shape[-1])
    without, with_ = (
        least(lambda scg=scg: upscale(network, lr, size, seed=0, sampling=Sampling(scg=scg)), 2 * _REPEATS)
        for scg in ("off", "prev")
    )
    print(f"\nguidance: {with_:.2f} CPU s instead of {without:.2f}: {100 * (with_ / without - 1):+.1f} %")


def tiles(network: CasArbi, lr: torch.Tensor) -> None:
    """What tiles cost beside the whole canvas, on a stage that fits both."""
    size = (512, 512)
    half = torch.nn.functional.interpolate(lr, (256, 256), mode="bicubic").clamp(-1, 1)
    whole = Sampling(max_pixels=size[0] * size[1])
    rows = [
        ("whole canvas", whole),
        *((f"tiles of {side}", replace(whole, max_pixels=1, tile=side)) for side in (256, 128)),
    ]
    base = 0.0
    print(f"\n{size[1]} x {size[0]} from 256 x 256")
    for label, sampling in rows:
        spent = least(lambda s=sampling: stage(network, half, size, s), _REPEATS)
        base = base or spent
        print(f"{label:>16}{spent / (size[0] * size[1] / 1e6):8.1f} CPU s/MP{spent / base:8.2f}", flush=True)


def stage(network: CasArbi, y: torch.Tensor, size: tuple[int, int], sampling: Sampling) -> torch.Tensor:
    """One guided stage."""
    return sample_stage(network, y, size, y, generator=torch.Generator().manual_seed(0), sampling=sampling)


if __name__ == "__main__":
    main()
