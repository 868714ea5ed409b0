"""The embedded `sample` set: eight colour photographs that lie inside the scikit-image wheel, nothing to download.

Terms and origins: the documentation of skimage.data. They are cropped around the centre to at most 512 x 512.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from bench.api import Dataset, DatasetKind, ImageRef, Sample, Scale, Unavailable

SAMPLE_FILES = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "motorcycle_left.png",
    "retina.jpg",
    "rocket.jpg",
)
SAMPLE_SIDE = 512


class SampleDataset(Dataset):
    """The eight photographs."""

    name = "sample"
    kind = DatasetKind.HR_ONLY
    default_protocol = "sample"

    def samples(self, scale: Scale) -> Sequence[Sample]:
        """The eight images, sorted by id.

        Raises:
            Unavailable: scikit-image is not installed, or its wheel no longer carries them.
        """
        folder = sample_folder()
        missing = [name for name in SAMPLE_FILES if not (folder / name).is_file()]
        if missing:
            raise Unavailable(
                f"the sample set needs {', '.join(missing)} in {folder}, and this scikit-image does not ship them; "
                "'pip install --force-reinstall scikit-image' brings them back"
            )
        return [
            Sample(Path(n).stem, ImageRef(folder / n, centre_crop=(SAMPLE_SIDE, SAMPLE_SIDE))) for n in SAMPLE_FILES
        ]


def sample_folder() -> Path:
    """The data folder of the installed scikit-image, found without importing it.

    Raises:
        Unavailable: it is not installed.
    """
    spec = importlib.util.find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable("the sample set lies inside scikit-image, which is not installed: 'pip install scikit-image'")
    return Path(next(iter(spec.submodule_search_locations))) / "data"
