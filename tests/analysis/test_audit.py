"""Every check of the audit: what it must find, and what it must leave alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

import bench.analysis.audit.reading as reading
from bench.analysis.audit import CHECKS, Evidence, Finding, Number, Severity, audit, read_evidence
from bench.analysis.audit.evidence import Trained
from bench.analysis.reported import Claim
from bench.api import Direction, ImageSet, RequestError
from bench.data.cards import read_manifest
from bench.engine.origin import short

TABLES = Path(__file__).parent / "tables"
DOCS = Path(__file__).parents[2] / "docs" / "audit.md"
LOWER = ("lpips", "niqe", "pi", "fid")


def row(
    method: str,
    values: Iterable[float],
    *,
    metrics: Sequence[str] = ("psnr",),
    dataset: str = "Set5",
    scales: Sequence[float] = (2.0, 3.0, 4.0, 8.0),
    table: str = "paper/table1",
    **given: str,
) -> list[Number]:
    """Numbers of a row: for each scale one per metric."""
    places = [(scale, metric) for scale in scales for metric in metrics]
    return [
        Number(
            table=table,
            method=method,
            variant=given.get("variant", ""),
            label=given.get("label", method),
            dataset=dataset,
            scale=scale,
            metric=metric,
            value=value,
            text=given.get("text", "") or f"{value:g}",
            direction=Direction.LOWER if metric in LOWER else Direction.HIGHER,
            signature=given.get("signature", metric),
            mark=given.get("mark", ""),
        )
        for (scale, metric), value in zip(places, values, strict=True)
    ]


def found(check: str, *rows: list[Number], **more: object) -> list[Finding]:
    """What one check finds."""
    evidence = Evidence(tuple(number for own in rows for number in own), **more)  # type: ignore[arg-type]
    return list(audit("a table", evidence, only=[check]).findings)


def test_copied_rows_are_errors_and_nearly_copied_ones_warnings() -> None:
    """Comparing only whole tables misses a copy that lies between other rows."""
    a = row("a", [37.25, 33.1, 31.2, 27.9])
    between = row("b", [36.1, 32.2, 30.1, 26.8])
    (whole,) = found("duplicate-rows", a, between, row("c", [37.25, 33.1, 31.2, 27.9]))
    assert (whole.severity, whole.message) == (Severity.ERROR, "all 4 values of a and c are the same")
    (part,) = found("duplicate-rows", a, between, row("c", [37.25, 33.1, 31.2, 27.8]))
    assert (part.severity, part.message) == (Severity.WARNING, "3 of 4 values of a and c are the same")
    assert not found("duplicate-rows", a, row("c", [37.25, 33.0, 31.0, 27.0]))
    assert not found("duplicate-rows", a, row("a", [37.25, 33.1, 31.2, 27.9], table="paper/table2"))


def test_a_comparison_of_a_scale_with_itself_is_no_copy() -> None:
    """SelfSSIM is 1 for every method on the diagonal."""
    scales, metrics = (2.0, 3.0, 4.0, 8.0), ("selfssim@2", "selfssim@3", "selfssim@4", "selfssim@8")
    rows = [
        row(m, [1.0 if f"selfssim@{s:g}" == k else 0.5 + d for s in scales for k in metrics], metrics=metrics)
        for m, d in (("a", 0.1), ("b", 0.2))
    ]
    assert not found("duplicate-rows", *rows)


def test_one_copied_cell_of_many_digits() -> None:
    """Two digits agree by chance, six do not; and rows that are copies as a whole are told of once."""
    one, two = row("a", [57.1217], scales=(4,)), row("b", [57.1217], scales=(4,))
    (finding,) = found("repeated-values", one, two, row("c", [50.3458], scales=(4,)))
    assert "a and b have the same psnr, 57.1217" in finding.message
    assert not found("repeated-values", row("a", [0.81], scales=(4,)), row("b", [0.81], scales=(4,)))
    copies = [row(m, [37.2512, 33.1234, 31.2345, 27.9456]) for m in "ab"]
    assert not found("repeated-values", *copies)


def test_one_row_in_two_tables() -> None:
    """Agreement in most metrics says that the rows are one; a different one must then be an error, not a new result."""
    metrics = ("fid", "dists", "ssim", "lpips")
    first = row("ours", [30.7808, 0.1531, 0.6, 0.3225], metrics=metrics, scales=(4,), table="paper/table1")
    second = row("ours", [30.7808, 0.1531, 0.6, 0.3175], metrics=metrics, scales=(4,), table="paper/table2", label="x")
    (finding,) = found("contradicting-tables", first, second)
    assert finding.severity is Severity.ERROR
    assert finding.evidence[0] == "×4 lpips: 0.3225 | 0.3175"
    other = row("ours", [33.1, 0.17, 0.6, 0.3216], metrics=metrics, scales=(4,), table="paper/table2", label="ablated")
    assert not found("contradicting-tables", first, other)
    elsewhere = [n.__class__(**{**vars(n), "table": "other/table1"}) for n in second]
    assert not found("contradicting-tables", first, elsewhere)


def test_impossible_values() -> None:
    (finding,) = found("out-of-range", row("a", [30.98], metrics=("ssim",), scales=(3,)))
    assert finding.severity is Severity.ERROR
    assert "ssim is 30.98; it can be -1 to 1" in finding.message
    assert not found("out-of-range", row("a", [float("inf"), 12.4], scales=(1, 30)))
    assert not found("out-of-range", row("a", [4e9], metrics=("unheard_of",), scales=(3,)))


def test_exchanged_columns() -> None:
    """Range alone tells of two wrong cells; that one is the other's value tells what happened."""
    swapped = row("a", [0.8039, 30.98], metrics=("psnr", "ssim"), scales=(3,))
    assert [f.message for f in found("swapped-columns", swapped)] == ["psnr and ssim are exchanged"]
    assert not found("swapped-columns", row("a", [28.4605, 0.8039], metrics=("psnr", "ssim"), scales=(3,)))
    assert not found("swapped-columns", row("a", [0.8, 0.8], metrics=("psnr", "ssim"), scales=(3,)))


