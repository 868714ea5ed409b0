"""`bench figure`, and its commands `kernels` and `kernel-space` for methods that estimate blur kernels.

A method takes part by a `recovery.py` beside its module; `Recovery` says what that holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol, cast

import typer

from bench.api import Dataset, RequestError, Sample, derive_seed, get_protocol, parse_scales
from bench.cli import drift, matrix
from bench.cli import options as opt
from bench.cli.numbers import show_numbers, write_csv
from bench.cli.output import say, warn, writing

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from bench.imaging.degrade import BlindDegradation

Name = Annotated[str, typer.Argument(help="A method that estimates kernels, such as blind_assr.")]
Data = Annotated[str, typer.Option(help="HR images: a folder or a set's name.")]
Out = Annotated[Path, typer.Option(help="The figure, .png, .pdf or .svg; its numbers go beside it as .csv.")]
_SCALES = "1.2,1.6,2,2.4,2.8,3.2,3.6,4"
_FIGURES = (
    "kernel_l1",
    "kernel_psnr",
    "reblur_error",
    "reblur_psnr",
    "true_reblur_error",
    "true_reblur_psnr",
    "sharp_psnr",
)
_KERNEL_TABLE = (
    ("image", "image", "{}"),
    ("scale", "scale", "x{:.10g}"),
    ("shrinker", "shrinker", "{}"),
    ("kernel_l1", "kernel L1", "{:.3f}"),
    ("kernel_psnr", "kernel PSNR", "{:.1f}"),
    ("reblur_error", "re-blur error", "{:.2f}"),
    ("true_reblur_error", "of the true one", "{:.2f}"),
    ("reblur_psnr", "re-blur PSNR", "{:.1f}"),
)
_STUDY_TABLE = (
    ("model", "model", "{}"),
    ("scale", "scale", "{}"),
    ("kernel_l1", "kernel L1", "{:.3f}"),
    ("reblur_psnr", "re-blur PSNR", "{:.2f}"),
    ("true_reblur_psnr", "of the true one", "{:.2f}"),
    ("sharp_psnr", "of no kernel", "{:.2f}"),
    ("estimate_spread", "estimates apart", "{:.3f}"),
    ("true_spread", "true ones apart", "{:.3f}"),
)


class Recovery(Protocol):
    """What a method's `recovery.py` holds; `methods/blind_assr/recovery.py` is an example, with its records."""

    TARGETS: tuple[str, ...]
    """Names of what may stand for the true kernel; the first is the default."""
    STUDY_SCALES: tuple[float, ...]

    def recover(
        self,
        weights: Path,
        images: Iterable[tuple[str, NDArray[np.uint8]]],
        degradations: Iterable[BlindDegradation],
        scales: Iterable[float],
        *,
        target: str,
    ) -> list[Any]:
        """One record per image."""
        ...

    def kernel_space(
        self,
        kl: Path,
        kh: Path,
        images: Iterable[tuple[str, NDArray[np.uint8]]],
        *,
        scales: Sequence[float],
        target: str | None,
    ) -> tuple[Any, Any]:
        """The results of both models."""
        ...


def register(app: typer.Typer) -> None:
    """Add the commands."""
    figure = typer.Typer(help="Draw figures, with their numbers as CSV.", no_args_is_help=True)
    figure.command("kernels", help="True and estimated kernels of drawn degradations.")(kernels)
    figure.command("kernel-space", help="One blur at several scales, estimated in LR space and in HR space.")(space)
    matrix.register(figure)
    drift.register(figure)
    app.add_typer(figure, name="figure")


