"""What training is fed with: images without the test sets, patches as pure functions of the step, configurations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.api import RequestError
from bench.imaging import write_png
from bench.training.config import PatchConfig, ScheduleConfig, TrainConfig, read_config
from bench.training.images import ImagePool, load_pool
from bench.training.patches import draw_patch, step_generator
from bench.training.schedule import lr_factor


def _picture(seed: int, height: int = 40, width: int = 56) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _folder(path: Path, pictures: dict[str, np.ndarray]) -> Path:
    path.mkdir()
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(path / name)
    return path


def _pool(*pictures: np.ndarray) -> ImagePool:
    return ImagePool(tuple(pictures), tuple(f"folder/{i}.png" for i in range(len(pictures))))


@pytest.mark.parametrize(
    "disguise", [lambda p: p, lambda p: p[::-1], lambda p: p.transpose(1, 0, 2), lambda p: p[:, ::-1]]
)
def test_a_test_image_is_left_out_under_any_name_flip_or_turn(tmp_path, disguise):
    test = _folder(tmp_path / "Set5", {"bird.png": _picture(1)})
    train = _folder(
        tmp_path / "train", {"other.bmp": np.ascontiguousarray(disguise(_picture(1))), "own.png": _picture(2)}
    )
    pool = load_pool([train], exclude=[test])
    assert pool.names == ("train/own.png",)
    assert pool.excluded == ("train/other.bmp",)


def test_one_changed_pixel_is_another_image(tmp_path):
    changed = _picture(1)
    changed[0, 0, 0] ^= 1
    test = _folder(tmp_path / "test", {"a.png": _picture(1)})
    assert len(load_pool([_folder(tmp_path / "train", {"a.png": changed})], exclude=[test]).images) == 1


def test_images_too_small_for_a_patch_are_left_out(tmp_path):
    train = _folder(tmp_path / "train", {"small.png": _picture(1, 20, 90), "large.png": _picture(2)})
    assert load_pool([train], smallest=21).names == ("train/large.png",)


def test_missing_empty_and_damaged_folders_are_named(tmp_path):
    with pytest.raises(RequestError, match="nowhere"):
        load_pool([tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(RequestError, match=r"no image in .*empty"):
        load_pool([tmp_path / "empty"])
    (tmp_path / "empty" / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    with pytest.raises(RequestError, match=r"cut\.png"):
        load_pool([tmp_path / "empty"])


def test_a_16_bit_gray_file_trains_as_the_gray_it_shows(tmp_path):
    """Catches 16-bit samples that are clipped to 8 bits: every value from 255 on would train as white."""
    gray = np.linspace(0, 65535, 40 * 56).reshape(40, 56).round().astype(np.uint16)
    (tmp_path / "train").mkdir()
    write_png(tmp_path / "train" / "deep.png", gray)
    (image,) = load_pool([tmp_path / "train"]).images
    assert image.shape == (40, 56, 3)
    assert np.abs(image.astype(float) - (gray / 257)[..., None]).max() <= 0.5


def test_a_photograph_trains_upright(tmp_path):
    """Catches EXIF's orientation ignored: a degraded patch would be blurred across the wrong axis."""
    (tmp_path / "train").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side: turn by a quarter, clockwise
    picture = np.repeat(np.arange(0, 240, 6, dtype=np.uint8)[:, None, None], 3, axis=2).repeat(24, axis=1)
    Image.fromarray(picture).save(tmp_path / "train" / "photo.jpg", quality=100, subsampling=0, exif=exif)
    (image,) = load_pool([tmp_path / "train"]).images
    assert image.shape == (24, 40, 3)
    assert image[:, 0].mean() > image[:, -1].mean() + 200


def test_an_opaque_alpha_channel_is_dropped_and_a_transparent_one_refused(tmp_path):
    """Catches what hides behind transparent pixels (often black) as a training image."""
    (tmp_path / "train").mkdir()
    rgba = np.dstack([_picture(1), np.full((40, 56), 255, np.uint8)])
    Image.fromarray(rgba).save(tmp_path / "train" / "cut.png")
    (image,) = load_pool([tmp_path / "train"]).images
    assert np.array_equal(image, rgba[..., :3])
    rgba[:20, :, 3] = 0
    Image.fromarray(rgba).save(tmp_path / "train" / "cut.png")
    with pytest.raises(
        RequestError, match=r"cannot train on .*cut\.png: .*50\.0% of the pixels not opaque.*move it out"
    ):
        load_pool([tmp_path / "train"])


