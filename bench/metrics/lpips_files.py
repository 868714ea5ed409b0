"""Which files the three LPIPS networks are made of, and the hashes that tell them from anything else; no torch."""

from __future__ import annotations

from dataclasses import dataclass

from bench.metrics.weights import WeightsFile, torchvision_file


@dataclass(frozen=True)
class LPIPSFiles:
    """One network.

    Attributes:
        net: Name in the literature: alex, vgg, squeeze.
        model: torchvision's name of the backbone.
        backbone: Its parameter file.
        features_sha256: Of the feature layers alone (`lpips_network.features_hash`), so that a file without the
            classifier is recognised too; empty: only the whole file's published hash counts.
        heads: The learned weights, inside the installed package `lpips`.
        heads_sha256: First digits; they are also in the names of pyiqa's copies of the same files.
        read_after: Indices of torchvision's feature modules whose outputs are compared.
        tile: Side of the tiles in pixels, chosen for less than 1 GB of activations.
    """

    net: str
    model: str
    backbone: WeightsFile
    features_sha256: str
    heads: str
    heads_sha256: str
    read_after: tuple[int, ...]
    tile: int

    def token(self) -> str:
        """The weights token; the bytes are compared with these hashes before they are used."""
        return f"w:{self.backbone.expected_hash()}+{self.heads_sha256}"


ALEX = LPIPSFiles(
    "alex",
    "alexnet",
    torchvision_file("alexnet-owt-7be5be79.pth"),
    "8eed026b364dd02bdf76d6ca5a9bfaa0efb090d22a8b79ad51186269c08605c7",
    "weights/v0.1/alex.pth",
    "df73285e",
    (1, 4, 7, 9, 11),
    2048,
)
VGG = LPIPSFiles(
    "vgg",
    "vgg16",
    torchvision_file("vgg16-397923af.pth"),
    "",
    "weights/v0.1/vgg.pth",
    "a78928a0",
    (3, 8, 15, 22, 29),
    512,
)
SQUEEZE = LPIPSFiles(
    "squeeze",
    "squeezenet1_1",
    torchvision_file("squeezenet1_1-b8a52dc0.pth"),
    "8f728f13ffc4c9ed6b00faa9362ec13d7d3520652d0a8357047045aba9def764",
    "weights/v0.1/squeeze.pth",
    "4a5350f2",
    (1, 4, 7, 9, 10, 11, 12),
    1024,
)