def test_exchanged_datasets_need_everybody_else() -> None:
    """One method that is better on the harder set is no error unless all others agree on the gap."""

    def pair(method: str, set5: float, set14: float) -> list[Number]:
        return row(method, [set5], scales=(3.6,)) + row(method, [set14], scales=(3.6,), dataset="Set14")

    others = [pair("a", 28.8, 25.9), pair("b", 28.4, 25.8), pair("c", 29.1, 25.9)]
    (finding,) = found("swapped-datasets", *others, pair("odd", 25.8, 28.6))
    assert "Set5 and Set14 are exchanged: all 3 other rows" in finding.message
    assert not found("swapped-datasets", *others, pair("odd", 28.6, 25.8))
    assert not found("swapped-datasets", *others, pair("odd", 25.8, 26.0))  # exchanged, it would fit nobody
    assert not found("swapped-datasets", *others[:2], pair("odd", 25.8, 28.6))


def test_pi_that_no_ma_score_explains() -> None:
    """PI = ((10 - Ma) + NIQE) / 2 with Ma in [0, 10]."""
    metrics = ("niqe", "pi")
    (finding,) = found("pi-niqe", row("a", [5.0, 8.0], metrics=metrics, scales=(4,)))
    assert finding.severity is Severity.ERROR
    (doubtful,) = found("pi-niqe", row("a", [7.67, 8.80], metrics=metrics, scales=(4,)))
    assert (doubtful.severity, doubtful.evidence) == (Severity.NOTE, ("×4: NIQE 7.67, PI 8.8, so Ma 0.07",))
    assert not found("pi-niqe", row("a", [5.56, 4.71], metrics=metrics, scales=(4,)))


def test_psnr_and_ssim_that_disagree() -> None:
    metrics = ("psnr", "ssim")
    edsr = row("edsr", [28.98, 0.83], metrics=metrics, scales=(4,))
    (finding,) = found("psnr-ssim", edsr, row("liif", [29.00, 0.89], metrics=metrics, scales=(4,)))
    assert "liif has far more SSIM than edsr" in finding.message
    assert not found("psnr-ssim", edsr, row("liif", [30.5, 0.89], metrics=metrics, scales=(4,)))


