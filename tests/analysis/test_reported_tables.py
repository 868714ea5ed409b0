"""The published tables as data: nothing lost, no column exchanged, damage named."""

from __future__ import annotations

from collections import Counter

import pytest

from bench.analysis.reported import ReportedRow, read_reported, reported_rows, reported_table, statements
from bench.api import Direction, MetricRef, RequestError
from bench.metrics.catalog import known_infos

COLUMNS = ",".join(ReportedRow.model_fields)
LINE = "paper,table1,LIIF,,LIIF [4],Set5,4,psnr,higher,30.12,,psnr|y,"
CELLS = {
    "blind_assr/table1": 192,
    "blind_assr/table2": 8,
    "casarbi/table1": 66,
    "casarbi/table2": 75,
    "casarbi/table3": 20,
    "casarbi/table6": 105,
    "casarbi/table7": 6,
    "casarbi/table8": 9,
    "casarbi/table9": 9,
    "casr_supplement/table1": 14,
    "casr_supplement/table2": 210,
    "casr_supplement/table3": 18,
    "casr_supplement/table4": 70,
    "casr_supplement/table5": 18,
    "casr_supplement/table6": 20,
    "cassr/table1": 189,
    "cassr/table2": 15,
    "cassr/table3": 20,
}


def sums(name: str, *columns: str) -> dict[tuple, float]:
    """Values of a table summed over everything but these columns."""
    found: dict[tuple, float] = {}
    for row in reported_table(name):
        if row.value:
            key = tuple(getattr(row, column) for column in columns)
            found[key] = found.get(key, 0.0) + row.number
    return found


def test_every_table_has_its_number_of_values() -> None:
    """A transcription that skips a row, a block or a table has fewer."""
    assert Counter(row.name for row in reported_rows() if row.value) == CELLS


def test_what_the_text_lost_is_said() -> None:
    """A lost cell left out, or filled in, would pass for a table that never had it."""
    lost = Counter(row.name for row in reported_rows() if not row.value)
    assert lost == {"casarbi/table1": 9, "casarbi/table4": 1}
    assert all(row.note for row in reported_rows() if not row.value)


@pytest.mark.parametrize(
    ("name", "dataset", "columns"),
    [
        # the sums of the printed columns from left to right, added up from the paper's own lines
        (
            "casr_supplement/table2",
            "Benchmark",
            "296.78 57.15 50.94 245.62 61.60 55.03 213.55 67.66 59.62 198.96 72.70 62.93 181.23 74.89 65.03",
        ),
        (
            "casr_supplement/table2",
            "RealSRSet",
            "251.68 56.69 50.52 219.50 62.42 54.93 202.66 67.88 59.20 191.10 74.59 62.33 183.19 76.46 64.39",
        ),
        (
            "casarbi/table1",
            "CelebA-HQ",
            "100.43 0.2647 79.85 118.31 0.5487 110.03 114.50 0.8467 185.68 93.42 0.5829 192.04 111.85 1.0813 216.87",
        ),
    ],
)
def test_columns_add_up(name: str, dataset: str, columns: str) -> None:
    """Exchanged scales or metrics move a value into another column's sum."""
    found = [total for key, total in sums(name, "dataset", "scale", "metric").items() if key[0] == dataset]
    assert found == pytest.approx([float(word) for word in columns.split()], abs=2e-3)


def test_columns_of_methods_add_up() -> None:
    """CasSR's Table 1 runs methods across: a row read from one column further on gives another method its values."""
    expected = [556.6052, 536.3259, 492.8923, 553.7960, 514.5236, 497.1986, 552.9221, 522.0921, 562.3477]
    found = sums("cassr/table1", "label")
    assert list(found) == [
        *[("BSRGAN [72]",), ("FeMaSR [6]",), ("HAT [9]",), ("DASR [61]",), ("PASD [67]",)],
        *[("StableSR [55]",), ("DiffBIR [32]",), ("SeeSR [63]",), ("CasSR(Ours)",)],
    ]
    assert list(found.values()) == pytest.approx(expected, abs=1e-3)


def test_sets_of_the_blind_table_add_up() -> None:
    """The ×3.6 rows of Set5 and Set14 stay as printed, also where the paper itself has them exchanged."""
    expected = [229.3903, 6.7241, 203.0421, 5.7091, 208.2576, 5.5532, 183.7374, 5.5226]
    expected += [222.0893, 6.4339, 206.4096, 5.8084, 200.1114, 5.2236, 176.3306, 5.1324]
    expected += [224.5069, 6.4588, 204.8624, 5.5597, 201.5007, 5.2456, 181.4556, 5.2680]
    assert list(sums("blind_assr/table1", "scale", "dataset", "metric").values()) == pytest.approx(expected, abs=1e-3)


def test_directions_are_those_of_the_metrics() -> None:
    """A table whose arrows were lost must not rank LPIPS upwards."""
    infos = known_infos(row.metric for row in reported_rows())
    for row in reported_rows():
        name = MetricRef.parse(row.metric).name
        expected = infos[name].direction if name in infos else Direction.LOWER  # seconds, parameters
        assert row.direction is expected, row


def test_claims_are_about_tables_and_methods_that_exist() -> None:
    """A claim with a misspelt method would silently count as one that cannot be checked."""
    for claim in statements().claims:
        rows = [row for table in claim.tables for row in reported_table(f"{claim.source}/{table}")]
        assert claim.method in {row.method for row in rows}, claim
        assert set(claim.metrics) <= {MetricRef.parse(row.metric).name for row in rows}, claim
        assert set(claim.among) <= {row.method for row in rows}, claim
        assert claim.variant is None or claim.variant in {row.variant for row in rows}, claim


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{COLUMNS},extra\n{LINE},x", "expected the columns"),
        (f"{COLUMNS}\n{LINE.replace('30.12', '')}", "says in its note why"),
        (f"{COLUMNS}\n{LINE.replace('30.12', '30,12')}", "line 2"),
        (f"{COLUMNS}\n{LINE.replace('30.12', '3o.12')}", "line 2: value"),
        (f"{COLUMNS}\n{LINE.replace(',4,', ',0.4,')}", "line 2: scale"),
        (f"{COLUMNS}\n{LINE.replace('psnr|y', 'ssim|y')}", "not one of psnr"),
        (f"{COLUMNS}\n{LINE}\n{LINE}", "line 3: psnr of 'LIIF \\[4\\]' stands twice"),
    ],
)
def test_damage_is_named(text: str, message: str) -> None:
    """A reader that guesses would pass a damaged transcription on as a paper's number."""
    with pytest.raises(RequestError, match=message):
        read_reported(text, "paper.csv")


def test_values_stay_as_printed() -> None:
    """ ".760" and "25.1680" say how many digits the paper gives; floats would lose that."""
    (row,) = read_reported(f"{COLUMNS}\n{LINE.replace('30.12', '.760')}", "paper.csv")
    assert (row.value, row.number) == (".760", 0.76)


def test_an_unknown_table_names_the_nearest() -> None:
    with pytest.raises(RequestError, match=r"Did you mean 'casr_supplement/table2'"):
        reported_table("casr_supplement/tabel2")
