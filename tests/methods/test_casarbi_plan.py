"""Stages of the cascade by sizes (group 8 of CasArbi's list) and the training pairs of Eq. 7 (group 10)."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError
from scipy.stats import chisquare, kstest

from bench.training.images import ImagePool
from methods.casarbi.architecture import CasArbiArchitecture
from methods.casarbi.plan import plan, stage_scale
from methods.casarbi.training.pairs import StageConfig, StagePair, draw_pair, draw_scale, draw_side
from methods.casarbi.training.task import CasArbiTask, CasArbiTrainConfig

STRATEGIES = ("remainder-last", "remainder-first", "uniform")
EACH = pytest.mark.parametrize("strategy", STRATEGIES)


def _least(size: tuple[int, int], target: tuple[int, int]) -> int:
    """The least number of doublings that reaches the target, counted."""
    count = 1
    while size[0] << count < target[0] or size[1] << count < target[1]:
        count += 1
    return count


# --- group 8: the plan ---


@EACH
def test_stages_end_at_the_size_and_never_grow_more_than_twofold(strategy):
    """Catches rounding of rounded scales, a last stage that misses, a stage too many, one above x2, an idle one."""
    rng = np.random.default_rng(0)
    for number in range(10_000):
        size = int(rng.integers(1, 200)), int(rng.integers(1, 200))
        scale = rng.uniform(1, 30)
        target = math.floor(size[0] * scale + 0.5), math.floor(size[1] * scale + 0.5)
        sizes = plan(size, target, strategy)
        if target == size:
            assert sizes == []
            continue
        case = size, target, sizes
        assert sizes[-1] == target, case
        least = _least(size, target)
        assert len(sizes) == least if strategy == "remainder-last" else len(sizes) <= least, case
        before = size
        for each in sizes:
            assert each != before, case
            for length, out in zip(before, each, strict=True):
                assert length <= out <= 2 * length + 1, case  # a ratio of at most 2 + 1 / length
                assert strategy != "remainder-last" or out <= 2 * length, case
            assert 1 < stage_scale(before, each) <= 2 + 1 / min(before) + 1e-9, case
            before = each
        if number < 500:
            for axis in (0, 1):
                steps = [size[axis], *(each[axis] for each in sizes)]
                ratios = [Fraction(b, a) for a, b in pairwise(steps)]
                assert math.prod(ratios) == Fraction(target[axis], size[axis]), case


@pytest.mark.parametrize(
    ("target", "stages"),
    [
        (85, [32, 64, 85]),
        (112, [32, 64, 112]),
        (160, [32, 64, 128, 160]),
        (171, [32, 64, 128, 171]),
        (192, [32, 64, 128, 192]),
        (32, [32]),
        (33, [32, 33]),
        (64, [32, 64]),
        (17, [17]),
        (16, []),
    ],
)
def test_the_papers_scales_split_as_it_says(target, stages):
    """Eq. 6: 2, 2, ..., r. Catches N = floor(log2 s) + 1, which gives x2 two stages and x4 three."""
    assert plan((16, 16), (target, target)) == [(each, each) for each in stages]


def test_remainder_first_halves_from_the_end_and_rounds_half_up():
    """Catches Python's rounding of 42.5 to 42."""
    assert plan((16, 16), (85, 85), "remainder-first") == [(21, 21), (43, 43), (85, 85)]
    assert plan((8, 8), (33, 33), "remainder-first") == [(17, 17), (33, 33)]  # 33 / 4 is 8 again: left out


def test_uniform_stages_grow_by_the_root():
    assert plan((16, 16), (85, 85), "uniform") == [(28, 28), (49, 49), (85, 85)]


@given(length=st.integers(1, 300), factor=st.floats(1.01, 60))
@settings(max_examples=300, deadline=None)
def test_uniform_stages_are_the_nearest_to_the_roots_in_whole_numbers(length, factor):
    """Catches a power that is off by one rounding; (2 x - 1)^N is odd, so nothing lies halfway."""
    out = math.floor(length * factor + 0.5)
    count = _least((length, length), (out, out))
    found = {each[0] for each in plan((length, length), (out, out), "uniform")} | {length}
    for stage in range(1, count):
        wanted = next(
            x for x in sorted(found) if (2 * x + 1) ** count > 2**count * length ** (count - stage) * out**stage
        )
        assert (2 * wanted - 1) ** count < 2**count * length ** (count - stage) * out**stage


