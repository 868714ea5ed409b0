"""The LR images of a protocol as files, for models that run elsewhere: what `bench data lr` writes.

`OUT/x4/<image>.png`, and `OUT/sizes.csv` with the size that every result must have.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.api import Dataset, Protocol, RequestError, Scale, Size, UnitError, format_scale
from bench.api.csv_cells import shielded
from bench.data.pair import prepare
from bench.imaging.atomic import atomic_write
from bench.imaging.io import write_png

SIZES = "sizes.csv"
_COLUMNS = ("image", "scale", "file", "lr_height", "lr_width", "height", "width")


@dataclass(frozen=True)
class LrFile:
    """One written LR image.

    Attributes:
        image: Image id.
        scale: Nominal scale.
        path: The file.
        lr: Its (height, width).
        asked: (height, width) that a result must have.
    """

    image: str
    scale: Scale
    path: Path
    lr: Size
    asked: Size


def write_lr_files(
    dataset: Dataset, scales: Sequence[Scale], protocol: Protocol, out: Path, *, limit: int | None = None
) -> list[LrFile]:
    """Write the LR images that a run gives to its methods (seed 0, where a protocol draws degradations).

    Args:
        dataset: The set.
        scales: A folder each.
        protocol: Its pair half decides every pixel.
        out: The folder; those of the scales must be new or empty.
        limit: Only the first so many images.
    Raises:
        RequestError: the protocol keeps LR unrounded, a folder is in use, the disk refuses, or an image cannot be read.
    """
    if protocol.lr_depth == "float":
        raise RequestError(
            f"{protocol.name} keeps LR unrounded, which an 8-bit file cannot hold: its rows need a model that runs "
            "here ('command', or a plug-in); choose another --protocol"
        )
    folders = {scale: out / f"x{format_scale(scale)}" for scale in scales}
    for folder in folders.values():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise RequestError(f"--out {out}: {folder} is in use; give a new folder")
    first = [number for number in (protocol.first, limit) if number is not None]
    written = []
    try:
        for scale, folder in folders.items():
            folder.mkdir(parents=True, exist_ok=True)
            for sample in list(dataset.samples(scale))[: min(first) if first else None]:
                pair = prepare(sample, scale, protocol.drawn(0))
                if pair.lr is None:
                    raise UnitError(f"{sample.id} has no LR image")
                path = folder / f"{sample.id}.png"
                write_png(path, np.rint(pair.lr * 255).astype(np.uint8))
                written.append(LrFile(sample.id, scale, path, pair.lr_shape, pair.asked))
        with atomic_write(out / SIZES) as stream:
            stream.write(_sizes(written, out))
    except UnitError as fault:
        raise RequestError(f"{dataset.name}: {fault}") from None
    except OSError as fault:
        raise RequestError(f"--out {out} cannot be written: {fault.strerror or fault}") from None
    return written


def _sizes(written: Sequence[LrFile], out: Path) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for file in written:
        place = file.path.relative_to(out).as_posix()
        writer.writerow((shielded(file.image), format_scale(file.scale), shielded(place), *file.lr, *file.asked))
    return text.getvalue()
