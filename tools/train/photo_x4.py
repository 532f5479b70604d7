"""The architecture and the diffusion process of the built-in model kds-photo-x4.

It predicts and refines: a network guesses the photograph in one pass (`predictor_x4.py`), and a diffusion network samples
the residual (`latents_x4.py`), seeing the guess and the features behind it. It predicts v (Salimans & Ho 2022) under the
cosine schedule (Nichol & Dhariwal 2021), both in the conventions of diffusers. Both networks are trained together: the
first by the mean absolute error of its guess, and through its features by the loss of the second.
"""

import sys

import torch
from diffusers import UNet2DModel
from torch import nn

import latents_x4
import predictor_x4
import samples

TRAIN_TIMESTEPS = 1000
GUESS_WEIGHT = 1.0  # of the error of the guess, beside the squared error of v
UNET_CONFIG = dict(
    sample_size=None,
    in_channels=2 * latents_x4.CHANNELS + 6 + predictor_x4.CONFIG["channels"],
    out_channels=latents_x4.CHANNELS,
    block_out_channels=(64, 128, 192),
    layers_per_block=2,
    down_block_types=("DownBlock2D",) * 3,
    up_block_types=("UpBlock2D",) * 3,
    norm_num_groups=8,
    # No attention: the receptive field stays bounded, so an image may be cut into tiles.
    add_attention=False,
    resnet_time_scale_shift="scale_shift",
)

known, prepare = latents_x4.known, latents_x4.prepare


class PhotoX4(nn.Module):
    """The components of the model folder, by the names of their folders."""

    def __init__(self):
        super().__init__()
        self.predictor = predictor_x4.Edsr(**predictor_x4.CONFIG)
        self.unet = UNet2DModel(**UNET_CONFIG)


def build() -> PhotoX4:
    return PhotoX4()


def alphas_cumprod() -> torch.Tensor:
    """diffusers' `squaredcos_cap_v2`, in float64."""
    t = torch.arange(TRAIN_TIMESTEPS + 1, dtype=torch.float64) / TRAIN_TIMESTEPS
    bar = torch.cos((t + 0.008) / 1.008 * torch.pi / 2) ** 2
    betas = (1 - bar[1:] / bar[:-1]).clamp(max=0.999)
    return torch.cumprod(1 - betas, 0)


def condition(low: torch.Tensor, guess: torch.Tensor) -> torch.Tensor:
    """The inputs of the diffusion network beside the noisy latents, N x 118 x h x w: `guess` is latents and features."""
    return torch.cat([latents_x4.condition(low), guess], 1)


def encode(high: torch.Tensor, low: torch.Tensor, guess: torch.Tensor) -> torch.Tensor:
    return latents_x4.encode(high, low)


def decode(latents: torch.Tensor, low: torch.Tensor, guess: torch.Tensor) -> torch.Tensor:
    return latents_x4.decode(latents, low)


def objective(options, device):
    refine = samples.objective(sys.modules[__name__], options, device)

    def losses(model, fraction, high, low):
        latents, features = model.predictor(latents_x4.condition(low))
        estimate = latents_x4.decode(latents.detach().float(), low)
        error, loss = refine(model.unet, fraction, high, estimate, low, torch.cat([latents, features], 1).float())
        return error, loss + GUESS_WEIGHT * (latents.float() - latents_x4.encode(high, low)).abs().mean()

    return losses