@given(height=st.integers(1, 200), width=st.integers(1, 200), doublings=st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_at_powers_of_two_all_strategies_are_one(height, width, doublings):
    sizes = [(height << each, width << each) for each in range(1, doublings + 1)]
    assert all(plan((height, width), sizes[-1], strategy) == sizes for strategy in STRATEGIES)


def test_a_stage_more_only_where_the_size_is_beyond_two():
    """x2.0001 is two stages where it makes a pixel of difference, and one where it is the size of x2."""
    assert plan((10_000, 10_000), (20_001, 20_001)) == [(20_000, 20_000), (20_001, 20_001)]
    assert plan((16, 16), (math.floor(16 * 2.0001 + 0.5),) * 2) == [(32, 32)]


def test_the_axis_that_grows_most_decides_and_the_other_stops_at_its_length():
    assert plan((10, 10), (40, 15)) == [(20, 15), (40, 15)]
    assert plan((10, 10), (30, 10)) == [(20, 10), (30, 10)]
    assert plan((10, 12), (40, 12), "uniform") == [(20, 12), (40, 12)]
    assert plan((10, 10), (40, 12), "remainder-first") == [(20, 10), (40, 12)]


@pytest.mark.parametrize(("size", "target"), [((8, 8), (7, 9)), ((8, 8), (16, 7)), ((0, 8), (4, 16))])
def test_targets_below_the_size_are_refused(size, target):
    with pytest.raises(ValueError, match=f"{size[0]} x {size[1]}, got {target[0]} x {target[1]}"):
        plan(size, target)


def test_the_network_is_told_the_geometric_mean_of_both_axes():
    assert stage_scale((10, 20), (20, 20)) == pytest.approx(math.sqrt(2))
    assert stage_scale((16, 16), (85, 85)) == pytest.approx(85 / 16)


# --- group 10: the training pairs ---


@pytest.mark.parametrize("p", [0.0, 0.5, 0.8, 1.0])
def test_scales_are_two_with_probability_p_else_uniform(p):
    """Catches 1 - p for p, U(0, 2), and U(1, 2) drawn from the number that decided."""
    rng, count = np.random.default_rng(1), 20_000
    drawn = np.array([draw_scale(StageConfig(p_fix=p), rng) for _ in range(count)])
    fixed = drawn == 2
    assert abs(fixed.sum() - p * count) <= 3 * math.sqrt(p * (1 - p) * count)
    assert drawn.min() > 1
    assert drawn.max() <= 2
    if p < 1:
        assert kstest(drawn[~fixed], "uniform", (1, 1)).pvalue > 0.001


def test_without_cascade_scales_are_uniform_up_to_the_largest():
    rng = np.random.default_rng(1)
    config = StageConfig(cascade=False, scale_max=8, p_fix=0.8)
    assert kstest([draw_scale(config, rng) for _ in range(5000)], "uniform", (1, 7)).pvalue > 0.001


def _chance(drawn: list[int], expected: dict[int, float]) -> float:
    values, counts = np.unique(drawn, return_counts=True)
    assert set(values) <= set(expected)
    seen = dict(zip(values.tolist(), counts.tolist(), strict=True))
    total = sum(expected.values())
    return float(
        chisquare(
            [seen.get(side, 0) for side in expected], [len(drawn) * share / total for share in expected.values()]
        ).pvalue
    )


def test_sides_are_those_that_the_strategy_can_begin_a_stage_from():
    """Catches one set of sides for all strategies: remainder-first begins every cascade at the least side."""
    rng = np.random.default_rng(2)

    def sides(**said) -> list[int]:
        return [draw_side(StageConfig(**said), rng) for _ in range(10_000)]

    listed = {16: 1.0, 32: 1.0, 64: 1.0}
    assert _chance(sides(sides=(16, 32, 64)), listed) > 0.001
    assert _chance(sides(sides=(16, 32, 64), strategy="remainder-first", cascade=False), listed) > 0.001
    assert _chance(sides(sides=(16, 64), strategy="uniform"), dict.fromkeys(range(16, 65), 1.0)) > 0.001
    thirds = {side: (side == 16) + (side <= 32) / 17 + (side >= 32) / 33 for side in range(16, 65)}
    assert _chance(sides(sides=(16, 64), strategy="remainder-first"), thirds) > 0.001


def test_a_pair_whose_target_is_no_larger_is_drawn_again():
    """Catches a stage of x1, and Python's rounding: of 4 s in [4.5, 5.5) must come 5."""
    rng, config = np.random.default_rng(3), StageConfig(sides=(4,), p_fix=0)
    targets = [draw_pair(config, rng).target for _ in range(10_000)]
    assert _chance(targets, {5: 1.0, 6: 1.0, 7: 1.0, 8: 0.5}) > 0.001


@EACH
@pytest.mark.parametrize("cascade", [True, False])
def test_no_pair_asks_for_more_than_the_largest_side(strategy, cascade):
    """Catches training images that pass the check of their size and are then too small."""
    rng, config = np.random.default_rng(4), StageConfig(sides=(7, 12, 25), strategy=strategy, cascade=cascade)
    drawn = [draw_pair(config, rng) for _ in range(2000)]
    assert all(7 <= pair.side <= 25 and pair.side < pair.target <= config.largest for pair in drawn)
    assert not cascade or max(pair.target / pair.side for pair in drawn) == 2
    assert config.largest == (50 if cascade else 200)


def test_the_scale_of_a_pair_is_what_its_sizes_say():
    assert StagePair(48, 61).scale == 61 / 48


@pytest.mark.parametrize(
    "wrong",
    [
        {"sides": ()},
        {"sides": (3, 8)},
        {"sides": (8, 8)},
        {"sides": (16, 8)},
        {"reduce": ()},
        {"reduce": (0,)},
        {"p_fix": 1.5},
        {"scale_max": 1},
        {"strategy": "remainder"},
        {"p": 0.5},
    ],
)
def test_pairs_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValidationError):
        StageConfig(**wrong)


