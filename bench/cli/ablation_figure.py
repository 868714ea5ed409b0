"""An ablation that is a figure: `bench figure NAME` with the weights of its variants."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.api import RequestError
from bench.cli.figure import draw_figure, show_figure
from bench.cli.output import say, writing

if TYPE_CHECKING:
    from bench.ablation.files import AblationFile
    from bench.ablation.plan import AblationPlan

_MAY_LACK = ("limit", "data_root")
"""Options of the command that a figure need not have."""


def draw_study(
    file: AblationFile,
    plan: AblationPlan,
    out: Path,
    *,
    datasets: str | None,
    scales: str | None,
    limit: int | None,
    data_root: Path | None,
    how_to_train: str,
) -> bool:
    """Draw the figure of a file into the run folder.

    Args:
        file: Its `figure` says which.
        plan: Its variants, each with its weights.
        out: The folder; the figure is called as the ablation.
        datasets, scales, limit, data_root: As typed; None: what the file or the figure says.
        how_to_train: The command that trains what is absent.
    Returns:
        Whether all of it could be computed.
    Raises:
        RequestError: a variant without weights, or an option that the figure does not have.
    """
    from bench.figures import FIGURES

    study = file.content.figure
    assert study is not None  # the caller asked
    lacking = [variant for variant in plan.variants if variant.absent]
    if lacking:
        said = "; ".join(f"{variant.label}: {variant.absent}" for variant in lacking)
        raise RequestError(f"{file.name} compares all of its variants. {said}. To train: {how_to_train}")
    weights = {variant.name: variant.weights for variant in plan.variants}
    stem = out / file.path.stem
    given: dict[str, Any] = {
        "method": file.spec.info.name,
        "data": datasets or study.datasets[0],
        "out": stem.with_name(f"{stem.name}.pdf+png"),
        "scales": scales,
        "limit": limit,
        "data_root": data_root,
        **study.options,
        **{option: weights[name] for option, name in study.weights.items()},
    }
    given = {option: value for option, value in given.items() if value is not None}
    request = FIGURES.get(study.name)
    known = inspect.signature(request).parameters
    for option in given:
        if option not in known and option not in _MAY_LACK:
            raise RequestError(
                f"{file.path}: figure '{study.name}' has no option '{option}'; it has {', '.join(known)}"
            )
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    drawn = draw_figure(request(**{option: value for option, value in given.items() if option in known}))
    say(f"{file.content.title}. Source: {file.content.source}.")
    show_figure(drawn)
    return drawn.complete
