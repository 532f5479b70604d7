"""The architecture and the diffusion process of the built-in model kds-photo-x4.

The image is the bicubic enlargement of the low-resolution photograph plus a residual. The network sees the residual
on the low-resolution grid (pixel_unshuffle by 4: 3 channels of 4h x 4w become 48 channels of h x w), scaled to about
unit variance, concatenated with what is known of the photograph, and predicts v (Salimans & Ho 2022) under the cosine
schedule (Nichol & Dhariwal 2021), both in the conventions of diffusers.

What is known is the low-resolution photograph and, once more, its detail: the difference from its local mean, amplified
to the size of the noise beside it. Without that the network hardly learns to look at it: the detail of a photograph is
a thousandth of the variance of its inputs, and after 6,750 iterations a prediction from noise alone explained 2 % of
the residual.
"""

import sys

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import UNet2DModel

import diffusion
from degrade import degrade

SCALE = 4
RESIDUAL_STD = 0.15  # of the residual in [-1, 1] units; latents = residual / RESIDUAL_STD
TRAIN_TIMESTEPS = 1000
DETAIL_WINDOW = 5  # side of the local mean, in low-resolution pixels
DETAIL_GAIN = 8.0

UNET_CONFIG = dict(
    sample_size=None,
    in_channels=3 * SCALE * SCALE + 6,
    out_channels=3 * SCALE * SCALE,
    block_out_channels=(64, 128, 192),
    layers_per_block=2,
    down_block_types=("DownBlock2D",) * 3,
    up_block_types=("UpBlock2D",) * 3,
    norm_num_groups=8,
    # No attention: the receptive field stays bounded, so an image may be cut into tiles.
    add_attention=False,
    resnet_time_scale_shift="scale_shift",
)


def build() -> UNet2DModel:
    return UNet2DModel(**UNET_CONFIG)


def alphas_cumprod() -> torch.Tensor:
    """diffusers' `squaredcos_cap_v2`, in float64."""
    t = torch.arange(TRAIN_TIMESTEPS + 1, dtype=torch.float64) / TRAIN_TIMESTEPS
    bar = torch.cos((t + 0.008) / 1.008 * torch.pi / 2) ** 2
    betas = (1 - bar[1:] / bar[:-1]).clamp(max=0.999)
    return torch.cumprod(1 - betas, 0)


def enlarge(low: torch.Tensor) -> torch.Tensor:
    """Bicubic enlargement (a = -0.75, half-pixel centres) of N x 3 x h x w in [-1, 1]."""
    return F.interpolate(low, scale_factor=SCALE, mode="bicubic", align_corners=False)


def condition(low: torch.Tensor) -> torch.Tensor:
    """What the network sees of the low-resolution photograph: N x 6 x h x w."""
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
    """Of a batch of `known`, scaled to [-1, 1], what the functions above take."""
    return (low,)


def objective(options, device):
    return diffusion.objective(sys.modules[__name__], options, device)
