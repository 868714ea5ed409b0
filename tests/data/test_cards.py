"""The cards: strict, complete, and of the sets that papers use; names and folders that users type."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.api import PRESETS, DatasetKind, RequestError, Unavailable, get_protocol
from bench.data import dataset_rows, prepare, resolve_dataset
from bench.data.cards import cards, read_card, read_manifest
from bench.data.embedded import SAMPLE_FILES
from bench.registry import DATASETS

NAMES = [
    "Set5",
    "Set14",
    "BSD100",
    "Urban100",
    "Benchmark",
    "DIV2K-valid",
    "DIV8K",
    "RealSRSet",
    "COZ",
    "CelebA-HQ",
    "FFHQ",
    "RealSR",
    "DRealSR",
    "Kodak24",
    "sample",
]
MINIMAL = "{name: X, title: t, loader: folder, licence: l, source: s, obtain: o%s}"


def fill(folder: Path, save_image, names, size=(8, 8)):
    for seed, name in enumerate(names):
        save_image(folder / f"{name}.png", size, seed=seed)


def test_every_set_of_the_papers_has_a_card():
    assert set(cards()) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_card_names_licence_source_and_a_known_protocol(name):
    card = cards()[name]
    assert card.licence
    assert card.source
    assert card.obtain
    assert card.default_protocol in PRESETS
    assert all(part in cards() for part in card.parts)
    if card.manifest is not None:
        files, pixels = (read_manifest(card.manifest, kind) for kind in ("files", "pixels"))
        assert set(files) == set(pixels)
        assert len(files) == card.count


def test_a_union_counts_its_parts():
    assert cards()["Benchmark"].count == sum(cards()[part].count for part in cards()["Benchmark"].parts)


@pytest.mark.parametrize(
    "extra",
    [", lisence: typo", ", count: many", ", default_protocol: clasic", ", parts: [Set5]", ", downloads: [{url: 'x'}]"],
)
def test_a_faulty_card_is_refused_by_file_name(extra):
    assert read_card(MINIMAL % "", "x.yaml").name == "X"
    with pytest.raises(RequestError, match=r"x\.yaml is not a dataset card: .*; mend that file"):
        read_card(MINIMAL % extra, "x.yaml")
    with pytest.raises(RequestError, match=r"y\.yaml is not a dataset card: .*; mend that file"):
        read_card("[: no yaml", "y.yaml")


def test_names_work_in_any_case_and_a_typo_is_corrected(tmp_path):
    assert resolve_dataset("set14", data_root=tmp_path).name == "Set14"
    with pytest.raises(RequestError, match="Did you mean 'Urban100'"):
        resolve_dataset("urban10", data_root=tmp_path)


def test_the_sample_set_is_eight_colour_images_of_at_most_512():
    samples = resolve_dataset("sample").samples(4)
    assert len(samples) == len(SAMPLE_FILES) == 8
    assert [s.id for s in samples] == sorted(s.id for s in samples)
    for sample in samples:
        hr = prepare(sample, 1, get_protocol("sample"), need_lr=False).hr
        assert hr.ndim == 3
        assert max(hr.shape[:2]) <= 512
        assert (hr[:, :, 0] != hr[:, :, 2]).any()


def test_a_missing_set_says_where_it_was_sought_and_what_to_type(tmp_path):
    for name, hint in (("Set5", "bench data fetch Set5"), ("DIV8K", "ask its authors")):
        with pytest.raises(Unavailable, match=hint) as caught:
            resolve_dataset(name, data_root=tmp_path).samples(2)
        assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("layout", ["Set5", "set5", "Set5/HR", "SET5/GTmod12", "Set5/original", "Set5/hr"])
def test_a_set_is_found_in_its_common_layouts(tmp_path, save_image, layout):
    fill(tmp_path / layout, save_image, "abcde")
    dataset = resolve_dataset("Set5", data_root=tmp_path)
    assert (dataset.name, dataset.default_protocol) == ("Set5", "basicsr-y")
    assert [s.id for s in dataset.samples(2)] == list("abcde")


def test_lr_folders_beside_a_classic_set_do_not_make_it_paired(tmp_path, save_image):
    fill(tmp_path / "Set5" / "HR", save_image, "abcde")
    fill(tmp_path / "Set5" / "LR_bicubic" / "X2", save_image, "abcde", (4, 4))
    dataset = resolve_dataset("Set5", data_root=tmp_path)
    assert dataset.kind is DatasetKind.HR_ONLY
    assert all(s.lr is None for s in dataset.samples(2))


def test_a_part_of_a_set_must_not_carry_its_name(tmp_path, save_image):
    fill(tmp_path / "Set5", save_image, "abcd")
    with pytest.raises(Unavailable, match=r"has 5 images, but .* holds 4"):
        resolve_dataset("Set5", data_root=tmp_path).samples(2)
    assert len(resolve_dataset(tmp_path / "Set5").samples(2)) == 4


def test_a_set_folder_without_images_is_not_taken_for_the_set(tmp_path):
    (tmp_path / "Set5" / "annotations").mkdir(parents=True)
    with pytest.raises(Unavailable, match="subfolders: annotations"):
        resolve_dataset("Set5", data_root=tmp_path).samples(2)


def test_roots_of_the_environment_are_searched_in_order(tmp_path, save_image, monkeypatch):
    fill(tmp_path / "second" / "Set5", save_image, "abcde")
    monkeypatch.setenv("ASSR_BENCH_DATA", f"{tmp_path / 'first'}:{tmp_path / 'second'}")
    assert resolve_dataset("Set5").samples(2)[0].hr.path == tmp_path / "second" / "Set5" / "a.png"
    fill(tmp_path / "first" / "Set5", save_image, "abcde")
    assert resolve_dataset("Set5").samples(2)[0].hr.path == tmp_path / "first" / "Set5" / "a.png"
    assert resolve_dataset("Set5", data_root=tmp_path / "second").samples(2)[0].hr.path.parent.parent.name == "second"


def test_a_union_prefixes_ids_and_names_every_missing_part(tmp_path, save_image):
    fill(tmp_path / "Set5", save_image, [f"s{i}" for i in range(5)])
    fill(tmp_path / "Set14", save_image, [f"s{i}" for i in range(14)])
    benchmark = resolve_dataset("Benchmark", data_root=tmp_path)
    with pytest.raises(Unavailable, match=r"(?s)2 not here.*BSD100.*Urban100"):
        benchmark.samples(2)
    fill(tmp_path / "B100", save_image, [f"s{i}" for i in range(100)])
    fill(tmp_path / "Urban100", save_image, [f"s{i}" for i in range(100)])
    samples = benchmark.samples(2)
    assert len({s.id for s in samples}) == 219
    assert [s.id for s in samples] == sorted(s.id for s in samples)
    assert {"Set5-s0", "BSD100-s99"} <= {s.id for s in samples}


def test_a_paired_card_finds_stablesr_crops(tmp_path, save_image):
    for i in range(93):
        save_image(tmp_path / "DrealSRVal_crop128" / "test_HR" / f"{i:03d}.png", (16, 16))
        save_image(tmp_path / "DrealSRVal_crop128" / "test_LR" / f"{i:03d}.png", (4, 4))
    dataset = resolve_dataset("DRealSR", data_root=tmp_path)
    assert dataset.kind is DatasetKind.PAIRED
    assert len(dataset.samples(4)) == 93


def test_a_path_that_does_not_exist_suggests(tmp_path, save_image):
    save_image(tmp_path / "faces" / "a.png", (8, 8))
    with pytest.raises(RequestError, match="Did you mean the set 'Set5'"):
        resolve_dataset(str(tmp_path / "set5"))
    with pytest.raises(RequestError, match=r"Did you mean '.*faces'"):
        resolve_dataset(str(tmp_path / "facez"))
    with pytest.raises(RequestError, match="does not exist either"):
        resolve_dataset(str(tmp_path / "no" / "such"))
    with pytest.raises(RequestError, match="is a file"):
        resolve_dataset(str(tmp_path / "faces" / "a.png"))


def test_a_name_beats_a_folder_of_that_name(tmp_path, save_image, monkeypatch):
    save_image(tmp_path / "sample" / "a.png", (8, 8))
    monkeypatch.chdir(tmp_path)
    assert len(resolve_dataset("sample").samples(2)) == 8
    assert len(resolve_dataset("./sample").samples(2)) == 1


def test_a_folder_of_a_missing_sets_name_is_pointed_at(tmp_path, save_image, monkeypatch):
    """A user in front of `Set5/` who is told that Set5 is nowhere."""
    save_image(tmp_path / "Set5" / "a.png", (8, 8))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Unavailable, match=r"read as \./Set5"):
        resolve_dataset("Set5", data_root=tmp_path / "elsewhere").samples(2)


def test_a_package_brings_a_set_through_the_registry(tmp_path, save_image, monkeypatch):
    save_image(tmp_path / "a.png", (8, 8))
    monkeypatch.setattr(DATASETS, "_targets", dict(DATASETS._targets))
    monkeypatch.setattr(DATASETS, "_resolved", dict(DATASETS._resolved))
    DATASETS.add("from-a-package", lambda data_root: resolve_dataset(data_root), origin="a test")
    assert len(resolve_dataset("from-a-package", data_root=tmp_path).samples(2)) == 1
    assert "from-a-package" in {row.name for row in dataset_rows(tmp_path)}


def test_rows_tell_what_is_here(tmp_path, save_image):
    fill(tmp_path / "Set5", save_image, "abcde")
    status = {row.name: row.status for row in dataset_rows(tmp_path)}
    assert set(status) >= set(NAMES)
    assert status["sample"] == status["Set5"] == "ready"
    assert (status["Kodak24"], status["FFHQ"], status["Benchmark"]) == ("fetchable", "absent", "incomplete")
    missing = {row.name: row.missing for row in dataset_rows(tmp_path)}
    assert "'bench data fetch Kodak24'" in missing["Kodak24"]
    assert "Set14, BSD100, Urban100" in missing["Benchmark"]
