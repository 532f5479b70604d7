"""What kds-photo-x1 and kds-inpaint are trained on: photographs spoilt at their size, with holes."""

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from degrade import blur, jpeg, resize, sensor_noise

CLEAN_SHARE = 0.2
JPEG_SHARE = 0.2  # share of crops with JPEG's artefacts alone
WHOLE_SHARE = 0.4  # share of crops without a hole


def known(high: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A photograph as a person would have it, spoilt and with a hole: H x W x 3 and H x W x 1, both uint8."""
    return degrade(high, rng), hole(high.shape[0], high.shape[1], rng)


def prepare(picture: torch.Tensor, hole: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of the batches of `known`, both scaled to [-1, 1], what the functions above take."""
    hole = (hole > 0).to(picture.dtype)
    return fill(picture, hole), hole


def degrade(high: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Nothing; JPEG alone; or blur, loss of resolution, noise, JPEG, each in some of the crops."""
    kind = rng.random()
    if kind < CLEAN_SHARE:
        return high
    if kind < CLEAN_SHARE + JPEG_SHARE:
        return jpeg(high, rng, worst=20)
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