def kernels(
    method: Name,
    data: Data,
    out: Out,
    weights: opt.Weights = None,
    count: Annotated[int, typer.Option(min=1, max=32, help="Degradations to draw.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Of the degradations, which are the same for every model.")] = 0,
    scales: Annotated[str, typer.Option(help="Taken in turn.")] = _SCALES,
    target: Annotated[
        str | None, typer.Option(help="The true kernel: analytic (default), fft_paper, fft_release, fft_joint_taper.")
    ] = None,
    data_root: opt.DataRoot = None,
) -> None:
    """Image i of the set under degradation i at scale i, each taken in turn."""
    recovery = find_recovery(method)
    wanted = parse_scales(scales)
    _check(target, recovery.TARGETS)
    from bench.engine.choice import choose_methods
    from bench.imaging.degrade import draw_blind_assr
    from bench.report.figures import check_target
    from bench.report.kernels import KernelColumn, draw_recovery

    check_target(out)
    (choice,) = choose_methods([method], weights=weights, overrides=[])
    if choice.weights is None:
        raise RequestError(f"'{method}' has no weights of its own; give a file with --weights PATH")
    samples = _samples(data, data_root, wanted)
    found = recovery.recover(
        choice.weights,
        _images([samples[index % len(samples)] for index in range(count)]),
        [draw_blind_assr(derive_seed(seed, "kernel-figure", index)) for index in range(count)],
        [wanted[index % len(wanted)] for index in range(count)],
        target=target or recovery.TARGETS[0],
    )
    columns = [
        KernelColumn(
            image=each.crop,
            true=each.true,
            estimated=each.estimated,
            scale=each.scale,
            shrinker=each.degradation.shrinker,
            sigmas=(each.degradation.blur.sigma_1, each.degradation.blur.sigma_2),
            theta=each.degradation.blur.theta,
            reblur_error=each.reblur_error,
            true_reblur_error=each.true_reblur_error,
        )
        for each in found
    ]
    rows = [{"index": index, **_numbers(each), "weights": choice.variant} for index, each in enumerate(found)]
    _write(out, draw_recovery(columns), rows)
    show_numbers(rows, _KERNEL_TABLE)
    say(f"{out} and {out.with_suffix('.csv').name}: {choice.display}, {len(found)} degradations of seed {seed}")


def space(
    method: Name,
    data: Data,
    kl: Annotated[Path, typer.Option(help="Weights trained for the LR-space kernel.")],
    kh: Annotated[Path, typer.Option(help="Weights trained for the HR-space kernel.")],
    out: Out,
    scales: Annotated[str | None, typer.Option(help="Default: those of the paper's Figure 4.")] = None,
    target: Annotated[
        str | None, typer.Option(help="What --kl is compared with; default: what its card says, else analytic.")
    ] = None,
    image: Annotated[str | None, typer.Option(help="The image to show; default the first.")] = None,
    limit: opt.Limit = None,
    data_root: opt.DataRoot = None,
) -> None:
    """Numbers are means over the images; the figure shows one of them."""
    recovery = find_recovery(method)
    wanted = parse_scales(scales) if scales is not None else recovery.STUDY_SCALES
    _check(target, recovery.TARGETS)
    from bench.report.figures import check_target
    from bench.report.kernels import draw_study

    check_target(out)
    samples = _samples(data, data_root, wanted)[:limit]
    shown = _index(samples, image)
    results = recovery.kernel_space(kl.expanduser(), kh.expanduser(), _images(samples), scales=wanted, target=target)
    for path, result in zip((kl, kh), results, strict=True):
        if result.trained_for not in (None, result.target):
            warn(f"{path} was trained for '{result.trained_for}', but is compared with '{result.target}'")
    many = f", of {len(samples)} images that the numbers are means over" if len(samples) > 1 else ""
    name = samples[shown].id if len(samples[shown].id) <= 40 else f"{samples[shown].id[:39]}…"
    drawing = draw_study(*_study(results, wanted, shown), note=f"Shown: {name}{many}.")
    rows = _study_numbers(results, len(samples))
    _write(out, drawing, rows)
    show_numbers(rows, _STUDY_TABLE)
    say(f"{out} and {out.with_suffix('.csv').name}: {len(samples)} images at {len(wanted)} scales")


def find_recovery(name: str) -> Recovery:
    """The `recovery.py` beside a registered method's module.

    Raises:
        RequestError: an unknown method, or one that estimates no kernels.
    """
    from bench.plugins import companion, method_spec

    module = companion(method_spec(name), "recovery")
    if module is None:
        raise RequestError(
            f"method '{name}' estimates no kernels: it has no recovery.py beside its code; blind_assr is one that does"
        )
    return cast("Recovery", module)


