"""From records to frames: reading a run, averaging it, and refusing to mix protocols."""

from bench.analysis.aggregate import summarise
from bench.analysis.expected import expected_frame, expected_rows
from bench.analysis.frames import RunFrames, load_run, records_frame
from bench.analysis.selection import Selection, select
from bench.analysis.signatures import check_one_protocol

__all__ = [
    "RunFrames",
    "Selection",
    "check_one_protocol",
    "expected_frame",
    "expected_rows",
    "load_run",
    "records_frame",
    "select",
    "summarise",
]
