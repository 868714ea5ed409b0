"""From run folders to the files of a format: what `bench export` does."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import get_args

from bench.analysis import RunFrames, Selection, load_run
from bench.api import RequestError, unknown_name
from bench.api.paths import safe_name
from bench.engine.folder import RunFolder
from bench.export.eee import Sender, eee_file
from bench.export.eee_models import Relationship
from bench.export.hub import HUB_ID, TASK, URL, hub_files
from bench.export.numbers import Number, exportable_numbers
from bench.export.parquet import check_parquet, write_parquet
from bench.imaging.atomic import atomic_write

RELATIONSHIPS: tuple[str, ...] = get_args(Relationship)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What no run folder says, and a format may ask for.

    Attributes:
        models: Row of a table -> OWNER/NAME of its model.
        datasets: Set of the run -> OWNER/NAME of its data set on the Hub.
        task: How Hub tasks are called, see `bench.export.hub.hub_files`.
        source_url: Where the run can be looked at.
        organisation: Who vouches for the numbers.
        relationship: One of RELATIONSHIPS.
    """

    models: Mapping[str, str] = field(default_factory=dict)
    datasets: Mapping[str, str] = field(default_factory=dict)
    task: str = TASK
    source_url: str = ""
    organisation: str = ""
    relationship: str = ""


@dataclass(frozen=True)
class Written:
    """What was made.

    Attributes:
        files: In the order in which they were written.
        numbers: How many means they hold.
        left_out: A sentence on everything that is not exported.
    """

    files: tuple[Path, ...]
    numbers: int
    left_out: tuple[str, ...] = ()


def export_run(
    folders: Sequence[Path],
    output: str,
    out: Path,
    *,
    selection: Selection | None = None,
    options: Options | None = None,
    now: float | None = None,
) -> Written:
    """Write the numbers of a run in a format.

    Args:
        folders: Each the --out folder of a run; several are read as one.
        output: One of FORMATS.
        out: The folder to write to; made if it is not there.
        selection: Which rows; parquet holds all of a run.
        options: What the format asks for.
        now: Seconds since 1970; None: now.
    Raises:
        RequestError: an unknown format, an option that is missing or of another form, no number that may be exported,
            or a place that cannot be written.
    """
    if not folders:
        raise RequestError("no run folder given; give the --out folder of a 'bench run'")
    if output not in FORMATS:
        raise unknown_name("format", output, FORMATS, "bench export --help")
    options, frames = options or Options(), load_run(*folders)
    _check(options, frames)
    moment = time.time() if now is None else now
    export = Export(tuple(folders), out, selection or Selection(), options, moment, frames)
    try:
        return FORMATS[output](export)
    except OSError as fault:
        raise RequestError(f"--out {out} cannot be written: {fault.strerror or fault}") from None


@dataclass(frozen=True)
class Export:
    """What `export_run` was asked for, with the run read."""

    folders: tuple[Path, ...]
    out: Path
    selection: Selection
    options: Options
    now: float
    frames: RunFrames

    def write(self, files: Mapping[str, str]) -> tuple[Path, ...]:
        """Write texts below the folder; all are made before the first is written."""
        for name, text in files.items():
            path = self.out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as file:
                file.write(text)
        return tuple(self.out / name for name in files)

    def models(self) -> dict[tuple[str, str], str]:
        """(method, variant) -> OWNER/NAME.

        Raises:
            RequestError: no row is called so, or two rows are to be one model.
        """
        models = {self.frames.called(row).key: name for row, name in self.options.models.items()}
        if len(set(models.values())) < len(self.options.models):
            given = ", ".join(f"{row}={name}" for row, name in self.options.models.items())
            raise RequestError(
                f"--model {given}: two rows cannot be one model, nor one row two; give each its own name"
            )
        return models


