"""Runs: nothing is computed twice, nothing finished is lost, nothing failed is averaged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench.api import CellId, RecordRow, RequestError, UnitStatus
from bench.engine.choice import choose_methods
from bench.engine.events import Listener, Silent, Tally
from bench.engine.folder import CellFolder, RunFolder
from bench.engine.request import RunRequest
from bench.engine.rows import record_rows
from bench.engine.run import execute as run_all
from bench.engine.store import Store
from bench.imaging import read_png_exact, write_png
from bench.plugins import load_plugin
from bench.registry import METHODS

Build = Callable[..., RunRequest]


def execute(request: RunRequest, listener: Listener | None = None) -> Tally:
    return run_all(request, listener).tally


def rows_of(request: RunRequest) -> list[RecordRow]:
    """What the folder holds, without the times, which differ from run to run."""
    folder = RunFolder(request.out)
    manifest = folder.manifest()
    assert manifest is not None
    return [row._replace(seconds=None) for row in record_rows(folder, manifest).rows]


def test_a_finished_run_repeated_computes_nothing(make_request: Build) -> None:
    request = make_request(methods="bicubic,nearest", scales=(2.0, 3.5))
    first = execute(request)
    assert (first.inferred, first.scored, first.failures) == (16, 32, [])
    before = rows_of(request)
    again = execute(make_request(methods="bicubic,nearest", scales=(2.0, 3.5)))
    assert (again.inferred, again.scored, again.reused, again.kept) == (0, 0, 16, 32)
    assert rows_of(request) == before


def test_worker_processes_give_the_numbers_of_the_inline_executor(make_request: Build, tmp_path: Path) -> None:
    inline, spread = make_request(out=tmp_path / "a"), make_request(out=tmp_path / "b", workers=2)
    execute(inline)
    execute(spread)
    assert rows_of(inline) == rows_of(spread)


def test_a_new_metric_scores_stored_images_without_inference(make_request: Build) -> None:
    execute(make_request(metrics=("psnr",)))
    tally = execute(make_request(metrics=("psnr", "ssim", "lr_psnr")))
    assert (tally.inferred, tally.scored) == (0, 8)


def test_a_protocol_with_the_same_lr_scores_stored_images_without_inference(make_request: Build) -> None:
    execute(make_request())
    tally = execute(make_request(protocol="basicsr-y"))
    assert (tally.inferred, tally.scored) == (0, 8)


def test_a_protocol_with_another_lr_leaves_the_first_images_alone(make_request: Build) -> None:
    request = make_request()
    execute(request)
    before = rows_of(request)
    tally = execute(make_request(protocol="classic-y"))
    assert tally.inferred == 4
    assert set(before) <= set(rows_of(request))
    assert execute(make_request()).inferred == 0


def test_an_unrounded_protocol_computes_again_and_then_serves_the_rounded_ones(make_request: Build) -> None:
    execute(make_request())
    assert execute(make_request(protocol="liif-benchmark")).inferred == 4
    tally = execute(make_request())
    assert (tally.inferred, tally.scored) == (0, 0)


def test_sixteen_bit_images_score_as_eight_bit_ones(make_request: Build, tmp_path: Path) -> None:
    one = make_request(out=tmp_path / "a", scales=(2.0, 2.5))
    execute(one)
    execute(make_request(out=tmp_path / "b", scales=(2.0, 2.5), protocol="liif-benchmark"))
    two = make_request(out=tmp_path / "b", scales=(2.0, 2.5))
    assert execute(two).inferred == 0
    signatures = {row.signature for row in rows_of(one)}
    assert [row for row in rows_of(two) if row.signature in signatures] == rows_of(one)


def test_a_changed_source_image_is_noticed(make_request: Build, photos: Path) -> None:
    execute(make_request())
    pixels = read_png_exact(photos / "photo 0.png")
    write_png(photos / "photo 0.png", pixels[::-1].copy())
    assert execute(make_request()).inferred == 1


def test_a_deleted_or_changed_result_is_computed_again(make_request: Build) -> None:
    request = make_request()
    execute(request)
    folder = request.out / "images" / "bicubic" / "Photos" / "x2-s0"
    (folder / "photo 0.png").unlink()
    write_png(folder / "photo 1.png", read_png_exact(folder / "photo 2.png"))
    tally = execute(make_request(metrics=("psnr", "ssim", "lr_psnr")))
    assert tally.inferred == 2
    assert len(rows_of(request)) == 12


def test_bad_images_fail_alone_and_are_not_averaged(make_request: Build, photos: Path) -> None:
    (photos / "empty.png").write_bytes(b"")
    whole = (photos / "photo 3.png").read_bytes()
    (photos / "photo 3.png").write_bytes(whole[: len(whole) // 2])
    request = make_request()
    tally = execute(request)
    assert sorted(failure.image for failure in tally.failures) == ["empty", "photo 3"]
    rows = rows_of(request)
    assert {row.unit_status for row in rows if row.image in ("empty", "photo 3")} == {"failed"}
    assert all(row.value is None for row in rows if row.unit_status == "failed")
    assert sum(row.unit_status == "ok" for row in rows) == 6
    (photos / "photo 3.png").write_bytes(whole)
    again = execute(make_request())
    assert (again.inferred, [failure.image for failure in again.failures]) == (1, ["empty"])


def test_a_scale_that_leaves_no_lr_fails_the_unit_with_the_largest_scale(make_request: Build) -> None:
    tally = execute(make_request(scales=(100.0,)))
    assert len(tally.failures) == 4
    assert "72" in tally.failures[0].error


def test_ctrl_c_keeps_what_is_finished(make_request: Build) -> None:
    class Impatient(Silent):
        seen = 0

        def unit(self, cell: CellId, image: str, *, error: str = "") -> None:
            self.seen += 1
            if self.seen == 2:
                raise KeyboardInterrupt

    tally = execute(make_request(), Impatient())
    assert tally.interrupted
    again = execute(make_request())
    assert (again.inferred, again.reused) == (2, 2)
    assert not again.interrupted


def test_doubtful_units_are_said_and_remembered(make_request: Build) -> None:
    request = make_request(scales=(8.0,))
    tally = execute(request)
    assert any("below 16 px" in text for text in tally.warnings)
    again = execute(make_request(scales=(8.0,)))
    assert any("below 16 px" in text for text in again.warnings)


def test_each_record_names_the_lr_pixels_that_the_method_saw(make_request: Build) -> None:
    request = make_request(methods="bicubic,nearest")
    execute(request)
    hashes = []
    with Store(request.out) as store:
        for method in ("bicubic", "nearest"):
            where = CellFolder(CellId(method, "", "Photos", 2.0, 0), method)
            units = store.units(where)
            assert all(unit.status is UnitStatus.OK for unit in units.values())
            hashes.append([unit.output.lr_sha256 for unit in units.values() if unit.output is not None])
    assert hashes[0] == hashes[1]
    assert len(set(hashes[0])) == 4


def test_two_datasets_of_one_name_are_refused(make_request: Build, photos: Path, tmp_path: Path) -> None:
    from bench.api import RequestError

    other = tmp_path / "elsewhere" / "Photos"
    other.mkdir(parents=True)
    write_png(other / "a.png", read_png_exact(photos / "photo 0.png"))
    with pytest.raises(RequestError, match="two datasets are called 'Photos'"):
        execute(make_request(datasets=(photos, other)))


def test_a_set_that_brings_its_lr_is_never_signed_with_a_downsampler(
    make_request: Build, photos: Path, tmp_path: Path
) -> None:
    lr_folder = tmp_path / "LR"
    lr_folder.mkdir()
    for path in photos.iterdir():
        write_png(lr_folder / path.name, read_png_exact(path)[::2, ::2].copy())
    synthetic, given = make_request(), make_request(datasets=(f"{photos}::{lr_folder}",), out=tmp_path / "given")
    execute(synthetic)
    execute(given)
    assert all("lr:matlab-bicubic" in row.signature for row in rows_of(synthetic))
    assert all("lr:given" in row.signature for row in rows_of(given))


def test_an_lr_only_set_is_scored_by_what_needs_no_reference_and_is_finished_then(
    make_request: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "roots" / "RealSRSet"
    folder.mkdir(parents=True)
    photo = read_png_exact(tmp_path / "Photos" / "photo 0.png")
    for index in range(20):
        write_png(folder / f"{index:02d}.png", photo[index:, :])
    monkeypatch.setenv("ASSR_BENCH_DATA", str(tmp_path / "roots"))
    wanted = {"datasets": ("RealSRSet",), "metrics": ("psnr", "lr_psnr", "omission"), "limit": 3}
    first, again = execute(make_request(**wanted)), execute(make_request(**wanted))
    assert (first.inferred, first.scored, first.failures) == (3, 3, [])
    assert (again.inferred, again.scored, again.kept) == (0, 0, 3)
    status = {(row.metric, row.unit_status) for row in rows_with_plan(make_request(**wanted))}
    assert status == {("psnr", "unavailable"), ("lr_psnr", "ok"), ("omission", "unavailable")}


def rows_with_plan(request: RunRequest) -> list[RecordRow]:
    return run_all(request).rows.rows


WEIGHTED = """
import torch
from torch.nn.functional import interpolate

