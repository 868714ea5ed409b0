"""Training pairs of Real-ESRGAN's recipes: exact sizes, shares, replay from the stored seed, refused options."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from bench.imaging import imresize
from bench.imaging.degrade import UNDEGRADED, draw_real_esrgan
from bench.training.images import ImagePool
from bench.training.patches import step_generator
from bench.training.real_esrgan import RealEsrganConfig, RealEsrganPatch, draw_real_esrgan_patch


@pytest.fixture(scope="module")
def pool() -> ImagePool:
    rng = np.random.default_rng(0)
    pictures = tuple(rng.integers(0, 256, (80, 90 + i, 3)).astype(np.uint8) for i in range(2))
    return ImagePool(pictures, ("folder/0.png", "folder/1.png"))


def draw(pool: ImagePool, step: int, **options: object) -> RealEsrganPatch:
    config = RealEsrganConfig.model_validate({"lr_patch": 16, "scale_min": 4, "scale_max": 4, **options})
    return draw_real_esrgan_patch(pool, config, step_generator(0, step))


def test_half_of_the_patches_are_bicubic_alone(pool: ImagePool) -> None:
    """Catches a share of the degraded ones and a clean patch that has noise, a JPEG or another kernel."""
    patches = [draw(pool, step) for step in range(300)]
    clean = [patch for patch in patches if patch.seed is None]
    assert abs(len(clean) - 150) < 5 * np.sqrt(75)
    for patch in clean[:20]:
        assert patch.degradation == UNDEGRADED
        np.testing.assert_array_equal(patch.lr, np.clip(np.rint(imresize(patch.hr, (16, 16))), 0, 255))
    assert all((p.lr.shape, p.hr.shape) == ((16, 16, 3), (64, 64, 3)) for p in patches)


@pytest.mark.parametrize("recipe", ["real-esrgan", "real-esrgan-light"])
def test_the_stored_seed_replays_the_pair(pool: ImagePool, recipe: str) -> None:
    """Catches a recipe that is ignored, and a seed other than the one that was drawn from."""
    for step in range(10):
        patch, again = (draw(pool, step, recipe=recipe, clean_share=0) for _ in range(2))
        assert patch.seed is not None
        assert patch.degradation == draw_real_esrgan(patch.seed, recipe)
        np.testing.assert_array_equal(patch.lr, draw_real_esrgan(patch.seed, recipe).apply(patch.hr, (16, 16)))
        np.testing.assert_array_equal(patch.lr, again.lr)


def test_the_share_moves_no_other_draw(pool: ImagePool) -> None:
    """Catches a switch that changes which crops are seen."""
    for step in range(5):
        np.testing.assert_array_equal(draw(pool, step, clean_share=0).hr, draw(pool, step, clean_share=1).hr)


def test_upright_patches_are_flipped_left_and_right_alone() -> None:
    """Catches a transposition or an upside-down patch that stays, and no flip at all."""
    ramp = np.arange(80, dtype=np.uint8) * 3
    image = np.stack(np.broadcast_arrays(ramp[:, None], ramp[None], 0), axis=-1).astype(np.uint8)
    turned = ImagePool((image,), ("folder/ramp.png",))

    def directions(**options: object) -> set[tuple[int, int]]:
        """Signs of (down in red, across in green); (0, 0) where the axes are exchanged."""
        patches = (draw(turned, step, **options).hr.astype(int) for step in range(40))
        return {(int(np.sign(p[-1, 0, 0] - p[0, 0, 0])), int(np.sign(p[0, -1, 1] - p[0, 0, 1]))) for p in patches}

    assert directions(upright=True) == {(1, 1), (1, -1)}
    assert directions() == {(1, 1), (1, -1), (-1, 1), (-1, -1), (0, 0)}
    assert directions(augment=False) == {(1, 1)}


@pytest.mark.parametrize(
    "wrong", [{"recipe": "rain"}, {"clean_share": 1.1}, {"mix": 0.5}, {"upright": True, "augment": False}]
)
def test_options_that_do_not_exist_are_refused(pool: ImagePool, wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        draw(pool, 0, **wrong)