def _parquet(export: Export) -> Written:
    if export.selection != Selection():
        raise RequestError(
            "--format parquet holds all of a run; leave out --metrics, --datasets, --methods, --scales, --protocol"
        )
    check_parquet()
    export.out.mkdir(parents=True, exist_ok=True)
    files = write_parquet(export.frames, export.out)
    return Written(tuple(files), len(export.frames.summary["mean"].dropna()))


def _hub(export: Export) -> Written:
    if not export.options.datasets:
        own = ", ".join(dict.fromkeys(export.frames.records["dataset"]))
        raise RequestError(
            f"--format hf-eval needs to know which data set of the Hub a set is: give --hub-dataset NAME=OWNER/DATASET "
            f"for the sets of this run ({own})"
        )
    numbers = exportable_numbers(export.folders, export.frames, export.selection)
    models, files, left_out = export.models(), {}, list(numbers.left_out)
    for row, own in _by_row(numbers.kept):
        texts, missing = hub_files(
            own, datasets=export.options.datasets, task=export.options.task, source_url=export.options.source_url
        )
        left_out += [text for text in missing if text not in left_out]
        repository = models.get(row) or safe_name("-".join(part for part in row if part))
        files |= {f"{repository}/{path}": text for path, text in texts.items()}
    if not files:
        raise RequestError("nothing to export: " + "; ".join(left_out))
    count = sum(number.entry.dataset in export.options.datasets for number in numbers.kept)
    return Written(export.write(files), count, tuple(left_out))


def _eee(export: Export) -> Written:
    sender = _sender(export.options)
    numbers = exportable_numbers(export.folders, export.frames, export.selection)
    manifests = [manifest for f in export.folders if (manifest := RunFolder(f).manifest()) is not None]
    models, files = export.models(), {}
    for row, own in _by_row(numbers.kept):
        place, text = eee_file(
            own,
            model=models.get(row, ""),
            datasets=export.options.datasets,
            sender=sender,
            manifests=manifests,
            now=export.now,
        )
        files[place] = text
    return Written(export.write(files), len(numbers.kept), numbers.left_out)


FORMATS: dict[str, Callable[[Export], Written]] = {"parquet": _parquet, "hf-eval": _hub, "eee": _eee}


def _check(options: Options, frames: RunFrames) -> None:
    """Raises: RequestError: an option of another form, or one that names what the run does not hold."""
    for option, names in (("--model", options.models), ("--hub-dataset", options.datasets)):
        for own, name in names.items():
            if not re.fullmatch(HUB_ID, name):
                raise RequestError(f"{option} {own}={name}: expected OWNER/NAME behind the '=', such as {own}=me/{own}")
    known = list(dict.fromkeys(frames.records["dataset"]))
    for name in options.datasets:
        if name not in known:
            raise unknown_name("dataset of this run", name, known, "bench table RUN_FOLDER")
    if options.source_url and not re.fullmatch(URL, options.source_url):
        raise RequestError(f"--source-url {options.source_url}: expected an address, such as https://example.org/run")


def _sender(options: Options) -> Sender:
    if not options.organisation.strip():
        raise RequestError("--format eee names who vouches for the numbers: give --organisation NAME")
    if options.relationship not in RELATIONSHIPS:
        seen = f"'{options.relationship}'" if options.relationship else "none"
        raise RequestError(
            f"--format eee says how who measured stands to who made the method: expected --relationship "
            f"{', '.join(RELATIONSHIPS)}; seen {seen}"
        )
    relationship: Relationship = options.relationship  # type: ignore[assignment]
    return Sender(organisation=options.organisation.strip(), relationship=relationship)


def _by_row(numbers: Sequence[Number]) -> list[tuple[tuple[str, str], list[Number]]]:
    rows = list(dict.fromkeys(number.row for number in numbers))
    ordered = sorted(numbers, key=lambda number: rows.index(number.row))
    return [(row, list(own)) for row, own in groupby(ordered, key=lambda number: number.row)]
