"""State dicts read without torch: equal to torch's own reading, and nothing but tensors gets through."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.weights.plain import read_arrays


class Evil:
    """Runs a command where it is unpickled by a reader that allows it."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("zipped", [True, False])
def test_arrays_are_those_of_torch(tmp_path: Path, zipped: bool) -> None:
    shared = torch.arange(24, dtype=torch.float32)
    state = {
        "features.0.weight": torch.randn(4, 3, 2, 2),
        "features.part": shared[6:12].view(2, 3),
        "features.half": torch.randn(5).half(),
        "other": torch.arange(3),
    }
    path = tmp_path / "state.pth"
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    arrays = read_arrays(path)
    assert set(arrays) == set(state)
    assert all(np.array_equal(arrays[name], tensor.numpy()) for name, tensor in state.items())
    if zipped:
        assert set(read_arrays(path, "features.")) == {"0.weight", "part", "half"}


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_file_is_never_run(tmp_path: Path, zipped: bool) -> None:
    path, mark = tmp_path / "evil.pth", tmp_path / "mark"
    torch.save({"a": Evil(f"touch {mark}")}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match="is no plain state dict"):
        read_arrays(path)
    assert not mark.exists()


def test_a_tensor_that_reaches_beyond_its_storage_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.pth"
    torch.save({"a": torch.zeros(4)}, path)
    forged = tmp_path / "forged.pth"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(forged, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("data.pkl"):
                # the shape (4,) is K\x04\x85 (a small number in a tuple of one)
                assert b"K\x04\x85" in data
                data = data.replace(b"K\x04\x85", b"K\x7f\x85")
            new.writestr(name, data)
    with pytest.raises(ValueError, match="127"):
        read_arrays(forged)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", pickle.dumps({"a": 1}), b"\x80\x02garbage"])
def test_what_is_no_state_dict_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "some.pth"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"some\.pth is no plain state dict"):
        read_arrays(path)


def test_a_view_that_is_not_in_order_is_left_to_torch(tmp_path: Path) -> None:
    path = tmp_path / "turned.pth"
    torch.save({"a": torch.randn(3, 5).t()}, path)
    with pytest.raises(ValueError, match="stride"):
        read_arrays(path)
