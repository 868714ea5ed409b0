"""Parquet: the records of a run as they are, and its means, with the types that CSV loses.

A number that is not there is null; infinity stays infinity. What is stale, failed or doubtful says so in its row.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.analysis import RunFrames
from bench.api import RequestError, format_scale
from bench.imaging.atomic import atomic_write
from bench.report.exports import shown_frame

if TYPE_CHECKING:
    import pandas as pd

RECORDS, SUMMARY = "records.parquet", "summary.parquet"
_KEY = b"assr-bench"
"""Of the metadata of a file: JSON with the names of the protocols by signature."""


def check_parquet() -> None:
    """Refuse before any work where nothing can write parquet.

    Raises:
        RequestError: pyarrow is not installed.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise RequestError(
            "--format parquet needs the package pyarrow, which is not installed: pip install 'assr-bench[export]', or "
            "read records.csv and summary.csv of the run folder"
        )


def write_parquet(frames: RunFrames, out: Path) -> list[Path]:
    """Write the records and the summary of a run.

    Args:
        frames: The run.
        out: An existing folder.
    Returns:
        The files.
    Raises:
        RequestError: pyarrow is not installed.
        OSError: the folder cannot be written.
    """
    check_parquet()
    summary = frames.summary
    signatures = {*frames.records["signature"], *summary["signature"]} - {""}
    protocols = {signature: frames.protocols.get(signature, ()) for signature in sorted(signatures)}
    _write(out / RECORDS, shown_frame(frames.records, frames), protocols)
    _write(out / SUMMARY, shown_frame(summary, frames), protocols)
    return [out / RECORDS, out / SUMMARY]


def _write(path: Path, frame: pd.DataFrame, protocols: Mapping[str, Sequence[str]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if frame["scale"].dtype == object:  # a column of parquet has one type, and a pair is no number
        frame = frame.assign(scale=frame["scale"].map(format_scale))
    types = {"i": pa.int64(), "f": pa.float64()}
    schema = pa.schema([(str(name), types.get(frame[name].dtype.kind, pa.string())) for name in frame.columns])
    # from_pandas: a NaN of a frame is "no number", which parquet can say apart from a number that is not finite
    table = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
    table = table.replace_schema_metadata({_KEY: json.dumps({"protocols": protocols}, ensure_ascii=False).encode()})
    with atomic_write(path, "wb") as file:
        pq.write_table(table, file)
