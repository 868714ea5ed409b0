"""The protocols of the face tables for a cascade: 16 px in, the papers' sizes out, FID and SelfSSIM over all scales."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from bench.api import get_protocol
from bench.data import prepare, resolve_dataset
from bench.imaging import read_image, write_png
from bench.imaging.io import read_png_exact
from bench.metrics.fid import FID
from bench.metrics.selfssim import self_ssim
from bench.metrics.weights import WeightsFile, full_hash
from methods.casarbi.architecture import CasArbiArchitecture, EncoderArchitecture, ScheduleArchitecture
from methods.casarbi.network import CasArbi
from methods.liif.architecture import LiifArchitecture

SIDES = {"5.3": 85, "7": 112, "10": 160, "10.7": 171, "12": 192}
WORDS = ("--methods", "bicubic,casarbi", "--weights", "casarbi=face.safetensors", "--datasets", "Faces")


@pytest.fixture
def faces(newcomer: Path) -> Path:
    """Three square images of 200 px, `Faces`, and weights of a small network of the face preset's kind beside them."""
    folder = newcomer / "Faces"
    folder.mkdir()
    y, x = np.mgrid[:200, :200]
    rng = np.random.default_rng(0)
    for number in range(3):
        ovals = [255 * (np.hypot((y - 100) / a, (x - 100) / b) < 1) for a, b in rng.uniform(30, 90, (3, 2))]
        write_png(folder / f"{number}.png", np.stack(ovals, axis=-1).astype(np.uint8))
    torch.manual_seed(0)
    network = CasArbi(
        CasArbiArchitecture(
            prior=LiifArchitecture(blocks=0, width=1, hidden=(1,), skip="bilinear"),
            lr_encoder=EncoderArchitecture(width=8, blocks=0),
            hr_encoder=EncoderArchitecture(width=8, blocks=0),
            base=8,
            mult=(1, 1, 1, 1),
            octaves=2,
            attention=True,
            coord_frame="image",
            schedule=ScheduleArchitecture(steps=2),
        )
    )
    torch.nn.init.normal_(network.denoiser.unet.out[-1].weight, std=0.02)  # at first it predicts nothing
    network.gain.fill_(10.0)
    about = {"format": 1, "method": "casarbi", "architecture": network.architecture.model_dump(mode="json")}
    save_file(dict(network.state_dict()), newcomer / "face.safetensors", {"assr-bench": json.dumps(about)})
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("protocol", ["face-kim", "face-idm"])
def test_five_scales_of_a_16_px_face(protocol: str, bench: Callable, faces: Path, newcomer: Path) -> None:
    """Catches a cascade that misses the papers' sizes, LR of another size, and a matrix with scales left out."""
    scales = ",".join(SIDES)
    words = ("--protocol", protocol, "--scales", scales, "--metrics", "psnr,selfssim", "--workers", 0, "--out", "run")
    done = bench("run", *WORDS, *words)
    assert done.code == 0, done.err
    images = {scale: sorted((newcomer / "run" / "images").rglob(f"x{scale}-s0/*.png")) for scale in SIDES}
    for scale, side in SIDES.items():
        assert len(images[scale]) == 6  # two methods
        assert {read_image(path).pixels.shape for path in images[scale]} == {(side, side, 3)}

    drawn = bench("figure", "selfssim", "run", "--methods", "casarbi", "--out", "matrix.png")
    assert drawn.code == 0, drawn.err
    cells = {(row["output_scale"], row["reference_scale"]): row for row in rows(newcomer / "matrix.csv")}
    assert len(cells) == 25
    mine = {scale: [path for path in images[scale] if "casarbi" in str(path)] for scale in SIDES}
    pairs = zip(mine["10.7"], mine["5.3"], strict=True)
    wanted = np.mean([self_ssim(read_png_exact(one), read_png_exact(other)) for one, other in pairs])
    assert float(cells["10.7", "5.3"]["mean"]) == pytest.approx(wanted, abs=1e-6)
    assert (newcomer / "matrix.tex").is_file()


def test_stages_are_shared_by_scales_of_one_lr_image(bench: Callable, faces: Path, newcomer: Path) -> None:
    """x5.3 and x7 are both 2, 2, remainder. Catches noise that depends on the scale or on the size that is wanted."""
    write_png(newcomer / "lr.png", read_image(faces / "0.png").pixels[60:76, 60:76])
    for scale in ("5.3", "7"):
        words = ("lr.png", f"{scale}.png", "--scale", scale, "--weights", "face.safetensors", "--seed", 3)
        assert bench("upscale", "casarbi", *words, "--stages", f"stages{scale}").code == 0
    found = [[read_image(path).pixels for path in sorted((newcomer / f"stages{s}").iterdir())] for s in ("5.3", "7")]
    assert [image.shape[0] for image in found[0]] == [32, 64, 85]
    assert [image.shape[0] for image in found[1]] == [32, 64, 112]
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])


def test_fid_of_a_run_is_that_of_the_stored_images(
    bench: Callable,
    faces: Path,
    newcomer: Path,
    made_up_inception: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Catches a set metric that is fed other images than those of its cell, or one number per image."""
    path = made_up_inception / "hub" / "pyiqa" / "pt_inception-2015-12-05-6726825d.pth"
    monkeypatch.setattr(FID, "file", WeightsFile(f"pyiqa/{path.name}", "https://example.org/x", full_hash(path)))
    words = ("--protocol", "face-idm", "--scales", "5.3", "--metrics", "fid", "--workers", 0, "--out", "run")
    done = bench("run", *WORDS, *words, "--weights-root", made_up_inception)
    assert done.code == 0, done.err
    summary = {row["method"]: row for row in rows(newcomer / "run" / "summary.csv")}
    assert all("|n:3|" in row["signature"] for row in summary.values())
    folder = newcomer / "run" / "images"
    outputs = {name: [read_image(each).pixels for each in sorted(folder.glob(f"{name}*/**/*.png"))] for name in summary}
    assert all(len(images) == 3 for images in outputs.values())
    samples = resolve_dataset(str(faces)).samples(5.3)
    hr = [prepare(each, 5.3, get_protocol("face-idm"), need_lr=False).hr for each in samples]
    for name, images in outputs.items():
        wanted = FID(made_up_inception).compute_sets(images, hr)
        assert float(summary[name]["mean"]) == pytest.approx(wanted, rel=1e-5)
    assert summary["bicubic"]["mean"] != summary["casarbi"]["mean"]
