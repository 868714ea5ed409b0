"""`bench ablate` and `bench ablate METHOD`: the ablations that there are, and what of them can be run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.api import RequestError
from bench.cli.listing import columns_of, show_rows
from bench.cli.output import warn

if TYPE_CHECKING:
    from bench.ablation.files import AblationFile


@dataclass(frozen=True)
class AblationLine:
    """One line of the list."""

    ablation: str
    variants: str
    status: str
    reported: str
    title: str


def show_list(method: str | None, *, as_json: bool) -> None:
    """Print the ablations of a method, or of all of them.

    Raises:
        RequestError: no such method, or it has none.
    """
    from bench.ablation.files import ablation_names, ablations_folder, all_ablations, find_ablation
    from bench.plugins import method_spec

    if method is None:
        names = all_ablations()
    else:
        spec = method_spec(method)
        names = [f"{method}/{word}" for word in ablation_names(spec)]
        if not names:
            raise RequestError(
                f"'{method}' has no ablations: there is no file in {ablations_folder(spec)}; "
                f"sweep over an option instead: bench ablate {method} --sweep {method}.OPTION=VALUE,VALUE"
            )
    lines = []
    for name in names:
        try:
            file = find_ablation(name)
        except RequestError as fault:
            if method is not None:
                raise
            warn(f"{name}: {fault}")
            continue
        lines.append(_line(file))
    show_rows(
        lines,
        columns_of(AblationLine, extra=("title",)),
        as_json=as_json,
        notes=["bench ablate METHOD/NAME runs one; what is not trained, with --train --data FOLDER,…"],
    )


def _line(file: AblationFile) -> AblationLine:
    from bench.ablation.plan import RUNS, plan_ablation
    from bench.ablation.schema import slug

    plan = plan_ablation(file, out=RUNS / slug(file.name.replace("/", "-")))
    absent = [variant.name for variant in plan.absent]
    return AblationLine(
        ablation=file.name,
        variants=f"{len(plan.ready)}/{len(plan.variants)}",
        status="ready" if not absent else f"not trained: {', '.join(absent)}",
        reported=file.content.reported,
        title=file.content.title,
    )