def _check(target: str | None, known: Sequence[str]) -> None:
    if target is not None and target not in known:
        raise RequestError(f"--target {target}: expected one of {', '.join(known)}")


def _samples(data: str, data_root: Path | None, scales: Sequence[float]) -> list[Sample]:
    from bench.data import resolve_dataset

    dataset: Dataset = resolve_dataset(data, data_root=data_root)
    # an LR image that came with the set is left aside: its degradation is not known
    found = [replace(sample, lr=None) for sample in dataset.samples(scales[0]) if sample.hr is not None]
    if not found:
        raise RequestError(f"{dataset.name} has no HR images; the true kernel is known only where LR is made here")
    return found


def _images(samples: Iterable[Sample]) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Whole HR images, read one by one."""
    from bench.data.pair import prepare

    protocol = get_protocol("blind-assr")
    for sample in samples:
        pixels = prepare(sample, 1.0, protocol, need_lr=False).hr
        if pixels is not None:
            yield sample.id, pixels


def _index(samples: Sequence[Sample], image: str | None) -> int:
    names = [sample.id for sample in samples]
    if image is None:
        return 0
    if image not in names:
        raise RequestError(f"--image {image}: not among the {len(names)} images, such as '{names[0]}'")
    return names.index(image)


def _study(results: Sequence[Any], scales: Sequence[float], shown: int) -> tuple[list[Any], list[Any]]:
    from bench.report.kernels import KernelPair, StudyModel, StudyRow

    rows = []
    for place, scale in enumerate(scales):
        seen = [result.records[shown * len(scales) + place] for result in results]
        pairs = tuple(
            KernelPair(
                true=record.true,
                estimated=record.estimated,
                kernel_l1=result.scales[place].kernel_l1,
                reblur_psnr=result.scales[place].reblur_psnr,
            )
            for record, result in zip(seen, results, strict=True)
        )
        rows.append(StudyRow(scale=scale, image=seen[0].crop, pairs=pairs))
    models = [
        StudyModel(
            title=f"trained for the {where} kernel",
            space=index,
            l1=(result.l1_mean, result.l1_spread),
            psnr=(result.psnr_mean, result.psnr_spread),
            estimate_spread=result.estimate_spread,
            true_spread=result.true_spread,
        )
        for where, index, result in zip(("LR-space", "HR-space"), "lh", results, strict=True)
    ]
    return rows, models


def _numbers(record: Any) -> dict[str, Any]:
    blur = record.degradation.blur
    return {
        "image": record.image,
        "scale": record.scale,
        "lr_height": record.lr_size[0],
        "lr_width": record.lr_size[1],
        "shrinker": record.degradation.shrinker,
        "kernel_size": blur.size,
        "sigma_1": blur.sigma_1,
        "sigma_2": blur.sigma_2,
        "theta": blur.theta,
        "target": record.target,
        **{name: getattr(record, name) for name in _FIGURES},
    }


def _study_numbers(results: Sequence[Any], images: int) -> list[dict[str, Any]]:
    """A line per model and scale, then one of the mean and one of the spread over the scales."""
    rows: list[dict[str, Any]] = []
    for name, result in zip(("kl", "kh"), results, strict=True):
        common = {"model": name, "target": result.target, "images": images}
        rows += [{**common, **asdict(figures)} for figures in result.scales]
        rows += [
            {**common, "scale": "mean", "kernel_l1": result.l1_mean, "reblur_psnr": result.psnr_mean},
            {
                **common,
                "scale": "spread",
                "kernel_l1": result.l1_spread,
                "reblur_psnr": result.psnr_spread,
                "estimate_spread": result.estimate_spread,
                "true_spread": result.true_spread,
            },
        ]
    return rows


def _write(out: Path, drawing: Figure, rows: Sequence[dict[str, Any]]) -> None:
    from bench.report.figures import save_figure

    with writing(out):
        save_figure(drawing, out)
    write_csv(out.with_suffix(".csv"), rows)
