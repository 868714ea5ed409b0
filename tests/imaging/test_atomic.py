"""Writing files whole or not at all."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.imaging import atomic_write, write_png


def test_file_appears_only_at_the_end(tmp_path):
    """Catches writing to the final name."""
    path = tmp_path / "a.txt"
    with atomic_write(path) as file:
        file.write("ä\n")
        assert not path.exists()
    assert path.read_bytes() == "ä\n".encode()
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("fault", [RuntimeError("x"), KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left")])
def test_old_content_survives_any_interruption(tmp_path, fault):
    """Catches cleaning up after Exception only (Ctrl-C leaves the temporary file)."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def interrupted() -> None:
        with atomic_write(path, "wb") as file:
            file.write(b"new")
            raise fault

    with pytest.raises(type(fault)):
        interrupted()
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_full_disk_leaves_nothing_behind(tmp_path):
    """Catches a half image kept under its name: a file-size limit stands in for the full disk."""
    code = (
        "import resource, sys, numpy as np; from bench.imaging import write_png;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
        "pixels = np.random.default_rng(0).integers(0, 256, (99, 99, 3), dtype=np.uint8)\n"
        "try: write_png(sys.argv[1], pixels)\n"
        "except OSError: sys.exit(7)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "x.png")], check=False)
    assert done.returncode == 7
    assert not list(tmp_path.iterdir())


def test_failing_fsync_leaves_nothing_behind(tmp_path, monkeypatch):
    """Catches cleaning up only after errors of the writer itself."""

    def refuse(handle: int) -> None:
        raise OSError(errno.EIO, "I/O error")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="I/O error"), atomic_write(tmp_path / "a") as file:
        file.write("x")
    assert not list(tmp_path.iterdir())


def test_missing_folder_is_named_with_the_file_asked_for(tmp_path):
    """Catches an error that names a temporary file nobody knows."""
    with pytest.raises(FileNotFoundError, match=r"no/such/x\.png"):
        write_png(tmp_path / "no/such/x.png", np.zeros((4, 4), np.uint8))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write into read-only folders")
def test_read_only_folder_raises_and_stays_empty(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError, match=r"x\.png"):
            write_png(tmp_path / "x.png", np.zeros((4, 4), np.uint8))
        assert not list(tmp_path.iterdir())
    finally:
        tmp_path.chmod(0o700)


def test_permissions_follow_the_umask(tmp_path):
    """Catches the 0600 of mkstemp: others could not read the results."""
    with atomic_write(tmp_path / "a") as file:
        file.write("x")
    (tmp_path / "b").write_text("x")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_other_modes_are_refused(tmp_path):
    with pytest.raises(ValueError, match="'a'"), atomic_write(Path(tmp_path / "a"), "a"):  # pyright: ignore[reportArgumentType]
        pass