def test_distortion_that_falls_with_the_scale() -> None:
    """Scales are numbers: sorted as text, 12 comes before 8 and every table is non-monotone."""
    scales = (8.0, 12.0, 18.0, 24.0)
    assert not found("non-monotone", row("a", [28.0, 26.0, 25.0, 24.0], scales=scales))
    (finding,) = found("non-monotone", row("a", [28.0, 26.0, 26.5, 24.0], scales=scales))
    assert finding.evidence == ("Set5, ×12 to ×18, 1 of 1 rows: a 26 to 26.5",)
    (lpips,) = found("non-monotone", row("a", [0.3, 0.4, 0.35, 0.5], metrics=("lpips",), scales=scales))
    assert "×12 to ×18" in lpips.evidence[0]
    assert not found("non-monotone", row("a", [4.0, 3.0, 2.0, 1.0], metrics=("niqe",), scales=scales))


def claim(**fields: object) -> Claim:
    given = {"source": "paper", "where": "§1", "quote": "best", "tables": ("table1",), "method": "ours"}
    return Claim(**{**given, "metrics": ("lpips",), **fields})  # type: ignore[arg-type]


def test_claims_against_their_table() -> None:
    """LPIPS ranks downwards; a tie is not "best" but no error either; "second best" allows one better row."""
    kim = row("kim", [0.0455, 0.0690], metrics=("lpips",), scales=(5.3, 12))
    ours = row("ours", [0.0459, 0.0500], metrics=("lpips",), scales=(5.3, 12))
    (finding,) = found("claims", kim, ours, claims=(claim(),))
    assert finding.severity is Severity.ERROR
    assert finding.evidence == ("Set5 ×5.3 lpips: ours 0.0459 is number 2, kim 0.0455",)
    assert not found("claims", kim, ours, claims=(claim(rank=2),))
    assert not found("claims", kim, ours, claims=(claim(scales=(12,)),))
    assert not found("claims", kim, ours, claims=(claim(among=("somebody",)),))
    assert found("claims", kim, ours, claims=(claim(hedged=True),))[0].severity is Severity.WARNING
    tie = row("ours", [0.0455, 0.0500], metrics=("lpips",), scales=(5.3, 12))
    assert [f.severity for f in found("claims", kim, tie, claims=(claim(),))] == [Severity.NOTE]
    (unknown,) = found("claims", kim, ours, claims=(claim(tables=("table9",)),))
    assert (unknown.severity, "cannot be checked" in unknown.message) == (Severity.NOTE, True)


def test_claims_of_a_percentage() -> None:
    """3.82 % claimed where the table gives 2.32 %; a rounded percentage is right."""
    rows = [row("second", [67.0657], metrics=("musiq",), scales=(4,))]
    rows += [
        row("ours", [68.6242], metrics=("musiq",), scales=(4,)),
        row("third", [66.0], metrics=("musiq",), scales=(4,)),
    ]
    (finding,) = found("claims", *rows, claims=(claim(metrics=("musiq",), percent=3.82),))
    assert "the table gives 2.32 %" in finding.message
    assert not found("claims", *rows, claims=(claim(metrics=("musiq",), percent=2.3),))


def test_marks_that_the_numbers_do_not_bear_out() -> None:
    best, marked = row("a", [30.2], scales=(4,)), row("b", [30.1], scales=(4,), mark="best")
    (finding,) = found("marks", best, marked)
    assert finding.message == "b is marked best, and is number 2"
    assert not found("marks", row("a", [30.1], scales=(4,)), marked)
    assert not found("marks", best, row("b", [30.1], scales=(4,), mark="second"))


def test_two_signatures_in_one_column() -> None:
    """What differs must be named; methods' own rows of one signature are no mixture."""
    a, b = (row(m, [30.0], scales=(4,), signature=s) for m, s in (("a", "psnr|y|shave:s"), ("b", "psnr|y|shave:0")))
    (finding,) = found("mixed-signatures", a, b)
    assert "(shave:0 or shave:s)" in finding.message
    assert not found("mixed-signatures", a, row("b", [30.0], scales=(4,), signature="psnr|y|shave:s"))
    assert not found("mixed-signatures", a, row("b", [30.0], scales=(3,), signature="psnr|y|shave:0"))


