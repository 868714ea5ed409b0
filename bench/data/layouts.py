"""The layouts of published sets, as a table: where HR and LR images lie, and what their files are called.

A layout is one `Layout`; adding one is adding a row. Where two rows read the same files in two ways, nothing is guessed
(`bench.data.places`). Names in `templates` form; "." is the folder of the set itself.
"""

from __future__ import annotations

from dataclasses import dataclass

_LR = (
    "LR/X{scale}",
    "LR_{track}/X{scale}",
    "LR_{track}x{scale}",
    "LR_{track}_x{scale}",
    "LR_x{scale}",
    "LRx{scale}",
    "LR_{scale}x",
    "LR{scale}x",
    "LR{scale}",
    "LQ/X{scale}",
    "X{scale}",
    "x_{scale}",
    "{scale}x",
    "{scale}",
    "LR",
    "LRbic",
    "LR_bicubic",
    "LR_{track}",
    "LQ",
)
"""Folders of LR images beside a folder of HR images; a folder is read by the first that fits it."""


@dataclass(frozen=True)
class Layout:
    """One way in which sets are published.

    Attributes:
        name: As messages call it.
        example: An HR file and its LR file, for documentation.
        source: Who publishes sets so.
        hr: Folders of HR images where there are LR images, the better first.
        lr: Folders of LR images; the same as `hr` where both lie in one folder and names tell them apart.
        alone: Folders of HR images where the LR images are not used, the better first; empty: as `hr`.
        hr_names, lr_names: Files (without suffix), beside files of equal names.
        others: Further files that belong to the layout and are no images of the set, such as results.
    """

    name: str
    example: str
    source: str
    hr: tuple[str, ...]
    lr: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    hr_names: tuple[str, ...] = ("{image}",)
    lr_names: tuple[str, ...] = ("{image}",)
    others: tuple[str, ...] = ()

    @property
    def together(self) -> bool:
        """HR and LR images lie in one folder."""
        return self.hr == self.lr


LAYOUTS = (
    Layout(
        name="SelfExSR",
        example="image_SRF_4/img_001_SRF_4_HR.png + image_SRF_4/img_001_SRF_4_LR.png",
        source="SelfExSR (Huang et al., CVPR 2015): Set5, Set14, BSD100, Urban100, with the results of its methods",
        hr=(".", "image_SRF_{scale}"),
        lr=(".", "image_SRF_{scale}"),
        hr_names=("{image}_SRF_{scale}_HR",),
        lr_names=("{image}_SRF_{scale}_LR",),
        others=("{image}_SRF_{scale}_{track}",),
    ),
    Layout(
        name="RealSR",
        example="Canon_001_HR.png + Canon_001_LR4.png",
        source="RealSR (Cai et al., ICCV 2019), folders Canon/Test/4",
        hr=(".", "{scale}"),
        lr=(".", "{scale}"),
        hr_names=("{image}_HR",),
        lr_names=("{image}_LR{scale}", "{image}_LR"),
    ),
    Layout(
        name="one folder",
        example="img_001_GT.png + img_001_LQ.png",
        source="test images of many repositories: HR and LR told apart by a mark before or behind the name",
        hr=(".", "{scale}"),
        lr=(".", "{scale}"),
        hr_names=("{image}_HR", "{image}_GT", "HR_{image}", "GT_{image}"),
        lr_names=(
            "{image}_LR",
            "{image}_LQ",
            "{image}_LR{scale}",
            "{image}_LRx{scale}",
            "{image}_LR_x{scale}",
            "LR_{image}",
            "LQ_{image}",
        ),
    ),
    Layout(
        name="RCAN",
        example="HR/Set5/x4/baby_HR_x4.png + LR/LRBI/Set5/x4/baby_LRBI_x4.png",
        source="RCAN (Zhang et al., ECCV 2018), SAN, HAN, with LRBD and LRDN for other degradations",
        hr=("HR/{set}/X{scale}",),
        lr=("LR/LR{track}/{set}/X{scale}",),
        hr_names=("{image}_HR_x{scale}",),
        lr_names=("{image}_LR{track}_x{scale}",),
    ),
    Layout(
        name="DIV2KRK",
        example="gt/img_1_gt.png + lr_x4/im_1.png",
        source="KernelGAN (Bell-Kligler et al., NeurIPS 2019)",
        hr=("gt",),
        lr=("lr_x{scale}",),
        hr_names=("img_{image}_gt",),
        lr_names=("im_{image}", "img_{image}"),
    ),
    Layout(
        name="RealArbiSR",
        example="HR1dot5/001.png + LR1dot5/001.png",
        source="RealArbiSR (Li et al., ECCV 2024): a pair of folders per scale",
        hr=("HR{scale}",),
        lr=("LR{scale}",),
    ),
    Layout(
        name="DRealSR",
        example="test_HR/P1_x1.png + test_LR/P1_x4.png",
        source="DRealSR (Wei et al., ECCV 2020), folders Test_x4; StableSR's crops of RealSR and DRealSR",
        hr=("test_HR",),
        lr=("test_LR", *_LR),
        hr_names=("{image}_x1",),
        lr_names=("{image}_x{scale}",),
    ),
    Layout(
        name="BasicSR",
        example="GTmod12/baby.png + LRbicx4/baby.png",
        source="BasicSR: GTmodN is cropped to multiples of N, so that LRbicxS fits it; original is for LR made here",
        hr=("GTmod{number}", "original"),
        lr=("LRbicx{scale}", *_LR),
        alone=("original", "GTmod{number}"),
    ),
    Layout(
        name="MMEditing",
        example="Set5_mod12/baby.png + Set5_bicLRx4/baby.png",
        source="MMEditing's val_set5; names such as baby_bicLRx4.png of others",
        hr=("{set}_mod{number}", "{set}_HR"),
        lr=("{set}_bicLRx{scale}",),
        lr_names=("{image}_bicLRx{scale}",),
    ),
    Layout(
        name="DIV2K",
        example="DIV2K_valid_HR/0801.png + DIV2K_valid_LR_bicubic/X4/0801x4.png",
        source="DIV2K (Agustsson and Timofte, CVPRW 2017): bicubic, unknown, x8, mild, difficult, wild; Flickr2K",
        hr=("{set}_HR",),
        lr=("{set}_LR_{track}/X{scale}", "{set}_LR_x{scale}", "{set}_LR_{track}", "{set}_LR/X{scale}", "{set}_LR"),
        lr_names=("{image}x{scale}", "{image}x{scale}{kind}"),
    ),
    Layout(
        name="HR and LR folders",
        example="HR/baby.png + LR_bicubic/X4/babyx4.png",
        source="EDSR's benchmark (Lim et al., CVPRW 2017), LIIF, and most others",
        hr=("HR", "GT", "HR/X{scale}"),
        lr=("LRbicx{scale}", "test_LR", *_LR),
        hr_names=("{image}", "{image}_HR", "{image}_GT", "{image}_x1"),
        lr_names=("{image}", "{image}x{scale}", "{image}_x{scale}", "{image}_LR{scale}", "{image}_LR"),
    ),
)
"""From the most particular to the plainest: a reading is called after the first that gives it."""

FLAT = Layout(
    name="flat",
    example="baby.png",
    source="Set5, Set14, Kodak24, BSDS300 and most folders of photographs",
    hr=(".",),
)
"""The folder itself holds the HR images, or for `::FOLDER` the LR images."""
