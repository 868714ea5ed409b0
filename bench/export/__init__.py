"""Numbers of a run in formats that others publish: parquet tables, Hugging Face's result files, Every Eval Ever."""

from bench.export.formats import FORMATS, Options, Written, export_run

__all__ = ["FORMATS", "Options", "Written", "export_run"]
