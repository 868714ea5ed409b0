"""Several run folders as one: two machines that shared the methods, two colleagues with a set each.

What both hold must agree: the same code, weights and options, and the same image files. What does not is refused by
name, and nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from bench.api import CellPlan, RequestError, RunManifest
from bench.api.run import merged_names
from bench.engine.folder import describe
from bench.engine.manifest import merged_cells, merged_protocols, merged_rows

Named = tuple[str, RunManifest]
"""A run folder's name and its run.json."""


def merge_manifests(runs: Sequence[Named]) -> RunManifest:
    """One run.json for several run folders, in their order.

    Args:
        runs: At least one.
    Raises:
        RequestError: two of them hold different versions of one cell (names both and what differs).
    """
    _, merged = runs[0]
    held = {plan.key: runs[0] for plan in merged.cells}
    for name, manifest in runs[1:]:
        for plan in manifest.cells:
            other = held.get(plan.key)
            if other is not None:
                _check_agreement(plan, (name, manifest), other)
            held[plan.key] = (name, manifest)
        merged = _merged(merged, manifest)
    parts = {name: dict(manifest.environment) for name, manifest in runs}
    return replace(merged, merged=parts) if len(runs) > 1 else merged


def _merged(first: RunManifest, second: RunManifest) -> RunManifest:
    metrics = _words([*first.request.get("metrics", ()), *second.request.get("metrics", ())])
    request = {key: value for key, value in first.request.items() if key != "shard"}
    return replace(
        first,
        request={**request, "metrics": metrics},
        rows=merged_rows(first.rows, second.rows),
        origins={**first.origins, **second.origins},
        sets={**first.sets, **second.sets},
        cells=merged_cells(first.cells, second.cells),
        unavailable={**second.unavailable, **first.unavailable},
        protocols=merged_names(first.protocols, second.protocols),
        made_under=merged_protocols(second.made_under, first.made_under),
        warnings=merged_names(first.warnings, second.warnings),
    )


def _words(names: Iterable[object]) -> list[str]:
    return list(dict.fromkeys(str(name) for name in names))


def _check_agreement(plan: CellPlan, here: Named, there: Named) -> None:
    """Whether two folders mean the same by a cell."""
    name, manifest = here
    other_name, other_manifest = there
    other = next(each for each in other_manifest.cells if each.key == plan.key)
    what = f"{other_name} and {name} both hold {describe(plan.cell)}"
    how = "run one of them again, or leave it out"
    if other.origin != plan.origin:
        mine, theirs = manifest.origins[plan.origin], other_manifest.origins[other.origin]
        differing = " and ".join(theirs.differences(mine)) or "another method"
        raise RequestError(
            f"{what}, made by different things: {theirs.code_name} {theirs.id} there, {mine.code_name} {mine.id} here "
            f"({differing}); {how}"
        )
    if other.images != plan.images:
        mine, theirs = manifest.sets[plan.images], other_manifest.sets[other.images]
        raise RequestError(
            f"{what}, over different images: {len(theirs.images)} of {theirs.folder} there, {len(mine.images)} of "
            f"{mine.folder} here; {how}"
        )
    if dict(other.files) != dict(plan.files):
        raise RequestError(f"{what}, made from different files of the same names; {how}")