def test_a_lead_within_the_interval() -> None:
    """The interval is of paired differences: two methods that differ by 0.1 dB on every image are told apart,
    however much the images differ."""
    images = {f"im{i}": 20.0 + 3 * i for i in range(10)}
    steady = {name: value + 0.1 + 0.01 * (i % 2) for i, (name, value) in enumerate(images.items())}
    lucky = {name: value + (1.5 if i == 0 else -0.02) for i, (name, value) in enumerate(images.items())}

    def leads(other: dict[str, float]) -> list[Finding]:
        means = {"base": images, "other": other}
        numbers = [row(m, [sum(v.values()) / len(v)], scales=(4.0,), table="") for m, v in means.items()]
        return found("unsettled-first", *numbers, per_image={(m, "", "Set5", 4.0, "psnr"): v for m, v in means.items()})

    assert not leads(steady)
    (finding,) = leads(lucky)
    assert "other leads base by less than chance" in finding.message


@pytest.mark.parametrize(
    ("train_set", "dataset", "severity"),
    [
        ("Set5", "Set5", Severity.ERROR),
        ("Set14", "Benchmark", Severity.ERROR),  # a part of the union
        ("DIV2K", "DIV2K-valid", Severity.WARNING),
        ("DIV2K train", "DIV2K-valid", None),
        ("BSDS500 train", "BSD100", None),
        ("FFHQ, first 10K", "FFHQ", Severity.ERROR),
    ],
)
def test_training_sets_by_name(train_set: str, dataset: str, severity: Severity | None) -> None:
    """Names are compared without their split and then with it: DIV2K's training images are not its validation set."""
    trained = (Trained("net", None, (train_set,), (), "as it says"),)
    findings = found("contamination", row("net", [30.0], scales=(4,), dataset=dataset), trained=trained)
    assert [f.severity for f in findings] == ([] if severity is None else [severity])


def test_training_images_by_hash_and_by_name() -> None:
    """A renamed copy of a training image is known by its bytes, a re-encoded one by its name."""
    hashes = {Path(name).stem: short(digest) for name, digest in read_manifest("Set5", "files").items()}
    trained = (Trained("net", None, ("Set5",), (), "as it says"),)
    numbers = row("net", [30.0], scales=(4,), dataset="mine")
    renamed = ImageSet("mine", {"x": hashes["butterfly"], "y": "0" * 12})
    (finding,) = found("contamination", numbers, trained=trained, sets=(renamed,))
    assert (finding.severity, finding.evidence[0]) == (Severity.ERROR, "x")
    again = ImageSet("mine", {name: f"{i}" * 12 for i, name in enumerate(hashes)})
    (named,) = found("contamination", numbers, trained=trained, sets=(again,))
    assert named.severity is Severity.WARNING
    clean = ImageSet("mine", {"x": "1" * 12, "butterfly": "2" * 12, "z": "3" * 12})
    assert not found("contamination", numbers, trained=trained, sets=(clean,))


def test_metrics_that_a_loss_held() -> None:
    trained = (Trained("net", "lite", (), ("lpips",), "as it says"),)
    (finding,) = found("minimised", row("net", [0.2], metrics=("lpips",), scales=(4,), variant="lite"), trained=trained)
    assert "was trained to minimise lpips" in finding.message
    assert not found("minimised", row("net", [0.2], metrics=("lpips",), scales=(4,), variant="full"), trained=trained)


def test_empty_cells_say_why() -> None:
    cells = row("a", [30.0, float("nan")], scales=(2, 3))
    (finding,) = found("no-value", cells)
    assert finding.evidence == ("a: Set5 ×3 psnr",)


def test_the_permuted_cells_of_a_public_model_index() -> None:
    """Three of its cells were permuted: Set14 has 28.4605/0.8039 and DIV2K 30.9808 in the table it was made from."""
    result = audit("liif", read_evidence(str(TABLES / "liif_metafile.csv")))
    assert {(f.check, f.severity) for f in result.findings} == {
        ("out-of-range", Severity.ERROR),
        ("swapped-columns", Severity.ERROR),
        ("non-monotone", Severity.WARNING),
    }


