"""`bench merge A B --out C`: run folders merged into a new one, with their records, images and exports."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.analysis import frames_of
from bench.api import CellPlan, Output, Record, RequestError, RunManifest, UnitStatus, counted
from bench.engine.draws import read_draws
from bench.engine.folder import CellFolder, RunFolder, StoredUnit
from bench.engine.merge import merge_manifests
from bench.engine.rows import record_rows
from bench.engine.store import Store, cannot_write
from bench.imaging.degrade import Degradation
from bench.imaging.manifest import write_manifest
from bench.metrics.catalog import known_infos
from bench.report.exports import write_exports


@dataclass(frozen=True)
class Merged:
    """What was merged: cells, units (images), and what a reader should know."""

    cells: int
    units: int
    notes: tuple[str, ...]


def merge_folders(sources: Sequence[Path], out: Path) -> Merged:
    """Write one run folder from several.

    Args:
        sources: Run folders; images need not be there.
        out: A folder that holds no run yet.
    Raises:
        RequestError: a source is no run folder, two contradict each other, or `out` holds a run; nothing is written.
    """
    if len(sources) < 2:
        raise RequestError("give at least two run folders to merge: bench merge A B --out C")
    if (out / "run.json").exists() or (out / "records").exists():
        raise RequestError(f"--out {out} holds a run already; give a new folder (and {out} among those to merge)")
    folders = [RunFolder(source) for source in sources]
    manifest = merge_manifests([(str(f.out), _manifest(f)) for f in folders])
    merger = _Merger(manifest)
    draws = _merged_draws(sources)
    with Store(out) as store:
        for folder in folders:
            own = {plan.key for plan in _manifest(folder).cells}
            for plan in manifest.cells:
                if plan.key in own:
                    merger.add(plan, folder, store)
        for place, drawn in draws.items():
            try:
                (out / place).parent.mkdir(parents=True, exist_ok=True)
                write_manifest(out / place, drawn)
            except OSError as fault:
                raise cannot_write(out / place, fault) from None
        store.write_manifest(manifest)
        frames = frames_of(record_rows(store, manifest), manifest)
    try:
        write_exports(out, frames, known_infos(frames.summary["metric"]))
    except OSError as fault:
        raise cannot_write(Path(fault.filename or out), fault) from None
    return Merged(len(manifest.cells), merger.units, (*merger.notes, *_absent(manifest, merger.units, out)))


class _Merger:
    """Copies units into a store, each image once."""

    def __init__(self, manifest: RunManifest) -> None:
        self.manifest = manifest
        self.units = 0
        self.notes: list[str] = []
        self._held: dict[tuple[object, str, str], Output | None] = {}
        self._places: dict[object, set[str]] = {}

    def add(self, plan: CellPlan, folder: RunFolder, store: Store) -> None:
        """Copy the units of a cell that this folder has."""
        source = CellFolder(plan.cell, _folder_of(folder, plan))
        where = CellFolder(plan.cell, plan.folder)
        other = 0
        for (image, pair), unit in folder.units(source).items():
            if pair != plan.pair:
                continue
            slot = (plan.cell, image, pair)
            held = self._held.get(slot)
            if held is not None and unit.output is not None and held.sha256 != unit.output.sha256:
                other += 1  # another machine's pixels: the numbers of two images must not meet in one unit
                continue
            if held is not None and unit.status is UnitStatus.FAILED:
                continue  # what failed in one folder does not hide what the other has
            self.units += slot not in self._held
            output = self._copy(unit, where, folder, store)
            self._held[slot] = output or held
            store.append(where, _record(plan, unit, output or unit.output))
        if other:
            self.notes.append(
                f"{other} images of {plan.cell.method} on {plan.cell.dataset} are in several folders with different "
                f"pixels; those of {folder.out} are left out"
            )

    def _copy(self, unit: StoredUnit, where: CellFolder, folder: RunFolder, store: Store) -> Output | None:
        """The image in its new place; a copy without images has records alone."""
        if unit.output is None:
            return None
        taken = self._places.setdefault(where.cell, set())
        path = store.image_path(where, unit.image, unit.pair, taken)
        if not taken:
            taken.add(unit.pair)
        target = store.out / path
        try:
            if not target.exists():
                store.make_folder(target.parent)
                shutil.copy2(folder.out / unit.output.path, target)
        except FileNotFoundError:
            pass
        except OSError as fault:
            raise cannot_write(target, fault) from None
        return replace(unit.output, path=path.as_posix())


def _absent(manifest: RunManifest, units: int, out: Path) -> list[str]:
    """A sentence where images of the merged runs are in none of the folders, such as those of a part that is missing.

    Args:
        manifest: Of the merged run.
        units: Images that were merged, failed ones too.
        out: The merged folder.
    """
    planned = sum(len(manifest.sets[plan.images].images) for plan in manifest.cells)
    if units >= planned:
        return []
    return [
        f"{counted(planned - units, 'image')} of {planned} {'is' if planned - units == 1 else 'are'} in none of these "
        f"folders, as where a part is missing or was interrupted: merge it too, or let the same 'bench run' compute "
        f"what is left with --out {out}"
    ]


def _record(plan: CellPlan, unit: StoredUnit, output: Output | None) -> Record:
    return Record(
        plan.cell,
        unit.image,
        unit.status,
        output,
        tuple(unit.scores.values()),
        unit.error,
        pair=unit.pair,
        origin=unit.origin,
        source=unit.source,
        file=unit.file,
    )


def _manifest(folder: RunFolder) -> RunManifest:
    manifest = folder.manifest()
    if manifest is None or not (folder.out / "records").is_dir():
        lacks = "run.json" if manifest is None else "records/ (images are not needed)"
        raise RequestError(f"{folder.out} cannot be merged: it has no {lacks}; give the --out folder of a 'bench run'")
    return manifest


def _folder_of(folder: RunFolder, plan: CellPlan) -> str:
    return next(own.folder for own in _manifest(folder).cells if own.key == plan.key)


def _merged_draws(sources: Sequence[Path]) -> dict[Path, dict[str, Degradation]]:
    """The manifests of drawn degradations by their place in a run folder, image by image."""
    draws: dict[Path, dict[str, Degradation]] = {}
    for source in sources:
        for path in sorted((source / "degradations").glob("*/*.json")):
            draws.setdefault(path.relative_to(source), {}).update(read_draws(path))
    return draws
