"""SSAM: superpixels, their means and their rendering (group 3 of CASR's list), depth, and the superpixel network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import rgb2lab
from torch.nn import functional

from bench.api import RequestError
from bench.training.config import PatchConfig
from bench.training.images import ImagePool
from methods.blocks.resample import resample
from methods.casr.architecture import CasrArchitecture, SsamArchitecture
from methods.casr.ssam import DepthAnything, ProxyDepth, Ssam, assignment
from methods.casr.ssam.assignment import (
    choose,
    grid_size,
    masked,
    parents,
    probabilities,
    region_ids,
    region_means,
    render,
    soft_pool,
    soft_unpool,
)
from methods.casr.ssam.depth import minmax, working_size
from methods.casr.ssam.lab import rgb_to_lab
from methods.casr.ssam.slic import slic
from methods.casr.ssam.ssn import SSN, load_released
from methods.casr.training.ssn_loss import distillation_loss, superpixel_losses
from methods.casr.training.superpixels import SuperpixelConfig, SuperpixelTask, load_superpixels, superpixel_figures

SHAPES = st.tuples(st.integers(1, 23), st.integers(1, 23))


def random_maps(size: tuple[int, int], seed: int, batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, 9, *size, generator=torch.Generator().manual_seed(seed))


def random_image(size: tuple[int, int], seed: int, batch: int = 2) -> torch.Tensor:
    return torch.rand(batch, 3, *size, generator=torch.Generator().manual_seed(seed))


def painted(image: torch.Tensor, choice: torch.Tensor, n: int) -> torch.Tensor:
    size = (image.shape[-2], image.shape[-1])
    return render(region_means(image, choice, n), region_ids(choice, size, n))


def colours(image: torch.Tensor) -> set[tuple[float, ...]]:
    """All that occur in (1, 3, H, W)."""
    return {tuple(colour) for colour in image[0].flatten(1).T.tolist()}


# --- group 3: superpixels ---


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.integers(1, 5), st.integers(0, 99))
def test_a_pixel_belongs_to_one_of_the_cells_around_it(size: tuple[int, int], n: int, seed: int) -> None:
    """Catches neighbours that wrap to the other border, cells outside the grid, rows and columns exchanged."""
    ids = region_ids(choose(random_maps(size, seed), size, n), size, n).numpy()
    rows, columns = grid_size(size, n)
    assert ids.min() >= 0
    assert ids.max() < rows * columns
    y, x = np.indices(size)
    assert (abs(ids // columns - y // n) <= 1).all()
    assert (abs(ids % columns - x // n) <= 1).all()


def test_neighbours_are_numbered_row_by_row() -> None:
    """Catches an order other than TL, T, TR, L, C, R, BL, B, BR: weights made for it would paint nonsense."""
    for number, expected in enumerate([0, 1, 2, 5, 6, 7, 10, 11, 12]):
        maps = torch.zeros(1, 9, 6, 10)
        maps[:, number] = 1
        assert (
            region_ids(choose(maps, (6, 10), 2), (6, 10), 2)[0, 0, 2, 2] == expected
        )  # own cell: row 1, column 1 of 5


@settings(max_examples=40, deadline=None)
@given(SHAPES, st.integers(1, 5), st.integers(0, 99))
def test_means_are_those_of_a_plain_group_by(size: tuple[int, int], n: int, seed: int) -> None:
    """Catches sums shifted to the wrong cell, a count of the whole cell, images of a batch mixed up; and that
    superpixels without pixels have the mean of their cell."""
    image = random_image(size, seed)
    choice = choose(random_maps(size, seed + 1), size, n)
    means, ids = region_means(image, choice, n).flatten(2).numpy(), region_ids(choice, size, n).numpy()
    y, x = np.indices(size)
    own = (y // n) * grid_size(size, n)[1] + x // n
    for item in range(2):
        for region in range(means.shape[2]):
            inside = ids[item, 0] == region
            inside = inside if inside.any() else own == region
            assert np.allclose(means[item, :, region], image[item].numpy()[:, inside].mean(1), atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(SHAPES, st.integers(1, 5), st.integers(0, 99))
def test_painting_means_is_a_projection_that_keeps_the_mean(size: tuple[int, int], n: int, seed: int) -> None:
    """Catches a painting that blurs on and on, and one that changes the image's brightness."""
    image = random_image(size, seed)
    choice = choose(random_maps(size, seed + 1), size, n)
    once = painted(image, choice, n)
    assert torch.allclose(painted(once, choice, n), once, atol=1e-6)
    assert torch.allclose(once.mean((2, 3)), image.mean((2, 3)), atol=1e-5)
    flat = torch.full_like(image, 0.37)
    assert torch.allclose(painted(flat, choice, n), flat, atol=1e-6)


