"""Published layouts: each row of the table is read as its example says, and what can be read in two ways is refused."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.api import Dataset, DatasetKind, RequestError, get_protocol
from bench.data import prepare, resolve_dataset
from bench.data.layouts import FLAT, LAYOUTS, Layout

SAVE = Callable[..., np.ndarray]
DOCS = Path(__file__).parents[2] / "docs" / "datasets.md"


def fill(root: Path, save_image: SAVE, *names: str, size: tuple[int, int] = (24, 24)) -> None:
    """Images of one size, different from each other."""
    for name in names:
        save_image(root / name, size, seed=sum(name.encode()))


def read(dataset: Dataset, scale: float) -> dict[str, tuple[str, str]]:
    """id -> names of the HR and the LR file."""
    found = {}
    for sample in dataset.samples(scale):
        assert sample.hr is not None
        found[sample.id] = sample.hr.path.name, "" if sample.lr is None else sample.lr.path.name
    return found


def typed_of(root: Path, words: str) -> list[Dataset]:
    """What each line of a refusal says to type."""
    with pytest.raises(RequestError, match=words) as refused:
        resolve_dataset(root)
    lines = [line for line in str(refused.value).splitlines() if line.startswith("  ")]
    return [resolve_dataset(line.rpartition(": ")[2]) for line in lines]


def numbered(example: str, number: int) -> str:
    """The example of a layout for another image."""
    return re.sub(r"baby|Canon_001|img_001|img_1(?=_gt)|im_1|(?<=/)001|P1|0801", lambda m: f"{m[0]}{number}", example)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_every_layout_reads_its_own_example(tmp_path: Path, save_image: SAVE, layout: Layout) -> None:
    """A row whose patterns do not fit the tree that it documents, or that another row takes for something else."""
    scale = 1.5 if "1dot5" in layout.example else 4
    for number in (1, 2, 3):
        hr, lr = numbered(layout.example, number).split(" + ")
        fill(tmp_path, save_image, hr, size=(24, 36))
        fill(tmp_path, save_image, lr, size=(round(24 / scale), round(36 / scale)))
    dataset = resolve_dataset(tmp_path)
    assert dataset.kind is DatasetKind.PAIRED
    samples = dataset.samples(scale)
    assert len(samples) == 3
    for sample, number in zip(samples, (1, 2, 3), strict=True):
        assert sample.hr is not None
        assert sample.lr is not None
        paths = " + ".join(ref.path.relative_to(tmp_path).as_posix() for ref in (sample.hr, sample.lr))
        assert paths == numbered(layout.example, number)
        assert prepare(sample, scale, get_protocol("sample")).size == (24, 36)


@pytest.mark.parametrize("layout", [FLAT, *LAYOUTS], ids=lambda layout: layout.name)
def test_every_layout_stands_in_the_documentation(layout: Layout) -> None:
    """A row that nobody can look up."""
    text = DOCS.read_text("utf-8")
    assert f"| {layout.name} |" in text
    assert all(f"`{path}`" in text for path in layout.example.split(" + "))


def test_hr_and_lr_in_one_folder_are_pairs_and_a_stray_image_is_said(tmp_path: Path, save_image: SAVE) -> None:
    """Taking all seven for HR images."""
    for name in ("Canon_001", "Canon_002", "Nikon_001"):
        fill(tmp_path, save_image, f"{name}_HR.png", size=(16, 16))
        fill(tmp_path, save_image, f"{name}_LR4.png", size=(4, 4))
    fill(tmp_path, save_image, "preview.png")
    dataset = resolve_dataset(tmp_path)
    assert read(dataset, 4)["Canon_001_HR"] == ("Canon_001_HR.png", "Canon_001_LR4.png")
    assert dataset.reading(4) == (f"{tmp_path}: read as 3 pairs: *_HR.png + *_LR4.png; 1 image not used: preview.png",)
    with pytest.raises(RequestError, match="no LR image for x2, only for x4"):
        dataset.samples(2)


def test_names_without_the_scale_pair_in_one_folder(tmp_path: Path, save_image: SAVE) -> None:
    """Only `_LR4` being known."""
    fill(tmp_path, save_image, "a_HR.png", "b_HR.png", size=(16, 16))
    fill(tmp_path, save_image, "a_LR.png", "b_LR.png", size=(4, 4))
    assert set(read(resolve_dataset(tmp_path), 4)) == {"a_HR", "b_HR"}


def test_of_several_scales_in_one_folder_the_asked_one_is_read(tmp_path: Path, save_image: SAVE) -> None:
    """Refusing the other scales as LR images without HR, or pairing them."""
    fill(tmp_path, save_image, "a_HR.png", size=(24, 24))
    for scale in (2, 3, 4):
        fill(tmp_path, save_image, f"a_LR{scale}.png", size=(24 // scale, 24 // scale))
    dataset = resolve_dataset(tmp_path)
    assert {read(dataset, scale)["a_HR"][1] for scale in (2, 3, 4)} == {"a_LR2.png", "a_LR3.png", "a_LR4.png"}
    assert "2 images not used: a_LR2.png, a_LR4.png" in dataset.reading(3)[0]


def test_an_hr_image_without_its_lr_is_refused_in_one_folder(tmp_path: Path, save_image: SAVE) -> None:
    """A mean over the pairs that are whole."""
    fill(tmp_path, save_image, "a_HR.png", "b_HR.png", size=(16, 16))
    fill(tmp_path, save_image, "a_LR4.png", size=(4, 4))
    with pytest.raises(RequestError, match=r"1 HR without LR \(b_HR\.png\)"):
        resolve_dataset(tmp_path).samples(4)


def test_a_stray_image_beside_hr_and_lr_folders_is_not_the_set(tmp_path: Path, save_image: SAVE) -> None:
    """The images of the folder itself winning over its HR and LR folders: a set of one."""
    fill(tmp_path, save_image, "HR/a.png", "HR/b.png", "HR/c.png")
    fill(tmp_path, save_image, "LR/a.png", "LR/b.png", "LR/c.png", size=(6, 6))
    fill(tmp_path, save_image, "preview.png")
    dataset = resolve_dataset(tmp_path)
    assert set(read(dataset, 4)) == {"a", "b", "c"}
    assert dataset.reading(4)[0].endswith("read as 3 pairs: HR/*.png + LR/*.png; 1 image not used: preview.png")


def test_as_many_images_beside_the_folders_as_in_them_are_refused(tmp_path: Path, save_image: SAVE) -> None:
    """Either reading taken in silence."""
    fill(tmp_path, save_image, "HR/a.png", "HR/b.png", "c.png", "d.png")
    fill(tmp_path, save_image, "LR/a.png", "LR/b.png", size=(6, 6))
    words = r"(?s)2 ways.*2 pairs with HR in HR, LR in LR .*2 HR images in \. \(flat\)"
    assert [read(dataset, 4) for dataset in typed_of(tmp_path, words)] == [
        {"a": ("a.png", "a.png"), "b": ("b.png", "b.png")},
        {"c": ("c.png", ""), "d": ("d.png", "")},
    ]


def test_one_pair_among_many_photographs_is_refused(tmp_path: Path, save_image: SAVE) -> None:
    """A flat set of which two files happen to be called a_HR and a_LR."""
    fill(tmp_path, save_image, *(f"photo{i}.png" for i in range(5)), "a_HR.png", "a_LR.png")
    words = r"(?s)1 pair in \. \(RealSR\).*7 HR images in \. \(flat\)"
    pair, flat = typed_of(tmp_path, words)
    assert read(pair, 1) == {"a_HR": ("a_HR.png", "a_LR.png")}
    assert len(flat.samples(4)) == 7


def basicsr(root: Path, save_image: SAVE) -> None:
    """Five images whose sides are no multiples of 12, cropped in GTmod12, with LR of x4."""
    for i in range(5):
        fill(root, save_image, f"original/p{i}.png", size=(50 + i, 61))
        fill(root, save_image, f"GTmod12/p{i}.png", size=(48, 60))
        fill(root, save_image, f"LRbicx4/p{i}.png", size=(12, 15))


def test_lr_of_basicsr_belongs_to_the_cropped_images(tmp_path: Path, save_image: SAVE) -> None:
    """`original` taken for HR: its sizes fit x4 for one image of five."""
    basicsr(tmp_path, save_image)
    dataset = resolve_dataset(tmp_path)
    sizes = [prepare(sample, 4, get_protocol("sample")).size for sample in dataset.samples(4)]
    assert sizes == [(48, 60)] * 5
    with pytest.raises(RequestError, match=r"has no LR images for x3, only for x4; give .*GTmod12 alone"):
        dataset.samples(3)


def test_a_registered_set_of_basicsr_degrades_the_original_images(tmp_path: Path, save_image: SAVE) -> None:
    """LR made of images that were cropped to multiples of 12 scores other pixels than the paper's."""
    basicsr(tmp_path / "Set5", save_image)
    samples = resolve_dataset("Set5", data_root=tmp_path).samples(4)
    assert {sample.hr.path.parent.name for sample in samples if sample.hr} == {"original"}
    assert all(sample.lr is None for sample in samples)


