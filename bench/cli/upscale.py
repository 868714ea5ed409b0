"""`bench upscale METHOD IN OUT`: one image, to a scale or to an exact size."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from bench.api import RequestError, UnitError, derive_seed, get_protocol, parse_scale, sr_size
from bench.api.typed_size import parse_size
from bench.cli import options as opt
from bench.cli.output import require_no_part_of_a_run, say


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("upscale", help="Upscale one image with one method.")(upscale)


def upscale(
    method: Annotated[str, typer.Argument(help="'bench methods' lists them.")],
    source: Annotated[Path, typer.Argument(metavar="IN", help="The image.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Where the result goes, a .png file.")],
    scale: Annotated[str | None, typer.Option(help="At least 1, may be fractional, or height x width: 1.5x2.")] = None,
    size: Annotated[str | None, typer.Option(help="WIDTHxHEIGHT of the result, exactly.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1)] = 0,
    stages: Annotated[Path | None, typer.Option(help="Folder for the intermediate images of a cascade.")] = None,
    weights: opt.Weights = None,
    set_: opt.Set = None,
    device: opt.Device = "auto",
    tile: Annotated[int | None, typer.Option(min=16, help="LR tile side, for methods that may be tiled.")] = None,
    plugin: opt.Plugin = None,
) -> None:
    """Upscale one image."""
    import numpy as np

    from bench.engine.inference import Runner
    from bench.engine.rounding import quantise
    from bench.imaging import ImageError, read_image, write_png
    from bench.session import build_request, make_config

    if (scale is None) == (size is None):
        raise RequestError("give either --scale S or --size WIDTHxHEIGHT")
    if target.suffix.lower() != ".png":
        raise RequestError(f"OUT is {target.name}; results are written as PNG: give a name that ends in .png")
    if not target.parent.is_dir():
        raise RequestError(f"folder {target.parent} does not exist; make it first")
    require_no_part_of_a_run(target)
    if scale is not None:
        _require_scale(scale)
    if stages is not None:
        _make_folder(stages)
    values = {
        "methods": (method,),
        "scales": scale if scale is not None else 1,
        "weights": weights,
        "set": set_,
        "device": device,
        "tile": tile,
        "plugin": plugin,
    }
    request = build_request(make_config(values))
    (choice,), (factor,) = request.methods, request.scales
    try:
        pixels = read_image(source).pixels
    except (ImageError, OSError) as fault:
        raise RequestError(str(fault)) from None
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    lr = pixels.astype(np.float32) / np.float32(255)
    wanted = parse_size(size, "--size") if size is not None else sr_size((lr.shape[0], lr.shape[1]), factor)
    if size is not None:
        factor = max(wanted[0] / lr.shape[0], wanted[1] / lr.shape[1])
    runner = Runner(choice, device=request.device, tile=request.tile)
    for note in runner.method.notes:
        say(f"{choice.display}: {note}")
    started = time.perf_counter()
    protocol = get_protocol("sample")
    try:
        result = runner.infer(
            lr, wanted, protocol, image=source.stem, scale=factor, seed=derive_seed(seed, source.stem)
        )
    except UnitError as fault:
        raise RequestError(str(fault)) from None
    images = [(target, result.pixels)]
    if stages is not None:
        for index, stage in enumerate(result.stages, start=1):
            images.append((stages / f"stage{index}.png", quantise(stage.float().cpu().numpy(), protocol)))
        if not result.stages:
            say(f"{choice.display} has no stages; nothing was written to {stages}")
    for path, shown in images:
        try:
            write_png(path, shown)
        except OSError as fault:
            raise RequestError(f"cannot write {path}: {fault.strerror or fault}; give another place") from None
    seconds = time.perf_counter() - started
    used = f", LR tiles of {result.tile} px" if result.tile is not None else ""
    say(f"{target}: {wanted[1]}x{wanted[0]} by {choice.display} in {seconds:.1f} s{used}")


def _require_scale(text: str) -> None:
    try:
        parse_scale(text)
    except RequestError as fault:
        raise RequestError(f"--scale {text}: {fault}") from None


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise RequestError(f"--stages {path} cannot be made: {fault.strerror or fault}; give a folder") from None