@pytest.mark.parametrize("follow", [True, False])
@settings(max_examples=15, deadline=None)
@given(
    st.tuples(st.integers(1, 13), st.integers(1, 13)),
    st.tuples(st.floats(1, 4), st.floats(1, 4)),
    st.integers(1, 5),
    st.integers(0, 99),
)
def test_vector_rendering_is_the_stated_rule(
    follow: bool, size: tuple[int, int], ratio: tuple[float, float], n: int, seed: int
) -> None:
    """Catches corners taken for centres in the parent cell, an argmax before the enlargement, masks of the wrong size,
    and strips that are put together wrongly: the rule pixel by pixel. Without following, against torch's enlargement of
    the nine maps; with it, against torch's enlargement of one map per superpixel."""
    target = (round(size[0] * ratio[0]), round(size[1] * ratio[1]))
    maps = probabilities(random_maps(size, seed, batch=1).double(), n)
    rows, columns = grid_size(size, n)
    whole = torch.zeros(1, rows * columns, *size, dtype=torch.float64)
    for j, y, x in np.ndindex(9, *size):
        there = (y // n + j // 3 - 1, x // n + j % 3 - 1)
        if 0 <= there[0] < rows and 0 <= there[1] < columns:
            whole[0, there[0] * columns + there[1], y, x] = maps[0, j, y, x]
    large = functional.interpolate(whole if follow else maps, size=target, mode="bilinear", align_corners=False)[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assignment, "_STRIP", 100)
        ids = region_ids(choose(maps, target, n, follow=follow), size, n)[0, 0].numpy()
    for y, x in np.ndindex(*target):
        row = min(int((y + 0.5) * size[0] / target[0] + 1e-9) // n, rows - 1)
        column = min(int((x + 0.5) * size[1] / target[1] + 1e-9) // n, columns - 1)
        scores = {}
        for j in range(9):
            there = (row + j // 3 - 1, column + j % 3 - 1)
            if 0 <= there[0] < rows and 0 <= there[1] < columns:
                region = there[0] * columns + there[1]
                scores[region] = float(large[region if follow else j, y, x])
        assert scores[int(ids[y, x])] == pytest.approx(max(scores.values()), abs=1e-9)


def test_parents_are_exact_at_any_size() -> None:
    """Catches float rounding in floor((i + 1/2) h / H)."""
    from fractions import Fraction

    for whole, length in ((7, 7), (3, 10), (127, 4001), (5, 35)):
        exact = [int(Fraction(2 * i + 1, 2) * whole / length) // 3 for i in range(length)]
        assert parents(length, whole, 3).tolist() == exact


@pytest.mark.parametrize("backend", ["ssn", "slic"])
@pytest.mark.parametrize("up", ["vector", "maps", "nearest", "bicubic"])
def test_at_ratio_one_every_rendering_is_the_lr_rendering(backend: str, up: str) -> None:
    """Catches a rendering that is off by half a pixel."""
    torch.manual_seed(0)
    ssam = Ssam(SsamArchitecture(backend=backend, up=up))
    image = random_image((21, 18), 0, batch=1)
    choice = choose(ssam.probabilities(image), (21, 18), 4)
    assert torch.equal(ssam(image, (21, 18)).image, painted(image, choice, 4))


@pytest.mark.parametrize("up", ["vector", "maps", "nearest"])
def test_enlarged_superpixels_hold_only_colours_of_superpixels(up: str) -> None:
    """Catches blending at borders, which vector-like enlargement is there to avoid."""
    image = random_image((16, 20), 1, batch=1)
    ssam = Ssam(SsamArchitecture(backend="slic", up=up))
    low, high = ssam(image, (16, 20)).image, ssam(image, (53, 77)).image
    colours = {tuple(c) for c in low[0].flatten(1).T.tolist()}
    means = region_means(image, choose(ssam.probabilities(image), (16, 20), 4), 4)
    assert high.shape == (1, 3, 53, 77)
    assert {tuple(c) for c in high[0].flatten(1).T.tolist()} <= colours | {
        tuple(c) for c in means[0].flatten(1).T.tolist()
    }
    smooth = Ssam(SsamArchitecture(backend="slic", up="bicubic"))(image, (53, 77)).image
    assert not {tuple(c) for c in smooth[0].flatten(1).T.tolist()} <= colours


def test_a_diagonal_edge_is_painted_finer_by_vectors_than_by_nearest() -> None:
    """Catches a vector rendering that is the nearest one after all, and one that mixes the numbers of superpixels: its
    border follows the edge more closely than LR pixels can."""
    y, x = np.indices((256, 256))
    edge = torch.from_numpy((y + 0.5 * x > 190).astype(np.float32)).expand(1, 3, -1, -1)
    small = functional.avg_pool2d(edge, 8)
    wrong = {}
    for up in ("vector", "maps", "nearest"):
        shown = Ssam(SsamArchitecture(backend="slic", up=up))(small, (256, 256)).image
        wrong[up] = float(((shown > 0.5).float() != edge).float().mean())
    assert wrong["vector"] < 0.95 * min(wrong["nearest"], wrong["maps"])


def test_hr_space_counts_cells_in_output_pixels() -> None:
    """Catches a switch that does nothing: there, a superpixel is about n x n of the output's pixels."""
    image = random_image((16, 16), 2, batch=1)
    images = {
        space: Ssam(SsamArchitecture(backend="slic", space=space))(image, (64, 64)).image for space in ("lr", "hr")
    }
    count = {space: len(colours(shown)) for space, shown in images.items()}
    assert count["lr"] <= 16
    assert 128 < count["hr"] <= 256


def test_an_enlarged_input_keeps_the_cells() -> None:
    """Catches `input_scale` 4 with cells of 4 pixels of the enlargement, which are 1 of the image."""
    torch.manual_seed(1)
    ssam = Ssam(SsamArchitecture(input_scale=4))
    maps = ssam.probabilities(random_image((10, 13), 3))
    assert maps.shape == (2, 9, 10, 13)
    assert torch.allclose(maps.sum(1), torch.ones(2, 10, 13), atol=1e-5)
    assert (maps[:, 0, :4] == 0).all()  # no cell above the first row of cells, which are 4 pixels high
    assert (maps[:, 0, 4, 4:] > 0).all()


# --- k-means ---


def test_colours_are_those_of_scikit_image() -> None:
    """Catches linear light taken for sRGB, another white, a wrong branch near black."""
    image = random_image((31, 17), 4, batch=1)
    image[..., :8] *= 0.02
    expected = rgb2lab(image[0].permute(1, 2, 0).double().numpy())
    assert np.allclose(rgb_to_lab(image)[0].permute(1, 2, 0).numpy(), expected, atol=2e-3)


def test_kmeans_finds_the_edge_of_two_colours() -> None:
    """Catches colour or place without weight: the edge runs through cells, and no superpixel mixes both colours."""
    image = torch.empty(1, 3, 40, 40)
    image[:] = torch.tensor([0.9, 0.2, 0.1])[:, None, None]
    y, x = np.indices((40, 40))
    right = torch.from_numpy(x + (y // 3) % 2 >= 18)
    image[:, :, right] = torch.tensor([0.1, 0.3, 0.8])[:, None]
    choice = choose(slic(image, 4), (40, 40), 4)
    assert torch.allclose(painted(image, choice, 4), image, atol=1e-5)
    bare = torch.full_like(choice, 4)
    assert not torch.allclose(painted(image, bare, 4), image, atol=0.1)


def test_kmeans_of_a_flat_image_is_the_grid() -> None:
    """Catches places that are weighed against the wrong length: only the own cell is nearest everywhere."""
    assert (choose(slic(torch.full((1, 3, 24, 24), 0.5), 4), (24, 24), 4) == 4).all()


def test_compactness_trades_colour_for_place() -> None:
    """Catches an inverted weight."""
    image = random_image((32, 32), 5, batch=1)
    errors = []
    for compactness in (1.0, 10.0, 1000.0):
        choice = choose(slic(image, 4, compactness=compactness), (32, 32), 4)
        errors.append(float(((painted(image, choice, 4) - image) ** 2).mean()))
    assert errors[0] < errors[1] < errors[2]


# --- the network ---


@pytest.mark.parametrize(("width", "millions"), [(1.0, 2.2698), (0.65, 0.95799), (0.3, 0.20403)])
def test_the_network_has_the_published_size(width: float, millions: float) -> None:
    """Catches a missing level, biases before normalisation, or widths rounded otherwise."""
    assert sum(p.numel() for p in SSN(width).parameters()) == pytest.approx(millions * 1e6, rel=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (1, 37), (16, 16), (17, 50)])
def test_any_size_gives_scores_of_that_size(size: tuple[int, int]) -> None:
    """Catches torch's refusal to mirror more than there is."""
    assert SSN(0.1).eval()(random_image(size, 6)).shape == (2, 9, *size)


def test_released_weights_load_under_their_own_names(tmp_path: Path) -> None:
    """Catches modules named otherwise than in the release (and heads of other levels, which are training's)."""
    names = {
        f"conv{i}{part}.{k}" for i in range(5) for part in "ab" for k in ("0.weight", "1.weight", "1.running_mean")
    }
    names |= {f"deconv{i}.0.bias" for i in range(4)} | {f"conv{i}_1.1.bias" for i in range(4)} | {"pred_mask0.weight"}
    network = SSN(1.0)
    assert names <= set(network.state_dict())
    state = {f"module.{name}": each for name, each in network.state_dict().items()}
    torch.save({"state_dict": state | {"module.pred_mask3.weight": torch.zeros(9, 128, 3, 3)}}, tmp_path / "ssn.tar")
    image = random_image((16, 16), 7)
    assert torch.equal(load_released(tmp_path / "ssn.tar")(image), network.eval()(image))


# --- its loss ---


def test_soft_pooling_is_the_weighted_mean_of_a_plain_loop() -> None:
    """Catches neighbours shifted the wrong way, weights that are not normalised, a missing mixture on the way back."""
    size, n = (7, 10), 3
    features = random_image(size, 8, batch=1).double()
    q = probabilities(random_maps(size, 9, batch=1).double(), n)
    rows, columns = grid_size(size, n)
    weight = np.zeros((*size, rows, columns))
    for y, x, j in np.ndindex(*size, 9):
        row, column = y // n + j // 3 - 1, x // n + j % 3 - 1
        if 0 <= row < rows and 0 <= column < columns:
            weight[y, x, row, column] = q[0, j, y, x]
    f = features[0].numpy()
    means = np.einsum("yxrc,kyx->krc", weight, f) / weight.sum((0, 1))
    assert np.allclose(soft_pool(features, q, n)[0].numpy(), means, atol=1e-9)
    mixed = np.einsum("yxrc,krc->kyx", weight, means)
    assert np.allclose(soft_unpool(torch.from_numpy(means)[None], q, n)[0].numpy(), mixed, atol=1e-9)


def test_no_probability_leaves_the_grid_and_scores_there_get_no_gradient() -> None:
    """Catches a softmax over all nine, which leaks a border pixel's weight to nowhere."""
    maps = random_maps((8, 8), 10, batch=1).requires_grad_()
    q = probabilities(maps, 4)
    assert torch.allclose(q.sum(1), torch.ones(1, 8, 8))
    assert (q[0, [0, 1, 2, 3, 6], :4, :4] == 0).all()
    superpixel_losses(random_image((8, 8), 11, batch=1), maps, 4)["loss_colour"].backward()
    assert torch.isfinite(maps.grad).all()
    assert (maps.grad[0, [0, 1, 2, 3, 6], :4, :4] == 0).all()
    assert (maps.grad[0, [4, 5, 7, 8], :4, :4] != 0).any()


def test_losses_of_bare_cells_have_the_values_of_numpy() -> None:
    """Catches a mean over channels, n and m exchanged, sums in the place of means."""
    image, n, m = random_image((12, 8), 12, batch=1), 4, 6.0
    scores = torch.full((1, 9, 12, 8), -1e4)
    scores[:, 4] = 0
    found = superpixel_losses(image, scores, n, compactness=m)
    lab = rgb2lab(image[0].permute(1, 2, 0).double().numpy())
    blocks = lab.reshape(3, 4, 2, 4, 3)
    assert float(found["loss_colour"]) == pytest.approx(
        ((blocks - blocks.mean((1, 3), keepdims=True)) ** 2).sum() / 96, rel=1e-4
    )
    # each axis of a cell of 4 pixels has a variance of (16 - 1) / 12
    assert float(found["loss_place"]) == pytest.approx((m / n) ** 2 * 2 * 15 / 12, rel=1e-4)


def test_distillation_is_the_divergence_from_the_teacher() -> None:
    """Catches student and teacher exchanged, NaN at the borders, and a mean over the nine."""
    student, teacher = random_maps((8, 12), 13), random_maps((8, 12), 14)
    p, q = (probabilities(each.double(), 4).numpy() for each in (teacher, student))
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.where(p > 0, p * np.log(p / q), 0).sum(1).mean()
    assert float(distillation_loss(student, teacher, 4)) == pytest.approx(expected, rel=1e-5)
    assert float(distillation_loss(teacher, teacher, 4)) == pytest.approx(0, abs=1e-6)


def test_the_release_is_a_teacher_and_gives_superpixels(tmp_path: Path) -> None:
    """Catches a release that no command can name, and one whose cells are not those of the network that learns."""
    torch.manual_seed(0)
    released = SSN(1.0).eval()
    path = tmp_path / "SpixelNet_bsd_ckpt.tar"
    torch.save({"state_dict": {f"module.{name}": each for name, each in released.state_dict().items()}}, path)
    pool = ImagePool((np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8),), ("a",))

    def task(**ssam: float) -> SuperpixelTask:
        architecture = CasrArchitecture(ssam=SsamArchitecture.model_validate({"width": 0.1, **ssam}))
        data = PatchConfig(lr_patch=16, scale_max=1.0)
        return SuperpixelTask(SuperpixelConfig(architecture=architecture, data=data, batch=2, teacher=path), pool)

    good = task(input_scale=4)
    network, batch = good.network().eval(), good.batch(0)
    shown = resample(batch["image"], (64, 64)).clamp(0, 1)
    with torch.no_grad():
        expected = distillation_loss(network(shown), released(shown), 16)
        assert float(good.losses(network, batch)["loss_distillation"]) == pytest.approx(float(expected), rel=1e-5)
    with pytest.raises(RequestError, match="cells of 16 pixels of what it sees, this network of 4"):
        task().losses(network, batch)
    fitting = CasrArchitecture(ssam=SsamArchitecture(width=1.0, input_scale=4))
    with torch.no_grad():
        assert torch.equal(load_superpixels(path, fitting)(shown), released(shown))
    with pytest.raises(RequestError, match=r"ssam\.width=1"):
        load_superpixels(path, CasrArchitecture())


def test_training_beats_bare_cells_on_edges() -> None:
    """Catches a loss that does not train: superpixels must follow edges that cross the cells."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    y, x = np.indices((64, 64))
    images = [((np.sin(y / a + x / b) > 0) * 200 + 20).astype(np.uint8) for a, b in rng.uniform(2.5, 7, (4, 2))]
    pool = ImagePool(tuple(np.repeat(each[..., None], 3, 2) for each in images), ("a", "b", "c", "d"))
    data = {"lr_patch": 32, "scale_max": 1.0}
    architecture = CasrArchitecture(ssam=SsamArchitecture(width=0.15))
    config = SuperpixelConfig(batch=4, architecture=architecture, data=data)  # type: ignore[arg-type]
    task = SuperpixelTask(config, pool)
    network = task.network()
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    for step in range(80):
        optimiser.zero_grad()
        torch.stack(list(task.losses(network, task.batch(step)).values())).sum().backward()
        optimiser.step()
    network.eval()
    with torch.no_grad():
        image = task.batch(1000)["image"]
        figures = superpixel_figures(image, network(image), 4)
    assert figures["superpixel_psnr"] > figures["cell_psnr"] + 1.5


def test_a_training_without_a_network_is_refused() -> None:
    architecture = CasrArchitecture(ssam=SsamArchitecture(backend="slic"))
    with pytest.raises(ValueError, match="no superpixel network"):
        SuperpixelConfig(architecture=architecture)


# --- depth ---


def test_proxy_depth_is_in_range_has_gradients_and_sees_edges() -> None:
    """Catches a range over the batch, a border darkened by zeros, and a stand-in that cuts the gradient."""
    image = random_image((20, 30), 15)
    image[1] *= 0.1
    depth = ProxyDepth()(image.requires_grad_())
    assert depth.shape == (2, 1, 20, 30)
    assert depth.amin((1, 2, 3)).tolist() == [0, 0]
    assert depth.amax((1, 2, 3)).tolist() == pytest.approx([1, 1])
    depth.square().sum().backward()
    assert (image.grad.abs().amax((1, 2, 3)) > 0).all()
    flat = torch.full((1, 3, 9, 1), 0.7)
    assert (ProxyDepth()(flat) == 0).all()
    step = torch.zeros(1, 3, 32, 32)
    step[..., 16:] = 1
    found = ProxyDepth()(step)[0, 0, 16]
    assert found.argmax() > 15
    assert found.max() > found[-1] + 0.01  # the edge stands above the bright side


def test_proxy_depth_is_scipys_blur_and_sobel() -> None:
    """Catches another blur, a Sobel filter of another gain, or its components added without the root."""
    from scipy.ndimage import gaussian_filter, sobel

    image = random_image((24, 18), 16, batch=1)
    luma = np.tensordot([0.299, 0.587, 0.114], image[0].double().numpy(), 1)
    smooth = gaussian_filter(luma, 2, mode="nearest", radius=6)
    down, across = (sobel(smooth, axis, mode="nearest") for axis in (0, 1))
    depth = smooth + 0.5 * np.hypot(down, across)
    expected = (depth - depth.min()) / (depth.max() - depth.min())
    assert np.allclose(ProxyDepth()(image)[0, 0].numpy(), expected, atol=1e-4)


@pytest.fixture
def depth_folder(tmp_path: Path) -> Path:
    """A tiny DepthAnything with random weights, in the format of the released ones."""
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

    torch.manual_seed(0)
    backbone = Dinov2Config(
        hidden_size=12,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=56,
        patch_size=14,
        reshape_hidden_states=False,
        out_features=[f"stage{i}" for i in range(1, 5)],
        apply_layernorm=True,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone, reassemble_hidden_size=12, neck_hidden_sizes=[4, 8, 12, 12], fusion_hidden_size=8
    )
    model = DepthAnythingForDepthEstimation(config)
    with torch.no_grad():
        for each in model.head.parameters():
            each.normal_(0.05, 0.3)  # its own initialisation says nearly the same everywhere
    model.save_pretrained(tmp_path / "depth")
    (tmp_path / "depth" / "preprocessor_config.json").write_text(json.dumps({"size": {"height": 56, "width": 56}}))
    return tmp_path / "depth"


def test_depth_anything_reads_a_folder_and_gradients_reach_the_image_alone(depth_folder: Path) -> None:
    """Catches a depth network that trains, one under no_grad (the depth loss needs it), and a missing normalisation."""
    depth = DepthAnything(depth_folder).train()
    assert not depth.training
    image = random_image((30, 47), 17).requires_grad_()
    found = depth(image)
    assert found.shape == (2, 1, 30, 47)
    assert found.amin((1, 2, 3)).tolist() == pytest.approx([0, 0])
    assert found.amax((1, 2, 3)).tolist() == pytest.approx([1, 1])
    found.square().sum().backward()
    assert image.grad.abs().sum() > 0
    assert all(p.grad is None and not p.requires_grad for p in depth.parameters())
    assert depth.short == 56


def test_depth_anything_is_shown_what_its_processor_would_show(depth_folder: Path) -> None:
    """Catches a missing mean and deviation, a size that is not the processor's, channels in another order."""
    from transformers import DPTImageProcessor

    depth = DepthAnything(depth_folder)
    image = (random_image((40, 40), 18, batch=1) * 255).round()
    processor = DPTImageProcessor(
        size={"height": 56, "width": 56},
        keep_aspect_ratio=True,
        ensure_multiple_of=14,
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
        resample=3,
    )
    shown = processor(image[0].permute(1, 2, 0).byte().numpy(), return_tensors="pt")["pixel_values"]
    assert tuple(shown.shape[-2:]) == working_size((40, 40), short=56, multiple=14) == (56, 56)
    with torch.no_grad():
        expected = depth.model(pixel_values=shown).predicted_depth[:, None]
    expected = minmax(functional.interpolate(expected, size=(40, 40), mode="bilinear", align_corners=False))
    assert torch.allclose(depth(image / 255), expected, atol=0.05)


def test_a_folder_without_a_network_is_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"depth_path=.*cannot read.*DepthAnything"):
        DepthAnything(tmp_path)


def test_the_working_size_follows_the_shorter_side_within_bounds() -> None:
    """Catches the longer side at 518, and a strip that would need endless memory."""
    assert working_size((128, 128), short=518, multiple=14) == (518, 518)
    assert working_size((100, 150), short=518, multiple=14) == (518, 784 - 14 * (round(777 / 14) != 56))
    assert working_size((1, 400), short=518, multiple=14) == (14, 2072)


# --- the module ---


def test_ssam_is_frozen_and_gives_float32_at_the_size() -> None:
    """Catches batch statistics that move in training, gradients, half precision, and depth at the wrong size."""
    ssam = Ssam(SsamArchitecture(), ProxyDepth()).train()
    assert not any(p.requires_grad for p in ssam.parameters())
    assert not any(module.training for module in ssam.modules())
    image = random_image((19, 22), 19)
    before = {name: each.clone() for name, each in ssam.state_dict().items()}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = ssam(image.requires_grad_(), (40, 66))
    assert found.image.dtype == found.depth.dtype == torch.float32
    assert not found.image.requires_grad
    assert torch.equal(found.image, ssam(image, (40, 66)).image)
    assert (found.image.shape, found.depth.shape) == ((2, 3, 40, 66), (2, 1, 40, 66))
    assert all(torch.equal(each, before[name]) for name, each in ssam.state_dict().items())
    assert 0 <= float(found.image.min()) <= float(found.image.max()) <= 1
    assert ssam(image, (40, 66), depth=False).depth is None
    assert Ssam(SsamArchitecture())(image, (40, 66)).depth is None


def test_superpixels_take_the_noise_out() -> None:
    """Group 14 in small: of independent noise, an average of about 16 pixels leaves a quarter of the deviation; a
    k-means follows the noise and leaves more. Catches means of the wrong pixels, and an image that goes through."""
    noise = 0.5 + 0.1 * torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    left = Ssam(SsamArchitecture(backend="slic"))(noise, (256, 256)).image.std()
    assert left < 0.8 * noise.std()


def test_masks_are_for_the_nine_neighbours_in_order() -> None:
    """Catches a mask of the transposed neighbour."""
    inside = torch.isfinite(masked(torch.zeros(1, 9, 3, 6), 3, -torch.inf))[0, :, 0]
    assert inside[:, 0].tolist() == [False, False, False, False, True, True, False, False, False]
    assert inside[:, 5].tolist() == [False, False, False, True, True, False, False, False, False]


def test_counted_means_equal_pooled_ones():
    """Catches a superpixel numbered from the wrong cell, and colours of one image counted for another."""
    image, choice = _choice_and_image()
    for counted, pooled in zip(
        assignment._counted(image, choice, 4),
        assignment._pooled(image, ((choice == number).to(image.dtype) for number in range(9)), 4),
        strict=True,
    ):
        torch.testing.assert_close(counted, pooled)


def _choice_and_image() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    image = torch.rand(2, 3, 10, 13)
    maps = assignment.probabilities(torch.randn(2, 9, 10, 13), 4)
    return image, assignment.choose(maps, (10, 13), 4)
