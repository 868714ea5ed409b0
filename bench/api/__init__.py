"""The contracts of the harness; everything else stands on them and they stand on nothing but floor 0."""

from bench.api.dataset import Dataset, DatasetKind, ImageRef, Sample
from bench.api.doubts import size_doubts, unit_doubts, validity_warnings
from bench.api.errors import BenchError, RequestError, Unavailable, UnitError, unknown_name
from bench.api.fixed_scale import FixedScale
from bench.api.method import (
    UNTRAINED,
    ComingUnit,
    Method,
    MethodInfo,
    MethodOptions,
    MethodSpec,
    Tiling,
    Upscaled,
    as_typed,
    weights_label,
)
from bench.api.metric import Aggregation, Direction, MetricInfo, MetricKind, MetricRef, MetricValue
from bench.api.presets import PRESETS, get_protocol
from bench.api.protocol import Protocol, shave_pixels
from bench.api.record import (
    LATER_COLUMNS,
    NO_VARIANT,
    RECORD_COLUMNS,
    SUMMARY_COLUMNS,
    CellId,
    Output,
    Record,
    Score,
    UnitStatus,
)
from bench.api.run import CellPlan, ImageSet, Origin, RecordRow, RowInfo, RunManifest
from bench.api.scale import Size, effective_ratio, format_scale, lr_size, parse_scale, parse_scales, sr_size
from bench.api.seeds import derive_seed
from bench.api.signature import PER_SCALE, PLAIN, Averaging, Difference, Signature
from bench.api.words import counted

__all__ = [
    "LATER_COLUMNS",
    "NO_VARIANT",
    "PER_SCALE",
    "PLAIN",
    "PRESETS",
    "RECORD_COLUMNS",
    "SUMMARY_COLUMNS",
    "UNTRAINED",
    "Aggregation",
    "Averaging",
    "BenchError",
    "CellId",
    "CellPlan",
    "ComingUnit",
    "Dataset",
    "DatasetKind",
    "Difference",
    "Direction",
    "FixedScale",
    "ImageRef",
    "ImageSet",
    "Method",
    "MethodInfo",
    "MethodOptions",
    "MethodSpec",
    "MetricInfo",
    "MetricKind",
    "MetricRef",
    "MetricValue",
    "Origin",
    "Output",
    "Protocol",
    "Record",
    "RecordRow",
    "RequestError",
    "RowInfo",
    "RunManifest",
    "Sample",
    "Score",
    "Signature",
    "Size",
    "Tiling",
    "Unavailable",
    "UnitError",
    "UnitStatus",
    "Upscaled",
    "as_typed",
    "counted",
    "derive_seed",
    "effective_ratio",
    "format_scale",
    "get_protocol",
    "lr_size",
    "parse_scale",
    "parse_scales",
    "shave_pixels",
    "size_doubts",
    "sr_size",
    "unit_doubts",
    "unknown_name",
    "validity_warnings",
    "weights_label",
]