def test_hidden_files_and_folders_are_no_training_images(tmp_path):
    """Catches the resource forks of macOS, which are no images and would end the training."""
    train = _folder(tmp_path / "train", {"a.png": _picture(1), ".hidden.png": _picture(2)})
    (train / "._a.png").write_bytes(b"\0\5\26\7")
    (train / "folder.png").mkdir()
    assert load_pool([train]).names == ("train/a.png",)


def test_the_same_step_draws_the_same_patch_and_the_next_another():
    pool, config = _pool(_picture(1, 80, 90), _picture(2, 80, 90)), PatchConfig(lr_patch=8)
    first, again, other = (draw_patch(pool, config, step_generator(0, step)) for step in (5, 5, 6))
    assert np.array_equal(first.hr, again.hr)
    assert np.array_equal(first.lr, again.lr)
    assert first.hr.shape != other.hr.shape or not np.array_equal(first.hr, other.hr)


def test_hr_side_is_the_rounded_product_over_the_whole_range_of_scales():
    pool, config = _pool(_picture(1, 80, 90)), PatchConfig(lr_patch=10)
    sides = [draw_patch(pool, config, step_generator(0, step)).hr.shape for step in range(300)]
    assert all(height == width for height, width, _ in sides)
    assert 10 <= min(sides)[0] <= 11
    assert 39 <= max(sides)[0] <= 40


def test_small_image_lowers_the_scale_and_does_not_fail():
    assert (
        draw_patch(_pool(_picture(1, 17, 30)), PatchConfig(lr_patch=10), step_generator(0, 0), scale=4.0).hr.shape[0]
        == 17
    )


def test_lr_is_the_antialiased_reduction_of_that_very_crop():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255  # without antialiasing every other column would survive
    patch = draw_patch(_pool(stripes), PatchConfig(lr_patch=16, augment=False), step_generator(0, 0), scale=4.0)
    assert np.ptp(patch.lr[4:-4, 4:-4]) < 8
    assert abs(float(patch.lr.mean()) - 127.5) < 2


def test_all_eight_orientations_occur():
    picture = np.zeros((12, 12, 3), np.uint8)
    picture[0, 1] = 255
    config = PatchConfig(lr_patch=12, scale_max=1.0)
    places = {
        tuple(np.argwhere(draw_patch(_pool(picture), config, step_generator(0, s)).hr[..., 0])[0]) for s in range(120)
    }
    assert places == {(0, 1), (0, 10), (11, 1), (11, 10), (1, 0), (1, 11), (10, 0), (10, 11)}


def test_halving_follows_the_papers_milestones():
    halving = ScheduleConfig(kind="halving", milestones=(0.2, 0.4, 0.6, 0.8))
    assert [lr_factor(halving, step, 1000) for step in (0, 199, 200, 400, 999)] == [1, 1, 0.5, 0.25, 0.0625]


def test_wsd_is_flat_then_falls_to_the_floor_and_warms_up():
    wsd = ScheduleConfig(kind="wsd", warmup=9, cooldown=0.2, floor=0.1)
    factors = [lr_factor(wsd, step, 100) for step in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[9:80] == [1.0] * 71
    assert factors[90] == pytest.approx(0.1 + 0.9 / 2)
    assert factors[100] == pytest.approx(0.1)


def test_cosine_ends_at_the_floor():
    assert lr_factor(ScheduleConfig(kind="cosine", floor=0.01), 50, 50) == pytest.approx(0.01)
    assert lr_factor(ScheduleConfig(kind="cosine"), 25, 50) == pytest.approx(0.5)


def test_overrides_win_and_numbers_without_a_dot_are_numbers(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("lr: 1.0e-3\nsteps: 10\nschedule: {kind: cosine}\n")
    config = read_config(TrainConfig, file, ["lr=2e-4", "schedule.warmup=3"], steps=20)
    assert (config.lr, config.steps, config.schedule.kind, config.schedule.warmup) == (2e-4, 20, "cosine", 3)


@pytest.mark.parametrize(
    ("text", "named"), [("learning_rate: 1", "learning_rate"), ("steps: 0", "steps"), ("[1, 2]", "mapping")]
)
def test_unknown_keys_and_bad_values_are_named(tmp_path, text, named):
    file = tmp_path / "c.yaml"
    file.write_text(text)
    with pytest.raises(RequestError, match=named):
        read_config(TrainConfig, file)


def test_override_without_a_value_or_into_a_value_is_refused(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("lr: 1.0e-3\n")
    with pytest.raises(RequestError, match="KEY=VALUE"):
        read_config(TrainConfig, file, ["lr"])
    with pytest.raises(RequestError, match="not a group"):
        read_config(TrainConfig, file, ["lr.deep=1"])
