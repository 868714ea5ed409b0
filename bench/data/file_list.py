"""Which files a set would be read from at a scale, for a person: what `bench data show` prints."""

from __future__ import annotations

from dataclasses import dataclass

from bench.api import Dataset, DatasetKind, ImageRef, Sample, Scale, counted, format_scale
from bench.data.images import header_size
from bench.data.pair import pair_fits

_SIDES = {DatasetKind.HR_ONLY: "HR image", DatasetKind.LR_ONLY: "LR image", DatasetKind.PAIRED: "pair"}


@dataclass(frozen=True)
class FileList:
    """The files of a set.

    Attributes:
        sentences: How it was read; at least one.
        rows: A line per image: its id, its files and their sizes.
        faults: A line per image whose header already says that it will fail.
    """

    sentences: tuple[str, ...]
    rows: tuple[str, ...]
    faults: tuple[str, ...]


def file_list(dataset: Dataset, scale: Scale) -> FileList:
    """Read the names and headers of a set; nothing is decoded.

    Raises:
        Unavailable: the set is not here.
        RequestError: it cannot be read at this scale.
    """
    samples = dataset.samples(scale)
    rows, faults = [], []
    for sample in samples:
        sides = [ref for ref in (sample.hr, sample.lr) if ref is not None]
        rows.append(f"{sample.id}: " + " + ".join(_file(ref) for ref in sides))
        fault = _fault(sample, scale)
        if fault:
            faults.append(fault)
    plain = f"{dataset.name}: {counted(len(samples), _SIDES[dataset.kind])}"
    sentences = dataset.reading(scale)
    if not any(": read as " in sentence for sentence in sentences):
        sentences = (plain, *sentences)
    return FileList(sentences, tuple(rows), tuple(faults))


def _file(ref: ImageRef) -> str:
    size = header_size(ref.path)
    shape = "unreadable" if size is None else f"{size[0]} x {size[1]}"
    crop = ref.centre_crop
    if crop is not None and size is not None and (size[0] > crop[0] or size[1] > crop[1]):
        shape += f", its centre of at most {crop[0]} x {crop[1]}"
    return f"{ref.path} ({shape})"


def _fault(sample: Sample, scale: Scale) -> str:
    for ref in (sample.hr, sample.lr):
        if ref is not None and header_size(ref.path) is None:
            what = "a link that leads nowhere" if ref.path.is_symlink() and not ref.path.exists() else "no image"
            return f"{sample.id}: {ref.path.name} is {what}"
    if sample.hr is None or sample.lr is None:
        return ""
    hr, lr = header_size(sample.hr.path), header_size(sample.lr.path)
    if hr is None or lr is None or pair_fits(hr, lr, scale):
        return ""
    return f"{sample.id}: {hr[0]} x {hr[1]} and {lr[0]} x {lr[1]} do not fit x{format_scale(scale)}"