from bench.api import Method, MethodInfo, Upscaled


class Weighted(Method):
    info = MethodInfo(name="weighted", display="Weighted", summary="bicubic times a gain")

    def load(self, weights, device, dtype):
        self.gain = float(weights.read_text())

    def upscale(self, lr, size, *, seed):
        return Upscaled(interpolate(lr[None], size=size, mode="bicubic")[0] * self.gain)
"""


def test_weights_overwritten_between_planning_and_loading_leave_no_number(
    make_request: Build, tmp_path: Path, photos: Path
) -> None:
    """Catches numbers of the new bytes under the key of the old ones, which the restored file would then be given."""
    (tmp_path / "weighted.py").write_text(WEIGHTED)
    load_plugin(tmp_path / "weighted.py")
    weights = tmp_path / "gain.txt"
    weights.write_text("1.0")

    class Overwriting(Silent):
        def begin(self, *, cells: int, units: int, inferences: int, scores: int) -> None:
            weights.write_text("0.5")

    def request() -> RunRequest:
        chosen = choose_methods(["weighted"], weights=str(weights), overrides=())
        return replace(make_request(), methods=chosen)

    try:
        with pytest.raises(RequestError, match=r"weights of weighted changed .*gain\.txt .*same command again"):
            execute(request(), Overwriting())
        assert not list((tmp_path / "run").rglob("*.jsonl"))
        weights.write_text("1.0")
        assert execute(request()).inferred == 4
        assert execute(request()).inferred == 0
    finally:
        METHODS.forget("weighted")
    made = [read_png_exact(path).mean() for path in sorted((tmp_path / "run" / "images").rglob("*.png"))]
    assert made == pytest.approx([read_png_exact(path).mean() for path in sorted(photos.glob("*.png"))], rel=0.05)
