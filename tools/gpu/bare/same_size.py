"""`tools/train/same_size.py` in torch alone: photographs spoilt at their size, with holes."""

import math

import torch
import torch.nn.functional as F

from degrade import blur, jpeg, resize, rounded, scaled, sensor_noise
from random_source import Source

CLEAN_SHARE, WHOLE_SHARE = 0.25, 0.4


def known(high: torch.Tensor, rng: Source) -> tuple[torch.Tensor, torch.Tensor]:
    """3 x H x W and 1 x H x W, 0..255."""
    return degrade(high, rng), hole(*high.shape[1:], rng).to(high.device)


def prepare(picture: torch.Tensor, hole: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    hole = (hole > 0).to(picture.dtype)
    return fill(picture, hole), hole


def degrade(high: torch.Tensor, rng: Source) -> torch.Tensor:
    if rng.random() < CLEAN_SHARE:
        return high
    height, width = high.shape[1:]
    image = blur(high, rng) if rng.random() < 0.55 else high
    if rng.random() < 0.4:
        factor = rng.uniform(1.0, 2.5)
        image = resize(image, round(height / factor), round(width / factor), rng)
    if rng.random() < 0.55:
        image = sensor_noise(image, rng, strongest=2.5)
    image = rounded(image)
    if rng.random() < 0.6:
        image = jpeg(image, rng, worst=20)
    if image.shape[1:] != (height, width):
        image = rounded(scaled(image, height, width, ("bilinear", "bicubic")[rng.integers(0, 2)], False))
    return image


def hole(height: int, width: int, rng: Source) -> torch.Tensor:
    """255 inside: nothing, a box or an ellipse up to two thirds of the crop's sides, or strokes and scratches."""
    mask = torch.zeros(height, width, dtype=torch.bool)
    y, x = torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)), indexing="ij")
    kind = rng.random()
    if kind < WHOLE_SHARE:
        pass
    elif kind < WHOLE_SHARE + 0.35 * (1 - WHOLE_SHARE):
        across, down = rng.uniform(0.15, 0.65) * width, rng.uniform(0.15, 0.65) * height
        left, top = rng.uniform(-across / 3, width - across + across / 3), rng.uniform(-down / 3, height - down + down / 3)
        if rng.random() < 0.6:
            mask |= (x >= left) & (x <= left + across) & (y >= top) & (y <= top + down)
        else:
            angle, u, v = rng.uniform(0, math.pi), x - left - across / 2, y - top - down / 2
            along, beside = math.cos(angle) * u + math.sin(angle) * v, math.cos(angle) * v - math.sin(angle) * u
            mask |= (2 * along / across) ** 2 + (2 * beside / down) ** 2 <= 1
    else:
        for _ in range(rng.integers(2, 7)):
            points, at = [], (rng.uniform(0, width), rng.uniform(0, height))
            for _ in range(rng.integers(2, 6)):
                at = (at[0] + rng.normal(0, width / 6), at[1] + rng.normal(0, width / 6))
                points.append(at)
            thickness = rng.integers(1, 20) if rng.random() < 0.6 else rng.integers(1, 4)
            for (x0, y0), (x1, y1) in zip(points, points[1:]):
                length = max((x1 - x0) ** 2 + (y1 - y0) ** 2, 1e-6)
                share = (((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length).clamp(0, 1)
                away = (x - x0 - share * (x1 - x0)) ** 2 + (y - y0 - share * (y1 - y0)) ** 2
                mask |= away <= max(thickness / 2, 0.7) ** 2
    return 255.0 * mask[None]


def fill(picture: torch.Tensor, hole: torch.Tensor) -> torch.Tensor:
    """Push-pull: ever coarser means of what is known, each filling the holes of the finer one."""
    if not hole.any() or max(picture.shape[-2:]) == 1:
        return picture
    known = 1 - hole
    share = F.avg_pool2d(known, 2, ceil_mode=True)
    coarse = F.avg_pool2d(picture * known, 2, ceil_mode=True) / share.clamp(min=1e-6)
    coarse = fill(coarse, (share == 0).to(hole.dtype))
    fine = F.interpolate(coarse, size=picture.shape[-2:], mode="bilinear", align_corners=False)
    return torch.where(hole > 0, fine, picture)
