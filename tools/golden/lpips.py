"""Writes tests/data/lpips_alex.safetensors (f16) and tests/data/metrics_golden.json, reference values for kds-tests.

    python lpips.py WEIGHTS OUTPUT_FOLDER

WEIGHTS is LPIPS v0.1 with AlexNet in one safetensors file (keys as tests/data/README.md lists them). The values are
computed in f64 from the weights as rounded to f16, on pictures that a formula gives, so that no picture is stored.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "train"))
from lpips import Lpips  # noqa: E402

# (width, height, curvature of the pattern, block side of the second picture)
PAIRS = ((64, 64, 0, 4), (97, 75, 1, 2), (128, 80, 2, 8), (64, 48, 1, 1))
ENLARGED = (5, 4, 1, 4)  # width, height, curvature, scale


def pattern(width: int, height: int, curvature: int, block: int) -> np.ndarray:
    """The picture of `pattern` in tests/tests/metrics.rs, H x W x 3 uint8."""
    y, x = np.mgrid[:height, :width]
    y, x = y // block * block, x // block * block
    channels = [(curvature * x * x + 7 * (3 + c) * y + (c + 1) * x * y) // 5 + 50 * c for c in range(3)]
    return (np.stack(channels, -1) % 256).astype(np.uint8)


def tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None].double() / 127.5 - 1


def luma(image: np.ndarray) -> np.ndarray:
    return 16 + image.astype(np.float64) @ (65.481, 128.553, 24.966) / 255


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    error = (luma(first) - luma(second))[4:-4, 4:-4]
    return float(10 * np.log10(255**2 / np.mean(error**2)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    stored = arguments.output / "lpips_alex.safetensors"
    save_file({name: value.half().contiguous() for name, value in load_file(arguments.weights).items()}, stored)
    lpips = Lpips(stored).double()
    pairs = []
    for width, height, curvature, block in PAIRS:
        first, second = pattern(width, height, curvature, 1), pattern(width, height, curvature, block)
        if block == 1:  # a shift in brightness rather than lost detail
            second = np.minimum(first.astype(np.int64) + 12, 255).astype(np.uint8)
        pair = dict(width=width, height=height, curvature=curvature, block=block)
        pair |= dict(lpips=lpips(tensor(first), tensor(second)).item(), psnr=psnr(first, second))
        pairs.append(pair)
    width, height, curvature, scale = ENLARGED
    large = F.interpolate(
        tensor(pattern(width, height, curvature, 1)), scale_factor=scale, mode="bicubic", align_corners=False
    )
    pixels = ((large.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)[0].permute(1, 2, 0).flatten().tolist()
    bicubic = dict(width=width, height=height, curvature=curvature, scale=scale, pixels=pixels)
    (arguments.output / "metrics_golden.json").write_text(json.dumps(dict(pairs=pairs, bicubic=bicubic)) + "\n")


if __name__ == "__main__":
    main()