def div2k(root: Path, save_image: SAVE, part: str) -> None:
    """Two images of a part of DIV2K with three tracks."""
    for number in ("0801", "0802"):
        fill(root, save_image, f"DIV2K_{part}_HR/{number}.png")
        fill(root, save_image, f"DIV2K_{part}_LR_bicubic/X2/{number}x2.png", size=(12, 12))
        fill(root, save_image, f"DIV2K_{part}_LR_bicubic/X4/{number}x4.png", size=(6, 6))
        fill(root, save_image, f"DIV2K_{part}_LR_mild/{number}x4m.png", size=(6, 6))
        fill(root, save_image, f"DIV2K_{part}_LR_x8/{number}x8.png", size=(3, 3))


def test_two_tracks_of_one_scale_are_refused_and_each_can_be_given(tmp_path: Path, save_image: SAVE) -> None:
    """The first track taken in silence: bicubic for mild is another benchmark."""
    div2k(tmp_path, save_image, "valid")
    dataset = resolve_dataset(tmp_path)
    assert {scale: read(dataset, scale)["0801"][1] for scale in (2, 8)} == {2: "0801x2.png", 8: "0801x8.png"}
    with pytest.raises(RequestError, match=r"(?s)2 folders of LR images for x4.*LR_bicubic.*LR_mild") as refused:
        dataset.samples(4)
    typed = [line.strip() for line in str(refused.value).splitlines()[1:]]
    assert [read(resolve_dataset(each), 4)["0802"][1] for each in typed] == ["0802x4.png", "0802x4m.png"]