@pytest.mark.parametrize("whole", [False, True])
def test_both_images_of_a_pair_are_of_8_bit_and_one_is_the_reduction_of_the_other(whole):
    """Catches an LR image of the unrounded HR image, of another crop, and one range for x0 and another for y."""
    rng = np.random.default_rng(5)
    pool = ImagePool((rng.integers(0, 256, (40, 40, 3), dtype=np.uint8),), ("noise",))
    data = StageConfig(sides=(8, 11), whole=whole)
    config = CasArbiTrainConfig(batch=3, data=data, architecture=CasArbiArchitecture())
    task = CasArbiTask(config, pool)
    for step in range(4):
        batch = task.batch(step)
        x0, y = ((batch[name].permute(0, 2, 3, 1).numpy() + 1) * 127.5 for name in ("x0", "y"))
        side, target = y.shape[1], x0.shape[1]
        assert x0.shape == (3, target, target, 3)
        assert side in (8, 11)
        assert side < target <= 2 * side
        for hr, lr in zip(x0, y, strict=True):
            np.testing.assert_allclose(hr, hr.round(), atol=1e-3)
            reduced = Image.fromarray(hr.round().astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
            np.testing.assert_allclose(lr, np.asarray(reduced), atol=1e-3)
        assert batch["noise"].shape == batch["x0"].shape
        assert batch["aug"].shape == batch["y"].shape
        assert bool(((batch["t"] >= 1) & (batch["t"] <= 15)).all())


def test_steps_are_drawn_from_one_to_the_last():
    """Catches t from 0, which has no noise, and a last step that is never trained."""
    pool = ImagePool((np.zeros((24, 24, 3), dtype=np.uint8),), ("black",))
    task = CasArbiTask(CasArbiTrainConfig(batch=100, data=StageConfig(sides=(4,), reduce=(1,))), pool)
    drawn = [int(t) for step in range(15) for t in task.batch(step)["t"]]
    assert _chance(drawn, dict.fromkeys(range(1, 16), 1.0)) > 0.001


def test_crops_are_not_trained_as_if_they_were_whole_images():
    """Catches a face preset whose data are crops: each would be told that it spans [-1, 1]."""
    with pytest.raises(ValidationError, match=r"data\.whole"):
        CasArbiTrainConfig(architecture=CasArbiArchitecture(coord_frame="image"))
    CasArbiTrainConfig(architecture=CasArbiArchitecture(coord_frame="image"), data=StageConfig(whole=True))
