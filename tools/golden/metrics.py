"""Writes kds-metrics/tests/golden.json: values of independent implementations of the metrics.

    python -m pip install -r tools/golden/requirements-metrics.txt
    python tools/golden/metrics.py kds-metrics/data/niqe_photographs.safetensors kds-metrics/tests/golden.json

PSNR by numpy, SSIM by scikit-image, DISTS by the authors' package with weights that a formula gives, NIQE by pyiqa with our
statistics of photographs, Wilcoxon's test by scipy. Pictures are given by formulas too, so that none is stored. LPIPS has
values of its own in tests/data/metrics_golden.json, by tools/golden/lpips.py.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from DISTS_pytorch import DISTS_pt
from pyiqa.archs import niqe_arch
from safetensors.numpy import load_file
from scipy.stats import wilcoxon
from skimage.metrics import structural_similarity

# (width, height, curvature of the pattern, block side of the second picture; 1: brighter by 12)
PAIRS = ((64, 64, 0, 4), (97, 75, 1, 2), (128, 80, 2, 8), (64, 48, 1, 1), (33, 40, 1, 3))
# (width, height, curvature, block side)
PICTURES = ((300, 200, 1, 1), (300, 200, 1, 2), (400, 300, 3, 1), (197, 389, 2, 2))
DIFFERENCES = (
    [0.31, -0.02, 0.54, 0.11, 0.4, -0.25, 0.77],
    [0.31, -0.02, 0.54, 0.11, 0.4, -0.25, 0.77, 0.11, -0.11, 0.0, 0.54, 0.2],
    [((i * 7919) % 1013) / 1013 - 0.3 for i in range(45)],
    [((i * 7919) % 1013) / 1013 - 0.4 for i in range(120)],
)
BORDER = 4


def pattern(width: int, height: int, curvature: int, block: int) -> np.ndarray:
    """The picture of `pattern` in kds-metrics/tests/golden.rs, H x W x 3 uint8."""
    y, x = np.mgrid[:height, :width]
    y, x = y // block * block, x // block * block
    channels = [(curvature * x * x + 7 * (3 + c) * y + (c + 1) * x * y) // 5 + 50 * c for c in range(3)]
    return (np.stack(channels, -1) % 256).astype(np.uint8)


def luma(image: np.ndarray) -> np.ndarray:
    return 16 + image.astype(np.float64) @ (65.481, 128.553, 24.966) / 255


def cut(image: np.ndarray) -> np.ndarray:
    return image[BORDER:-BORDER, BORDER:-BORDER].astype(np.float64)


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((cut(first) - cut(second)) ** 2)))


def ssim(first: np.ndarray, second: np.ndarray) -> float:
    return float(
        structural_similarity(
            cut(first),
            cut(second),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=255,
            channel_axis=-1 if first.ndim == 3 else None,
        )
    )


def number(seed: int, count: int) -> np.ndarray:
    """Numbers in -0.5..0.5 that are the same everywhere: the Rust test has the same formula."""
    index = np.arange(count, dtype=np.uint64) + np.uint64(seed * 1_000_003)
    mixed = (index * np.uint64(2_654_435_761)) % np.uint64(2**32)
    return mixed.astype(np.float64) / 2**32 - 0.5


def made_vgg() -> torch.nn.Module:
    """VGG16's convolutions in torchvision's order, with made-up weights of the usual size."""
    layers, channels = [], 3
    for width in (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"):
        if width == "M":
            layers.append(torch.nn.MaxPool2d(2))
            continue
        convolution = torch.nn.Conv2d(channels, width, 3, padding=1)
        seed, shape = len(layers), (width, channels, 3, 3)
        deviation = (2 / (9 * channels)) ** 0.5 * 12**0.5
        weights = number(seed, int(np.prod(shape))).reshape(shape) * deviation
        convolution.weight.data = torch.from_numpy(weights).float()
        convolution.bias.data = torch.from_numpy(number(100 + seed, width) / 10).float()
        layers += [convolution, torch.nn.ReLU()]
        channels = width
    made = torch.nn.Module()
    made.features = torch.nn.Sequential(*layers)
    return made


def made_dists() -> torch.nn.Module:
    DISTS_pt.models.vgg16 = lambda **_: made_vgg()
    dists = DISTS_pt.DISTS(load_weights=False)
    count = sum(dists.chns)
    dists.alpha.data = torch.from_numpy(number(200, count) + 0.6).float().reshape(1, -1, 1, 1)
    dists.beta.data = torch.from_numpy(number(300, count) + 0.6).float().reshape(1, -1, 1, 1)
    return dists.double()


def tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None].double() / 255


def niqe(image: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> float:
    plane = torch.from_numpy(np.round(luma(image)))[None, None]
    return niqe_arch.niqe(plane, torch.from_numpy(mean)[None], torch.from_numpy(covariance)[None]).item()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("statistics", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    dists, pairs = made_dists(), []
    for width, height, curvature, block in PAIRS:
        first, second = pattern(width, height, curvature, 1), pattern(width, height, curvature, block)
        if block == 1:
            second = np.minimum(first.astype(np.int64) + 12, 255).astype(np.uint8)
        pair = dict(width=width, height=height, curvature=curvature, block=block)
        pair |= dict(psnr_luma=psnr(luma(first), luma(second)), psnr_rgb=psnr(first, second))
        pair |= dict(ssim_luma=ssim(luma(first), luma(second)), ssim_rgb=ssim(first, second))
        pair |= dict(dists=dists(tensor(first), tensor(second)).item())
        pairs.append(pair)
    statistics = load_file(arguments.statistics)
    pictures = [
        dict(width=width, height=height, curvature=curvature, block=block)
        | dict(niqe=niqe(pattern(width, height, curvature, block), statistics["mean"], statistics["covariance"]))
        for width, height, curvature, block in PICTURES
    ]
    tests = []
    for differences in DIFFERENCES:
        distinct = len({abs(d) for d in differences}) == len(differences) and 0.0 not in differences
        method = "exact" if distinct and len(differences) <= 50 else "asymptotic"
        found = wilcoxon(differences, method=method)
        tests.append(dict(differences=differences, statistic=float(found.statistic), p=float(found.pvalue)))
    arguments.output.write_text(json.dumps(dict(pairs=pairs, pictures=pictures, tests=tests), indent=1) + "\n")


if __name__ == "__main__":
    main()