KNOWN = [
    ("duplicate-rows", "casr_supplement/table2, Benchmark", "all 15 values of LINF"),
    ("duplicate-rows", "casr_supplement/table2, RealSRSet", "10 of 15 values of LINF"),
    ("claims", "casarbi, §V-C1", "state-of-the-art performance in both LPIPS and FID"),
    ("swapped-datasets", "blind_assr/table1, ×3.6, MetaSR", "Set5 and Set14 are exchanged"),
    ("contradicting-tables", "cassr/table1, CasSR(Ours) and cassr/table2, SCEdit", "another lpips"),
    ("repeated-values", "cassr/table1, DRealSR, ×4, musiq", "57.1217"),
]


@pytest.mark.parametrize(("check", "where", "message"), KNOWN)
def test_the_papers_known_errors_are_found(check: str, where: str, message: str) -> None:
    findings = audit("reported", read_evidence("reported"), only=[check]).findings
    assert any(where in f.where and message in f.message for f in findings)


def test_every_other_finding_in_the_papers_is_explained() -> None:
    """A finding that nobody has looked at is as good as a false one: docs/audit.md has a line on each."""
    result = audit("reported", read_evidence("reported"))
    rows = [line.split("|") for line in DOCS.read_text("utf-8").splitlines() if line.startswith("| `")]
    explained = [(cells[1].strip(" `"), cells[2].strip()) for cells in rows if len(cells) == 5]
    seen = [(finding.check, re.sub(r"\s*\[\d+\]", "", finding.where)) for finding in result.findings]
    assert sorted(seen) == sorted(explained)
    assert len(result.of_severity(Severity.ERROR)) == 8


def test_every_check_says_why() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    assert all(check.about and check.why.endswith(".") for check in CHECKS)
    with pytest.raises(RequestError, match="Did you mean 'claims'"):
        audit("x", Evidence(()), only=["claim"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "expected the columns method, dataset, scale, metric and value or mean; seen a, b"),
        ("method,dataset,scale,metric,value\na,S,x,psnr,1\n", "line 2: 'x' is not a scale"),
        ("method,dataset,scale,metric,value\na,S,2,psnr,l.0\n", "line 2: 'l.0' is not a number"),
        ("", "seen nothing"),
    ],
)
def test_other_files_are_refused_with_their_columns(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(RequestError, match=re.escape(message)):
        read_evidence(str(path))
    with pytest.raises(RequestError, match="no file or folder"):
        read_evidence(str(tmp_path / "none.csv"))


def test_records_are_averaged_and_compared_image_by_image(tmp_path: Path) -> None:
    """records.csv holds images; taken for means, one method would have as many values as images."""
    lines = ["method,variant,dataset,image,scale,seed,metric,value,unit_status,signature"]
    for image in range(12):
        for seed in (0, 1):
            lines.append(f"a,-,mine,{image},4,{seed},psnr,{30 + image + seed},ok,psnr|rgb")
            lines.append(f"b,-,mine,{image},4,{seed},psnr,{30.1 + image + seed + (image % 3 - 1)},ok,psnr|rgb")
    path = tmp_path / "records.csv"
    path.write_text("\n".join(lines) + "\n")
    evidence = read_evidence(str(path))
    assert [(n.method, n.variant, round(n.value, 6)) for n in evidence.numbers] == [("a", "", 36.0), ("b", "", 36.1)]
    (finding,) = audit("x", evidence).findings
    assert (finding.check, "over 12 images" in finding.evidence[0]) == ("unsettled-first", True)


def test_shipped_weights_answer_for_their_training(tmp_path: Path) -> None:
    """A file names methods only; what the registered method says of its training must be asked for."""
    path = tmp_path / "summary.csv"
    path.write_text("method,variant,dataset,scale,metric,mean\ncasr,,T91,4,lpips,0.2\nliif,mine,T91,4,lpips,0.2\n")
    findings = audit("x", read_evidence(str(path)), only=["contamination", "minimised"]).findings
    assert [(f.check, f.severity) for f in findings] == [
        ("contamination", Severity.ERROR),
        ("minimised", Severity.NOTE),
    ]
    assert reading.read_evidence(str(path)).trained[1].train_sets is None
