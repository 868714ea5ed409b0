"""From records to frames: reading a run, averaging it, and refusing to mix protocols."""

from bench.analysis.aggregate import summarise
from bench.analysis.frames import RunFrames, frames_of, load_run, records_frame
from bench.analysis.planned import Planned, planned_cells
from bench.analysis.selection import Selection, select
from bench.analysis.signatures import check_one_protocol

__all__ = [
    "Planned",
    "RunFrames",
    "Selection",
    "check_one_protocol",
    "frames_of",
    "load_run",
    "planned_cells",
    "records_frame",
    "select",
    "summarise",
]
