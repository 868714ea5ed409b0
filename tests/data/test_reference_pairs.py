"""Against images that MATLAB wrote, and against what the published Set14 row needs."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from bench.api import get_protocol
from bench.data import prepare, resolve_dataset

pytestmark = pytest.mark.reference


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_set5_lr_equals_matlab_bit_for_bit(reference_root, scale):
    samples = resolve_dataset("Set5", data_root=reference_root / "data" / "test").samples(scale)
    assert len(samples) == 5
    for sample in samples:
        pair = prepare(sample, scale, get_protocol("basicsr-y"))
        path = reference_root / "reference" / "matlab_lr" / "Set5" / f"x{scale}" / f"{sample.id}x{scale}.bmp"
        matlab = cv2.imread(str(path))[:, :, ::-1]
        assert np.array_equal(np.rint(pair.lr * 255), matlab), sample.id


def test_matlab_lr_folder_works_as_a_paired_set(reference_root):
    folder = reference_root / "reference" / "matlab_lr" / "Set5"
    dataset = resolve_dataset(f"{reference_root / 'data' / 'test' / 'Set5'}::{folder}")
    for scale in (2, 3, 4):
        for sample in dataset.samples(scale):
            given = prepare(sample, scale, get_protocol("basicsr-y"))
            made = prepare(type(sample)(sample.id, sample.hr), scale, get_protocol("basicsr-y"))
            assert np.array_equal(given.hr, made.hr)
            assert np.array_equal(given.lr, made.lr)


def test_bridge_of_set14_is_taken_as_luma(reference_root):
    path = reference_root / "data" / "test" / "Set14"
    (bridge,) = (s for s in resolve_dataset(path).samples(2) if s.id == "bridge")
    gray = cv2.imread(str(path / "bridge.png"), cv2.IMREAD_UNCHANGED)
    assert gray.ndim == 2
    assert np.array_equal(prepare(bridge, 2, get_protocol("classic-y")).hr, gray)
