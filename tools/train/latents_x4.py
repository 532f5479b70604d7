"""The latents of kds-photo-x4 and the inputs of its networks.

The image is the bicubic enlargement of the low-resolution photograph plus a residual; the latents are the residual on the
low-resolution grid (pixel_unshuffle by 4: 3 channels of 4h x 4w become 48 channels of h x w), scaled to about unit variance.

The networks see the low-resolution photograph and, once more, its detail: the difference from its local mean, amplified to
the size of the noise beside it. Without that the diffusion network hardly learns to look at it: the detail of a photograph is
a thousandth of the variance of its inputs, and after 6,750 iterations a prediction from noise alone explained 2 % of the
residual.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from degrade import degrade

if TYPE_CHECKING:
    import numpy as np

SCALE = 4
CHANNELS = 3 * SCALE * SCALE
RESIDUAL_STD = 0.15  # of the residual in [-1, 1] units; latents = residual / RESIDUAL_STD
DETAIL_WINDOW = 5  # side of the local mean, in low-resolution pixels
DETAIL_GAIN = 8.0


def enlarge(low: torch.Tensor) -> torch.Tensor:
    """Bicubic enlargement (a = -0.75, half-pixel centres) of N x 3 x h x w in [-1, 1]."""
    return F.interpolate(low, scale_factor=SCALE, mode="bicubic", align_corners=False)


def condition(low: torch.Tensor) -> torch.Tensor:
    """The low-resolution photograph and its detail: N x 6 x h x w."""
    mean = F.avg_pool2d(low, DETAIL_WINDOW, 1, DETAIL_WINDOW // 2, count_include_pad=False)
    return torch.cat([low, DETAIL_GAIN * (low - mean)], 1)


def encode(high: torch.Tensor, low: torch.Tensor) -> torch.Tensor:
    """The latents of a high-resolution photograph, given its low-resolution version."""
    return F.pixel_unshuffle((high - enlarge(low)) / RESIDUAL_STD, SCALE)


def decode(latents: torch.Tensor, low: torch.Tensor) -> torch.Tensor:
    """The photograph, N x 3 x 4h x 4w, not clamped."""
    return enlarge(low) + RESIDUAL_STD * F.pixel_shuffle(latents, SCALE)


def known(high: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray]:
    """The photograph as a person would have it: H/4 x W/4 x 3 uint8."""
    return (degrade(high, SCALE, rng),)


def prepare(low: torch.Tensor) -> tuple[torch.Tensor]:
    """Of a batch of `known`, scaled to [-1, 1], the arguments of the functions above."""
    return (low,)
