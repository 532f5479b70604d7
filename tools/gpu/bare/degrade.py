"""`tools/train/degrade.py` in torch alone: the same kinds, shares and ranges. Pictures are 3 x H x W, 0..255, in f32, on any
device."""

import math

import torch
import torch.nn.functional as F

import jpeg as codec
from random_source import Source

CLEAN_SHARE, TWICE_SHARE, OPTICAL_SHARE = 0.15, 0.45, 0.15
FILTERS = ("area", "bilinear", "bicubic", "bicubic")


def scaled(image: torch.Tensor, height: int, width: int, mode: str, antialias: bool) -> torch.Tensor:
    if mode == "area":
        # Means of what each pixel covers; enlarged, the same is bilinear.
        if height > image.shape[1] or width > image.shape[2]:
            mode, antialias = "bilinear", False
        else:
            return F.interpolate(image[None], (height, width), mode="area")[0]
    return F.interpolate(image[None], (height, width), mode=mode, antialias=antialias)[0]


def bicubic_antialiased(image: torch.Tensor, height: int, width: int) -> torch.Tensor:
    return rounded(scaled(image, height, width, "bicubic", True))


def filtered(image: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    down, across = kernel.shape
    inside = F.pad(image[None], (across // 2, across // 2, down // 2, down // 2), mode="reflect")
    weight = kernel.to(image)[None, None].expand(3, 1, down, across)
    return rounded(F.conv2d(inside, weight, groups=3)[0])


def blur(image: torch.Tensor, rng: Source, widest: float = 2.2, narrowest: float = 0.3, general: bool = False):
    angle, first = rng.uniform(0, math.pi), rng.uniform(narrowest, widest)
    second = first if rng.random() < 0.5 else rng.uniform(narrowest, widest)
    shape = math.exp(rng.uniform(math.log(0.5), math.log(4))) if general and rng.random() < 1 / 3 else 1.0
    half = min(math.ceil(3 * max(first, second)), min(image.shape[1:]) - 1)
    grid = torch.arange(-half, half + 1.0)
    y, x = torch.meshgrid(grid, grid, indexing="ij")
    u, v = math.cos(angle) * x + math.sin(angle) * y, math.cos(angle) * y - math.sin(angle) * x
    kernel = torch.exp(-0.5 * ((u / first) ** 2 + (v / second) ** 2) ** shape)
    return filtered(image, kernel / kernel.sum())


def ringing(image: torch.Tensor, rng: Source) -> torch.Tensor:
    half, cutoff = rng.integers(3, 11), rng.uniform(math.pi / 3, math.pi)
    half = min(half, min(image.shape[1:]) - 1)
    line = torch.sinc(torch.arange(-half, half + 1.0) * cutoff / math.pi)
    line /= line.sum()
    return filtered(image, line[:, None] * line)


def resize(image: torch.Tensor, height: int, width: int, rng: Source) -> torch.Tensor:
    if rng.random() < 0.4:
        return bicubic_antialiased(image, height, width)
    chosen = FILTERS[rng.integers(0, len(FILTERS))]
    if chosen != "area":
        half, deviation = 4, rng.uniform(1.0, 1.8)
        line = torch.exp(-0.5 * (torch.arange(-half, half + 1.0) / deviation) ** 2)
        image = filtered(image, line[:, None] * line / line.sum() ** 2)
    return rounded(scaled(image, height, width, chosen, False))


def noise(image: torch.Tensor, grey: bool) -> torch.Tensor:
    return torch.randn((1 if grey else 3, *image.shape[1:]), device=image.device)


def sensor_noise(image: torch.Tensor, rng: Source, strongest: float = 1.0) -> torch.Tensor:
    grey = rng.random() < 0.33
    read, shot = strongest * rng.uniform(0, 6), strongest * rng.uniform(0, 0.5)
    return image + (read**2 + shot * image.clamp(min=0)).sqrt() * noise(image, grey)


def strong_noise(image: torch.Tensor, rng: Source, strongest: float) -> torch.Tensor:
    drawn = noise(image, rng.random() < 0.4)
    if rng.random() < 0.5:
        return image + rng.uniform(1, strongest) * drawn
    return image + rng.uniform(0.05, strongest / 10) * image.clamp(0, 255).sqrt() * drawn


def jpeg(image: torch.Tensor, rng: Source, worst: int = 40) -> torch.Tensor:
    return codec.lossy(image, rng.integers(worst, 96))


def rounded(image: torch.Tensor) -> torch.Tensor:
    return image.round().clamp(0, 255)


def degrade(high: torch.Tensor, scale: int, rng: Source) -> torch.Tensor:
    height, width = high.shape[1] // scale, high.shape[2] // scale
    kind = rng.random()
    if kind < CLEAN_SHARE:
        return bicubic_antialiased(high, height, width)
    if kind < CLEAN_SHARE + TWICE_SHARE:
        return degrade_twice(high, height, width, rng)
    if kind < CLEAN_SHARE + TWICE_SHARE + OPTICAL_SHARE:
        image = bicubic_antialiased(blur(high, rng, widest=4.5, narrowest=1.0), height, width)
        return rounded(sensor_noise(image, rng, strongest=0.3))
    return degrade_once(high, height, width, rng)


def degrade_once(high: torch.Tensor, height: int, width: int, rng: Source) -> torch.Tensor:
    image = blur(high, rng, widest=3.0) if rng.random() < 0.55 else high
    image = resize(image, height, width, rng)
    if rng.random() < 0.5:
        image = sensor_noise(image, rng)
    image = rounded(image)
    return jpeg(image, rng) if rng.random() < 0.55 else image


def degrade_twice(high: torch.Tensor, height: int, width: int, rng: Source) -> torch.Tensor:
    def unsharp(image, widest):
        if rng.random() < 0.1:
            return ringing(image, rng)
        return blur(image, rng, widest=widest, narrowest=0.2, general=True)

    image = unsharp(high, 3.0)
    image = rescale(image, (0.2, 0.7), (0.15, 1.5), (height, width), rng)
    image = jpeg(rounded(strong_noise(image, rng, 30)), rng, worst=30)
    if rng.random() < 0.8:
        image = unsharp(image, 1.5)
    image = rescale(image, (0.3, 0.4), (0.3, 1.2), (height, width), rng)
    image = rounded(strong_noise(image, rng, 25))
    if rng.random() < 0.5:
        image = resize_to(jpeg(image, rng, worst=30), height, width, rng)
        return ringing(image, rng) if rng.random() < 0.5 else image
    image = resize_to(image, height, width, rng)
    image = ringing(image, rng) if rng.random() < 0.5 else image
    return jpeg(image, rng, worst=30)


def rescale(image: torch.Tensor, shares, extent, final, rng: Source) -> torch.Tensor:
    kind = rng.random()
    if kind < shares[0]:
        factor = rng.uniform(1, extent[1])
    elif kind < shares[0] + shares[1]:
        factor = rng.uniform(extent[0], 1)
    else:
        return image
    height, width = (max(round(side * factor), last // 2) for side, last in zip(image.shape[1:], final))
    return resize_to(image, height, width, rng)


def resize_to(image: torch.Tensor, height: int, width: int, rng: Source) -> torch.Tensor:
    return rounded(scaled(image, height, width, FILTERS[rng.integers(0, 3)], False))
