"""The architecture of the built-in model kds-photo-x1, which restores photographs at their size and fills holes in them.

It is kds-photo-x4 one storey up. The latents are again a residual under pixel_unshuffle by 4 (48 channels on a grid of
every fourth pixel), here against the degraded photograph itself. Holes are first filled from what is around them
(`fill`), and their residual is divided by a standard deviation of its own, since it is several times as large.

The network sees the latents, of the cell means what kds-photo-x4 sees of its low-resolution photograph, the deviations
from the cell means, amplified for the same reason, and the hole.
"""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from diffusers import UNet2DModel

import photo_x4
from degrade import blur, jpeg, resize, sensor_noise

SCALE = 1
CELL = 4  # pixels of the photograph along a side of a pixel of the latents
RESIDUAL_STD = 0.085
HOLE_STD = 0.2
UNET_CONFIG = photo_x4.UNET_CONFIG | dict(
    in_channels=48 + 6 + 48 + 16,
    # A photograph at its size has sixteen times the pixels of one that is to be enlarged, so this network is lighter.
    block_out_channels=(64, 96, 128),
    layers_per_block=1,
)

CLEAN_SHARE = 0.25
WHOLE_SHARE = 0.4  # share of crops without a hole

alphas_cumprod = photo_x4.alphas_cumprod


def build() -> UNet2DModel:
    """Three eighths of the first features see nothing but the photograph at the start: where all of them see the noise
    too, the network takes thousands of iterations to look past it."""
    model = UNet2DModel(**UNET_CONFIG)
    with torch.no_grad():
        first = model.conv_in.weight
        first[: len(first) * 3 // 8, :48] = 0
    return model


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


def spread(hole: torch.Tensor) -> torch.Tensor:
    """What the residual is divided by, pixel by pixel."""
    return torch.where(hole > 0, HOLE_STD, RESIDUAL_STD)


def condition(picture: torch.Tensor, hole: torch.Tensor) -> torch.Tensor:
    """What the network sees of a filled photograph (N x 3 x h x w in [-1, 1]) and its hole (N x 1 x h x w, 1 inside)."""
    low = F.avg_pool2d(picture, CELL)
    detail = picture - F.interpolate(low, scale_factor=CELL, mode="nearest")
    return torch.cat(
        [
            photo_x4.condition(low),
            F.pixel_unshuffle(photo_x4.DETAIL_GAIN * detail, CELL),
            F.pixel_unshuffle(hole, CELL),
        ],
        1,
    )


def encode(high: torch.Tensor, picture: torch.Tensor, hole: torch.Tensor) -> torch.Tensor:
    return F.pixel_unshuffle((high - picture) / spread(hole), CELL)


def decode(latents: torch.Tensor, picture: torch.Tensor, hole: torch.Tensor) -> torch.Tensor:
    return picture + F.pixel_shuffle(latents, CELL) * spread(hole)


def known(high: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A photograph as a person would have it, spoilt and with a hole: H x W x 3 and H x W x 1, both uint8."""
    return degrade(high, rng), hole(high.shape[0], high.shape[1], rng)


def prepare(picture: torch.Tensor, hole: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of the batches of `known`, both scaled to [-1, 1], what the functions above take."""
    hole = (hole > 0).to(picture.dtype)
    return fill(picture, hole), hole


def degrade(high: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur, loss of resolution, noise, JPEG, each in some of the crops."""
    if rng.random() < CLEAN_SHARE:
        return high
    height, width = high.shape[:2]
    image = blur(high, rng) if rng.random() < 0.55 else high
    if rng.random() < 0.4:
        factor = rng.uniform(1.0, 2.5)
        image = resize(image, round(height / factor), round(width / factor), rng)
    if rng.random() < 0.55:
        image = sensor_noise(image, rng, strongest=2.5)
    image = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        image = jpeg(image, rng, worst=20)
    if image.shape[:2] != (height, width):
        image = cv2.resize(image, (width, height), interpolation=(cv2.INTER_LINEAR, cv2.INTER_CUBIC)[rng.integers(2)])
    return image


def hole(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """255 inside: nothing, a box or an ellipse up to two thirds of the crop's sides, or strokes and scratches."""
    mask = np.zeros((height, width), np.uint8)
    kind = rng.random()
    if kind < WHOLE_SHARE:
        return mask[..., None]
    if kind < WHOLE_SHARE + 0.35 * (1 - WHOLE_SHARE):
        sides = (rng.uniform(0.15, 0.65, 2) * (width, height)).astype(int)
        corner = [int(rng.integers(-side // 3, whole - side + side // 3)) for side, whole in zip(sides, (width, height))]
        if rng.random() < 0.6:
            cv2.rectangle(mask, corner, [int(c + s) for c, s in zip(corner, sides)], 255, -1)
        else:
            centre = [int(c + s // 2) for c, s in zip(corner, sides)]
            cv2.ellipse(mask, centre, [int(side // 2) for side in sides], rng.uniform(0, 180), 0, 360, 255, -1)
    else:
        for _ in range(rng.integers(2, 7)):
            points = np.cumsum(rng.normal(0, width / 6, (rng.integers(2, 6), 2)), 0) + rng.uniform(0, (width, height))
            thickness = int(rng.integers(1, 20)) if rng.random() < 0.6 else int(rng.integers(1, 4))
            cv2.polylines(mask, [points.astype(np.int32)], False, 255, thickness)
    return mask[..., None]