def test_two_parts_of_div2k_are_refused_and_each_can_be_given(tmp_path: Path, save_image: SAVE) -> None:
    """Training and validation images taken for one set, or one of them in silence."""
    div2k(tmp_path, save_image, "train")
    div2k(tmp_path, save_image, "valid")
    parts = typed_of(tmp_path, r"(?s)2 ways.*DIV2K_train_HR.*DIV2K_valid_HR")
    assert [part.name for part in parts] == ["DIV2K_train_HR", "DIV2K_valid_HR"]
    one = f"{tmp_path}/DIV2K_valid_HR::{tmp_path}/DIV2K_valid_LR_bicubic"
    assert read(resolve_dataset(one), 2)["0801"] == ("0801.png", "0801x2.png")


def rcan(root: Path, save_image: SAVE, *sets: str) -> None:
    """RCAN's test images: HR and LR files that name the scale."""
    for name in sets:
        for scale in (2, 4):
            for image in ("baby", "bird"):
                fill(root, save_image, f"HR/{name}/x{scale}/{image}_HR_x{scale}.png")
                size = (24 // scale, 24 // scale)
                fill(root, save_image, f"LR/LRBI/{name}/x{scale}/{image}_LRBI_x{scale}.png", size=size)


def test_an_image_has_one_id_at_all_scales(tmp_path: Path, save_image: SAVE) -> None:
    """`baby_HR_x2` for an id: no image could be compared across scales."""
    rcan(tmp_path, save_image, "Set5")
    dataset = resolve_dataset(tmp_path)
    assert read(dataset, 2) == {
        "baby": ("baby_HR_x2.png", "baby_LRBI_x2.png"),
        "bird": ("bird_HR_x2.png", "bird_LRBI_x2.png"),
    }
    assert set(read(dataset, 4)) == {"baby", "bird"}


def test_of_several_sets_of_rcan_one_is_given(tmp_path: Path, save_image: SAVE) -> None:
    """Several sets below HR/ and LR/ pooled, or the first of them."""
    rcan(tmp_path, save_image, "Set5", "Set14")
    with pytest.raises(RequestError, match=r"(?s)2 ways.*HR/Set14/x2.*HR/Set5/x2"):
        resolve_dataset(tmp_path)
    dataset = resolve_dataset(f"{tmp_path}/HR/Set14::{tmp_path}/LR/LRBI/Set14")
    assert dataset.name == "Set14"
    assert read(dataset, 4)["bird"] == ("bird_HR_x4.png", "bird_LRBI_x4.png")


def test_results_beside_hr_and_lr_are_not_images_of_the_set(tmp_path: Path, save_image: SAVE) -> None:
    """SelfExSR's folders hold the outputs of eight methods for each image."""
    for number in ("001", "002"):
        for word in ("HR", "LR", "bicubic", "SRCNN", "SelfExSR", "kim"):
            size = (6, 6) if word == "LR" else (24, 24)
            fill(tmp_path, save_image, f"image_SRF_4/img_{number}_SRF_4_{word}.png", size=size)
    for path in (tmp_path, tmp_path / "image_SRF_4"):
        dataset = resolve_dataset(path)
        assert set(read(dataset, 4)) == {"img_001", "img_002"}
        assert "8 images not used" in dataset.reading(4)[0]


@pytest.mark.parametrize(
    ("hr", "lr"),
    [
        ("HR/baby.png", "LR/baby_bicLRx2.png"),
        ("HR/baby_HR_x2.png", "LR/baby_LRBI_x2.png"),
        ("HR/P1_x1.png", "LR/P1_x2.png"),
        ("HR/img_1_gt.png", "LR/im_1.png"),
        ("GT/baby_GT.png", "LQ/baby.png"),
        ("HR/0801.png", "LR/0801x2w3.png"),
        ("HR/baby-HR.png", "LR/baby-LR2.png"),
    ],
)
def test_names_of_published_pairs_are_known_in_any_folders(tmp_path: Path, save_image: SAVE, hr: str, lr: str) -> None:
    """Names known in the folders of their own layout alone."""
    fill(tmp_path, save_image, hr)
    fill(tmp_path, save_image, lr, size=(12, 12))
    typed = f"{(tmp_path / hr).parent}::{(tmp_path / lr).parent}"
    for dataset in (resolve_dataset(tmp_path), resolve_dataset(typed)):
        assert list(read(dataset, 2).values()) == [(Path(hr).name, Path(lr).name)]


def test_an_lr_file_of_two_hr_files_is_refused_with_both(tmp_path: Path, save_image: SAVE) -> None:
    """Either owner taken in silence: `a_LR2` is the LR image of `a` or, as RealSR names them, of `a_HR`."""
    fill(tmp_path, save_image, "HR/a.png", "HR/a_HR.png")
    fill(tmp_path, save_image, "LR/a_LR2.png", "LR/a_HR_LR2.png", size=(12, 12))
    with pytest.raises(
        RequestError, match=r"a_LR2\.png could be the LR image of a_HR\.png \(RealSR\) or a\.png \(HR and LR"
    ):
        resolve_dataset(tmp_path).samples(2)


def test_two_folders_of_hr_images_are_refused(tmp_path: Path, save_image: SAVE) -> None:
    """HR preferred to GT because it comes first in a table."""
    fill(tmp_path, save_image, "HR/a.png", "GT/a.png")
    with pytest.raises(RequestError, match=r"(?s)2 ways.*in GT .*in HR "):
        resolve_dataset(tmp_path)


def test_folders_by_scale_without_hr_are_not_guessed(tmp_path: Path, save_image: SAVE) -> None:
    """LR images of several scales taken for HR images, or for one set."""
    fill(tmp_path, save_image, "X2/a.png", "X4/a.png")
    with pytest.raises(RequestError, match=r"(?s)by scale, and no HR images.*::.*X2.*::.*X4"):
        resolve_dataset(tmp_path)


def test_one_folder_given_twice_is_paired_by_its_names(tmp_path: Path, save_image: SAVE) -> None:
    """Every image paired with itself."""
    fill(tmp_path, save_image, "a_HR.png")
    fill(tmp_path, save_image, "a_LR2.png", size=(12, 12))
    assert read(resolve_dataset(f"{tmp_path}::{tmp_path}"), 2) == {"a_HR": ("a_HR.png", "a_LR2.png")}
    fill(tmp_path / "flat", save_image, "a.png")
    with pytest.raises(RequestError, match="do not tell which is which"):
        resolve_dataset(f"{tmp_path / 'flat'}::{tmp_path / 'flat'}")


def test_a_folder_is_listed_once(tmp_path: Path, save_image: SAVE, monkeypatch: pytest.MonkeyPatch) -> None:
    """A listing per known name: a large current folder given as `.` took more than a minute."""
    fill(tmp_path, save_image, *(f"photo{i}.png" for i in range(20)))
    for number in range(30):
        (tmp_path / f"folder{number}").mkdir()
    listed: list[str] = []
    scan = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(str(path)) or scan(path))
    monkeypatch.chdir(tmp_path)
    assert len(resolve_dataset(".").samples(2)) == 20
    assert listed.count(".") <= 3


