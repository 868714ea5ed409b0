"""The named protocols: what the papers' code does, as data. Knobs that a paper leaves open say so in `summary`."""

from __future__ import annotations

from bench.api.errors import unknown_name
from bench.api.protocol import Protocol

_CASSR_METRICS = ("psnr", "ssim", "lpips", "dists", "musiq", "maniqa", "clipiqa", "niqe", "fid")

_ALL = (
    Protocol(
        name="sample",
        summary="RGB PSNR/SSIM without shave, MATLAB bicubic LR in 8 bit: what a newcomer gets on the embedded set",
    ),
    Protocol(
        name="classic-y",
        summary="the image is its 8-bit studio luma, LR kept in float, SR rounded to 8 bit, shave s",
        source="SRCNN and VDSR tables; gray files are taken as luma",
        plane="y",
        gray="luma",
        lr_depth="float",
        psnr_colour="y601s",
        ssim_colour="y601s",
        shave="s",
    ),
    Protocol(
        name="basicsr-y",
        summary="MATLAB bicubic LR of RGB in 8 bit, SR rounded to 8-bit RGB, unrounded studio Y, shave s",
        source="EDSR, IMDN and BasicSR tables",
        psnr_colour="y601s",
        ssim_colour="y601s",
        shave="s",
    ),
    Protocol(
        name="liif-benchmark",
        summary="LIIF's benchmark table: MATLAB LR up to x4 and Pillow LR above, SR unrounded, studio Y, shave s",
        source="LIIF test.py and configs/test; LIIF reports PSNR only",
        coarse_above=4.0,
        sr_depth="float",
        psnr_colour="y601s",
        ssim_colour="y601s",
        shave="s",
    ),
    Protocol(
        name="liif-div2k",
        summary="LIIF's DIV2K table: MATLAB LR up to x4 and Pillow LR above, SR unrounded, RGB, shave s+6",
        source="LIIF test.py and configs/test: the LR files of DIV2K, which MATLAB made, at x2 to x4",
        coarse_above=4.0,
        sr_depth="float",
        shave="s+6",
    ),
    Protocol(
        name="inr-assr",
        summary="MATLAB LR up to x4 and Pillow LR above, SR unrounded, RGB, shave s; its DIV2K rows are liif-div2k",
        source="INR-ASSR-Emperical-Analysis, Utilities/ImageProcessor.py: RGB although its README speaks of Y; its "
        "SSIM is piq's, which shrinks images from 384 px on, so only PSNR compares",
        coarse_above=4.0,
        sr_depth="float",
        shave="s",
    ),
    Protocol(
        name="thera",
        summary="Thera's DIV2K table: MATLAB LR at every scale, SR unrounded, RGB, shave s+6",
        source="Thera run_eval.py, which knows whole scales only; its SSIM takes its range from the two images' "
        "extremes and bounds the covariance, so only PSNR compares",
        sr_depth="float",
        shave="s+6",
    ),
    Protocol(
        name="thera-y",
        summary="Thera's other sets with --y-only: PSNR on studio Y, SSIM on RGB, SR unrounded, shave s",
        source="Thera run_eval.py and utils.py: --y-only converts the difference for PSNR and leaves SSIM in RGB; that "
        "the paper's tables used the switch is inferred",
        sr_depth="float",
        psnr_colour="y601s",
        shave="s",
    ),
    Protocol(
        name="gsasr",
        summary="MATLAB LR in 8 bit, SR rounded to 8-bit RGB, unrounded studio Y, shave s but at most 8",
        source="GSASR README (Metrics) and datasets/README.MD; the rule for HR sides that the scale does not divide is "
        "not stated [inferred: floor-crop]. Its LPIPS and DISTS ignore the same border, those here none",
        psnr_colour="y601s",
        ssim_colour="y601s",
        shave="s-max-8",
    ),
    Protocol(
        name="lut-y",
        summary="LR of ceil(HR / s) by MATLAB in 8 bit, SR in 8-bit RGB, studio Y; PSNR shaves floor(s), SSIM nothing",
        source="LeRF-PyTorch resample/eval_lut_sr.py and common/utils.py: SR and HR of unlike sizes are cut to what "
        "they share; its README leaves open who makes LR (MATLAB or ResizeRight) and whether HR is cropped before",
        size_rule="ceil",
        sr_size="within-1",
        psnr_colour="y601s",
        ssim_colour="y601s",
        shave="floor-s",
        ssim_shave="0",
    ),
    Protocol(
        name="pyiqa-default",
        summary="pyiqa's command line: RGB PSNR, SSIM on rounded YIQ luma with the contrast clamped, no shave",
        source="IQA-PyTorch 0.1.16 defaults",
        psnr_colour="rgb",
        ssim_colour="yiq-u8",
        ssim_clamp=True,
    ),
    Protocol(
        name="face-kim",
        summary="HR = 256 px face resized to round(16 s), LR 16 px from that HR; batch MSE PSNR of the first 100",
        source="Kim et al., arbitrary-scale diffusion, eval_sr.py",
        source_side=256,
        size_rule="fixed-lr",
        lr_side=16,
        lr_from="hr",
        downsampler="pillow-bicubic",
        sr_depth="float",
        aggregate="batch8-mse",
        first=100,
    ),
    Protocol(
        name="face-idm",
        summary="HR round(16 s) and LR 16 px both from the source face, 8-bit RGB, no shave, first 100",
        source="IDM core/metrics.py, data/prepare_data.py and config",
        size_rule="fixed-lr",
        lr_side=16,
        lr_from="source",
        downsampler="pillow-bicubic",
        first=100,
    ),
    Protocol(
        name="casr",
        summary="MATLAB bicubic LR, 8-bit RGB, no shave, no-reference networks at full size [all inferred: unstated]",
        source="CASR supplement; no crop, shave, channel or metric version is stated there",
    ),
    Protocol(
        name="cassr",
        summary="centre crop of 512, Real-ESRGAN degradation frozen by seed, 8-bit RGB, no shave",
        source="CasSR section 4.1 (StableSR recipe) for RealSR and DRealSR, whose pairs keep their LR; the published "
        "LQ draws are not available, so the seed is ours. FID over few images is unstable: secondary",
        metrics=_CASSR_METRICS,
        source_crop=512,
        degradation="real-esrgan",
    ),
    Protocol(
        name="cassr-div2k",
        summary="Real-ESRGAN degradation of the whole HR image frozen by seed, 8-bit RGB, no shave",
        source="CasSR section 4.1 for DIV2K-val: not cropped; seed and FID as for cassr",
        metrics=_CASSR_METRICS,
        degradation="real-esrgan",
    ),
    Protocol(
        name="blind-assr",
        summary="seeded anisotropic Gaussian blur and a random downsampler per image; 8-bit RGB, studio Y, shave s",
        source="blind-ASSR cycle model; its draws are unpublished and its shave unstated [inferred: s]",
        degradation="blind-assr",
        psnr_colour="y601s",
        ssim_colour="y601s",
        shave="s",
    ),
)

PRESETS = {protocol.name: protocol for protocol in _ALL}
"""All named protocols, in the order in which they are listed."""


def get_protocol(name: str) -> Protocol:
    """The preset of this name.

    Raises:
        RequestError: nobody registered it; names the nearest one.
    """
    if name not in PRESETS:
        raise unknown_name("protocol", name, PRESETS, "bench protocols")
    return PRESETS[name]
