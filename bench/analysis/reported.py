"""Published tables as data: results/reported/*.csv, one file per paper in long form, and the papers' claims about them.

A value is kept as printed. What the paper's text lost is a row without a value whose note says so.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

import bench
from bench.api import Direction, MetricRef, RequestError, WrittenScale, unknown_name
from bench.api.csv_cells import csv_lines
from bench.api.record import first_fault
from bench.api.yaml_model import read_yaml

CLAIMS_FILE = "claims.yaml"
TRAINED = "train="
"""How a variant begins that says on what a method was trained, where a table has one method twice."""
_LIST = "bench table --reported"
_PAPERS = {
    "blind_assr": "the blind arbitrary-scale paper",
    "casarbi": "the CasArbi paper",
    "casr_supplement": "the supplement of CASR",
    "cassr": "the CasSR paper",
}


def _scale(value: object) -> object:
    return None if value == "" else value


class ReportedRow(BaseModel):
    """One printed number.

    Attributes:
        source: The paper, as the file is called.
        table: Its table, such as "table2".
        method: One name of the method over all papers.
        variant: What an ablation's row changes, as this package's options say it; empty for the method itself.
        label: The row as printed.
        dataset: Name of the dataset card, where there is one.
        scale: None where the paper does not say it.
        metric: Name of the metric; a reference scale stands behind "@".
        direction: As printed; where the text lost the arrows, that of the metric's definition.
        value: As printed; empty where there is none, and the note says why.
        mark: As printed, where the text tells.
        signature: The metric, and what the paper states of how it was computed.
        note: What a reader has to know.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = Field(min_length=1)
    table: str = Field(pattern=r"^table\d+$")
    method: str = Field(min_length=1)
    variant: str
    label: str = Field(min_length=1)
    dataset: str = Field(min_length=1)
    scale: Annotated[WrittenScale | None, BeforeValidator(_scale)]
    metric: str = Field(min_length=1)
    direction: Direction
    value: str = Field(pattern=r"^(-?\d*\.?\d+)?$")
    mark: Literal["", "best", "second"]
    signature: str
    note: str

    @model_validator(mode="after")
    def _consistent(self) -> ReportedRow:
        if not self.value and not self.note:
            raise ValueError("a row without a value says in its note why")
        if self.signature.partition("|")[0] != MetricRef.parse(self.metric).name:
            raise ValueError(f"the signature '{self.signature}' is not one of {self.metric}")
        return self

    @property
    def number(self) -> float:
        """The value; NaN where there is none."""
        return float(self.value) if self.value else math.nan

    @property
    def name(self) -> str:
        """The table as `--reported` takes it, such as "casr_supplement/table2"."""
        return f"{self.source}/{self.table}"


class Claim(BaseModel):
    """A sentence of a paper that its own tables can confirm or refute.

    Attributes:
        source: The paper.
        where: The section.
        quote: Its words, shortened.
        tables: The tables that it is about.
        method: Who is said to be best.
        variant: Which of the method's rows.
        metrics: In which metrics.
        scales: At which scales; empty: all.
        datasets: On which sets; empty: all.
        among: Labels or methods that it is compared with; empty: all.
        rank: The worst rank that the words allow.
        worst: It is said to be the worst instead.
        most: The words say "most": only more than half of the cells must be so; in all others the rank is 2 at most.
        percent: The gain over the next best in percent, where the words give one.
        hedged: The words leave room ("on various scales"); what contradicts them is a warning, no error.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    where: str
    quote: str
    tables: tuple[str, ...]
    method: str
    variant: str | None = None
    metrics: tuple[str, ...]
    scales: tuple[WrittenScale, ...] = ()
    datasets: tuple[str, ...] = ()
    among: tuple[str, ...] = ()
    rank: int = 1
    worst: bool = False
    most: bool = False
    percent: float | None = None
    hedged: bool = False


class Training(BaseModel):
    """What a paper says of a method's training."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    where: str
    method: str
    train_sets: tuple[str, ...] = ()
    minimised: tuple[str, ...] = ()


class Statements(BaseModel):
    """The content of claims.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    claims: tuple[Claim, ...]
    training: tuple[Training, ...]


@lru_cache(maxsize=1)
def reported_rows() -> tuple[ReportedRow, ...]:
    """Every row of every paper.

    Raises:
        RequestError: a file is damaged (names file, line and column), or none is installed.
    """
    entries = sorted((e for e in _folder().iterdir() if e.name.endswith(".csv")), key=lambda e: e.name)
    return tuple(row for e in entries for row in read_reported(e.read_text("utf-8"), e.name))


def read_reported(text: str, where: str) -> list[ReportedRow]:
    """Read one file.

    Args:
        text: CSV with the fields of `ReportedRow` as columns.
        where: Its name, for messages.
    Raises:
        RequestError: another set of columns, a value that cannot be, or one cell twice.
    """
    lines = csv.DictReader(csv_lines(text))
    columns = tuple(ReportedRow.model_fields)
    if tuple(lines.fieldnames or ()) != columns:
        raise RequestError(
            f"{where}: expected the columns {','.join(columns)}; seen {','.join(lines.fieldnames or ())}"
        )
    rows: dict[tuple[Any, ...], ReportedRow] = {}
    for line in lines:
        at = f"{where}, line {lines.line_num}"
        try:
            row = ReportedRow.model_validate(line)
        except ValidationError as fault:
            raise RequestError(f"{at}: {first_fault(fault)}") from None
        key = (row.name, row.label, row.variant, row.dataset, row.scale, row.metric)
        if key in rows:
            raise RequestError(f"{at}: {row.metric} of '{row.label}' stands twice in {row.name}; leave one out")
        rows[key] = row
    return list(rows.values())


def reported_table(name: str) -> list[ReportedRow]:
    """The rows of one table in the order of the paper.

    Args:
        name: "casr_supplement/table2".
    Raises:
        RequestError: there is no such table (names the nearest).
    """
    rows = [row for row in reported_rows() if row.name == name]
    if not rows:
        raise unknown_name("reported table", name, table_names(reported_rows()), _LIST)
    return rows


def table_names(rows: Iterable[ReportedRow]) -> list[str]:
    """The tables of some rows, in their order."""
    return list(dict.fromkeys(row.name for row in rows))


def table_title(name: str) -> str:
    """A table in words.

    >>> table_title("casr_supplement/table2")
    'Table 2 of the supplement of CASR'
    """
    source, _, table = name.partition("/")
    return f"Table {table.removeprefix('table')} of {_PAPERS.get(source, source)}"


@lru_cache(maxsize=1)
def statements() -> Statements:
    """The papers' claims, and what they say of training.

    Raises:
        RequestError: the file is damaged.
    """
    text = (_folder() / CLAIMS_FILE).read_text("utf-8")
    return read_yaml(text, Statements, where=CLAIMS_FILE, what="the file of the papers' claims")


def _folder() -> Traversable:
    shipped = files("bench.analysis") / "reported_tables"
    folder = shipped if shipped.is_dir() else Path(str(bench.__file__)).resolve().parents[1] / "results" / "reported"
    if not (folder / CLAIMS_FILE).is_file():
        raise RequestError(f"the reported tables are not in {folder}; install the package again")
    return folder