@pytest.mark.parametrize(
    ("hr", "lr"),
    [
        ("{}_gt.png", "{}_lq.png"),
        ("{}_HR.png", "{}_LRx2.png"),
        ("{}_HR.png", "{}_LR_x2.png"),
        ("HR_{}.png", "LR_{}.png"),
        ("GT-{}.png", "LQ-{}.png"),
    ],
)
def test_other_marks_tell_hr_from_lr_in_one_folder(tmp_path: Path, save_image: SAVE, hr: str, lr: str) -> None:
    """Catches the mean over HR and LR images alike, under the name of the folder."""
    for image in ("001", "002"):
        save_image(tmp_path / hr.format(image), (8, 8))
        save_image(tmp_path / lr.format(image), (4, 4))
    samples = resolve_dataset(tmp_path).samples(2)
    assert [(s.hr.path.name, s.lr.path.name) for s in samples if s.hr and s.lr] == [
        (hr.format(image), lr.format(image)) for image in ("001", "002")
    ]


@pytest.mark.parametrize("lr", ["{}x2.png", "{}_x2.png", "{}_LR2.png", "{}_bicLRx2.png", "{}-LR.png"])
def test_an_image_called_after_another_one_in_another_size_is_refused(
    tmp_path: Path, save_image: SAVE, lr: str
) -> None:
    """Catches a flat folder of HR and LR images that is read as twice as many HR images."""
    for image in ("001", "002"):
        save_image(tmp_path / f"{image}.png", (8, 8))
    save_image(tmp_path / lr.format("002"), (4, 4))
    with pytest.raises(RequestError, match=rf"1 of 3 .*such as {lr.format('002')} beside 002\.png"):
        resolve_dataset(tmp_path)
    assert len(resolve_dataset(f"{tmp_path}/*").samples(2)) == 3
    save_image(tmp_path / lr.format("002"), (8, 8))
    assert len(resolve_dataset(tmp_path).samples(2)) == 3


def test_folders_beside_the_one_that_is_read_are_said(tmp_path: Path, save_image: SAVE) -> None:
    """Catches LR images made here, without a word on the given ones under a name that no layout has."""
    save_image(tmp_path / "HR" / "a.png", (8, 8))
    save_image(tmp_path / "small" / "a.png", (4, 4))
    (said,) = resolve_dataset(tmp_path).reading(2)
    assert said.endswith("1 folder of images not used: small")
    (tmp_path / "small").rename(tmp_path / "LR_2x")
    assert "read as 1 pair" in " ".join(resolve_dataset(tmp_path).reading(2))
