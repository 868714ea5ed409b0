"""Protocols that draw degradations: a run seed is a draw, every method sees the same one, and it can be replayed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.api import RequestError, get_protocol
from bench.data import prepare, resolve_dataset
from bench.engine.request import RunRequest
from bench.engine.run import execute
from bench.engine.store import Store
from bench.imaging import draw_real_esrgan, read_png_exact
from bench.imaging.manifest import read_manifest, write_manifest

Build = Callable[..., RunRequest]


def _lr_hashes(request: RunRequest) -> dict[tuple[str, int, str], str]:
    """(method, seed, image) -> hash of the LR pixels, as recorded."""
    result = execute(request)
    with Store(request.out) as store:
        return {
            (cell.id.method, cell.id.seed, image): unit.output.lr_sha256
            for cell in result.plan.cells
            for (image, _), unit in store.units(cell.where).items()
            if unit.output is not None
        }


def test_every_seed_is_another_draw_and_every_method_sees_the_same(make_request: Build) -> None:
    """Catches deterministic methods that run seed 0 only, so that no table has a deviation between draws."""
    found = _lr_hashes(make_request(methods="bicubic,nearest", protocol="blind-assr", seeds=(0, 1, 2)))
    assert len(found) == 2 * 3 * 4
    for image in {image for _, _, image in found}:
        draws = {seed: found["bicubic", seed, image] for seed in (0, 1, 2)}
        assert len(set(draws.values())) == 3
        assert draws == {seed: found["nearest", seed, image] for seed in (0, 1, 2)}


def test_without_draws_a_deterministic_method_runs_once(make_request: Build) -> None:
    assert {seed for _, seed, _ in _lr_hashes(make_request(seeds=(0, 1, 2)))} == {0}


def test_a_seed_added_later_leaves_the_first_alone(make_request: Build) -> None:
    execute(make_request(protocol="blind-assr", metrics=("psnr",)))
    tally = execute(make_request(protocol="blind-assr", metrics=("psnr",), seeds=(0, 1))).tally
    assert (tally.inferred, tally.reused) == (4, 4)


def test_the_manifest_in_the_folder_replays_the_lr_pixels(make_request: Build, photos: Path) -> None:
    request = make_request(protocol="blind-assr", seeds=(0, 3))
    hashes = _lr_hashes(request)
    for seed in (0, 3):
        manifest = read_manifest(request.out / "degradations" / "blind-assr" / f"Photos-s{seed}.json")
        assert len(manifest) == 4
        for image, degradation in manifest.items():
            hr = read_png_exact(photos / f"{image}.png")
            lr = degradation.apply(hr, (hr.shape[0] // 2, hr.shape[1] // 2)).astype(np.float32)
            pair = prepare(
                next(s for s in resolve_dataset(str(photos)).samples(2.0) if s.id == image),
                2.0,
                get_protocol("blind-assr").drawn(seed),
            )
            assert pair.lr is not None
            assert np.array_equal(np.rint(pair.lr * (255 if pair.lr.max() <= 1 else 1)), lr)
            assert hashes["bicubic", seed, image] == hashlib.sha256(np.ascontiguousarray(pair.lr).data).hexdigest()


def test_a_limited_run_does_not_forget_the_manifest_of_the_others(make_request: Build) -> None:
    path = execute(make_request(protocol="blind-assr")).plan.request.out / "degradations/blind-assr/Photos-s0.json"
    before = path.read_bytes()
    execute(make_request(protocol="blind-assr", limit=1))
    assert path.read_bytes() == before


def test_a_run_of_other_images_adds_to_the_manifest(make_request: Build, photos: Path) -> None:
    """Catches `write_manifest(path, drawn)`, with which the images of earlier runs in the folder are forgotten."""
    request = make_request(protocol="blind-assr", limit=1)
    execute(request)
    path = request.out / "degradations" / "blind-assr" / "Photos-s0.json"
    before = read_manifest(path)
    (photos / "photo 3.png").rename(photos / "earlier.png")
    execute(make_request(protocol="blind-assr", limit=1))
    assert list(before) == ["photo 0"]
    assert list(read_manifest(path)) == ["earlier", "photo 0"]
    assert read_manifest(path)["photo 0"] == before["photo 0"]


@pytest.mark.parametrize("name", ["sample", "basicsr-y"])
def test_protocols_without_draws_write_no_manifest(make_request: Build, name: str) -> None:
    assert not (execute(make_request(protocol=name)).plan.request.out / "degradations").exists()


def test_a_stored_manifest_that_says_otherwise_stops_the_run(make_request: Build) -> None:
    """Catches a run that overwrites what is stored, or that scores new LR images beside those of the old draw."""
    request = make_request(protocol="cassr-div2k", metrics=("psnr",))
    first = _lr_hashes(request)
    path = request.out / "degradations" / "real-esrgan" / "Photos-s0.json"
    stored = path.read_bytes()
    assert _lr_hashes(make_request(protocol="cassr-div2k", metrics=("psnr",))) == first
    assert path.read_bytes() == stored
    write_manifest(path, {**read_manifest(path), "photo 2": draw_real_esrgan(7)})
    edited = path.read_bytes()
    with pytest.raises(RequestError, match=r"Photos-s0\.json: image 'photo 2' .*--out"):
        execute(make_request(protocol="cassr-div2k", metrics=("psnr",)))
    assert path.read_bytes() == edited
    path.write_bytes(stored)
    assert execute(make_request(protocol="cassr-div2k", metrics=("psnr",))).tally.inferred == 0


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"format": "assr-bench degradations 1"}', b"\xff\xfe"])
def test_a_damaged_manifest_stops_the_run_by_name(make_request: Build, damage: bytes) -> None:
    request = make_request(protocol="blind-assr")
    execute(request)
    path = request.out / "degradations" / "blind-assr" / "Photos-s0.json"
    path.write_bytes(damage)
    with pytest.raises(RequestError, match=r"Photos-s0\.json: .*--out"):
        execute(make_request(protocol="blind-assr"))
    assert path.read_bytes() == damage
